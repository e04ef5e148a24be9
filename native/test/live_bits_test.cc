#include "core/live_bits.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <set>

#include "core/failure.h"
#include "test/test.h"

namespace cloudvol::test {
namespace {

const LiveIdentity kIdentity = {"boot-1", "session-1"};

TEST("live bits that a process set are there after it was killed, every one of them") {
  auto random = SeededRandom();
  const std::string path = MemoryFolder() + "/delta";
  std::set<uint64_t> wanted;
  while (wanted.size() < 500) wanted.insert(Below(random, 100'000));
  const int status = InChild([&] {
    LiveBits live = LiveBits::Create(path, kIdentity, 7, 100'000);
    for (const uint64_t bit : wanted) live.bits().Set(bit);
    kill(getpid(), SIGKILL);
  });
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  const LiveBits live = LiveBits::Open(path, kIdentity, 100'000);
  CHECK_EQ(live.epoch(), 7u);
  CHECK_EQ(live.bits().Count(), wanted.size());
  for (const uint64_t bit : wanted) CHECK(live.bits().Test(bit));
}

TEST("live bits of another boot, session or size are refused") {
  const std::string path = MemoryFolder() + "/delta";
  LiveBits::Create(path, kIdentity, 1, 1000);
  CHECK_FAILS(EINVAL, LiveBits::Open(path, {"boot-2", "session-1"}, 1000));
  CHECK_FAILS(EINVAL, LiveBits::Open(path, {"boot-1", "session-2"}, 1000));
  CHECK_FAILS(EINVAL, LiveBits::Open(path, kIdentity, 1001));
  CHECK_FAILS(EINVAL, LiveBits::Open(path, kIdentity, 1'000'000));
  CHECK_FAILS(ENOENT, LiveBits::Open(path + "-none", kIdentity, 1000));
  CHECK_EQ(LiveBits::Open(path, kIdentity, 1000).bits().Count(), 0u);
}

TEST("a file that only looks like live bits is refused") {
  const std::string path = MemoryFolder() + "/delta";
  LiveBits::Create(path, kIdentity, 1, 1000);
  FILE* file = fopen(path.c_str(), "r+");
  CHECK(file && fputc('X', file) == 'X' && fclose(file) == 0);
  CHECK_FAILS(EINVAL, LiveBits::Open(path, kIdentity, 1000));
}

TEST("live bits are never made over others, and a refused creation leaves nothing behind") {
  const std::string path = MemoryFolder() + "/delta";
  LiveBits first = LiveBits::Create(path, kIdentity, 1, 1000);
  first.bits().Set(5);
  CHECK_FAILS(EEXIST, LiveBits::Create(path, kIdentity, 2, 1000));
  CHECK(access((path + ".new").c_str(), F_OK) != 0);
  const LiveBits again = LiveBits::Open(path, kIdentity, 1000);
  CHECK_EQ(again.epoch(), 1u);
  CHECK(again.bits().Test(5));
  CHECK_FAILS(EINVAL, LiveBits::Create(path + "2", {std::string(64, 'x'), ""}, 1, 1000));
  CHECK(access((path + "2.new").c_str(), F_OK) != 0);
}

TEST("a creation that was cut short before it had its name is no obstacle") {
  const std::string path = MemoryFolder() + "/delta";
  FILE* file = fopen((path + ".new").c_str(), "w");
  CHECK(file && fputs("half", file) >= 0 && fclose(file) == 0);
  CHECK_EQ(LiveBits::Create(path, kIdentity, 3, 1000).epoch(), 3u);
  CHECK(access((path + ".new").c_str(), F_OK) != 0);
}

TEST("unlinked live bits can be used until they go, and moved ones are the same bits") {
  const std::string path = MemoryFolder() + "/delta";
  LiveBits a = LiveBits::Create(path, kIdentity, 1, 70'000);
  LiveBits b = LiveBits::Create(path + "2", kIdentity, 2, 70'000);
  a.bits().Set(69'999);
  std::swap(a, b);
  CHECK(b.bits().Test(69'999) && a.bits().Count() == 0 && b.epoch() == 1);
  b.Unlink();
  b.Unlink();
  CHECK(access(path.c_str(), F_OK) != 0);
  b.bits().Set(1);
  CHECK_EQ(b.bits().Count(), 2u);
}

}  // namespace
}  // namespace cloudvol::test
