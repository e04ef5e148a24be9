// A sparse file read and written with O_DIRECT where its file system allows it. Takes any offset,
// length and memory address: what direct I/O cannot do as it stands goes through a bounce buffer of
// the calling thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "core/unique_fd.h"

namespace cloudvol {

// The largest piece that one bounce takes; larger requests are cut. Equals the largest FUSE write.
constexpr size_t kMaxPieceBytes = size_t{1} << 20;

class DataFile {
 public:
  DataFile() = default;
  // Opens or, with `create`, makes the file and extends it to `size_bytes` (sparse). Throws
  // Failure.
  static DataFile Open(const std::string& path, uint64_t size_bytes, bool create);

  // All return 0 or an errno value. Reads and writes are whole or failed.
  int Read(uint64_t offset, std::span<std::byte> target) const;
  // A write that is not IsAligned() reads and rewrites its edges: the caller keeps other writers of
  // these bytes away.
  int Write(uint64_t offset, std::span<const std::byte> source) const;
  // The bytes read as zero afterwards; whole file system blocks are given back.
  int Zero(uint64_t offset, uint64_t length) const;
  int Sync() const;

  bool IsAligned(uint64_t offset, uint64_t length) const {
    return (offset | length) % alignment_ == 0;
  }
  // The next byte at or after `from` that the file system holds data for (that it holds none for);
  // the file's size when there is none. A file system without SEEK_DATA says that everything is
  // data.
  uint64_t NextData(uint64_t from) const;
  uint64_t NextHole(uint64_t from) const;
  // Bytes that the file occupies on disk.
  uint64_t AllocatedBytes() const;

 private:
  int TransferAligned(bool write, uint64_t offset, std::byte* memory, size_t length) const;
  bool MemoryAligned(const void* memory) const {
    return reinterpret_cast<uintptr_t>(memory) % memory_alignment_ == 0;
  }

  UniqueFd fd_;
  uint64_t size_bytes_ = 0;
  uint32_t alignment_ = 1;
  uint32_t memory_alignment_ = 1;
};

}  // namespace cloudvol
