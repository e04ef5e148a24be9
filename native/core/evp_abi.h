// The few functions of OpenSSL 3 that the codec calls, declared here because Node exports the
// symbols of its own copy (deps/openssl) but need not ship its headers. Signatures: openssl/evp.h
// and openssl/hmac.h, OpenSSL 3.0; the ABI is kept for the whole of version 3.
#pragma once

#include <cstddef>

extern "C" {

struct evp_md_st;
struct evp_md_ctx_st;
struct evp_cipher_st;
struct evp_cipher_ctx_st;
struct ossl_param_st;
struct engine_st;
struct ossl_lib_ctx_st;

evp_md_st* EVP_MD_fetch(ossl_lib_ctx_st* library, const char* algorithm, const char* properties);
void EVP_MD_free(evp_md_st* digest);
evp_md_ctx_st* EVP_MD_CTX_new();
void EVP_MD_CTX_free(evp_md_ctx_st* context);
// The functions below return 1 on success.
int EVP_DigestInit_ex(evp_md_ctx_st* context, const evp_md_st* digest, engine_st* engine);
int EVP_DigestUpdate(evp_md_ctx_st* context, const void* data, size_t bytes);
int EVP_DigestFinal_ex(evp_md_ctx_st* context, unsigned char* hash, unsigned* hash_bytes);

evp_cipher_st* EVP_CIPHER_fetch(ossl_lib_ctx_st* library, const char* algorithm,
                                const char* properties);
void EVP_CIPHER_free(evp_cipher_st* cipher);
evp_cipher_ctx_st* EVP_CIPHER_CTX_new();
void EVP_CIPHER_CTX_free(evp_cipher_ctx_st* context);
// Those below return 1 on success.
int EVP_EncryptInit_ex(evp_cipher_ctx_st* context, const evp_cipher_st* cipher, engine_st* engine,
                       const unsigned char* key, const unsigned char* nonce);
int EVP_EncryptUpdate(evp_cipher_ctx_st* context, unsigned char* target, int* target_bytes,
                      const unsigned char* source, int source_bytes);
int EVP_EncryptFinal_ex(evp_cipher_ctx_st* context, unsigned char* target, int* target_bytes);
int EVP_DecryptInit_ex(evp_cipher_ctx_st* context, const evp_cipher_st* cipher, engine_st* engine,
                       const unsigned char* key, const unsigned char* nonce);
int EVP_DecryptUpdate(evp_cipher_ctx_st* context, unsigned char* target, int* target_bytes,
                      const unsigned char* source, int source_bytes);
int EVP_DecryptFinal_ex(evp_cipher_ctx_st* context, unsigned char* target, int* target_bytes);
int EVP_CIPHER_CTX_ctrl(evp_cipher_ctx_st* context, int command, int argument, void* pointer);

// Returns `hash`, or null on failure.
unsigned char* HMAC(const evp_md_st* digest, const void* key, int key_bytes,
                    const unsigned char* data, size_t bytes, unsigned char* hash,
                    unsigned* hash_bytes);

}  // extern "C"

namespace cloudvol {

// EVP_CTRL_AEAD_GET_TAG and EVP_CTRL_AEAD_SET_TAG in openssl/evp.h.
inline constexpr int kGetTag = 0x10;
inline constexpr int kSetTag = 0x11;

}  // namespace cloudvol
