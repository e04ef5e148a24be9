// A small volume for tests: where its files lie, how it is opened again, and blocks whose bytes say
// what they are.
#pragma once

#include <unistd.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/overlay.h"
#include "test/test.h"

namespace cloudvol::test {

constexpr uint64_t kBlockBytes = 4096;

using Bytes = std::vector<std::byte>;

// Every 8 bytes of a block hold its number and a version: a block of two versions shows.
// Version 0 is all zeros.
inline void StampInto(std::byte* target, uint64_t block, uint64_t version) {
  const uint64_t word = version == 0 ? 0 : block << 32 | version;
  for (size_t at = 0; at < kBlockBytes; at += 8) std::memcpy(target + at, &word, 8);
}

inline Bytes Stamped(uint64_t block, uint64_t version) {
  Bytes bytes(kBlockBytes);
  StampInto(bytes.data(), block, version);
  return bytes;
}

// The version that a stamped block holds; the test fails when it is torn or another block's.
inline uint64_t VersionOf(const std::byte* bytes, uint64_t block) {
  uint64_t word = 0;
  std::memcpy(&word, bytes, 8);
  CHECK(std::memcmp(bytes, bytes + 8, kBlockBytes - 8) == 0);
  CHECK(word == 0 || word >> 32 == block);
  return word & UINT32_MAX;
}

class TestVolume {
 public:
  enum class Kind { kLocal, kLazy };

  // Data and durable bits in `folder`, live bits in memory; no two volumes of a test share a file.
  TestVolume(const std::string& folder, Kind kind, uint64_t block_count) {
    static int volumes = 0;
    const std::string name = "/volume" + std::to_string(++volumes);
    disk_ = folder + name;
    const std::string memory = MemoryFolder() + name;
    options.data_path = disk_ + "-data";
    options.block_bytes = kBlockBytes;
    options.block_count = block_count;
    options.create_data = true;
    options.identity = {"boot", "session"};
    options.live_delta_path = memory + "-live-delta";
    options.epoch = 1;
    options.tag = 99;
    if (kind == Kind::kLocal) return;
    options.live_present_path = memory + "-live-present";
    options.durable_present_path = disk_ + "-present";
    options.create_present = true;
  }

  // The first time as a new volume, then as one that is there.
  std::shared_ptr<Overlay> Open() {
    auto overlay = std::make_shared<Overlay>(options);
    options.create_data = options.create_present = false;
    return overlay;
  }

  // What the freeze of `overlay` is told: paths by epoch.
  FreezeOptions NextFreeze(const Overlay& overlay, bool full = true) const {
    FreezeOptions freeze;
    freeze.next_epoch = overlay.epoch() + 1;
    freeze.next_delta_path = options.live_delta_path + std::to_string(freeze.next_epoch);
    freeze.sealed_delta_path = SealedPath(overlay.epoch());
    freeze.side_path = disk_ + "-side";
    freeze.plan.full = full;
    return freeze;
  }
  std::string SealedPath(uint64_t epoch) const { return disk_ + "-sealed" + std::to_string(epoch); }

  OverlayOptions options;

 private:
  std::string disk_;
};

inline void WriteBlock(Overlay& overlay, uint64_t block, uint64_t version) {
  const Outcome outcome = overlay.Write(block * kBlockBytes, Stamped(block, version));
  CHECK_EQ(outcome.error, 0);
  CHECK(!outcome.IsAbsent());
}

inline uint64_t ReadBlock(Overlay& overlay, uint64_t block) {
  Bytes bytes(kBlockBytes);
  const Outcome outcome = overlay.Read(block * kBlockBytes, bytes);
  CHECK_EQ(outcome.error, 0);
  CHECK(!outcome.IsAbsent());
  return VersionOf(bytes.data(), block);
}

inline int PopulateBlock(Overlay& overlay, uint64_t block, uint64_t version) {
  return overlay.Populate({block, 1}, Stamped(block, version).data());
}

}  // namespace cloudvol::test
