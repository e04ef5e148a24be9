#include "core/fuse_session.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>

#include "core/unique_fd.h"
#include "test/fuse_mount.h"
#include "test/system_calls.h"

namespace cloudvol::test {
namespace {

using Kind = TestVolume::Kind;

constexpr unsigned kThreads = 4;

// The errno value of a call that must fail, 0 if it did not.
template <typename Result>
int ErrorOf(Result result) {
  return result < 0 ? errno : 0;
}

Bytes ReadAt(int fd, uint64_t offset, size_t length) {
  Bytes bytes(length);
  CHECK_EQ(pread(fd, bytes.data(), length, static_cast<off_t>(offset)), (ssize_t)length);
  return bytes;
}

void WriteAt(int fd, uint64_t offset, const Bytes& bytes) {
  CHECK_EQ(pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)),
           (ssize_t)bytes.size());
}

// The chain's version of a block, brought after a while.
constexpr uint64_t kChain = 0xc0ffee;

void BringFromChain(Server& server, BlockRun run) {
  for (uint64_t block = run.first; block < run.first + run.count; ++block) {
    if (block % 8 == 0) usleep(500);
    CHECK_EQ(PopulateBlock(server.overlay, block, kChain), 0);
    server.misses.Populated({block, 1});
  }
}

TEST("a mounted volume is a file of its size, of which a user may ask all that makes sense") {
  TestVolume volume(DiskFolder(), Kind::kLocal, 64);
  FuseMount mount(volume, kThreads);
  const UniqueFd fd(mount.Open(O_RDWR));
  const uint64_t size = 64 * kBlockBytes;
  struct stat info;
  CHECK_EQ(fstat(fd.get(), &info), 0);
  CHECK(S_ISREG(info.st_mode) && (info.st_mode & 07777) == 0600);
  CHECK_EQ(info.st_size, (off_t)size);
  struct statvfs space;
  CHECK_EQ(fstatvfs(fd.get(), &space), 0);
  CHECK_EQ(space.f_blocks * space.f_frsize, size);
  CHECK_EQ(futimens(fd.get(), nullptr), 0);
  CHECK_EQ(fsync(fd.get()), 0);
  CHECK_EQ(fdatasync(fd.get()), 0);
}

TEST("reads end at the end of the volume, and writes beyond it are refused whole") {
  TestVolume volume(DiskFolder(), Kind::kLocal, 64);
  FuseMount mount(volume, kThreads);
  const UniqueFd fd(mount.Open(O_RDWR));
  const off_t size = 64 * kBlockBytes;
  Bytes bytes(8192, std::byte{7});
  WriteAt(fd.get(), size - 100, Bytes(100, std::byte{5}));
  CHECK_EQ(pread(fd.get(), bytes.data(), 8192, size - 100), 100);
  for (const off_t offset : {size, size + 1, size + (1 << 20)}) {
    CHECK_EQ(pread(fd.get(), bytes.data(), 8192, offset), 0);
    CHECK_EQ(ErrorOf(pwrite(fd.get(), bytes.data(), 1, offset)), ENOSPC);
  }
  CHECK_EQ(ErrorOf(pwrite(fd.get(), bytes.data(), 101, size - 100)), ENOSPC);
  CHECK(ReadAt(fd.get(), size - 100, 100) == Bytes(100, std::byte{5}));
}

TEST("the size is fixed: nothing truncates or extends, nor changes mode or owner") {
  TestVolume volume(DiskFolder(), Kind::kLocal, 64);
  FuseMount mount(volume, kThreads);
  const UniqueFd fd(mount.Open(O_RDWR));
  const off_t size = 64 * kBlockBytes;
  CHECK_EQ(ErrorOf(ftruncate(fd.get(), 0)), EPERM);
  CHECK_EQ(ErrorOf(ftruncate(fd.get(), size + 1)), EPERM);
  CHECK_EQ(ftruncate(fd.get(), size), 0);
  CHECK_EQ(ErrorOf(open(mount.path().c_str(), O_RDWR | O_TRUNC)), EPERM);
  CHECK_EQ(ErrorOf(fchmod(fd.get(), 0644)), EPERM);
  CHECK_EQ(ErrorOf(fchown(fd.get(), 1, 1)), EPERM);
  CHECK_EQ(ErrorOf(fallocate(fd.get(), 0, 0, size)), EOPNOTSUPP);
  CHECK_EQ(ErrorOf(fallocate(fd.get(), FALLOC_FL_ZERO_RANGE, size - 4096, 8192)), ENOSPC);
  CHECK_EQ(ErrorOf(fallocate(fd.get(), FALLOC_FL_ZERO_RANGE, size + 4096, 4096)), ENOSPC);
  const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  WriteAt(fd.get(), size - 4096, Bytes(4096, std::byte{5}));
  CHECK_EQ(fallocate(fd.get(), punch, size - 2048, 8192), 0);
  CHECK_EQ(fallocate(fd.get(), punch, size + 4096, 4096), 0);
  CHECK(ReadAt(fd.get(), size - 2048, 2048) == Bytes(2048));
  CHECK(ReadAt(fd.get(), size - 4096, 2048) == Bytes(2048, std::byte{5}));
  struct stat info;
  CHECK_EQ(fstat(fd.get(), &info), 0);
  CHECK_EQ(info.st_size, size);
}

TEST("data and holes of a mounted volume are found, absent blocks being data") {
  TestVolume volume(DiskFolder(), Kind::kLazy, 64);
  FuseMount mount(volume, kThreads, BringFromChain);
  const UniqueFd fd(mount.Open(O_RDWR));
  const off_t size = 64 * kBlockBytes;
  CHECK_EQ(lseek(fd.get(), 0, SEEK_DATA), 0);
  CHECK_EQ(lseek(fd.get(), 0, SEEK_HOLE), size);
  const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
  CHECK_EQ(fallocate(fd.get(), punch, 0, 32 * kBlockBytes), 0);
  CHECK_EQ(lseek(fd.get(), 0, SEEK_DATA), (off_t)(32 * kBlockBytes));
  CHECK_EQ(lseek(fd.get(), 100, SEEK_HOLE), 100);
  CHECK_EQ(fallocate(fd.get(), punch, 32 * kBlockBytes, size - 32 * kBlockBytes), 0);
  CHECK_EQ(ErrorOf(lseek(fd.get(), 0, SEEK_DATA)), ENXIO);
  CHECK_EQ(ErrorOf(lseek(fd.get(), size, SEEK_HOLE)), ENXIO);
}

// A user of a region of its own, compared with a model at every read.
class RegionUser {
 public:
  RegionUser(int fd, uint64_t start, Bytes content)
      : fd_(fd), start_(start), model_(std::move(content)) {}

  void Step(std::mt19937_64& random) {
    uint64_t at = Below(random, model_.size());
    uint64_t length = 1 + Below(random, std::min<uint64_t>(model_.size() - at, 40'000));
    if (random() % 2) {
      at = at / kBlockBytes * kBlockBytes;
      length = std::min((length / kBlockBytes + 1) * kBlockBytes, model_.size() - at);
    }
    const auto expected = model_.begin() + static_cast<std::ptrdiff_t>(at);
    const uint64_t choice = random() % 10;
    if (choice < 4) {
      const Bytes read = ReadAt(fd_, start_ + at, length);
      CHECK(std::equal(read.begin(), read.end(), expected));
    } else if (choice < 8) {
      Bytes bytes(length, static_cast<std::byte>(random()));
      for (size_t byte = 0; byte < length; byte += 13)
        bytes[byte] = static_cast<std::byte>(random());
      WriteAt(fd_, start_ + at, bytes);
      std::copy(bytes.begin(), bytes.end(), expected);
    } else if (choice == 8) {
      const int mode = random() % 2 ? FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE
                                    : FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
      CHECK_EQ(fallocate(fd_, mode, static_cast<off_t>(start_ + at), static_cast<off_t>(length)),
               0);
      std::fill_n(expected, length, std::byte{0});
    } else {
      CHECK_EQ(fsync(fd_), 0);
      CheckHole(at);
    }
  }

  void CompareAll() const { CHECK(ReadAt(fd_, start_, model_.size()) == model_); }

 private:
  // What is said to be a hole reads as zeros.
  void CheckHole(uint64_t at) const {
    const off_t from = static_cast<off_t>(start_ + at);
    const off_t data = lseek(fd_, from, SEEK_DATA);
    const uint64_t end = data < 0 ? start_ + model_.size() : static_cast<uint64_t>(data);
    for (uint64_t zero = at; zero < std::min(end - start_, model_.size()); ++zero) {
      CHECK(model_[zero] == std::byte{0});
    }
  }

  const int fd_;
  const uint64_t start_;
  Bytes model_;
};

void UseRegions(Kind kind, uint64_t blocks_each, uint64_t steps) {
  constexpr uint64_t kUsers = 4;
  TestVolume volume(DiskFolder(), kind, kUsers * blocks_each);
  FuseMount mount(volume, kThreads, BringFromChain);
  const UniqueFd fd(mount.Open(O_RDWR));
  std::vector<RegionUser> users;
  for (uint64_t number = 0; number < kUsers; ++number) {
    Bytes content(blocks_each * kBlockBytes);
    for (uint64_t at = 0; kind == Kind::kLazy && at < blocks_each; ++at) {
      StampInto(content.data() + at * kBlockBytes, number * blocks_each + at, kChain);
    }
    users.emplace_back(fd.get(), number * content.size(), std::move(content));
  }
  std::vector<std::thread> threads;
  for (RegionUser& user : users) {
    threads.emplace_back([&, random = SeededRandom()]() mutable {
      for (uint64_t step = 0; step < steps; ++step) user.Step(random);
      user.CompareAll();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const RegionUser& user : users) user.CompareAll();
}

TEST("a mounted volume does what an array does, for four users of disjoint parts") {
  UseRegions(Kind::kLocal, 300, Ops(250));
}

TEST("a lazy mounted volume does too, its blocks coming while they are used") {
  UseRegions(Kind::kLazy, 300, Ops(150));
}

TEST("large reads and writes come through whole: megabytes at once, crooked ones too") {
  auto random = SeededRandom();
  TestVolume volume(DiskFolder(), Kind::kLocal, 2048);
  FuseMount mount(volume, kThreads);
  const UniqueFd fd(mount.Open(O_RDWR));
  Bytes bytes(5 << 20);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  for (const uint64_t offset : {uint64_t{0}, uint64_t{777}, uint64_t{3} << 20}) {
    WriteAt(fd.get(), offset, bytes);
    CHECK(ReadAt(fd.get(), offset, bytes.size()) == bytes);
  }
}

void BringWhenAllowed(Server& server, BlockRun run) {
  while (!server.shared.may_bring) usleep(1000);
  BringFromChain(server, run);
}

TEST("misses that wait hold up no present block, however many more there are than threads") {
  constexpr unsigned kServing = 2, kStuck = 12;
  NeedParallelWrites();
  TestVolume volume(DiskFolder(), Kind::kLazy, 256);
  FuseMount mount(volume, kServing, BringWhenAllowed);
  const UniqueFd fd(mount.Open(O_RDWR));
  WriteAt(fd.get(), 200 * kBlockBytes, Stamped(200, 5));
  std::atomic<unsigned> done{0};
  std::vector<std::thread> stuck;
  for (unsigned number = 0; number < kStuck; ++number) {
    stuck.emplace_back([&, number] {
      const uint64_t offset = number * 10 * kBlockBytes;
      // Reads, and writes of a part.
      if (number % 2) WriteAt(fd.get(), offset + 100, Bytes(50, std::byte{9}));
      const Bytes read = ReadAt(fd.get(), offset + kBlockBytes, kBlockBytes);
      CHECK_EQ(VersionOf(read.data(), number * 10 + 1), kChain);
      ++done;
    });
  }
  while (mount.shared().asked < kStuck) usleep(1000);
  // The test would hang here, with every thread of the session inside a miss.
  for (int step = 0; step < 50; ++step) {
    const Bytes read = ReadAt(fd.get(), 200 * kBlockBytes, kBlockBytes);
    CHECK_EQ(VersionOf(read.data(), 200), 5u);
    // No fsync: the kernel lets it wait for every write that is under way.
    WriteAt(fd.get(), 201 * kBlockBytes, Stamped(201, 6));
  }
  CHECK_EQ(done.load(), 0u);
  mount.shared().may_bring = true;
  for (std::thread& thread : stuck) thread.join();
  Bytes expected = Stamped(10, kChain);
  std::fill_n(expected.begin() + 100, 50, std::byte{9});
  CHECK(ReadAt(fd.get(), 10 * kBlockBytes, kBlockBytes) == expected);
}

TEST("a block that cannot be brought is an error of its reader, and is asked for again") {
  TestVolume volume(DiskFolder(), Kind::kLazy, 64);
  FuseMount mount(volume, kThreads, [tries = 0](Server& server, BlockRun run) mutable {
    if (tries++ == 0) return server.misses.Failed(run, ENETUNREACH);
    BringFromChain(server, run);
  });
  const UniqueFd fd(mount.Open(O_RDWR));
  Bytes bytes(kBlockBytes);
  CHECK_EQ(ErrorOf(pread(fd.get(), bytes.data(), kBlockBytes, 5 * kBlockBytes)), ENETUNREACH);
  CHECK_EQ(VersionOf(ReadAt(fd.get(), 5 * kBlockBytes, kBlockBytes).data(), 5), kChain);
  CHECK_EQ(mount.shared().asked.load(), 2u);
}

TEST("what was written through the mount is dirty and present, and nothing else is") {
  TestVolume volume(DiskFolder(), Kind::kLazy, 64);
  FuseMount mount(volume, kThreads, BringFromChain);
  {
    const UniqueFd fd(mount.Open(O_RDWR));
    WriteAt(fd.get(), 3 * kBlockBytes, Stamped(3, 1));
    WriteAt(fd.get(), 10 * kBlockBytes + 5, Bytes(1, std::byte{1}));
    ReadAt(fd.get(), 20 * kBlockBytes, 1);
  }
  mount.Unmount();
  volume.options.create_data = volume.options.create_present = false;
  const auto overlay = volume.Open();
  CHECK_EQ(overlay->CountDirty(), 2u);
  CHECK_EQ(overlay->CountAbsent(), 61u);
  CHECK(overlay->IsPresent({3, 1}) && overlay->IsPresent({10, 1}) && overlay->IsPresent({20, 1}));
}

TEST("a session ends with its mount, also right after it, and can follow another") {
  TestVolume volume(DiskFolder(), Kind::kLocal, 16);
  for (int round = 0; round < 5; ++round) {
    FuseMount mount(volume, 1 + round % 3);
    volume.options.create_data = false;
    if (round % 2) close(mount.Open(O_RDONLY));
  }
}

TEST("a connection that is cut ends with more parked than may be, and nobody to bring it") {
  // Writes of a part, so that each asks for a block and holds its megabyte meanwhile.
  constexpr uint64_t kWriters = kMaxParkedBytes / (1 << 20) + 8;
  constexpr uint64_t kEachBlocks = 300;
  NeedParallelWrites();
  TestVolume volume(MemoryFolder(), Kind::kLazy, kWriters * kEachBlocks);
  FuseMount mount(volume, 2);
  {
    const UniqueFd fd(mount.Open(O_RDWR));
    std::vector<std::thread> writers;
    for (uint64_t number = 0; number < kWriters; ++number) {
      writers.emplace_back([&, number] {
        const Bytes bytes((1 << 20) - 1, std::byte{1});
        const auto offset = static_cast<off_t>(number * kEachBlocks * kBlockBytes + 1);
        CHECK(pwrite(fd.get(), bytes.data(), bytes.size(), offset) < 0);
      });
    }
    while (mount.shared().asked < kMaxParkedBytes >> 20) usleep(1000);
    // Nothing tells when both threads of the session have come to wait for room.
    usleep(200'000);
    mount.Abort();
    for (std::thread& writer : writers) writer.join();
  }
  mount.shared().end = true;
  CHECK_EQ(mount.WaitForServer(), 0);
}

TEST("a session serves with the threads that it can have when descriptors run out") {
  TestVolume volume(DiskFolder(), Kind::kLocal, 16);
  Intercept([clones = 0](const Call& call) mutable {
    return call.name == CallName::kControl && ++clones > 1 ? EMFILE : 0;
  });
  FuseMount mount(volume, 8);
  const UniqueFd fd(mount.Open(O_RDWR));
  WriteAt(fd.get(), 0, Stamped(0, 1));
  CHECK_EQ(VersionOf(ReadAt(fd.get(), 0, kBlockBytes).data(), 0), 1u);
}

TEST("a session that was never mounted ends when it is abandoned, and says so") {
  const int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (device < 0) SkipTest("/dev/fuse cannot be opened");
  TestVolume volume(MemoryFolder(), Kind::kLocal, 16);
  const auto overlay = volume.Open();
  const auto misses = std::make_shared<MissQueue>(overlay, [](BlockRun) {});
  std::atomic<int> closed{-1};
  {
    FuseSession session(UniqueFd(device), overlay, misses, 3, [&](int error) { closed = error; });
    session.Abandon();
  }
  CHECK_EQ(closed.load(), 0);
}

}  // namespace
}  // namespace cloudvol::test
