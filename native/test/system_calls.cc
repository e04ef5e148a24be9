#include "test/system_calls.h"

#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace cloudvol::test {
namespace {

std::function<int(const Call&)> intercept;
std::function<void(const Call&)> intercept_after;

bool Fails(const Call& call) {
  const int error = intercept ? intercept(call) : 0;
  if (error) errno = error;
  return error != 0;
}

template <typename Result>
Result Told(const Call& call, Result result) {
  const int error = errno;
  if (intercept_after) intercept_after(call);
  errno = error;
  return result;
}

}  // namespace

void InterceptAfter(std::function<void(const Call&)> after) { intercept_after = std::move(after); }

void Intercept(std::function<int(const Call&)> before) { intercept = std::move(before); }

extern "C" {

ssize_t __real_pread64(int fd, void* target, size_t length, off64_t offset);
ssize_t __real_pwrite64(int fd, const void* source, size_t length, off64_t offset);
int __real_fallocate64(int fd, int mode, off64_t offset, off64_t length);
off64_t __real_lseek64(int fd, off64_t offset, int whence);
int __real_fdatasync(int fd);
int __real_fsync(int fd);
int __real_rename(const char* from, const char* to);

ssize_t __wrap_pread64(int fd, void* target, size_t length, off64_t offset) {
  const Call call = {CallName::kRead, fd, static_cast<uint64_t>(offset), length};
  return Fails(call) ? -1 : Told(call, __real_pread64(fd, target, length, offset));
}

ssize_t __wrap_pwrite64(int fd, const void* source, size_t length, off64_t offset) {
  const Call call = {CallName::kWrite, fd, static_cast<uint64_t>(offset), length};
  return Fails(call) ? -1 : Told(call, __real_pwrite64(fd, source, length, offset));
}

int __wrap_fallocate64(int fd, int mode, off64_t offset, off64_t length) {
  const Call call = {CallName::kZero, fd, static_cast<uint64_t>(offset),
                     static_cast<size_t>(length)};
  return Fails(call) ? -1 : Told(call, __real_fallocate64(fd, mode, offset, length));
}

off64_t __wrap_lseek64(int fd, off64_t offset, int whence) {
  const CallName name = whence == SEEK_HOLE ? CallName::kSeekHole : CallName::kSeekData;
  const Call call = {name, fd, static_cast<uint64_t>(offset), 0};
  return Fails(call) ? -1 : Told(call, __real_lseek64(fd, offset, whence));
}

int __wrap_fdatasync(int fd) {
  const Call call = {CallName::kSyncData, fd, 0, 0};
  return Fails(call) ? -1 : Told(call, __real_fdatasync(fd));
}

int __wrap_fsync(int fd) {
  const Call call = {CallName::kSync, fd, 0, 0};
  return Fails(call) ? -1 : Told(call, __real_fsync(fd));
}

int __wrap_rename(const char* from, const char* to) {
  const Call call = {CallName::kRename, -1, 0, 0};
  return Fails(call) ? -1 : Told(call, __real_rename(from, to));
}

}  // extern "C"

}  // namespace cloudvol::test
