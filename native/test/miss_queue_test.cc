#include "core/miss_queue.h"

#include <atomic>
#include <chrono>
#include <latch>
#include <mutex>
#include <thread>

#include "test/test_volume.h"

namespace cloudvol::test {
namespace {

using Kind = TestVolume::Kind;

constexpr int kWaiting = -1;

// Writes down how it ended: kWaiting, 0 or an errno value.
class Recorded : public ParkedRequest {
 public:
  explicit Recorded(std::atomic<int>& end, size_t held = 100) : end_(end), held_(held) {}
  void Resume() override { End(0); }
  void Fail(int error) override { End(error); }
  size_t HeldBytes() const override { return held_; }

 private:
  void End(int error) {
    end_ = error;
    end_.notify_all();
  }
  std::atomic<int>& end_;
  const size_t held_;
};

// Asks again for whatever it still lacks, as a session's request does.
class Retrying : public ParkedRequest {
 public:
  Retrying(Overlay& overlay, MissQueue& misses, BlockRun run, std::atomic<uint64_t>& done)
      : overlay_(overlay), misses_(misses), run_(run), done_(done) {}
  void Resume() override {
    Bytes bytes(run_.count * kBlockBytes);
    const Outcome outcome = overlay_.Read(run_.first * kBlockBytes, bytes);
    CHECK_EQ(outcome.error, 0);
    if (outcome.IsAbsent()) {
      return misses_.Park(outcome.absent,
                          std::make_unique<Retrying>(overlay_, misses_, run_, done_));
    }
    for (uint64_t at = 0; at < run_.count; ++at) {
      CHECK(VersionOf(bytes.data() + at * kBlockBytes, run_.first + at) != 0);
    }
    ++done_;
  }
  void Fail(int error) override {
    // The tests fail with this one alone, and then ask again.
    CHECK_EQ(error, ENETDOWN);
    Resume();
  }
  size_t HeldBytes() const override { return sizeof *this; }

 private:
  Overlay& overlay_;
  MissQueue& misses_;
  const BlockRun run_;
  std::atomic<uint64_t>& done_;
};

// A queue over an empty lazy volume that notes what it asks for.
struct Parking {
  explicit Parking(uint64_t blocks = 64)
      : volume(MemoryFolder(), Kind::kLazy, blocks),
        overlay(volume.Open()),
        misses(overlay, [this](BlockRun run) {
          const std::lock_guard guard(mutex);
          asked.push_back(run);
        }) {}

  void Park(BlockRun run, std::atomic<int>& end, size_t held = 100) {
    misses.Park(run, std::make_unique<Recorded>(end, held));
  }
  void Bring(uint64_t block) {
    CHECK_EQ(PopulateBlock(*overlay, block, 1), 0);
    misses.Populated({block, 1});
  }

  TestVolume volume;
  std::shared_ptr<Overlay> overlay;
  std::mutex mutex;
  std::vector<BlockRun> asked;
  MissQueue misses;
};

TEST("a parked request is resumed when the last of its blocks has come, not before") {
  Parking p;
  std::atomic<int> end{kWaiting};
  p.Park({5, 3}, end);
  CHECK_EQ(p.misses.parked(), 1u);
  p.Bring(5);
  p.Bring(7);
  CHECK_EQ(p.misses.parked(), 1u);
  p.Bring(6);
  end.wait(kWaiting);
  CHECK_EQ(end.load(), 0);
  CHECK_EQ(p.misses.parked(), 0u);
}

TEST("a request whose blocks came before it was parked is resumed, and nothing is asked for") {
  Parking p;
  std::atomic<int> end{kWaiting};
  p.Bring(5);
  p.Park({5, 1}, end);
  end.wait(kWaiting);
  CHECK_EQ(end.load(), 0);
  CHECK(p.asked.empty());
}

TEST("a block is asked for once, however many wait for it, and again after it failed") {
  Parking p;
  std::atomic<int> ends[4] = {kWaiting, kWaiting, kWaiting, kWaiting};
  p.Park({5, 3}, ends[0]);
  p.Park({6, 1}, ends[1]);
  p.Park({4, 6}, ends[2]);
  CHECK_EQ(p.asked.size(), 3u);
  CHECK(p.asked[0].first == 5 && p.asked[0].count == 3);
  CHECK(p.asked[1].first == 4 && p.asked[1].count == 1);
  CHECK(p.asked[2].first == 8 && p.asked[2].count == 2);
  p.misses.Failed({6, 1}, ETIMEDOUT);
  for (int number = 0; number < 3; ++number) {
    ends[number].wait(kWaiting);
    CHECK_EQ(ends[number].load(), ETIMEDOUT);
  }
  p.Park({6, 1}, ends[3]);
  CHECK_EQ(p.asked.size(), 4u);
  p.misses.Failed({6, 1}, EIO);
  ends[3].wait(kWaiting);
}

TEST("a failure fails those that wait for its blocks and nobody else") {
  Parking p;
  std::atomic<int> failed{kWaiting}, other{kWaiting};
  p.Park({5, 3}, failed);
  p.Park({8, 2}, other);
  p.misses.Failed({7, 1}, EIO);
  failed.wait(kWaiting);
  CHECK_EQ(failed.load(), EIO);
  CHECK_EQ(p.misses.parked(), 1u);
  p.Bring(8);
  p.Bring(9);
  other.wait(kWaiting);
  CHECK_EQ(other.load(), 0);
}

TEST("a request whose blocks were written meanwhile does not fail with the fetch") {
  Parking p;
  std::atomic<int> end{kWaiting};
  p.Park({5, 1}, end);
  WriteBlock(*p.overlay, 5, 3);
  p.misses.Failed({5, 1}, EIO);
  end.wait(kWaiting);
  CHECK_EQ(end.load(), 0);
}

TEST("no wake-up is lost among threads that park, bring blocks and fail them") {
  constexpr uint64_t kBlocks = 512;
  TestVolume volume(MemoryFolder(), Kind::kLazy, kBlocks);
  const auto overlay = volume.Open();
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<BlockRun> wanted;
  bool stop = false;
  MissQueue misses(overlay, [&](BlockRun run) {
    const std::lock_guard guard(mutex);
    wanted.push_back(run);
    changed.notify_one();
  });
  std::vector<std::thread> bringers, readers;
  for (int number = 0; number < 2; ++number) {
    bringers.emplace_back([&, random = SeededRandom()]() mutable {
      for (;;) {
        std::unique_lock guard(mutex);
        changed.wait(guard, [&] { return stop || !wanted.empty(); });
        if (wanted.empty()) return;
        const BlockRun run = wanted.back();
        wanted.pop_back();
        guard.unlock();
        if (random() % 4 == 0) {
          misses.Failed(run, ENETDOWN);
          continue;
        }
        for (uint64_t block = run.first; block < run.first + run.count; ++block) {
          CHECK_EQ(PopulateBlock(*overlay, block, 1), 0);
          misses.Populated({block, 1});
        }
      }
    });
  }
  std::atomic<uint64_t> done{0};
  const uint64_t each = Ops(600);
  for (int number = 0; number < 3; ++number) {
    readers.emplace_back([&, random = SeededRandom()]() mutable {
      for (uint64_t step = 0; step < each; ++step) {
        const uint64_t first = Below(random, kBlocks);
        const uint64_t count = std::min<uint64_t>(1 + Below(random, 5), kBlocks - first);
        if (random() % 8 == 0) WriteBlock(*overlay, first, 2);
        Retrying(*overlay, misses, {first, count}, done).Resume();
      }
    });
  }
  for (std::thread& reader : readers) reader.join();
  // The test would hang here if one had been forgotten.
  while (done < 3 * each) std::this_thread::yield();
  CHECK_EQ(misses.parked(), 0u);
  {
    const std::lock_guard guard(mutex);
    stop = true;
  }
  changed.notify_all();
  for (std::thread& bringer : bringers) bringer.join();
}

TEST("what parked requests hold is bounded: the next one waits until there is room") {
  Parking p;
  constexpr size_t kHeld = size_t{1} << 20;
  constexpr size_t kFit = kMaxParkedBytes / kHeld;
  std::vector<std::atomic<int>> ends(kFit + 1);
  for (auto& end : ends) end = kWaiting;
  for (size_t number = 0; number < kFit; ++number) p.Park({number % 8, 1}, ends[number], kHeld);
  std::atomic<bool> parked{false};
  std::thread late([&] {
    p.Park({20, 1}, ends[kFit], kHeld);
    parked = true;
    parked.notify_all();
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  CHECK(!parked);
  p.Bring(3);
  parked.wait(false);
  CHECK_EQ(ends[3].load(), 0);
  late.join();
  p.misses.Drain();
  CHECK_EQ(ends[kFit].load(), EIO);
}

// Parks itself again whenever it is resumed, as long as blocks are lacking.
class ParksAgain : public ParkedRequest {
 public:
  ParksAgain(MissQueue& misses, std::latch& resuming, std::atomic<bool>& draining,
             std::atomic<int>& end)
      : misses_(misses), resuming_(resuming), draining_(draining), end_(end) {}
  void Resume() override {
    resuming_.count_down();
    draining_.wait(false);
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    misses_.Park({9, 1}, std::make_unique<Recorded>(end_));
  }
  void Fail(int error) override { end_ = error; }
  size_t HeldBytes() const override { return sizeof *this; }

 private:
  MissQueue& misses_;
  std::latch& resuming_;
  std::atomic<bool>& draining_;
  std::atomic<int>& end_;
};

TEST("a drained queue holds no request, not even one that was parking again") {
  Parking p;
  std::latch resuming(1);
  std::atomic<bool> draining{false};
  std::atomic<int> end{kWaiting};
  p.misses.Park({5, 1}, std::make_unique<ParksAgain>(p.misses, resuming, draining, end));
  p.Bring(5);
  resuming.wait();
  draining = true;
  draining.notify_all();
  p.misses.Drain();
  CHECK_EQ(end.load(), EIO);
  CHECK_EQ(p.misses.parked(), 0u);
}

TEST("a drain frees who waits for room") {
  Parking p;
  std::atomic<int> end{kWaiting}, late_end{kWaiting};
  p.Park({5, 1}, end, kMaxParkedBytes);
  std::latch started(1);
  std::thread late([&] {
    started.count_down();
    p.Park({6, 1}, late_end);
  });
  started.wait();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  p.misses.Drain();
  late.join();
  p.misses.Drain();
  CHECK_EQ(end.load(), EIO);
  CHECK_EQ(late_end.load(), EIO);
}

TEST("a queue that goes away fails whatever still waits") {
  std::atomic<int> ends[3] = {kWaiting, kWaiting, kWaiting};
  {
    Parking p;
    for (uint64_t number = 0; number < 3; ++number) p.Park({number, 2}, ends[number]);
  }
  for (const auto& end : ends) CHECK_EQ(end.load(), EIO);
}

TEST("a failure of ever so many blocks costs no time per block") {
  Parking p;
  std::atomic<int> end{kWaiting};
  p.Park({0, 1}, end);
  // The test would hang here.
  p.misses.Failed({1, UINT64_MAX - 1}, EIO);
  CHECK_EQ(p.misses.parked(), 1u);
  p.Bring(0);
  end.wait(kWaiting);
  CHECK_EQ(end.load(), 0);
}

}  // namespace
}  // namespace cloudvol::test
