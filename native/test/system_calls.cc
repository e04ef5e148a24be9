#include "test/system_calls.h"

#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace cloudvol::test {
namespace {

std::function<int(const Call&)> intercept;
std::function<void(const Call&)> intercept_after;

uint32_t pretended_offset = 0;
uint32_t pretended_memory = 0;

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

void PretendDirectAlignment(uint32_t offset, uint32_t memory) {
  pretended_offset = offset;
  pretended_memory = memory;
}

extern "C" {

int __real_statx(int fd, const char* path, int flags, unsigned mask, struct statx* info);

int __wrap_statx(int fd, const char* path, int flags, unsigned mask, struct statx* info) {
  const int result = __real_statx(fd, path, flags, mask, info);
  if (result == 0 && pretended_offset) {
    info->stx_mask |= STATX_DIOALIGN;
    info->stx_dio_offset_align = pretended_offset;
    info->stx_dio_mem_align = pretended_memory;
  }
  return result;
}

ssize_t __real_pread64(int fd, void* target, size_t length, off64_t offset);
ssize_t __real_pwrite64(int fd, const void* source, size_t length, off64_t offset);
int __real_fallocate64(int fd, int mode, off64_t offset, off64_t length);
off64_t __real_lseek64(int fd, off64_t offset, int whence);
int __real_fdatasync(int fd);
int __real_fsync(int fd);
int __real_rename(const char* from, const char* to);
int __real_ioctl(int fd, unsigned long request, void* argument);

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

int __wrap_ioctl(int fd, unsigned long request, void* argument) {
  const Call call = {CallName::kControl, fd, 0, 0};
  return Fails(call) ? -1 : Told(call, __real_ioctl(fd, request, argument));
}

}  // extern "C"

}  // namespace cloudvol::test
