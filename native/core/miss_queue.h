// Requests that wait for absent blocks. A request that meets one is parked here and its thread is
// free again; whoever brings the blocks (the JavaScript side, told by `ask`) calls Populated or
// Failed, and a thread of the queue takes the request up again. A block that was asked for already
// is not asked for twice.
//
//   parked --Populated--> ready --> Resume()   (may park again for its next absent run)
//   parked --Failed-----> ready --> Fail(errno)
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_set>

#include "core/overlay.h"

namespace cloudvol {

class ParkedRequest {
 public:
  virtual ~ParkedRequest() = default;
  virtual void Resume() = 0;
  virtual void Fail(int error) = 0;
  // Memory that the request holds while it waits.
  virtual size_t HeldBytes() const = 0;
};

// Bound for what parked requests hold. Beyond it the parking thread waits, which holds up further
// requests of this volume.
constexpr size_t kMaxParkedBytes = size_t{64} << 20;

class MissQueue {
 public:
  // `ask` is called from any thread and must not wait.
  MissQueue(std::shared_ptr<Overlay> overlay, std::function<void(BlockRun)> ask);
  ~MissQueue();
  MissQueue(const MissQueue&) = delete;
  MissQueue& operator=(const MissQueue&) = delete;

  void Park(BlockRun absent, std::unique_ptr<ParkedRequest> request);
  void Populated(BlockRun run);
  void Failed(BlockRun run, int error);
  // Fails whatever waits and returns when no request of this queue is left: before the one who
  // serves them goes away.
  void Drain();
  // Requests waiting now.
  size_t parked() const;

 private:
  struct Entry {
    BlockRun absent;
    std::unique_ptr<ParkedRequest> request;
    int error = 0;
  };

  void Forget(BlockRun run);
  void FailParked();
  void ResumeLoop();

  const std::shared_ptr<Overlay> overlay_;
  const std::function<void(BlockRun)> ask_;
  mutable std::mutex mutex_;
  std::condition_variable ready_changed_;
  std::condition_variable room_changed_;
  std::condition_variable idle_changed_;
  std::list<Entry> parked_;
  std::deque<Entry> ready_;
  std::unordered_set<uint64_t> asked_;
  size_t held_bytes_ = 0;
  bool resuming_ = false;
  bool closing_ = false;
  std::thread resumer_;
};

}  // namespace cloudvol
