// The system calls of the core, seen before they happen: the linker leads them here (`--wrap`).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace cloudvol::test {

enum class CallName {
  kRead,
  kWrite,
  kZero,
  kSeekData,
  kSeekHole,
  kSyncData,
  kSync,
  kRename,
  kControl
};

struct Call {
  CallName name;
  int fd;
  uint64_t offset;
  size_t length;
};

// Asked before each call by its own thread: 0 lets it through, an errno value makes it fail. Set it
// while no other thread runs.
void Intercept(std::function<int(const Call&)> before);

// Told after each call that went through.
void InterceptAfter(std::function<void(const Call&)> after);

// What statx says about direct I/O from now on, as other devices and file systems would.
void PretendDirectAlignment(uint32_t offset, uint32_t memory);

}  // namespace cloudvol::test
