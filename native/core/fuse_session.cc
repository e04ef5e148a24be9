#include "core/fuse_session.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "core/failure.h"
#include "core/fuse_protocol.h"

namespace cloudvol {
namespace {

// Attributes change only by resizing, and the kernel is told then.
constexpr uint64_t kAttributeSeconds = 1;
constexpr auto kMountPoll = std::chrono::milliseconds(1);

// The request begins this far into a buffer, so that a WRITE's payload lands on the second page.
constexpr size_t kRequestAt = kPageBytes - fuse::kWriteHeaderBytes;
constexpr size_t kBufferBytes = kPageBytes + fuse::kMaxWriteBytes + kPageBytes;

void Reply(int fd, uint64_t unique, int error, const void* body = nullptr, size_t length = 0) {
  fuse_out_header header = {};
  header.len = static_cast<uint32_t>(sizeof header + length);
  header.error = -error;
  header.unique = unique;
  const iovec parts[2] = {{&header, sizeof header}, {const_cast<void*>(body), length}};
  // ENOENT: the caller was killed meanwhile; ENODEV: unmounted. Nobody is left to be told.
  while (writev(fd, parts, length ? 2 : 1) < 0 && errno == EINTR) {
  }
}

}  // namespace

// A request as it lies in a thread's buffer, or, when parked, in a copy of its own.
struct FuseSession::Request {
  int fd;
  fuse_in_header header;
  const std::byte* body;
  size_t body_bytes;

  template <typename In>
  In As() const {
    In in = {};
    std::memcpy(&in, body, std::min(sizeof in, body_bytes));
    return in;
  }
};

// A READ, WRITE or FALLOCATE that waits for absent blocks: it owns what it needs to be performed
// again.
class FuseSession::Parked : public ParkedRequest {
 public:
  Parked(FuseSession& session, const Request& request)
      : session_(session),
        copy_(request.body, request.body + request.body_bytes),
        request_(request) {
    request_.body = copy_.data();
  }
  void Resume() override {
    static thread_local AlignedBuffer scratch(fuse::kMaxWriteBytes);
    session_.Perform(request_, scratch.data());
  }
  void Fail(int error) override { Reply(request_.fd, request_.header.unique, error); }
  size_t HeldBytes() const override { return sizeof *this + copy_.size(); }

 private:
  FuseSession& session_;
  std::vector<std::byte> copy_;
  Request request_;
};

FuseSession::FuseSession(UniqueFd device, std::shared_ptr<Overlay> overlay,
                         std::shared_ptr<MissQueue> misses, unsigned threads,
                         std::function<void(int)> closed)
    : overlay_(std::move(overlay)),
      misses_(std::move(misses)),
      thread_count_(std::max(threads, 1u)),
      closed_(std::move(closed)) {
  devices_.push_back(std::move(device));
  // Signals belong to Node's threads: those started here inherit the mask.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  first_ = std::thread([this] { ServeFirst(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

FuseSession::~FuseSession() {
  abandoned_ = true;
  // Before as well: a thread may wait for room among the parked requests, which nobody else makes
  // once the connection is gone.
  misses_->Drain();
  first_.join();
  for (std::thread& thread : others_) thread.join();
  misses_->Drain();
}

void FuseSession::OnThreadEnd(int error) {
  int none = 0;
  if (error) end_error_.compare_exchange_strong(none, error);
  if (--running_ == 0) closed_(end_error_);
}

// --- the threads ---------------------------------------------------------------------------------

void FuseSession::ServeFirst() {
  const AlignedBuffer buffer(kBufferBytes);
  const int fd = devices_[0].get();
  int error = 0;
  for (;;) {
    const ssize_t length = read(fd, buffer.data() + kRequestAt, kBufferBytes - kRequestAt);
    if (length < 0 && errno == EPERM && !abandoned_) {
      std::this_thread::sleep_for(kMountPoll);
      continue;
    }
    if (length < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (length < static_cast<ssize_t>(sizeof(fuse_in_header)))
      return OnThreadEnd(abandoned_ || errno == ENODEV ? 0 : errno);
    Request request{fd,
                    {},
                    buffer.data() + kRequestAt + sizeof(fuse_in_header),
                    static_cast<size_t>(length) - sizeof(fuse_in_header)};
    std::memcpy(&request.header, buffer.data() + kRequestAt, sizeof request.header);
    if (request.header.opcode != FUSE_INIT) {
      Reply(fd, request.header.unique, EIO);
      continue;
    }
    if (!NegotiateInit(request)) continue;
    break;
  }
  try {
    StartOtherThreads();
  } catch (const std::exception&) {
    // No descriptor or no thread was to be had: fewer threads serve more slowly and as correctly.
  }
  while (ServeOne(fd, buffer, error)) {
  }
  OnThreadEnd(error);
}

void FuseSession::StartOtherThreads() {
  for (unsigned started = 1; started < thread_count_; ++started) {
    UniqueFd clone(open("/dev/fuse", O_RDWR | O_CLOEXEC));
    if (!clone) ThrowErrno("open /dev/fuse");
    uint32_t original = static_cast<uint32_t>(devices_[0].get());
    if (ioctl(clone.get(), FUSE_DEV_IOC_CLONE, &original) != 0)
      ThrowErrno("clone the FUSE descriptor");
    devices_.push_back(std::move(clone));
    // Before it runs, since it counts itself down at its end.
    ++running_;
    try {
      others_.emplace_back([this, fd = devices_.back().get()] { Serve(fd); });
    } catch (...) {
      --running_;
      throw;
    }
  }
}

void FuseSession::Serve(int fd) {
  const AlignedBuffer buffer(kBufferBytes);
  int error = 0;
  while (ServeOne(fd, buffer, error)) {
  }
  OnThreadEnd(error);
}

bool FuseSession::ServeOne(int fd, const AlignedBuffer& buffer, int& error) {
  std::byte* start = buffer.data() + kRequestAt;
  const ssize_t length = read(fd, start, kBufferBytes - kRequestAt);
  if (length < 0) {
    // ENOENT: the request was interrupted before it was read.
    if (errno == EINTR || errno == EAGAIN || errno == ENOENT) return true;
    error = errno == ENODEV ? 0 : errno;
    return false;
  }
  if (length < static_cast<ssize_t>(sizeof(fuse_in_header))) {
    error = EPROTO;
    return false;
  }
  Request request{
      fd, {}, start + sizeof(fuse_in_header), static_cast<size_t>(length) - sizeof(fuse_in_header)};
  std::memcpy(&request.header, start, sizeof request.header);
  // The page after a READ's headers, where a WRITE's payload would lie, takes the bytes that are
  // read.
  Handle(request, buffer.data() + kPageBytes);
  return true;
}

bool FuseSession::NegotiateInit(const Request& request) {
  const auto in = request.As<fuse_init_in>();
  fuse_init_out out = {};
  out.major = FUSE_KERNEL_VERSION;
  out.minor = std::min(in.minor, fuse::kMinor);
  if (in.major > FUSE_KERNEL_VERSION) {
    // The kernel asks again with the major that it is told.
    Reply(request.fd, request.header.unique, 0, &out, sizeof out);
    return false;
  }
  if (in.major < FUSE_KERNEL_VERSION || in.minor < fuse::kOldestMinor) {
    Reply(request.fd, request.header.unique, EPROTO);
    return false;
  }
  const uint64_t offered = in.flags | (in.flags & fuse::kInitExt ? uint64_t{in.flags2} << 32 : 0);
  const uint64_t wanted = FUSE_ASYNC_READ | FUSE_ASYNC_DIO | FUSE_BIG_WRITES | FUSE_MAX_PAGES |
                          fuse::kInitExt | fuse::kHasResend;
  const uint64_t agreed = offered & wanted;
  out.flags = static_cast<uint32_t>(agreed);
  out.flags2 = static_cast<uint32_t>(agreed >> 32);
  out.max_readahead = in.max_readahead;
  out.max_background = fuse::kMaxBackground;
  out.congestion_threshold = fuse::kCongestionThreshold;
  out.max_write = fuse::kMaxWriteBytes;
  out.max_pages = fuse::kMaxPages;
  out.time_gran = 1;
  Reply(request.fd, request.header.unique, 0, &out, sizeof out);
  return true;
}

// --- the requests --------------------------------------------------------------------------------

void FuseSession::Handle(const Request& request, std::byte* scratch) {
  switch (request.header.opcode) {
    case FUSE_READ:
    case FUSE_WRITE:
    case FUSE_FALLOCATE:
      return Perform(request, scratch);
    case FUSE_FSYNC:
      return Reply(request.fd, request.header.unique, overlay_->Flush());
    case FUSE_GETATTR:
      return HandleGetattr(request);
    case FUSE_SETATTR:
      return HandleSetattr(request);
    case FUSE_STATFS:
      return HandleStatfs(request);
    case FUSE_LSEEK:
      return HandleLseek(request);
    case FUSE_OPEN: {
      fuse_open_out out = {};
      out.open_flags = FOPEN_DIRECT_IO | fuse::kOpenParallelDirectWrites | fuse::kOpenNoFlush;
      return Reply(request.fd, request.header.unique, 0, &out, sizeof out);
    }
    case FUSE_RELEASE:
    case FUSE_DESTROY:
      return Reply(request.fd, request.header.unique, 0);
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
      return;  // have no reply
    default:
      // INTERRUPT among them: the kernel then sends no more. An operation once begun is always
      // finished.
      return Reply(request.fd, request.header.unique, ENOSYS);
  }
}

// The requests that may meet absent blocks; called again, from the miss queue, when those have
// come.
void FuseSession::Perform(const Request& request, std::byte* scratch) {
  const uint64_t size = overlay_->size_bytes();
  switch (request.header.opcode) {
    case FUSE_READ: {
      const auto in = request.As<fuse_read_in>();
      if (in.size > fuse::kMaxWriteBytes) return Reply(request.fd, request.header.unique, EINVAL);
      if (in.offset >= size) return Reply(request.fd, request.header.unique, 0);
      const uint64_t length = std::min<uint64_t>(in.size, size - in.offset);
      return Finish(request, overlay_->Read(in.offset, {scratch, length}), scratch, length);
    }
    case FUSE_WRITE: {
      const auto in = request.As<fuse_write_in>();
      if (in.size > request.body_bytes - std::min(request.body_bytes, sizeof in)) {
        return Reply(request.fd, request.header.unique, EINVAL);
      }
      // The size is fixed: a write that would extend the file is refused whole.
      if (in.offset > size || in.size > size - in.offset)
        return Reply(request.fd, request.header.unique, ENOSPC);
      fuse_write_out out = {};
      out.size = in.size;
      return Finish(request, overlay_->Write(in.offset, {request.body + sizeof in, in.size}), &out,
                    sizeof out);
    }
    default:
      return HandleFallocate(request);
  }
}

void FuseSession::HandleFallocate(const Request& request) {
  const auto in = request.As<fuse_fallocate_in>();
  const uint32_t mode = in.mode & ~static_cast<uint32_t>(FALLOC_FL_KEEP_SIZE);
  if (mode != FALLOC_FL_PUNCH_HOLE && mode != FALLOC_FL_ZERO_RANGE) {
    return Reply(request.fd, request.header.unique, EOPNOTSUPP);
  }
  const uint64_t size = overlay_->size_bytes();
  const bool is_inside = in.offset <= size && in.length <= size - in.offset;
  // Without KEEP_SIZE the kernel believes afterwards that the file is longer.
  if (!is_inside && !(in.mode & FALLOC_FL_KEEP_SIZE)) {
    return Reply(request.fd, request.header.unique, ENOSPC);
  }
  if (in.offset >= size) return Reply(request.fd, request.header.unique, 0);
  Finish(request, overlay_->Zero(in.offset, std::min(in.length, size - in.offset)), nullptr, 0);
}

void FuseSession::Finish(const Request& request, const Outcome& outcome, const void* body,
                         size_t length) {
  if (outcome.IsAbsent())
    return misses_->Park(outcome.absent, std::make_unique<Parked>(*this, request));
  if (outcome.error) return Reply(request.fd, request.header.unique, outcome.error);
  Reply(request.fd, request.header.unique, 0, body, length);
}

fuse_attr_out FuseSession::Attributes() const {
  fuse_attr_out out = {};
  out.attr_valid = kAttributeSeconds;
  out.attr.ino = FUSE_ROOT_ID;
  out.attr.size = overlay_->size_bytes();
  out.attr.blocks = overlay_->AllocatedBytes() / 512;
  out.attr.mode = S_IFREG | 0600;
  out.attr.nlink = 1;
  out.attr.blksize = static_cast<uint32_t>(overlay_->block_bytes());
  return out;
}

void FuseSession::HandleGetattr(const Request& request) const {
  const fuse_attr_out out = Attributes();
  Reply(request.fd, request.header.unique, 0, &out, sizeof out);
}

void FuseSession::HandleSetattr(const Request& request) const {
  const auto in = request.As<fuse_setattr_in>();
  const bool resizes = (in.valid & FATTR_SIZE) && in.size != overlay_->size_bytes();
  if (resizes || in.valid & (FATTR_MODE | FATTR_UID | FATTR_GID)) {
    return Reply(request.fd, request.header.unique, EPERM);
  }
  // Times are not kept.
  HandleGetattr(request);
}

void FuseSession::HandleStatfs(const Request& request) const {
  fuse_statfs_out out = {};
  out.st.bsize = out.st.frsize = static_cast<uint32_t>(overlay_->block_bytes());
  out.st.blocks = overlay_->block_count();
  out.st.files = 1;
  out.st.namelen = 255;
  Reply(request.fd, request.header.unique, 0, &out, sizeof out);
}

void FuseSession::HandleLseek(const Request& request) const {
  const auto in = request.As<fuse_lseek_in>();
  if (in.whence != SEEK_DATA && in.whence != SEEK_HOLE)
    return Reply(request.fd, request.header.unique, EINVAL);
  if (in.offset >= overlay_->size_bytes()) return Reply(request.fd, request.header.unique, ENXIO);
  fuse_lseek_out out = {};
  out.offset =
      in.whence == SEEK_DATA ? overlay_->SeekData(in.offset) : overlay_->SeekHole(in.offset);
  if (in.whence == SEEK_DATA && out.offset >= overlay_->size_bytes()) {
    return Reply(request.fd, request.header.unique, ENXIO);
  }
  Reply(request.fd, request.header.unique, 0, &out, sizeof out);
}

}  // namespace cloudvol
