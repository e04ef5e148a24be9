#include "core/live_bits.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "core/aligned_buffer.h"
#include "core/failure.h"
#include "core/unique_fd.h"

namespace cloudvol {
namespace {

constexpr char kMagic[8] = {'C', 'V', 'L', 'I', 'V', 'E', '0', '1'};
constexpr uint32_t kLayoutVersion = 1;

struct Header {
  char magic[8];
  uint32_t layout_version;
  uint32_t reserved;
  uint64_t bits;
  uint64_t epoch;
  char boot_id[64];
  char session[64];
};
static_assert(sizeof(Header) <= kPageBytes);

size_t FileBytes(uint64_t bits) {
  const size_t words = Bitmap::WordsFor(bits) * sizeof(uint64_t);
  return kPageBytes + (words + kPageBytes - 1) / kPageBytes * kPageBytes;
}

struct RemovedAtEnd {
  const std::string& path;
  ~RemovedAtEnd() { unlink(path.c_str()); }
};

void Put(char (&target)[64], const std::string& text) {
  if (text.size() >= sizeof target) throw Failure(EINVAL, "the identity of live bits is too long");
  std::memcpy(target, text.c_str(), text.size() + 1);
}

}  // namespace

LiveBits::LiveBits(LiveBits&& other) noexcept { *this = std::move(other); }

LiveBits& LiveBits::operator=(LiveBits&& other) noexcept {
  if (this == &other) return *this;
  Unmap();
  path_ = std::move(other.path_);
  memory_ = std::exchange(other.memory_, nullptr);
  bytes_ = std::exchange(other.bytes_, 0);
  epoch_ = other.epoch_;
  bits_ = std::exchange(other.bits_, Bitmap());
  return *this;
}

LiveBits::~LiveBits() { Unmap(); }

void LiveBits::Unmap() {
  if (memory_) munmap(memory_, bytes_);
  memory_ = nullptr;
}

void LiveBits::Map(int fd, uint64_t bits) {
  bytes_ = FileBytes(bits);
  // Pages are reserved now, so that a full tmpfs is an error here and never a SIGBUS in the write
  // path.
  if (const int error = posix_fallocate(fd, 0, static_cast<off_t>(bytes_))) {
    throw Failure(error, "reserve memory for " + path_);
  }
  void* memory = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (memory == MAP_FAILED) ThrowErrno("map " + path_);
  memory_ = memory;
  // Locking keeps the bits out of swap; without the privilege they work all the same, only slower
  // under pressure.
  (void)mlock(memory_, bytes_);
  bits_ = Bitmap(reinterpret_cast<uint64_t*>(static_cast<char*>(memory_) + kPageBytes), bits);
}

LiveBits LiveBits::Create(const std::string& path, const LiveIdentity& identity, uint64_t epoch,
                          uint64_t bits) {
  const std::string fresh = path + ".new";
  if (unlink(fresh.c_str()) != 0 && errno != ENOENT) ThrowErrno("remove " + fresh);
  const UniqueFd fd(open(fresh.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) ThrowErrno("create " + fresh);
  // Whatever happens below, the memory of a file that is not used is given back.
  const RemovedAtEnd removed{fresh};
  LiveBits live;
  live.path_ = path;
  live.epoch_ = epoch;
  live.Map(fd.get(), bits);
  Header header = {};
  std::memcpy(header.magic, kMagic, sizeof kMagic);
  header.layout_version = kLayoutVersion;
  header.bits = bits;
  header.epoch = epoch;
  Put(header.boot_id, identity.boot_id);
  Put(header.session, identity.session);
  std::memcpy(live.memory_, &header, sizeof header);
  if (link(fresh.c_str(), path.c_str()) != 0) ThrowErrno("create " + path);
  return live;
}

LiveBits LiveBits::Open(const std::string& path, const LiveIdentity& identity, uint64_t bits) {
  const UniqueFd fd(open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!fd) ThrowErrno("open " + path);
  struct stat info;
  if (fstat(fd.get(), &info) != 0) ThrowErrno("stat " + path);
  Header header = {};
  if (static_cast<size_t>(info.st_size) != FileBytes(bits) ||
      pread(fd.get(), &header, sizeof header, 0) != static_cast<ssize_t>(sizeof header) ||
      std::memcmp(header.magic, kMagic, sizeof kMagic) != 0 ||
      header.layout_version != kLayoutVersion || header.bits != bits) {
    throw Failure(EINVAL, path + " is not a file of live bits of this volume");
  }
  header.boot_id[sizeof header.boot_id - 1] = header.session[sizeof header.session - 1] = 0;
  if (identity.boot_id != header.boot_id || identity.session != header.session) {
    throw Failure(EINVAL, path + " belongs to another boot or another life of the volume");
  }
  LiveBits live;
  live.path_ = path;
  live.epoch_ = header.epoch;
  live.Map(fd.get(), bits);
  return live;
}

void LiveBits::Unlink() const {
  if (unlink(path_.c_str()) != 0 && errno != ENOENT) ThrowErrno("remove " + path_);
}

}  // namespace cloudvol
