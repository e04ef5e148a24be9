// What the FUSE kernel protocol has and the linux/fuse.h of Debian 12 (7.37) does not. Values are
// kernel ABI: include/uapi/linux/fuse.h of Linux 6.9 and later.
#pragma once

#include <linux/fuse.h>

#include <cstdint>

namespace cloudvol::fuse {

// The protocol minor that this session speaks; a kernel with a lower one is spoken to in its own.
constexpr uint32_t kMinor = 40;
// Below it INIT has no flags2, and pages beyond 32 per request cannot be negotiated.
constexpr uint32_t kOldestMinor = 31;

constexpr uint64_t kInitExt = uint64_t{1} << 30;
constexpr uint64_t kHasResend = uint64_t{1} << 39;

constexpr uint32_t kOpenNoFlush = 1u << 5;
constexpr uint32_t kOpenParallelDirectWrites = 1u << 6;

// The largest READ or WRITE, and the pages that it spans. The kernel's own limit is
// FUSE_MAX_MAX_PAGES = 256.
constexpr uint32_t kMaxWriteBytes = 1u << 20;
constexpr uint16_t kMaxPages = 256;
// Asynchronous requests that the kernel keeps under way; its default of 12 starves deep queues.
constexpr uint16_t kMaxBackground = 128;
constexpr uint16_t kCongestionThreshold = 96;

// A WRITE's payload begins after both headers; reading the request this far before a page lands it
// page-aligned.
constexpr size_t kWriteHeaderBytes = sizeof(fuse_in_header) + sizeof(fuse_write_in);
static_assert(kWriteHeaderBytes == 80);

}  // namespace cloudvol::fuse
