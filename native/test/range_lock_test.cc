#include "core/range_lock.h"

#include <atomic>
#include <chrono>
#include <latch>
#include <optional>
#include <thread>
#include <vector>

#include "test/test.h"

namespace cloudvol::test {
namespace {

using Mode = RangeLock::Mode;
using std::chrono::milliseconds;

// Long enough that a thread which could go on would have.
constexpr auto kWhile = milliseconds(30);

// A thread that takes a range and says when it holds it, until it is told to let go.
class Holder {
 public:
  Holder(RangeLock& lock, uint64_t first, uint64_t count, Mode mode)
      : thread_([=, this, &lock] {
          const RangeLock::Hold hold(lock, first, count, mode);
          held_ = true;
          held_.notify_all();
          released_.wait(false);
        }) {}
  ~Holder() {
    Release();
    thread_.join();
  }
  bool IsHeld() const { return held_; }
  void WaitUntilHeld() const { held_.wait(false); }
  void Release() {
    released_ = true;
    released_.notify_all();
  }

 private:
  std::atomic<bool> held_{false};
  std::atomic<bool> released_{false};
  std::thread thread_;
};

TEST("ranges that do not overlap, and shared ones that do, are held together") {
  RangeLock lock;
  Holder a(lock, 0, 10, Mode::kShared), b(lock, 5, 10, Mode::kShared);
  Holder c(lock, 15, 5, Mode::kExclusive), d(lock, 20, 1, Mode::kExclusive);
  for (Holder* holder : {&a, &b, &c, &d}) holder->WaitUntilHeld();
}

TEST("an exclusive range waits for every range that overlaps it") {
  RangeLock lock;
  Holder a(lock, 0, 10, Mode::kShared), b(lock, 5, 10, Mode::kShared);
  a.WaitUntilHeld();
  b.WaitUntilHeld();
  Holder exclusive(lock, 9, 1, Mode::kExclusive);
  std::this_thread::sleep_for(kWhile);
  CHECK(!exclusive.IsHeld());
  a.Release();
  std::this_thread::sleep_for(kWhile);
  CHECK(!exclusive.IsHeld());
  b.Release();
  exclusive.WaitUntilHeld();
}

TEST("a range waits behind an earlier one that waits: readers do not starve a writer") {
  RangeLock lock;
  Holder reader(lock, 0, 10, Mode::kShared);
  reader.WaitUntilHeld();
  Holder gate(lock, 0, 100, Mode::kExclusive);
  std::this_thread::sleep_for(kWhile);
  Holder late(lock, 50, 1, Mode::kShared);
  std::this_thread::sleep_for(kWhile);
  CHECK(!gate.IsHeld() && !late.IsHeld());
  reader.Release();
  gate.WaitUntilHeld();
  std::this_thread::sleep_for(kWhile);
  CHECK(!late.IsHeld());
  gate.Release();
  late.WaitUntilHeld();
}

TEST("a writer gets its turn while readers come without end") {
  RangeLock lock;
  std::atomic<bool> stop{false};
  std::latch reading(3);
  std::vector<std::thread> readers;
  for (int reader = 0; reader < 3; ++reader) {
    readers.emplace_back([&] {
      bool counted = false;
      while (!stop) {
        const RangeLock::Hold hold(lock, 0, 8, Mode::kShared);
        if (!counted) reading.count_down();
        counted = true;
      }
    });
  }
  reading.wait();
  // Each turn is an end of its own: the test would hang without.
  for (uint64_t turn = 0; turn < Ops(200); ++turn) {
    const RangeLock::Hold hold(lock, 3, 1, Mode::kExclusive);
  }
  stop = true;
  for (std::thread& reader : readers) reader.join();
}

TEST("under random load nobody shares a block with an exclusive holder, and all come through") {
  constexpr uint64_t kBlocks = 24;
  RangeLock lock;
  // Plain numbers: ThreadSanitizer sees every access that the lock does not order.
  std::vector<uint64_t> values(kBlocks);
  std::atomic<uint64_t> written{0};
  std::vector<std::thread> threads;
  for (int number = 0; number < 4; ++number) {
    threads.emplace_back([&, random = SeededRandom()]() mutable {
      uint64_t sum = 0;
      for (uint64_t step = 0; step < Ops(3000); ++step) {
        const uint64_t first = Below(random, kBlocks);
        const uint64_t count = random() % 16 == 0
                                   ? kBlocks - first
                                   : 1 + Below(random, std::min<uint64_t>(kBlocks - first, 4));
        const Mode mode = random() % 3 == 0 ? Mode::kExclusive : Mode::kShared;
        const RangeLock::Hold hold(lock, first, count, mode);
        for (uint64_t block = first; block < first + count; ++block) {
          if (mode == Mode::kExclusive) {
            ++values[block];
          } else {
            sum += values[block];
          }
        }
        if (mode == Mode::kExclusive) written += count;
      }
      CHECK(sum != 1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  uint64_t total = 0;
  for (const uint64_t value : values) total += value;
  CHECK_EQ(total, written.load());
}

}  // namespace
}  // namespace cloudvol::test
