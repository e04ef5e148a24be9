// Serves one overlay as one file: threads of our own that speak the /dev/fuse kernel protocol. The
// mount is made by somebody else, on a placeholder file, with the descriptor given here.
//
//   waiting (read says EPERM until the mount is there) → INIT → serving, one clone of the
//   descriptor per thread → closed (read says ENODEV: unmounted or aborted)
#pragma once

#include <linux/fuse.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "core/aligned_buffer.h"
#include "core/miss_queue.h"
#include "core/overlay.h"
#include "core/unique_fd.h"

namespace cloudvol {

class FuseSession {
 public:
  // Takes the descriptor. `closed` is called once, from a session thread, with 0 or the errno value
  // that ended the session.
  FuseSession(UniqueFd device, std::shared_ptr<Overlay> overlay, std::shared_ptr<MissQueue> misses,
              unsigned threads, std::function<void(int)> closed);
  // Waits for the threads: the connection must be gone, or never have been mounted (Abandon).
  ~FuseSession();
  FuseSession(const FuseSession&) = delete;
  FuseSession& operator=(const FuseSession&) = delete;

  // Ends a session whose mount did not come about.
  void Abandon() { abandoned_ = true; }

 private:
  struct Request;
  class Parked;

  void ServeFirst();
  void Serve(int fd);
  bool ServeOne(int fd, const AlignedBuffer& buffer, int& error);
  bool NegotiateInit(const Request& request);
  void StartOtherThreads();
  void Handle(const Request& request, std::byte* scratch);
  void Perform(const Request& request, std::byte* scratch);
  void Finish(const Request& request, const Outcome& outcome, const void* body, size_t length);
  void OnThreadEnd(int error);

  void HandleFallocate(const Request& request);
  void HandleGetattr(const Request& request) const;
  void HandleSetattr(const Request& request) const;
  void HandleStatfs(const Request& request) const;
  void HandleLseek(const Request& request) const;
  fuse_attr_out Attributes() const;

  std::vector<UniqueFd> devices_;  // [0] is the mounted one, the others its clones
  const std::shared_ptr<Overlay> overlay_;
  const std::shared_ptr<MissQueue> misses_;
  const unsigned thread_count_;
  const std::function<void(int)> closed_;
  std::atomic<bool> abandoned_{false};
  std::atomic<unsigned> running_{1};
  std::atomic<int> end_error_{0};
  std::vector<std::thread> others_;
  std::thread first_;
};

}  // namespace cloudvol
