#include "core/miss_queue.h"

#include <cerrno>
#include <utility>
#include <vector>

namespace cloudvol {

MissQueue::MissQueue(std::shared_ptr<Overlay> overlay, std::function<void(BlockRun)> ask)
    : overlay_(std::move(overlay)), ask_(std::move(ask)), resumer_([this] { ResumeLoop(); }) {}

MissQueue::~MissQueue() {
  {
    const std::lock_guard guard(mutex_);
    closing_ = true;
    FailParked();
  }
  room_changed_.notify_all();
  resumer_.join();
}

void MissQueue::Park(BlockRun absent, std::unique_ptr<ParkedRequest> request) {
  std::vector<BlockRun> wanted;
  {
    std::unique_lock guard(mutex_);
    // The resumer never waits for room: what it parks again it held before.
    if (std::this_thread::get_id() != resumer_.get_id()) {
      room_changed_.wait(guard, [&] { return closing_ || held_bytes_ < kMaxParkedBytes; });
    }
    held_bytes_ += request->HeldBytes();
    Entry entry{absent, std::move(request), closing_ ? EIO : 0};
    // Looked at again under the mutex: the blocks may have come since the caller looked.
    if (closing_ || overlay_->IsPresent(absent)) {
      ready_.push_back(std::move(entry));
      ready_changed_.notify_one();
      return;
    }
    parked_.push_back(std::move(entry));
    for (uint64_t block = absent.first; block < absent.first + absent.count; ++block) {
      if (!asked_.insert(block).second) continue;
      if (!wanted.empty() && wanted.back().first + wanted.back().count == block) {
        ++wanted.back().count;
      } else {
        wanted.push_back({block, 1});
      }
    }
  }
  for (const BlockRun& run : wanted) ask_(run);
}

void MissQueue::Forget(BlockRun run) {
  // By whichever is shorter: a failure may be of the whole volume.
  if (run.count > asked_.size()) {
    std::erase_if(asked_, [&](uint64_t block) {
      return block >= run.first && block - run.first < run.count;
    });
    return;
  }
  for (uint64_t block = run.first; block < run.first + run.count; ++block) asked_.erase(block);
}

void MissQueue::Populated(BlockRun run) {
  const std::lock_guard guard(mutex_);
  Forget(run);
  for (auto entry = parked_.begin(); entry != parked_.end();) {
    if (!overlay_->IsPresent(entry->absent)) {
      ++entry;
      continue;
    }
    ready_.push_back(std::move(*entry));
    entry = parked_.erase(entry);
  }
  ready_changed_.notify_one();
}

void MissQueue::Failed(BlockRun run, int error) {
  const std::lock_guard guard(mutex_);
  Forget(run);
  for (auto entry = parked_.begin(); entry != parked_.end();) {
    const BlockRun& absent = entry->absent;
    if (absent.first >= run.first + run.count || run.first >= absent.first + absent.count) {
      ++entry;
      continue;
    }
    // Other blocks of this run may have been asked for on behalf of this request alone: their
    // answer finds nobody, which is harmless, and a later request asks anew. Written meanwhile,
    // they are not wanted from anywhere else.
    entry->error = overlay_->IsPresent(absent) ? 0 : error;
    ready_.push_back(std::move(*entry));
    entry = parked_.erase(entry);
  }
  ready_changed_.notify_one();
}

void MissQueue::FailParked() {
  asked_.clear();
  for (Entry& entry : parked_) {
    entry.error = EIO;
    ready_.push_back(std::move(entry));
  }
  parked_.clear();
  ready_changed_.notify_one();
}

void MissQueue::Drain() {
  std::unique_lock guard(mutex_);
  // Again after each wait: a request that was being resumed may have parked anew.
  for (FailParked(); !ready_.empty() || resuming_; FailParked()) idle_changed_.wait(guard);
}

size_t MissQueue::parked() const {
  const std::lock_guard guard(mutex_);
  return parked_.size();
}

void MissQueue::ResumeLoop() {
  std::unique_lock guard(mutex_);
  for (;;) {
    ready_changed_.wait(guard, [&] { return closing_ || !ready_.empty(); });
    if (ready_.empty()) return;
    Entry entry = std::move(ready_.front());
    ready_.pop_front();
    held_bytes_ -= entry.request->HeldBytes();
    resuming_ = true;
    room_changed_.notify_all();
    guard.unlock();
    if (entry.error) {
      entry.request->Fail(entry.error);
    } else {
      entry.request->Resume();
    }
    entry.request.reset();
    guard.lock();
    resuming_ = false;
    if (ready_.empty()) idle_changed_.notify_all();
  }
}

}  // namespace cloudvol
