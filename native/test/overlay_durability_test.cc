// What of an overlay outlives its process, and what the disk.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <latch>
#include <set>
#include <thread>

#include "core/failure.h"
#include "test/system_calls.h"
#include "test/test_volume.h"

namespace cloudvol::test {
namespace {

using Kind = TestVolume::Kind;
using std::chrono::microseconds;

// Runs `body` in a process that is killed after a random while.
void KillInTheMiddle(std::mt19937_64& random, const std::function<void()>& body) {
  const pid_t child = fork();
  if (child == 0) {
    body();
    _exit(0);
  }
  std::this_thread::sleep_for(microseconds(1000 + Below(random, 60'000)));
  kill(child, SIGKILL);
  int status = 0;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
}

// Writes, part writes and trims of three threads, until the process is killed.
void ChangeForever(Overlay& overlay, std::mt19937_64& random) {
  std::vector<std::thread> threads;
  for (uint64_t number = 0; number < 3; ++number) {
    threads.emplace_back([&overlay, own = std::mt19937_64(random())]() mutable {
      Bytes bytes(3 * kBlockBytes, std::byte{0xee});
      for (;;) {
        const uint64_t offset = Below(own, overlay.size_bytes() - bytes.size());
        const uint64_t aligned = offset / kBlockBytes * kBlockBytes;
        switch (own() % 3) {
          case 0:
            overlay.Write(aligned, bytes);
            break;
          case 1:
            overlay.Write(offset, {bytes.data(), 1 + Below(own, bytes.size())});
            break;
          default:
            overlay.Zero(offset, 1 + Below(own, bytes.size()));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST("dirty-before-data: after a kill in the middle of writes every changed block is dirty") {
  constexpr uint64_t kBlocks = 2000;
  auto random = SeededRandom();
  uint64_t changed_blocks = 0;
  for (uint64_t round = 0; round < Ops(12); ++round) {
    TestVolume volume(DiskFolder(), Kind::kLocal, kBlocks);
    {
      // An image in which zeros and the written bytes both show.
      const DataFile data = DataFile::Open(volume.options.data_path, kBlocks * kBlockBytes, true);
      CHECK_EQ(data.Write(0, Bytes(kBlocks * kBlockBytes, std::byte{0x11})), 0);
    }
    KillInTheMiddle(random, [&] { ChangeForever(*volume.Open(), random); });
    // Killed before it had made its bits: then it cannot have written either.
    const auto overlay = volume.Open();
    const LiveBits delta =
        LiveBits::Open(volume.options.live_delta_path, volume.options.identity, kBlocks);
    Bytes bytes(kBlockBytes);
    for (uint64_t block = 0; block < kBlocks; ++block) {
      CHECK_EQ(overlay->Read(block * kBlockBytes, bytes).error, 0);
      const bool changed = bytes != Bytes(kBlockBytes, std::byte{0x11});
      changed_blocks += changed;
      CHECK(!changed || delta.bits().Test(block));
    }
  }
  CHECK(changed_blocks > 0);
}

TEST("data-before-present: after a kill every present block holds its bytes, whole") {
  constexpr uint64_t kBlocks = 3000;
  auto random = SeededRandom();
  uint64_t present_blocks = 0;
  for (uint64_t round = 0; round < Ops(12); ++round) {
    TestVolume volume(DiskFolder(), Kind::kLazy, kBlocks);
    volume.Open().reset();
    KillInTheMiddle(random, [&] {
      const auto overlay = volume.Open();
      // Each block once, by a writer or by one who populates.
      std::thread populator([&] {
        for (uint64_t block = 0; block < kBlocks; block += 2) PopulateBlock(*overlay, block, 7);
      });
      for (uint64_t block = 1; block < kBlocks; block += 2) WriteBlock(*overlay, block, 8);
      populator.join();
    });
    const auto overlay = volume.Open();
    for (uint64_t block = 0; block < kBlocks; ++block) {
      if (!overlay->IsPresent({block, 1})) continue;
      ++present_blocks;
      CHECK_EQ(ReadBlock(*overlay, block), block % 2 ? 8u : 7u);
    }
  }
  CHECK(present_blocks > 0);
}

// As after a power cut: the live bits are gone.
std::shared_ptr<Overlay> OpenWithoutLive(TestVolume& volume, std::shared_ptr<Overlay>& overlay) {
  overlay.reset();
  unlink(volume.options.live_delta_path.c_str());
  unlink(volume.options.live_present_path.c_str());
  return volume.Open();
}

TEST("flush-is-local-durability: what was flushed is present with its data, from the disk alone") {
  // Three pages of present bits.
  constexpr uint64_t kBlocks = DurableBits::kBitsPerPage * 2 + 500;
  auto random = SeededRandom();
  TestVolume volume(DiskFolder(), Kind::kLazy, kBlocks);
  auto overlay = volume.Open();
  std::set<uint64_t> flushed;
  for (uint64_t round = 1; round <= 4; ++round) {
    for (int step = 0; step < 60; ++step) {
      // Around the seams of the pages as well.
      uint64_t block = Below(random, kBlocks);
      if (step % 3 == 0) block = DurableBits::kBitsPerPage * (1 + step % 2) - 2 + Below(random, 4);
      if (flushed.contains(block)) continue;
      if (step % 2) {
        WriteBlock(*overlay, block, 5);
      } else {
        CHECK_EQ(PopulateBlock(*overlay, block, 5), 0);
      }
      flushed.insert(block);
    }
    CHECK_EQ(overlay->Flush(), 0);
    WriteBlock(*overlay, Below(random, kBlocks), 5);
    overlay = OpenWithoutLive(volume, overlay);
    CHECK(kBlocks - overlay->CountAbsent() >= flushed.size());
    for (const uint64_t block : flushed) CHECK_EQ(ReadBlock(*overlay, block), 5u);
  }
}

TEST("a present bit is durable only if its data was written before the sync of the data began") {
  TestVolume volume(DiskFolder(), Kind::kLazy, 64);
  auto overlay = volume.Open();
  WriteBlock(*overlay, 1, 5);
  bool written = false;
  Intercept([&](const Call& call) {
    if (call.name == CallName::kSyncData && !written) {
      written = true;
      WriteBlock(*overlay, 2, 5);
    }
    return 0;
  });
  CHECK_EQ(overlay->Flush(), 0);
  Intercept({});
  const auto is_durable = [&](uint64_t block) {
    OwnedBitmap bits(64);
    DurableBits::Open(volume.options.durable_present_path, 64, volume.options.tag).LoadInto(*bits);
    return bits->Test(block);
  };
  CHECK(is_durable(1) && !is_durable(2));
  CHECK_EQ(overlay->Flush(), 0);
  CHECK(is_durable(2));
}

TEST("a writer whose block another one made present can flush it as well as that one") {
  constexpr uint64_t kBlocks = 2000;
  TestVolume volume(MemoryFolder(), Kind::kLazy, kBlocks);
  auto overlay = volume.Open();
  // In step: both write the same absent block, one of them flushes.
  std::atomic<uint64_t> turn{0};
  std::atomic<uint64_t> arrived{0};
  const auto in_step = [&](uint64_t block) {
    if (++arrived == 2 * (block + 1)) turn = block + 1;
    while (turn <= block) std::this_thread::yield();
  };
  const uint64_t rounds = std::min(Ops(1000), kBlocks);
  std::thread other([&] {
    for (uint64_t block = 0; block < rounds; ++block) {
      in_step(block);
      WriteBlock(*overlay, block, 1);
    }
  });
  for (uint64_t block = 0; block < rounds; ++block) {
    in_step(block);
    WriteBlock(*overlay, block, 1);
    CHECK_EQ(overlay->Flush(), 0);
    OwnedBitmap bits(kBlocks);
    DurableBits::Open(volume.options.durable_present_path, kBlocks, volume.options.tag)
        .LoadInto(*bits);
    CHECK(bits->Test(block));
  }
  other.join();
}

TEST("a sync that failed is final: no later flush or write reports success, reads go on") {
  for (const Kind kind : {Kind::kLocal, Kind::kLazy}) {
    const std::string folder = kind == Kind::kLocal ? DiskFolder() : MemoryFolder();
    TestVolume volume(folder, kind, 16);
    const auto overlay = volume.Open();
    WriteBlock(*overlay, 1, 1);
    Intercept([](const Call& call) { return call.name == CallName::kSyncData ? ENOSPC : 0; });
    CHECK_EQ(overlay->Flush(), EIO);
    Intercept({});
    CHECK_EQ(overlay->failed(), ENOSPC);
    CHECK_EQ(overlay->Flush(), EIO);
    CHECK_EQ(overlay->Write(0, Stamped(0, 2)).error, EIO);
    CHECK_EQ(overlay->Zero(0, kBlockBytes).error, EIO);
    CHECK_EQ(ReadBlock(*overlay, 1), 1u);
  }
}

TEST("a flush that waited for one whose sync failed fails as well") {
  for (const Kind kind : {Kind::kLocal, Kind::kLazy}) {
    const std::string folder = kind == Kind::kLocal ? DiskFolder() : MemoryFolder();
    TestVolume volume(folder, kind, 16);
    const auto overlay = volume.Open();
    // The kernel tells a failed writeback to one caller only: the second sync says 0.
    std::atomic<int> syncs{0};
    std::latch failing(1);
    Intercept([&](const Call& call) {
      if (call.name != CallName::kSyncData || syncs++ != 0) return 0;
      failing.count_down();
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      return EIO;
    });
    int first = 0;
    std::thread flusher([&] { first = overlay->Flush(); });
    failing.wait();
    CHECK_EQ(overlay->Flush(), EIO);
    flusher.join();
    CHECK_EQ(first, EIO);
    Intercept({});
  }
}

TEST("flushes that come while one runs share the next sync, which begins after they came") {
  TestVolume volume(DiskFolder(), Kind::kLocal, 16);
  const auto overlay = volume.Open();
  std::atomic<int> syncs{0};
  std::atomic<int> asked{0};
  std::latch first_runs(1);
  Intercept([&](const Call& call) {
    if (call.name != CallName::kSyncData || syncs++ != 0) return 0;
    first_runs.count_down();
    // All others have come, or are about to.
    while (asked < 4) std::this_thread::yield();
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return 0;
  });
  std::vector<std::thread> threads;
  threads.emplace_back([&] { CHECK_EQ(overlay->Flush(), 0); });
  first_runs.wait();
  for (int number = 0; number < 4; ++number) {
    threads.emplace_back([&] {
      ++asked;
      CHECK_EQ(overlay->Flush(), 0);
    });
  }
  for (std::thread& thread : threads) thread.join();
  Intercept({});
  CHECK_EQ(syncs.load(), 2);
}

TEST("the bits of a killed process go on: epoch, dirty, present, and strays ORed in and gone") {
  TestVolume volume(DiskFolder(), Kind::kLazy, 64);
  volume.options.epoch = 9;
  const int status = InChild([&] {
    const auto overlay = volume.Open();
    WriteBlock(*overlay, 5, 1);
    PopulateBlock(*overlay, 6, 1);
    kill(getpid(), SIGKILL);
  });
  CHECK(WIFSIGNALED(status));
  const std::string stray = MemoryFolder() + "/stray";
  LiveBits::Create(stray, volume.options.identity, 8, 64).bits().Set(33);
  volume.options.stray_delta_paths = {stray};
  volume.options.create_data = volume.options.create_present = false;
  volume.options.epoch = 1234;
  auto overlay = volume.Open();
  CHECK_EQ(overlay->epoch(), 9u);
  CHECK_EQ(overlay->CountDirty(), 2u);
  CHECK_EQ(overlay->CountAbsent(), 62u);
  CHECK(access(stray.c_str(), F_OK) != 0);
  CHECK_EQ(overlay->SaveDelta(volume.SealedPath(9)), 0);
  OwnedBitmap saved(64);
  DurableBits::Open(volume.SealedPath(9), 64, volume.options.tag).LoadInto(*saved);
  CHECK(saved->Test(5) && saved->Test(33) && saved->Count() == 2);
  // A flush of this life carries what the killed one had not.
  CHECK_EQ(overlay->Flush(), 0);
  volume.options.stray_delta_paths = {};
  overlay = OpenWithoutLive(volume, overlay);
  CHECK_EQ(overlay->CountAbsent(), 62u);
  CHECK_EQ(ReadBlock(*overlay, 5), 1u);
}

TEST("live bits of another life, and bad durable bits, are errors and not an empty volume") {
  TestVolume volume(DiskFolder(), Kind::kLazy, 64);
  volume.Open().reset();
  volume.options.identity.session = "another";
  CHECK_FAILS(EINVAL, volume.Open());
  volume.options.identity.session = "session";
  CHECK(truncate(volume.options.durable_present_path.c_str(), 0) == 0);
  CHECK_FAILS(EBADMSG, volume.Open());
}

}  // namespace
}  // namespace cloudvol::test
