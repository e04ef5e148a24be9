// Locks on ranges of blocks: shared or exclusive, granted in the order of arrival where they
// conflict (no starvation), each holder with one range (no deadlock). Nobody waits for the network
// while holding one. The whole range held exclusively is the gate of a freeze.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace cloudvol {

class RangeLock {
 public:
  enum class Mode { kShared, kExclusive };

  // One held range; released by the destructor. It stays where it was made: the lock's list points
  // at it.
  class Hold {
   public:
    Hold(RangeLock& lock, uint64_t first, uint64_t count, Mode mode)
        : lock_(lock), first_(first), end_(first + count), mode_(mode) {
      lock_.Acquire(*this);
    }
    ~Hold() { lock_.Release(*this); }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;

   private:
    friend class RangeLock;
    bool ConflictsWith(const Hold& other) const {
      return (mode_ == Mode::kExclusive || other.mode_ == Mode::kExclusive) &&
             first_ < other.end_ && other.first_ < end_;
    }

    RangeLock& lock_;
    const uint64_t first_;
    const uint64_t end_;
    const Mode mode_;
    bool granted_ = false;
    Hold* previous_ = nullptr;
    Hold* next_ = nullptr;
    std::condition_variable wake_;
  };

  RangeLock() = default;
  RangeLock(const RangeLock&) = delete;
  RangeLock& operator=(const RangeLock&) = delete;

 private:
  // Held and waiting ranges stand in one list in order of arrival; a range is granted when nothing
  // before it conflicts. The list is as long as there are threads, so walking it costs less than
  // any cleverer structure.
  bool Grantable(const Hold& hold) const {
    for (const Hold* before = hold.previous_; before; before = before->previous_) {
      if (before->ConflictsWith(hold)) return false;
    }
    return true;
  }

  void Acquire(Hold& hold) {
    std::unique_lock guard(mutex_);
    hold.previous_ = tail_;
    (tail_ ? tail_->next_ : head_) = &hold;
    tail_ = &hold;
    hold.granted_ = Grantable(hold);
    while (!hold.granted_) hold.wake_.wait(guard);
  }

  void Release(Hold& hold) {
    std::lock_guard guard(mutex_);
    (hold.previous_ ? hold.previous_->next_ : head_) = hold.next_;
    (hold.next_ ? hold.next_->previous_ : tail_) = hold.previous_;
    for (Hold* after = hold.next_; after; after = after->next_) {
      if (after->granted_ || !after->ConflictsWith(hold) || !Grantable(*after)) continue;
      after->granted_ = true;
      after->wake_.notify_one();
    }
  }

  std::mutex mutex_;
  Hold* head_ = nullptr;
  Hold* tail_ = nullptr;
};

}  // namespace cloudvol
