// A bitmap in a file on tmpfs, mapped and locked in memory: it outlives a SIGKILL of the process
// and nothing more. Setting a bit is a store to memory, never a page fault, never a wait for a
// disk, never SIGBUS (the pages are reserved when the file is made). Layout: one header page, then
// the bits as little-endian 64-bit words.
#pragma once

#include <cstdint>
#include <string>

#include "core/bitmap.h"

namespace cloudvol {

// Who wrote the bits: a file of another boot or another life of the volume is worth nothing.
struct LiveIdentity {
  std::string boot_id;
  std::string session;
};

class LiveBits {
 public:
  LiveBits() = default;
  LiveBits(LiveBits&& other) noexcept;
  LiveBits& operator=(LiveBits&& other) noexcept;
  ~LiveBits();

  // All clear. The file gets its name only when it is whole. Throws Failure (EEXIST when there is
  // one already).
  static LiveBits Create(const std::string& path, const LiveIdentity& identity, uint64_t epoch,
                         uint64_t bits);
  // Throws Failure: ENOENT, or EINVAL when the file is not what it should be.
  static LiveBits Open(const std::string& path, const LiveIdentity& identity, uint64_t bits);

  Bitmap& bits() { return bits_; }
  const Bitmap& bits() const { return bits_; }
  uint64_t epoch() const { return epoch_; }
  const std::string& path() const { return path_; }
  explicit operator bool() const { return memory_ != nullptr; }
  // Removes the name; the bits stay usable until the object goes.
  void Unlink() const;

 private:
  void Map(int fd, uint64_t bits);
  void Unmap();

  std::string path_;
  void* memory_ = nullptr;
  size_t bytes_ = 0;
  uint64_t epoch_ = 0;
  Bitmap bits_;
};

}  // namespace cloudvol
