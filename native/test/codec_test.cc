// The block codec without Node: link with any libzstd 1.4+ and libcrypto 3 (Debian: libzstd.so.1,
// libcrypto.so.3).
#include "core/codec.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

namespace {

using cloudvol::CodecError;
using cloudvol::kFrameHeaderBytes;
using cloudvol::kHashBytes;

constexpr uint8_t kRaw = static_cast<uint8_t>(cloudvol::FrameEncoding::kRaw);
constexpr uint8_t kZstd = static_cast<uint8_t>(cloudvol::FrameEncoding::kZstd);

#define CHECK(condition)                                                           \
  do {                                                                             \
    if (!(condition)) {                                                            \
      std::fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
      std::exit(1);                                                                \
    }                                                                              \
  } while (false)

std::string Hex(const uint8_t* bytes, size_t count) {
  std::string text;
  char digits[3];
  for (size_t i = 0; i < count; ++i) {
    std::snprintf(digits, sizeof digits, "%02x", bytes[i]);
    text += digits;
  }
  return text;
}

// Owns what an EncodeResult points at.
struct Encoded {
  Encoded(const std::vector<uint8_t>& blocks, size_t block_bytes, uint32_t first_block,
          const uint8_t* parents = nullptr, cloudvol::HashKey key = {}, bool sealed = false)
      : count(blocks.size() / block_bytes),
        frames(cloudvol::EncodeCapacity(count, block_bytes)),
        outcomes(count),
        offsets(count),
        payload_bytes(count),
        hashes(count * kHashBytes) {
    result = {frames.data(),        outcomes.data(), offsets.data(),
              payload_bytes.data(), hashes.data(),   0};
    const auto failure = cloudvol::EncodeBlocks(
        {blocks.data(), count, block_bytes, first_block, parents, key, sealed}, result);
    CHECK(!failure);
  }
  size_t count;
  std::vector<uint8_t> frames, outcomes;
  std::vector<uint32_t> offsets, payload_bytes;
  std::vector<uint8_t> hashes;
  cloudvol::EncodeResult result;
};

// Decodes every frame of `from`, the last block first, into one slot per frame.
std::optional<cloudvol::CodecFailure> Decode(const Encoded& from,
                                             const std::vector<uint8_t>& source, size_t block_bytes,
                                             uint32_t first_block, std::vector<uint8_t>& target,
                                             cloudvol::HashKey key = {}) {
  std::vector<uint32_t> offsets, blocks, payloads, slots;
  std::vector<uint8_t> encodings, hashes;
  for (uint32_t i = 0; i < from.count; ++i) {
    if (from.outcomes[i] != kRaw && from.outcomes[i] != kZstd) continue;
    offsets.push_back(from.offsets[i]);
    blocks.push_back(first_block + i);
    payloads.push_back(from.payload_bytes[i]);
    encodings.push_back(from.outcomes[i]);
    hashes.insert(hashes.end(), from.hashes.data() + i * kHashBytes,
                  from.hashes.data() + (i + 1) * kHashBytes);
    slots.push_back(i);
  }
  target.assign(from.count * block_bytes, 0);
  return cloudvol::DecodeFrames({source.data(), source.size(), block_bytes, offsets.size(),
                                 offsets.data(), blocks.data(), payloads.data(), encodings.data(),
                                 hashes.data(), slots.data(), target.data(), key});
}

std::vector<uint8_t> MixedBlocks(std::mt19937& random, size_t count, size_t block_bytes) {
  std::vector<uint8_t> blocks(count * block_bytes);
  for (size_t i = 0; i < count; ++i) {
    uint8_t* block = blocks.data() + i * block_bytes;
    if (i % 3 == 0) continue;
    for (size_t at = 0; at < block_bytes; ++at)
      block[at] = static_cast<uint8_t>(i % 3 == 1 ? random() : at / 64);
  }
  return blocks;
}

void RoundTrips() {
  std::mt19937 random(20240601);
  for (const size_t block_bytes : {size_t{4096}, size_t{65536}, cloudvol::kMaxBlockBytes}) {
    const auto blocks = MixedBlocks(random, 7, block_bytes);
    const Encoded encoded(blocks, block_bytes, 1000);
    const std::vector<uint8_t> outcomes = {0, kRaw, kZstd, 0, kRaw, kZstd, 0};
    CHECK(encoded.outcomes == outcomes);
    std::vector<uint8_t> decoded;
    CHECK(!Decode(encoded, encoded.frames, block_bytes, 1000, decoded));
    CHECK(decoded == blocks);
  }
}

void ZeroTestSeesEveryByte() {
  std::vector<uint8_t> bytes(200);
  CHECK(cloudvol::IsZero(bytes.data(), bytes.size()));
  for (size_t at = 0; at < bytes.size(); ++at) {
    bytes[at] = 1;
    CHECK(!cloudvol::IsZero(bytes.data(), bytes.size()));
    CHECK(cloudvol::IsZero(bytes.data(), at));
    bytes[at] = 0;
  }
}

// FIPS 180-2 vectors need other lengths than a block's, so these were computed with Python's
// hashlib and hmac:
//   hashlib.sha256(b'a' * 4096), hmac.new(bytes(range(32)), b'a' * 4096, 'sha256')
void ContentHashesAreSha256AndHmac() {
  const std::vector<uint8_t> block(4096, 'a');
  const Encoded plain(block, 4096, 0);
  CHECK(Hex(plain.hashes.data(), kHashBytes) ==
        "c93eee2d0db02f10acc7460d9576e122dcf8cd53c4bf8dfcae1b3e74ebcfff5a");
  uint8_t key[32];
  for (uint8_t i = 0; i < 32; ++i) key[i] = i;
  const Encoded keyed(block, 4096, 0, nullptr, {key, sizeof key});
  CHECK(Hex(keyed.hashes.data(), kHashBytes) ==
        "f503082f8c25cac828509342859bfc986afbc74b88e9a217ca2ab24248f36631");
  std::vector<uint8_t> decoded;
  CHECK(!Decode(keyed, keyed.frames, 4096, 0, decoded, {key, sizeof key}));
  CHECK(decoded == block);
  CHECK(Decode(keyed, keyed.frames, 4096, 0, decoded)->error == CodecError::kContentHash);
}

void UnchangedBlocksMakeNoFrame() {
  std::mt19937 random(7);
  auto blocks = MixedBlocks(random, 6, 4096);
  const Encoded parent(blocks, 4096, 0);
  blocks[4096] ^= 1;
  const Encoded child(blocks, 4096, 0, parent.hashes.data());
  const std::vector<uint8_t> outcomes = {0,
                                         kRaw,
                                         cloudvol::kOutcomeUnchanged,
                                         0,
                                         cloudvol::kOutcomeUnchanged,
                                         cloudvol::kOutcomeUnchanged};
  CHECK(child.outcomes == outcomes);
  CHECK(child.result.frames_bytes == kFrameHeaderBytes + 4096);
}

// Every byte of a frame counts: none can be altered, and none be missing, without an answer that
// names the frame.
void AlteredFramesAreRefused() {
  std::mt19937 random(11);
  const auto blocks = MixedBlocks(random, 3, 4096);
  const Encoded encoded(blocks, 4096, 5);
  std::vector<uint8_t> decoded;
  for (size_t at = 0; at < encoded.result.frames_bytes; ++at) {
    auto altered = encoded.frames;
    altered[at] ^= static_cast<uint8_t>(1 + random() % 255);
    const auto failure = Decode(encoded, altered, 4096, 5, decoded);
    // zstd ignores a few bits of its own frame header; the content is then still the right one.
    if (!failure)
      CHECK(decoded == blocks);
    else
      CHECK(failure->position == (at < encoded.offsets[2] ? 0u : 1u));
  }
  auto truncated = encoded.frames;
  truncated.resize(encoded.result.frames_bytes - 1);
  CHECK(Decode(encoded, truncated, 4096, 5, decoded)->error == CodecError::kFrameBounds);
  CHECK(Decode(encoded, encoded.frames, 4096, 6, decoded)->error == CodecError::kHeaderMismatch);
}

// A frame of a larger block decodes to more than the smaller block that the reader has room for.
void BombsAreRefused() {
  std::vector<uint8_t> large(65536, 3);
  const Encoded encoded(large, 65536, 0);
  CHECK(encoded.outcomes[0] == kZstd);
  std::vector<uint8_t> target(4096 + 64, 0xee);
  const uint32_t offset = 0, block = 0, slot = 0;
  const auto failure = cloudvol::DecodeFrames({encoded.frames.data(),
                                               encoded.result.frames_bytes,
                                               4096,
                                               1,
                                               &offset,
                                               &block,
                                               encoded.payload_bytes.data(),
                                               encoded.outcomes.data(),
                                               encoded.hashes.data(),
                                               &slot,
                                               target.data(),
                                               {}});
  CHECK(failure && failure->error == CodecError::kPayload);
  for (size_t at = 4096; at < target.size(); ++at) CHECK(target[at] == 0xee);
}

// Two blocks, one that compresses, as a whole pack: header, then sealed frames.
struct SealedPack {
  SealedPack() : blocks(2 * kBlockBytes) {
    std::mt19937 random(7);
    for (size_t i = kBlockBytes; i < blocks.size(); ++i) blocks[i] = static_cast<uint8_t>(random());
    std::memset(blocks.data(), 7, kBlockBytes - 100);
    const Encoded encoded(blocks, kBlockBytes, 5, nullptr, {}, true);
    CHECK(encoded.outcomes[0] == kZstd + cloudvol::kEncrypted);
    CHECK(encoded.outcomes[1] == kRaw + cloudvol::kEncrypted);
    encodings = encoded.outcomes;
    payload_bytes = encoded.payload_bytes;
    hashes = encoded.hashes;
    for (const uint32_t offset : encoded.offsets)
      offsets.push_back(offset + cloudvol::kPackHeaderBytes);
    bytes.resize(cloudvol::kPackHeaderBytes, 1);
    bytes.insert(bytes.end(), encoded.frames.begin(),
                 encoded.frames.begin() + static_cast<long>(encoded.result.frames_bytes));
    CHECK(!cloudvol::SealPack(bytes.data(), bytes.size(), Seal()));
  }

  cloudvol::FrameSeal Seal() const { return {key, aad, sizeof aad}; }

  std::optional<cloudvol::CodecFailure> Open(const std::vector<uint8_t>& source,
                                             const cloudvol::FrameSeal& seal,
                                             uint64_t source_offset,
                                             std::vector<uint8_t>& target) const {
    const uint32_t numbers[] = {5, 6};
    const uint32_t slots[] = {0, 1};
    target.assign(blocks.size(), 0);
    return cloudvol::DecodeFrames({source.data(), source.size(), kBlockBytes, 2, offsets.data(),
                                   numbers, payload_bytes.data(), encodings.data(), hashes.data(),
                                   slots, target.data(), {}, seal, source_offset});
  }

  static constexpr size_t kBlockBytes = 4096;
  const uint8_t key[cloudvol::kSealKeyBytes] = {1, 2, 3};
  const uint8_t aad[5] = {9, 8, 7, 6, 5};
  std::vector<uint8_t> blocks, bytes, encodings, hashes;
  std::vector<uint32_t> offsets, payload_bytes;
};

void SealedFramesComeOutAsTheyWentIn() {
  const SealedPack pack;
  std::vector<uint8_t> target;
  CHECK(!pack.Open(pack.bytes, pack.Seal(), 0, target));
  CHECK(target == pack.blocks);
  const auto raw = pack.blocks.end() - 64;
  CHECK(std::search(pack.bytes.begin(), pack.bytes.end(), raw, pack.blocks.end()) ==
        pack.bytes.end());
}

void EveryAlteredByteOfASealedFrameIsRefused() {
  const SealedPack pack;
  std::vector<uint8_t> target;
  for (size_t at = cloudvol::kPackHeaderBytes; at < pack.bytes.size(); ++at) {
    std::vector<uint8_t> altered = pack.bytes;
    altered[at] ^= 0x10;
    const auto failure = pack.Open(altered, pack.Seal(), 0, target);
    CHECK(failure && (failure->error == CodecError::kTag ||
                      failure->error == CodecError::kHeaderMismatch));
  }
}

void ASealedFrameOpensInItsPlaceAndWithItsKeyOnly() {
  const SealedPack pack;
  std::vector<uint8_t> target;
  CHECK(pack.Open(pack.bytes, pack.Seal(), 1, target)->error == CodecError::kTag);
  const uint8_t other_key[cloudvol::kSealKeyBytes] = {1, 2, 4};
  CHECK(pack.Open(pack.bytes, {other_key, pack.aad, 5}, 0, target)->error == CodecError::kTag);
  CHECK(pack.Open(pack.bytes, {pack.key, pack.aad, 4}, 0, target)->error == CodecError::kTag);
  CHECK(pack.Open(pack.bytes, {}, 0, target)->error == CodecError::kHeaderMismatch);
}

void APackWithFramesThatCannotBeIsNotSealed() {
  const SealedPack pack;
  std::vector<uint8_t> cut(pack.bytes.begin(), pack.bytes.end() - 1);
  CHECK(cloudvol::SealPack(cut.data(), cut.size(), pack.Seal())->error ==
        CodecError::kFrameBounds);
  std::vector<uint8_t> clear = pack.bytes;
  clear[cloudvol::kPackHeaderBytes + 8] = kRaw;
  CHECK(cloudvol::SealPack(clear.data(), clear.size(), pack.Seal())->error ==
        CodecError::kFrameBounds);
}

}  // namespace

int main() {
  RoundTrips();
  ZeroTestSeesEveryByte();
  ContentHashesAreSha256AndHmac();
  UnchangedBlocksMakeNoFrame();
  AlteredFramesAreRefused();
  BombsAreRefused();
  SealedFramesComeOutAsTheyWentIn();
  EveryAlteredByteOfASealedFrameIsRefused();
  ASealedFrameOpensInItsPlaceAndWithItsKeyOnly();
  APackWithFramesThatCannotBeIsNotSealed();
  std::puts("codec_test: ok");
}
