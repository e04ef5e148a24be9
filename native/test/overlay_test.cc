#include "core/overlay.h"

#include <algorithm>
#include <atomic>
#include <latch>
#include <thread>

#include "core/failure.h"
#include "test/system_calls.h"
#include "test/test_volume.h"

namespace cloudvol::test {
namespace {

using Kind = TestVolume::Kind;

// What the backing source holds.
Bytes ChainImage(uint64_t blocks) {
  Bytes image(blocks * kBlockBytes);
  for (uint64_t block = 0; block < blocks; ++block) {
    StampInto(image.data() + block * kBlockBytes, block, 0xc0ffee);
  }
  return image;
}

// As a door does it: whatever is absent is brought, and the request made again.
template <typename Request>
void UntilPresent(Overlay& overlay, const Bytes& chain, Request request) {
  for (;;) {
    const Outcome outcome = request();
    CHECK_EQ(outcome.error, 0);
    if (!outcome.IsAbsent()) return;
    const BlockRun run = outcome.absent;
    CHECK_EQ(overlay.Populate(run, chain.data() + run.first * kBlockBytes), 0);
  }
}

void DoesWhatAnArrayDoes(const std::string& folder, Kind kind) {
  constexpr uint64_t kBlocks = 300;
  auto random = SeededRandom();
  TestVolume volume(folder, kind, kBlocks);
  const auto overlay = volume.Open();
  const Bytes chain = ChainImage(kBlocks);
  Bytes model = kind == Kind::kLazy ? chain : Bytes(kBlocks * kBlockBytes);
  for (uint64_t step = 0; step < Ops(1500); ++step) {
    uint64_t offset = Below(random, model.size());
    uint64_t length = std::min<uint64_t>(1 + Below(random, 30000), model.size() - offset);
    if (random() % 2) {
      offset = offset / kBlockBytes * kBlockBytes;
      length = std::min((length / kBlockBytes + 1) * kBlockBytes, model.size() - offset);
    }
    std::byte* expected = model.data() + offset;
    const uint64_t choice = random() % 8;
    if (choice < 3) {
      Bytes read(length);
      UntilPresent(*overlay, chain, [&] { return overlay->Read(offset, read); });
      CHECK(std::memcmp(read.data(), expected, length) == 0);
    } else if (choice < 6) {
      Bytes written(length);
      for (std::byte& byte : written) byte = static_cast<std::byte>(random());
      UntilPresent(*overlay, chain, [&] { return overlay->Write(offset, written); });
      std::copy(written.begin(), written.end(), expected);
    } else if (choice == 6) {
      UntilPresent(*overlay, chain, [&] { return overlay->Zero(offset, length); });
      std::fill_n(expected, length, std::byte{0});
    } else {
      CHECK_EQ(overlay->Flush(), 0);
    }
  }
  Bytes all(model.size());
  UntilPresent(*overlay, chain, [&] { return overlay->Read(0, all); });
  CHECK(all == model);
}

TEST("an overlay does what a plain array does") { DoesWhatAnArrayDoes(DiskFolder(), Kind::kLocal); }

TEST("a lazy overlay does what an array does that held the backing source's bytes") {
  DoesWhatAnArrayDoes(DiskFolder(), Kind::kLazy);
}

// --- right-bytes-or-error ------------------------------------------------------------------------

void CheckAbsent(const Outcome& outcome, uint64_t first, uint64_t count) {
  CHECK_EQ(outcome.error, 0);
  CHECK_EQ(outcome.absent.first, first);
  CHECK_EQ(outcome.absent.count, count);
}

TEST("right-bytes-or-error: absent blocks are reported, never guessed") {
  TestVolume volume(MemoryFolder(), Kind::kLazy, 100);
  const auto overlay = volume.Open();
  Bytes bytes(20 * kBlockBytes);
  CheckAbsent(overlay->Read(5 * kBlockBytes + 7, {bytes.data(), 9}), 5, 1);
  CheckAbsent(overlay->Read(10 * kBlockBytes, bytes), 10, 20);
  CHECK_EQ(PopulateBlock(*overlay, 12, 3), 0);
  CheckAbsent(overlay->Read(10 * kBlockBytes, bytes), 10, 2);
  CHECK_EQ(overlay->Populate({10, 2}, nullptr), 0);
  CheckAbsent(overlay->Read(10 * kBlockBytes, bytes), 13, 17);
  CHECK_EQ(ReadBlock(*overlay, 10), 0u);
  CHECK_EQ(ReadBlock(*overlay, 12), 3u);
  CHECK_EQ(overlay->CountAbsent(), 97u);
}

TEST("a write or trim of whole absent blocks fetches nothing, one of a part asks for that block") {
  TestVolume volume(MemoryFolder(), Kind::kLazy, 100);
  const auto overlay = volume.Open();
  Bytes bytes(10 * kBlockBytes);
  CheckAbsent(overlay->Write(20 * kBlockBytes, bytes), 0, 0);
  CheckAbsent(overlay->Zero(40 * kBlockBytes, 10 * kBlockBytes), 0, 0);
  CHECK_EQ(overlay->CountAbsent(), 80u);
  // Head and tail are partial, what lies between is not needed.
  const uint64_t offset = 60 * kBlockBytes + 1;
  CheckAbsent(overlay->Write(offset, {bytes.data(), 3 * kBlockBytes}), 60, 1);
  CHECK_EQ(overlay->CountDirty(), 20u);
  CHECK_EQ(PopulateBlock(*overlay, 60, 7), 0);
  CheckAbsent(overlay->Zero(offset, 3 * kBlockBytes), 63, 1);
  CHECK_EQ(PopulateBlock(*overlay, 63, 7), 0);
  CheckAbsent(overlay->Zero(offset, 3 * kBlockBytes), 0, 0);
  CHECK(overlay->IsPresent({60, 4}));
  CheckAbsent(overlay->Write(70 * kBlockBytes + 5, {bytes.data(), 1}), 70, 1);
}

TEST("what is not inside the volume is refused, however large the numbers") {
  TestVolume volume(MemoryFolder(), Kind::kLazy, 16);
  const auto overlay = volume.Open();
  Bytes bytes(2 * kBlockBytes);
  const uint64_t size = overlay->size_bytes();
  for (const uint64_t offset : {size - 1, size, size + 1, UINT64_MAX - 4096, UINT64_MAX}) {
    CHECK_EQ(overlay->Read(offset, bytes).error, EINVAL);
    CHECK_EQ(overlay->Write(offset, bytes).error, EINVAL);
    CHECK_EQ(overlay->Zero(offset, bytes.size()).error, EINVAL);
  }
  CHECK_EQ(overlay->Zero(kBlockBytes, UINT64_MAX).error, EINVAL);
  for (const BlockRun run : {BlockRun{16, 1}, {15, 2}, {UINT64_MAX, 1}, {1, UINT64_MAX}, {0, 0}}) {
    CHECK_EQ(overlay->Populate(run, bytes.data()), EINVAL);
  }
  CHECK_EQ(overlay->CountAbsent(), 16u);
  CHECK_EQ(overlay->CountDirty(), 0u);
}

TEST("a geometry that cannot be is refused before a file is made") {
  TestVolume volume(MemoryFolder(), Kind::kLocal, 16);
  for (const uint64_t block_bytes : {0, 512, 5000, 2 << 20}) {
    volume.options.block_bytes = block_bytes;
    CHECK_FAILS(EINVAL, volume.Open());
  }
  volume.options.block_bytes = kBlockBytes;
  for (const uint64_t count : {uint64_t{0}, UINT64_MAX / 4096 + 2, UINT64_MAX}) {
    volume.options.block_count = count;
    CHECK_FAILS(EINVAL, volume.Open());
  }
  CHECK(access(volume.options.data_path.c_str(), F_OK) != 0);
}

// Whole-block writes turn absent blocks into present ones beside a reader of several blocks.
void ReadBesideWriter(Overlay& overlay, uint64_t blocks) {
  constexpr uint64_t kSpan = 3;
  std::latch both(2);
  std::thread writer([&] {
    both.arrive_and_wait();
    for (uint64_t block = 0; block < blocks; block += 2) WriteBlock(overlay, block, 5);
    for (uint64_t block = 1; block < blocks; block += 2) WriteBlock(overlay, block, 5);
  });
  Bytes bytes(kSpan * kBlockBytes);
  both.arrive_and_wait();
  for (uint64_t first = 0; first + kSpan <= blocks;) {
    const Outcome outcome = overlay.Read(first * kBlockBytes, bytes);
    CHECK_EQ(outcome.error, 0);
    if (outcome.IsAbsent()) {
      const BlockRun& absent = outcome.absent;
      CHECK(absent.first >= first && absent.count <= kSpan);
      CHECK(absent.first + absent.count <= first + kSpan);
      continue;
    }
    for (uint64_t at = 0; at < kSpan; ++at) {
      CHECK_EQ(VersionOf(bytes.data() + at * kBlockBytes, first + at), 5u);
    }
    ++first;
  }
  writer.join();
}

TEST(
    "a read beside writes that make its blocks present gets right bytes or its own absent blocks") {
  for (uint64_t round = 0; round < Ops(12); ++round) {
    TestVolume volume(MemoryFolder(), Kind::kLazy, 1000);
    ReadBesideWriter(*volume.Open(), 1000);
  }
}

TEST("a walk over the absent blocks misses none while others become present") {
  constexpr uint64_t kBlocks = 400;
  for (uint64_t round = 0; round < Ops(10); ++round) {
    TestVolume volume(MemoryFolder(), Kind::kLazy, kBlocks);
    const auto overlay = volume.Open();
    std::atomic<bool> written{false};
    std::thread writer([&] {
      for (uint64_t block = 0; block + 1 < kBlocks; ++block) WriteBlock(*overlay, block, 1);
      written = true;
    });
    // The last block stays absent: every walk must come to it.
    while (!written) {
      uint64_t last = 0;
      for (BlockRun run = overlay->NextAbsent(0, 7); run.count != 0;
           run = overlay->NextAbsent(run.first + run.count, 7)) {
        CHECK(run.count <= 7 && run.first + run.count <= kBlocks);
        last = run.first + run.count;
      }
      CHECK_EQ(last, kBlocks);
    }
    writer.join();
  }
}

TEST("populate-never-overwrites: a block that was written keeps it, whoever comes late") {
  constexpr uint64_t kBlocks = 256;
  TestVolume volume(DiskFolder(), Kind::kLazy, kBlocks);
  const auto overlay = volume.Open();
  const Bytes chain = ChainImage(kBlocks);
  std::vector<uint64_t> written(kBlocks);
  std::vector<std::thread> threads;
  for (uint64_t number = 0; number < 2; ++number) {
    threads.emplace_back([&, number, random = SeededRandom()]() mutable {
      for (uint64_t step = 1; step <= Ops(400); ++step) {
        const uint64_t block = Below(random, kBlocks / 2) * 2 + number;
        if (block % 5 == 0) continue;
        WriteBlock(*overlay, block, step);
        written[block] = step;
      }
    });
    threads.emplace_back([&, random = SeededRandom()]() mutable {
      for (uint64_t step = 0; step < Ops(150); ++step) {
        const uint64_t first = Below(random, kBlocks);
        const BlockRun run = {first, std::min<uint64_t>(1 + Below(random, 16), kBlocks - first)};
        CHECK_EQ(overlay->Populate(run, chain.data() + first * kBlockBytes), 0);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQ(overlay->Populate({0, kBlocks}, chain.data()), 0);
  for (uint64_t block = 0; block < kBlocks; ++block) {
    CHECK_EQ(ReadBlock(*overlay, block), written[block] ? written[block] : 0xc0ffee);
  }
}

TEST("a populate or write that fails leaves its block absent, and a later one heals it") {
  TestVolume volume(DiskFolder(), Kind::kLazy, 16);
  const auto overlay = volume.Open();
  Intercept([](const Call& call) { return call.name == CallName::kWrite ? ENOSPC : 0; });
  CHECK_EQ(PopulateBlock(*overlay, 3, 1), ENOSPC);
  CHECK_EQ(overlay->Write(4 * kBlockBytes, Stamped(4, 1)).error, ENOSPC);
  Intercept({});
  CHECK(!overlay->IsPresent({3, 1}) && !overlay->IsPresent({4, 1}));
  CHECK_EQ(PopulateBlock(*overlay, 3, 1), 0);
  CHECK_EQ(PopulateBlock(*overlay, 4, 2), 0);
  CHECK_EQ(ReadBlock(*overlay, 3), 1u);
  CHECK_EQ(ReadBlock(*overlay, 4), 2u);
}

// --- data and holes ------------------------------------------------------------------------------

TEST("absent blocks are data: a copy that skips holes never skips them") {
  TestVolume volume(MemoryFolder(), Kind::kLazy, 64);
  const auto overlay = volume.Open();
  const uint64_t size = overlay->size_bytes();
  CHECK_EQ(overlay->SeekData(0), 0u);
  CHECK_EQ(overlay->SeekData(777), 777u);
  CHECK_EQ(overlay->SeekHole(777), size);
  CHECK_EQ(overlay->Populate({0, 10}, nullptr), 0);
  CHECK_EQ(overlay->SeekData(0), 10 * kBlockBytes);
  CHECK_EQ(overlay->SeekHole(0), 0u);
  CHECK_EQ(overlay->SeekHole(10 * kBlockBytes), size);
  CHECK_EQ(overlay->Populate({20, 5}, nullptr), 0);
  CHECK_EQ(overlay->SeekHole(10 * kBlockBytes), 20 * kBlockBytes);
  CHECK_EQ(PopulateBlock(*overlay, 20, 1), 0);
  WriteBlock(*overlay, 22, 1);
  CHECK_EQ(overlay->SeekData(20 * kBlockBytes), 22 * kBlockBytes);
  CHECK_EQ(overlay->SeekHole(22 * kBlockBytes), 23 * kBlockBytes);
  CHECK_EQ(overlay->Populate({0, 64}, nullptr), 0);
  CHECK_EQ(overlay->SeekData(23 * kBlockBytes), size);
}

TEST("a block that is populated in the middle of a seek is data all the same") {
  for (const CallName asked : {CallName::kSeekData, CallName::kSeekHole}) {
    TestVolume volume(MemoryFolder(), Kind::kLazy, 16);
    const auto overlay = volume.Open();
    CHECK_EQ(overlay->Populate({0, 8}, nullptr), 0);
    CHECK_EQ(overlay->Populate({9, 7}, nullptr), 0);
    // The file system has answered, and knows nothing of block 8.
    InterceptAfter([&](const Call& call) {
      if (call.name == asked && !overlay->IsPresent({8, 1})) PopulateBlock(*overlay, 8, 1);
    });
    if (asked == CallName::kSeekData) {
      CHECK_EQ(overlay->SeekData(0), 8 * kBlockBytes);
    } else {
      CHECK_EQ(overlay->SeekHole(8 * kBlockBytes), 9 * kBlockBytes);
    }
    InterceptAfter({});
  }
}

TEST("a hole after a long run of absent blocks costs few questions to the file system") {
  constexpr uint64_t kBlocks = 20'000;
  TestVolume volume(MemoryFolder(), Kind::kLazy, kBlocks);
  const auto overlay = volume.Open();
  CHECK_EQ(overlay->Populate({kBlocks - 1, 1}, nullptr), 0);
  unsigned questions = 0;
  Intercept([&](const Call&) { return ++questions, 0; });
  CHECK_EQ(overlay->SeekHole(0), (kBlocks - 1) * kBlockBytes);
  Intercept({});
  CHECK(questions < 10);
}

// --- trims ---------------------------------------------------------------------------------------

TEST("a large trim holds up nobody for long: it is done in pieces") {
  constexpr uint64_t kBlocks = 65'536;  // 256 MiB
  TestVolume volume(MemoryFolder(), Kind::kLocal, kBlocks);
  const auto overlay = volume.Open();
  WriteBlock(*overlay, kBlocks - 1, 1);
  std::vector<std::pair<uint64_t, uint64_t>> pieces;
  Intercept([&](const Call& call) {
    if (call.name == CallName::kZero) pieces.emplace_back(call.offset, call.length);
    return 0;
  });
  const uint64_t offset = 5000, length = overlay->size_bytes() - 2 * offset;
  CHECK_EQ(overlay->Zero(offset, length).error, 0);
  Intercept({});
  CHECK(pieces.size() > 1);
  uint64_t next = offset;
  for (const auto& [start, bytes] : pieces) {
    CHECK_EQ(start, next);
    next += bytes;
  }
  CHECK_EQ(next, offset + length);
  // All but the first; the last one was written.
  CHECK_EQ(overlay->CountDirty(), kBlocks - 1);
}

}  // namespace
}  // namespace cloudvol::test
