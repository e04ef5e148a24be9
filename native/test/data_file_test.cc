#include "core/data_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "core/failure.h"
#include "core/unique_fd.h"
#include "test/system_calls.h"
#include "test/test.h"

namespace cloudvol::test {
namespace {

constexpr uint64_t kFileBytes = 4 << 20;

std::vector<std::byte> RandomBytes(std::mt19937_64& random, size_t count) {
  std::vector<std::byte> bytes(count);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return bytes;
}

// Mostly small and crooked, now and then larger than one bounce.
uint64_t RandomLength(std::mt19937_64& random, uint64_t max) {
  const uint64_t wanted = random() % 16 == 0  ? Below(random, 3 << 20)
                          : random() % 3 == 0 ? 4096 * (1 + Below(random, 8))
                                              : 1 + Below(random, 20000);
  return std::min(wanted, max);
}

void ReadsWhatWasWritten(const std::string& path) {
  auto random = SeededRandom();
  const DataFile file = DataFile::Open(path, kFileBytes, true);
  std::vector<std::byte> model(kFileBytes);
  for (uint64_t step = 0; step < Ops(120); ++step) {
    uint64_t offset = Below(random, kFileBytes);
    if (random() % 3 == 0) offset = offset / 4096 * 4096;
    const uint64_t length = RandomLength(random, kFileBytes - offset);
    // Memory that is not aligned either, half of the time.
    const size_t skew = random() % 2 ? Below(random, 512) : 0;
    const auto at = model.begin() + static_cast<std::ptrdiff_t>(offset);
    if (random() % 4 == 0) {
      CHECK_EQ(file.Zero(offset, length), 0);
      std::fill_n(at, length, std::byte{0});
    } else if (random() % 2) {
      const auto bytes = RandomBytes(random, skew + length);
      CHECK_EQ(file.Write(offset, {bytes.data() + skew, length}), 0);
      std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(skew), length, at);
    } else {
      std::vector<std::byte> bytes(skew + length);
      CHECK_EQ(file.Read(offset, {bytes.data() + skew, length}), 0);
      CHECK(std::equal(at, at + static_cast<std::ptrdiff_t>(length), bytes.data() + skew));
    }
  }
  std::vector<std::byte> all(kFileBytes);
  CHECK_EQ(file.Read(0, all), 0);
  CHECK(all == model);
}

TEST("a data file on disk reads what was written, at any offset, length and memory address") {
  ReadsWhatWasWritten(DiskFolder() + "/data");
}

TEST("a data file in memory reads what was written, at any offset, length and memory address") {
  ReadsWhatWasWritten(MemoryFolder() + "/data");
}

TEST("a data file works at every alignment that a device may ask for, and without direct I/O") {
  const std::string folder = DiskFolder();
  for (const uint32_t alignment : {512, 4096, 16384, 65536}) {
    PretendDirectAlignment(alignment, 512);
    ReadsWhatWasWritten(folder + "/" + std::to_string(alignment));
  }
  PretendDirectAlignment(4096, 65536);
  ReadsWhatWasWritten(folder + "/memory");
}

TEST("an unaligned write leaves its neighbours alone") {
  const DataFile file = DataFile::Open(DiskFolder() + "/data", 65536, true);
  const std::vector<std::byte> ones(65536, std::byte{1}), twos(10000, std::byte{2});
  CHECK_EQ(file.Write(0, ones), 0);
  CHECK_EQ(file.Write(4095, {twos.data(), 4098}), 0);
  std::vector<std::byte> read(65536);
  CHECK_EQ(file.Read(0, read), 0);
  for (size_t at = 0; at < read.size(); ++at) {
    CHECK(read[at] == (at >= 4095 && at < 4095 + 4098 ? std::byte{2} : std::byte{1}));
  }
}

TEST("zeroing where the file system knows no holes writes zeros") {
  const DataFile file = DataFile::Open(DiskFolder() + "/data", kFileBytes, true);
  const std::vector<std::byte> ones(kFileBytes, std::byte{1});
  CHECK_EQ(file.Write(0, ones), 0);
  Intercept([](const Call& call) { return call.name == CallName::kZero ? EOPNOTSUPP : 0; });
  const uint64_t offset = 1000, length = (2 << 20) + 77;
  CHECK_EQ(file.Zero(offset, length), 0);
  Intercept({});
  std::vector<std::byte> read(kFileBytes);
  CHECK_EQ(file.Read(0, read), 0);
  for (size_t at = 0; at < read.size(); ++at) {
    CHECK(read[at] == (at >= offset && at < offset + length ? std::byte{0} : std::byte{1}));
  }
}

TEST("what the system call says is what a read, write, zero and sync say") {
  const DataFile file = DataFile::Open(DiskFolder() + "/data", 65536, true);
  std::vector<std::byte> bytes(8192);
  Intercept([](const Call&) { return EIO; });
  CHECK_EQ(file.Read(0, bytes), EIO);
  CHECK_EQ(file.Write(1, bytes), EIO);
  CHECK_EQ(file.Zero(0, 4096), EIO);
  CHECK_EQ(file.Sync(), EIO);
  Intercept([interrupts = 0](const Call&) mutable { return ++interrupts % 2 ? EINTR : 0; });
  CHECK_EQ(file.Write(0, bytes), 0);
  CHECK_EQ(file.Read(0, bytes), 0);
  CHECK_EQ(file.Zero(0, 4096), 0);
}

TEST("a data file that somebody cut is an I/O error, never short") {
  const std::string path = DiskFolder() + "/data";
  const DataFile file = DataFile::Open(path, 65536, true);
  CHECK(truncate(path.c_str(), 32768) == 0);
  std::vector<std::byte> bytes(16384);
  CHECK_EQ(file.Read(24576, bytes), EIO);
  CHECK_EQ(file.Read(40960, bytes), EIO);
  CHECK_EQ(file.Read(40961, {bytes.data(), 10}), EIO);
}

TEST("a data file of another size, missing, or behind a symbolic link is not opened") {
  const std::string path = DiskFolder() + "/data";
  CHECK_FAILS(ENOENT, DataFile::Open(path, 65536, false));
  DataFile::Open(path, 65536, true);
  CHECK_FAILS(EINVAL, DataFile::Open(path, 131072, false));
  CHECK(symlink("data", (path + "-link").c_str()) == 0);
  CHECK_FAILS(ELOOP, DataFile::Open(path + "-link", 65536, false));
  struct stat info;
  CHECK(stat(path.c_str(), &info) == 0);
  CHECK_EQ(info.st_size, 65536);
}

TEST("data and holes are found where they are") {
  for (const std::string& folder : {DiskFolder(), MemoryFolder()}) {
    const DataFile file = DataFile::Open(folder + "/data", kFileBytes, true);
    CHECK_EQ(file.NextData(0), kFileBytes);
    CHECK_EQ(file.NextHole(5), 5u);
    const std::vector<std::byte> block(65536, std::byte{1});
    CHECK_EQ(file.Write(131072, block), 0);
    CHECK_EQ(file.NextData(0), 131072u);
    CHECK_EQ(file.NextData(140000), 140000u);
    CHECK_EQ(file.NextHole(131072), 196608u);
    CHECK(file.AllocatedBytes() >= 65536);
    CHECK_EQ(file.Zero(131072, 65536), 0);
    CHECK_EQ(file.NextData(0), kFileBytes);
    CHECK_EQ(file.Write(kFileBytes - 65536, block), 0);
    CHECK_EQ(file.NextHole(kFileBytes - 1), kFileBytes);
  }
}

TEST("where the file system cannot tell, everything is data") {
  const DataFile file = DataFile::Open(DiskFolder() + "/data", 65536, true);
  Intercept([](const Call&) { return EINVAL; });
  CHECK_EQ(file.NextData(4096), 4096u);
  CHECK_EQ(file.NextHole(4096), 65536u);
}

}  // namespace
}  // namespace cloudvol::test
