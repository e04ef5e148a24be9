// Blocks of a volume to frames of a pack and back. A frame is a 44-byte header, little-endian, and
// a payload:
//
//    0  u32  block index
//    4  u32  payload bytes
//    8  u8   encoding (FrameEncoding)
//    9  3 bytes, zero
//   12  32 bytes, content hash of the plain block
//
// In an encrypted pack everything from byte 12 on is ciphertext, and a tag ends the payload.
//
// docs/FORMAT.md describes it for readers; src/format/frame.ts has the same numbers, and the golden
// vectors hold both to them. Pure functions of their arguments: any thread may call them; what is
// costly to set up is kept per thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace cloudvol {

inline constexpr size_t kHashBytes = 32;
inline constexpr size_t kFrameHeaderBytes = 44;
inline constexpr size_t kTagBytes = 16;
inline constexpr size_t kSealKeyBytes = 32;
inline constexpr size_t kPackHeaderBytes = 40;
inline constexpr size_t kMaxBlockBytes = size_t{1} << 20;
// Most plain bytes in one call: some milliseconds of a thread of a pool that others wait for.
inline constexpr size_t kMaxEncodeBytes = size_t{4} << 20;

// How a payload is stored. In an encrypted pack kEncrypted is added.
enum class FrameEncoding : uint8_t { kRaw = 1, kZstd = 2 };
inline constexpr uint8_t kEncrypted = 2;

// What became of a block: a FrameEncoding, or one of these.
inline constexpr uint8_t kOutcomeZero = 0;
inline constexpr uint8_t kOutcomeUnchanged = 255;

// Content hash: SHA-256, or HMAC-SHA-256 when there is a key, so that a reader of the bucket learns
// nothing from it.
struct HashKey {
  const uint8_t* bytes = nullptr;
  size_t count = 0;
};

// Encrypts the frames of one pack: AES-256-GCM, the nonce is the frame's offset in the pack as a
// u64 and four zeros; `aad` and bytes 0 to 11 of the frame are authenticated, hash and payload are
// encrypted in place, and the payload ends with the tag, which payload_bytes counts.
struct FrameSeal {
  const uint8_t* key = nullptr;  // kSealKeyBytes; null: the frames are clear
  const uint8_t* aad = nullptr;
  size_t aad_bytes = 0;
};

enum class CodecError {
  kNoMemory,        // a context could not be had
  kLibraryFailed,   // zstd or OpenSSL failed where they cannot, short of a defect
  kFrameBounds,     // the frame does not lie within the input
  kHeaderMismatch,  // the frame's header is not the one that the index promises
  kPayload,         // the payload does not decode to exactly one block
  kContentHash,     // the block is not the one that was hashed
  kTag,             // the frame was altered, or is not the one of this place
};

struct CodecFailure {
  CodecError error;
  // Position in the request, from 0.
  size_t position;
};

struct EncodeRequest {
  const uint8_t* blocks;  // block_count * block_bytes
  size_t block_count;
  size_t block_bytes;
  uint32_t first_block;
  const uint8_t* parent_hashes;  // block_count * kHashBytes, all zero where unknown; or null
  HashKey key;
  bool sealed = false;  // leaves room for a tag behind each payload: see SealPack()
};

// Caller's memory, one element per block. A block without a frame has offset and payload 0.
struct EncodeResult {
  uint8_t* frames;  // EncodeCapacity() bytes
  uint8_t* outcomes;
  uint32_t* offsets;  // of the frame's header in `frames`
  uint32_t* payload_bytes;
  uint8_t* hashes;  // block_count * kHashBytes; zero for a zero block
  size_t frames_bytes;
};

inline constexpr size_t EncodeCapacity(size_t block_count, size_t block_bytes) {
  return block_count * (kFrameHeaderBytes + block_bytes + kTagBytes);
}

// For each block: nothing if it is all zero or has its parent's hash; else a frame, zstd level 1,
// or raw where that saves less than 1/16. Frames follow one another without gaps.
std::optional<CodecFailure> EncodeBlocks(const EncodeRequest& request, EncodeResult& result);

// Encrypts all frames of a whole pack where they lie; its header stays. Once for each key: a second
// time would use its nonces again. After a failure the content of the pack is undefined.
std::optional<CodecFailure> SealPack(uint8_t* pack, size_t pack_bytes, const FrameSeal& seal);

// Frame i: header at source + offsets[i], and what the index says it must be. Its block goes to
// target slot slots[i].
struct DecodeRequest {
  const uint8_t* source;
  size_t source_bytes;
  size_t block_bytes;
  size_t frame_count;
  const uint32_t* offsets;
  const uint32_t* blocks;
  const uint32_t* payload_bytes;
  const uint8_t* encodings;
  const uint8_t* hashes;  // frame_count * kHashBytes
  const uint32_t* slots;  // position of the block in `target`, which is large enough
  uint8_t* target;
  HashKey key;
  FrameSeal seal = {};
  uint64_t source_offset = 0;  // of `source` in its pack
};

// Right bytes or a failure: header, decoded size and content hash are checked for every frame.
// After a failure the content of `target` is undefined.
std::optional<CodecFailure> DecodeFrames(const DecodeRequest& request);

bool IsZero(const uint8_t* bytes, size_t count);

}  // namespace cloudvol
