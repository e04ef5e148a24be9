#include "core/codec.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "core/evp_abi.h"
#include "core/zstd_abi.h"

namespace cloudvol {
namespace {

// Level 1 is where a backup is bound by neither the disk nor the network on two cores; see
// docs/design/0003.
constexpr int kZstdLevel = 1;
// Compression has to save 1/16 to be worth a decompression on every read.
constexpr size_t kWorthwhileShare = 16;
constexpr size_t kReservedOffset = 9;
constexpr size_t kHashOffset = 12;

template <auto Free>
struct Freed {
  template <typename T>
  void operator()(T* handle) const {
    Free(handle);
  }
};
template <typename T, auto Free>
using Handle = std::unique_ptr<T, Freed<Free>>;

// Set up once per thread: a zstd context alone is some hundred KiB to allocate and clear. Null when
// memory is short; the next call tries again.
ZSTD_CCtx_s* Compressor() {
  thread_local Handle<ZSTD_CCtx_s, ZSTD_freeCCtx> context;
  if (!context) context.reset(ZSTD_createCCtx());
  return context.get();
}

ZSTD_DCtx_s* Decompressor() {
  thread_local Handle<ZSTD_DCtx_s, ZSTD_freeDCtx> context;
  if (!context) context.reset(ZSTD_createDCtx());
  return context.get();
}

const evp_md_st* Sha256() {
  thread_local Handle<evp_md_st, EVP_MD_free> digest;
  if (!digest) digest.reset(EVP_MD_fetch(nullptr, "SHA2-256", nullptr));
  return digest.get();
}

evp_md_ctx_st* Digester() {
  thread_local Handle<evp_md_ctx_st, EVP_MD_CTX_free> context;
  if (!context) context.reset(EVP_MD_CTX_new());
  return context.get();
}

const evp_cipher_st* Aes256Gcm() {
  thread_local Handle<evp_cipher_st, EVP_CIPHER_free> cipher;
  if (!cipher) cipher.reset(EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr));
  return cipher.get();
}

evp_cipher_ctx_st* CipherContext() {
  thread_local Handle<evp_cipher_ctx_st, EVP_CIPHER_CTX_free> context;
  if (!context) context.reset(EVP_CIPHER_CTX_new());
  return context.get();
}

constexpr size_t kNonceBytes = 12;

void WriteNonce(uint8_t* nonce, uint64_t offset) {
  for (size_t byte = 0; byte < kNonceBytes; ++byte)
    nonce[byte] = byte < 8 ? static_cast<uint8_t>(offset >> (8 * byte)) : 0;
}

// `frame`: the clear start of its header, then `bytes` to encrypt in place, then room for the tag.
bool EncryptFrame(uint8_t* frame, size_t bytes, uint64_t offset, const FrameSeal& seal) {
  evp_cipher_ctx_st* context = CipherContext();
  uint8_t nonce[kNonceBytes];
  WriteNonce(nonce, offset);
  uint8_t* message = frame + kHashOffset;
  int done = 0;
  return context != nullptr &&
         EVP_EncryptInit_ex(context, Aes256Gcm(), nullptr, seal.key, nonce) == 1 &&
         EVP_EncryptUpdate(context, nullptr, &done, seal.aad, static_cast<int>(seal.aad_bytes)) ==
             1 &&
         EVP_EncryptUpdate(context, nullptr, &done, frame, kHashOffset) == 1 &&
         EVP_EncryptUpdate(context, message, &done, message, static_cast<int>(bytes)) == 1 &&
         EVP_EncryptFinal_ex(context, message + bytes, &done) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, kGetTag, kTagBytes, message + bytes) == 1;
}

// Hash and payload of a frame to `plain`, whose content is worth nothing unless it returns none.
std::optional<CodecError> DecryptFrame(const uint8_t* frame, size_t bytes, uint64_t offset,
                                       const FrameSeal& seal, uint8_t* plain) {
  evp_cipher_ctx_st* context = CipherContext();
  if (context == nullptr) return CodecError::kNoMemory;
  uint8_t nonce[kNonceBytes];
  WriteNonce(nonce, offset);
  const uint8_t* message = frame + kHashOffset;
  uint8_t tag[kTagBytes];
  std::memcpy(tag, message + bytes, kTagBytes);
  int done = 0;
  if (EVP_DecryptInit_ex(context, Aes256Gcm(), nullptr, seal.key, nonce) != 1 ||
      EVP_DecryptUpdate(context, nullptr, &done, seal.aad, static_cast<int>(seal.aad_bytes)) != 1 ||
      EVP_DecryptUpdate(context, nullptr, &done, frame, kHashOffset) != 1 ||
      EVP_DecryptUpdate(context, plain, &done, message, static_cast<int>(bytes)) != 1 ||
      EVP_CIPHER_CTX_ctrl(context, kSetTag, kTagBytes, tag) != 1) {
    return CodecError::kLibraryFailed;
  }
  if (EVP_DecryptFinal_ex(context, plain + bytes, &done) != 1) return CodecError::kTag;
  return std::nullopt;
}

bool ContentHash(const uint8_t* bytes, size_t count, const HashKey& key, uint8_t* hash) {
  const evp_md_st* digest = Sha256();
  unsigned hash_bytes = 0;
  if (digest == nullptr) return false;
  if (key.bytes != nullptr) {
    return HMAC(digest, key.bytes, static_cast<int>(key.count), bytes, count, hash, &hash_bytes) !=
           nullptr;
  }
  evp_md_ctx_st* context = Digester();
  return context != nullptr && EVP_DigestInit_ex(context, digest, nullptr) == 1 &&
         EVP_DigestUpdate(context, bytes, count) == 1 &&
         EVP_DigestFinal_ex(context, hash, &hash_bytes) == 1;
}

uint32_t LoadU32(const uint8_t* at) {
  uint32_t value = 0;
  for (int byte = 0; byte < 4; ++byte) value |= static_cast<uint32_t>(at[byte]) << (8 * byte);
  return value;
}

void StoreU32(uint8_t* at, uint32_t value) {
  for (int byte = 0; byte < 4; ++byte) at[byte] = static_cast<uint8_t>(value >> (8 * byte));
}

struct Header {
  uint32_t block;
  uint32_t payload_bytes;
  uint8_t encoding;
  const uint8_t* hash;
};

void WriteHeader(uint8_t* at, const Header& header) {
  StoreU32(at, header.block);
  StoreU32(at + 4, header.payload_bytes);
  at[8] = header.encoding;
  std::memset(at + kReservedOffset, 0, kHashOffset - kReservedOffset);
  std::memcpy(at + kHashOffset, header.hash, kHashBytes);
}

struct Payload {
  FrameEncoding encoding;
  size_t bytes;
};

std::optional<CodecError> EncodePayload(const uint8_t* block, size_t block_bytes, uint8_t* target,
                                        Payload& payload) {
  ZSTD_CCtx_s* context = Compressor();
  if (context == nullptr) return CodecError::kNoMemory;
  const size_t worthwhile = block_bytes - block_bytes / kWorthwhileShare;
  const size_t compressed =
      ZSTD_compressCCtx(context, target, worthwhile, block, block_bytes, kZstdLevel);
  if (!ZSTD_isError(compressed)) {
    payload = {FrameEncoding::kZstd, compressed};
    return std::nullopt;
  }
  if (ZSTD_getErrorCode(compressed) != kZstdTargetTooSmall) return CodecError::kLibraryFailed;
  std::memcpy(target, block, block_bytes);
  payload = {FrameEncoding::kRaw, block_bytes};
  return std::nullopt;
}

std::optional<CodecError> EncodeBlock(const EncodeRequest& request, EncodeResult& result,
                                      size_t position) {
  const uint8_t* block = request.blocks + position * request.block_bytes;
  uint8_t* hash = result.hashes + position * kHashBytes;
  result.offsets[position] = 0;
  result.payload_bytes[position] = 0;
  if (IsZero(block, request.block_bytes)) {
    result.outcomes[position] = kOutcomeZero;
    std::memset(hash, 0, kHashBytes);
    return std::nullopt;
  }
  if (!ContentHash(block, request.block_bytes, request.key, hash))
    return CodecError::kLibraryFailed;
  if (request.parent_hashes != nullptr &&
      std::memcmp(hash, request.parent_hashes + position * kHashBytes, kHashBytes) == 0) {
    result.outcomes[position] = kOutcomeUnchanged;
    return std::nullopt;
  }
  uint8_t* frame = result.frames + result.frames_bytes;
  Payload payload{};
  if (auto error = EncodePayload(block, request.block_bytes, frame + kFrameHeaderBytes, payload))
    return error;
  if (request.sealed) {
    // No byte of older memory goes to the bucket, should nobody write the tag.
    std::memset(frame + kFrameHeaderBytes + payload.bytes, 0, kTagBytes);
    payload.bytes += kTagBytes;
  }
  const auto encoding = static_cast<uint8_t>(static_cast<uint8_t>(payload.encoding) +
                                             (request.sealed ? kEncrypted : 0));
  const auto payload_bytes = static_cast<uint32_t>(payload.bytes);
  WriteHeader(frame, {request.first_block + static_cast<uint32_t>(position), payload_bytes,
                      encoding, hash});
  result.outcomes[position] = encoding;
  result.offsets[position] = static_cast<uint32_t>(result.frames_bytes);
  result.payload_bytes[position] = payload_bytes;
  result.frames_bytes += kFrameHeaderBytes + payload.bytes;
  return std::nullopt;
}

std::optional<CodecError> DecodePayload(const uint8_t* payload, size_t bytes, uint8_t encoding,
                                        uint8_t* block, size_t block_bytes) {
  if (encoding == static_cast<uint8_t>(FrameEncoding::kRaw)) {
    if (bytes != block_bytes) return CodecError::kPayload;
    std::memcpy(block, payload, block_bytes);
    return std::nullopt;
  }
  if (encoding != static_cast<uint8_t>(FrameEncoding::kZstd)) return CodecError::kPayload;
  ZSTD_DCtx_s* context = Decompressor();
  if (context == nullptr) return CodecError::kNoMemory;
  // The capacity is one block, so that a bomb cannot write more; a frame of less leaves a wrong
  // length.
  if (ZSTD_decompressDCtx(context, block, block_bytes, payload, bytes) != block_bytes)
    return CodecError::kPayload;
  return std::nullopt;
}

// Memory for one decrypted frame per thread: what has not been verified is never in the target.
uint8_t* Scratch() {
  thread_local std::unique_ptr<uint8_t[]> scratch;
  if (!scratch) scratch.reset(new (std::nothrow) uint8_t[kHashBytes + kMaxBlockBytes + kTagBytes]);
  return scratch.get();
}

std::optional<CodecError> DecodeFrame(const DecodeRequest& request, size_t position) {
  const size_t offset = request.offsets[position];
  size_t payload_bytes = request.payload_bytes[position];
  if (offset > request.source_bytes || request.source_bytes - offset < kFrameHeaderBytes ||
      request.source_bytes - offset - kFrameHeaderBytes < payload_bytes) {
    return CodecError::kFrameBounds;
  }
  const uint8_t* frame = request.source + offset;
  const uint8_t* expected_hash = request.hashes + position * kHashBytes;
  uint8_t expected[kFrameHeaderBytes];
  WriteHeader(expected, {request.blocks[position], request.payload_bytes[position],
                         request.encodings[position], expected_hash});
  const bool sealed = request.seal.key != nullptr;
  const size_t clear_bytes = sealed ? kHashOffset : kFrameHeaderBytes;
  if (std::memcmp(frame, expected, clear_bytes) != 0) return CodecError::kHeaderMismatch;
  const uint8_t* payload = frame + kFrameHeaderBytes;
  uint8_t encoding = request.encodings[position];
  if (sealed) {
    const size_t most = request.block_bytes + kTagBytes;
    if (payload_bytes < kTagBytes || payload_bytes > most || encoding <= kEncrypted)
      return CodecError::kPayload;
    payload_bytes -= kTagBytes;
    encoding -= kEncrypted;
    uint8_t* plain = Scratch();
    if (plain == nullptr) return CodecError::kNoMemory;
    if (const auto error = DecryptFrame(frame, kHashBytes + payload_bytes,
                                        request.source_offset + offset, request.seal, plain))
      return error;
    if (std::memcmp(plain, expected_hash, kHashBytes) != 0) return CodecError::kHeaderMismatch;
    payload = plain + kHashBytes;
  }
  uint8_t* block = request.target + request.slots[position] * request.block_bytes;
  const auto error = DecodePayload(payload, payload_bytes, encoding, block, request.block_bytes);
  if (error) return error;
  uint8_t hash[kHashBytes];
  if (!ContentHash(block, request.block_bytes, request.key, hash))
    return CodecError::kLibraryFailed;
  if (std::memcmp(hash, expected_hash, kHashBytes) != 0) return CodecError::kContentHash;
  return std::nullopt;
}

}  // namespace

bool IsZero(const uint8_t* bytes, size_t count) {
  // If the first bytes are zero and every byte equals the one kLead before it, all are zero. memcmp
  // does that with the widest instructions that the processor has.
  constexpr size_t kLead = 64;
  const size_t lead = std::min(count, kLead);
  return std::all_of(bytes, bytes + lead, [](uint8_t byte) { return byte == 0; }) &&
         std::memcmp(bytes, bytes + lead, count - lead) == 0;
}

std::optional<CodecFailure> EncodeBlocks(const EncodeRequest& request, EncodeResult& result) {
  result.frames_bytes = 0;
  for (size_t position = 0; position < request.block_count; ++position) {
    if (auto error = EncodeBlock(request, result, position)) return CodecFailure{*error, position};
  }
  return std::nullopt;
}

std::optional<CodecFailure> SealPack(uint8_t* pack, size_t pack_bytes, const FrameSeal& seal) {
  size_t position = 0;
  for (size_t at = kPackHeaderBytes; at < pack_bytes; ++position) {
    const size_t left = pack_bytes - at;
    if (left < kFrameHeaderBytes) return CodecFailure{CodecError::kFrameBounds, position};
    const size_t payload_bytes = LoadU32(pack + at + 4);
    if (payload_bytes < kTagBytes || payload_bytes > kMaxBlockBytes + kTagBytes ||
        payload_bytes > left - kFrameHeaderBytes || pack[at + 8] <= kEncrypted)
      return CodecFailure{CodecError::kFrameBounds, position};
    if (!EncryptFrame(pack + at, kHashBytes + payload_bytes - kTagBytes, at, seal))
      return CodecFailure{CodecError::kLibraryFailed, position};
    at += kFrameHeaderBytes + payload_bytes;
  }
  return std::nullopt;
}

std::optional<CodecFailure> DecodeFrames(const DecodeRequest& request) {
  for (size_t position = 0; position < request.frame_count; ++position) {
    if (auto error = DecodeFrame(request, position)) return CodecFailure{*error, position};
  }
  return std::nullopt;
}

}  // namespace cloudvol
