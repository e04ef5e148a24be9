#include "core/codec.h"

#include <algorithm>
#include <cstring>
#include <memory>

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
  const auto encoding = static_cast<uint8_t>(payload.encoding);
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

std::optional<CodecError> DecodeFrame(const DecodeRequest& request, size_t position) {
  const size_t offset = request.offsets[position];
  const size_t payload_bytes = request.payload_bytes[position];
  if (offset > request.source_bytes || request.source_bytes - offset < kFrameHeaderBytes ||
      request.source_bytes - offset - kFrameHeaderBytes < payload_bytes) {
    return CodecError::kFrameBounds;
  }
  const uint8_t* frame = request.source + offset;
  const uint8_t* expected_hash = request.hashes + position * kHashBytes;
  uint8_t expected[kFrameHeaderBytes];
  WriteHeader(expected, {request.blocks[position], request.payload_bytes[position],
                         request.encodings[position], expected_hash});
  if (std::memcmp(frame, expected, kFrameHeaderBytes) != 0) return CodecError::kHeaderMismatch;
  uint8_t* block = request.target + request.slots[position] * request.block_bytes;
  const auto error = DecodePayload(frame + kFrameHeaderBytes, payload_bytes,
                                   request.encodings[position], block, request.block_bytes);
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

std::optional<CodecFailure> DecodeFrames(const DecodeRequest& request) {
  for (size_t position = 0; position < request.frame_count; ++position) {
    if (auto error = DecodeFrame(request, position)) return CodecFailure{*error, position};
  }
  return std::nullopt;
}

}  // namespace cloudvol
