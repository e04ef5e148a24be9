#include "core/data_file.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/aligned_buffer.h"
#include "core/failure.h"

namespace cloudvol {
namespace {

// Taken when the kernel does not tell (before Linux 6.1): every device in use accepts it.
constexpr uint32_t kSafeAlignment = 4096;

struct Alignment {
  uint32_t offset;
  uint32_t memory;
};

Alignment DirectAlignment(int fd) {
  struct statx info = {};
  if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &info) == 0 &&
      (info.stx_mask & STATX_DIOALIGN) && info.stx_dio_offset_align != 0) {
    return {info.stx_dio_offset_align, std::max<uint32_t>(info.stx_dio_mem_align, 1)};
  }
  return {kSafeAlignment, kSafeAlignment};
}

// One per thread, made at first use; the session threads make theirs before they serve.
std::byte* Bounce() {
  static thread_local AlignedBuffer buffer(kMaxPieceBytes + 2 * kSafeAlignment);
  return buffer.data();
}

}  // namespace

DataFile DataFile::Open(const std::string& path, uint64_t size_bytes, bool create) {
  const int flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | (create ? O_CREAT : 0);
  DataFile file;
  file.fd_.Reset(open(path.c_str(), flags | O_DIRECT, 0600));
  if (file.fd_) {
    const Alignment alignment = DirectAlignment(file.fd_.get());
    if (alignment.offset > kSafeAlignment || alignment.memory > kPageBytes) {
      // Coarser than a block may be, and than a bounce is.
      file.fd_.Reset(open(path.c_str(), flags, 0600));
    } else {
      file.alignment_ = alignment.offset;
      file.memory_alignment_ = alignment.memory;
    }
  } else if (errno == EINVAL) {
    // A file system without direct I/O (tmpfs before Linux 6.6).
    file.fd_.Reset(open(path.c_str(), flags, 0600));
  }
  if (!file.fd_) ThrowErrno("open " + path);
  struct stat info;
  if (fstat(file.fd_.get(), &info) != 0) ThrowErrno("stat " + path);
  if (static_cast<uint64_t>(info.st_size) != size_bytes) {
    if (!create) throw Failure(EINVAL, path + " does not have the size of its volume");
    if (ftruncate(file.fd_.get(), static_cast<off_t>(size_bytes)) != 0)
      ThrowErrno("extend " + path);
  }
  file.size_bytes_ = size_bytes;
  return file;
}

int DataFile::TransferAligned(bool write, uint64_t offset, std::byte* memory, size_t length) const {
  while (length > 0) {
    const ssize_t done = write ? pwrite(fd_.get(), memory, length, static_cast<off_t>(offset))
                               : pread(fd_.get(), memory, length, static_cast<off_t>(offset));
    if (done < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    // The file has its full size: an end of file before it means that somebody cut it.
    if (done == 0) return EIO;
    memory += done;
    offset += static_cast<uint64_t>(done);
    length -= static_cast<size_t>(done);
  }
  return 0;
}

int DataFile::Read(uint64_t offset, std::span<std::byte> target) const {
  if (IsAligned(offset, target.size()) && MemoryAligned(target.data())) {
    return TransferAligned(false, offset, target.data(), target.size());
  }
  while (!target.empty()) {
    const uint64_t start = offset / alignment_ * alignment_;
    const size_t skip = offset - start;
    const size_t piece = std::min(target.size(), kMaxPieceBytes);
    const size_t span = (skip + piece + alignment_ - 1) / alignment_ * alignment_;
    if (const int error = TransferAligned(false, start, Bounce(), span)) return error;
    std::memcpy(target.data(), Bounce() + skip, piece);
    offset += piece;
    target = target.subspan(piece);
  }
  return 0;
}

int DataFile::Write(uint64_t offset, std::span<const std::byte> source) const {
  if (IsAligned(offset, source.size()) && MemoryAligned(source.data())) {
    // pwrite does not change the memory; the shared loop wants one pointer type for both
    // directions.
    return TransferAligned(true, offset, const_cast<std::byte*>(source.data()), source.size());
  }
  while (!source.empty()) {
    const uint64_t start = offset / alignment_ * alignment_;
    const size_t skip = offset - start;
    const size_t piece = std::min(source.size(), kMaxPieceBytes);
    const size_t span = (skip + piece + alignment_ - 1) / alignment_ * alignment_;
    std::byte* bounce = Bounce();
    if (skip != 0) {
      if (const int error = TransferAligned(false, start, bounce, alignment_)) return error;
    }
    if (skip + piece != span && (skip == 0 || span > alignment_)) {
      const size_t last = span - alignment_;
      if (const int error = TransferAligned(false, start + last, bounce + last, alignment_))
        return error;
    }
    std::memcpy(bounce + skip, source.data(), piece);
    if (const int error = TransferAligned(true, start, bounce, span)) return error;
    offset += piece;
    source = source.subspan(piece);
  }
  return 0;
}

int DataFile::Zero(uint64_t offset, uint64_t length) const {
  if (length == 0) return 0;
  while (fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                   static_cast<off_t>(offset), static_cast<off_t>(length)) != 0) {
    if (errno == EINTR) continue;
    if (errno != EOPNOTSUPP) return errno;
    // No holes on this file system: zeros are written, which keeps the promise if not the space.
    const AlignedBuffer zeros(std::min<uint64_t>(length, kMaxPieceBytes));
    while (length > 0) {
      const size_t piece = std::min<uint64_t>(length, kMaxPieceBytes);
      if (const int error = Write(offset, zeros.first(piece))) return error;
      offset += piece;
      length -= piece;
    }
    return 0;
  }
  return 0;
}

int DataFile::Sync() const {
  // Never retried: after a failed fsync the kernel may have dropped the dirty pages.
  return fdatasync(fd_.get()) == 0 ? 0 : errno;
}

uint64_t DataFile::NextData(uint64_t from) const {
  const off_t found = lseek(fd_.get(), static_cast<off_t>(from), SEEK_DATA);
  if (found >= 0) return static_cast<uint64_t>(found);
  return errno == ENXIO ? size_bytes_ : from;
}

uint64_t DataFile::NextHole(uint64_t from) const {
  const off_t found = lseek(fd_.get(), static_cast<off_t>(from), SEEK_HOLE);
  return found >= 0 ? static_cast<uint64_t>(found) : size_bytes_;
}

uint64_t DataFile::AllocatedBytes() const {
  struct stat info;
  return fstat(fd_.get(), &info) == 0 ? static_cast<uint64_t>(info.st_blocks) * 512 : 0;
}

}  // namespace cloudvol
