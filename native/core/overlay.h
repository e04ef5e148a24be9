// The local side of a volume: data file, bits and views, behind doors that any thread may use.
// Invariants (the tests carry their names):
//
//   dirty-before-data            a block's dirty bit is set before its data is written
//   data-before-present          a present bit is set after the data is written; durable after the
//   data is synced frozen-is-immutable          a view reads what was there at its instant
//   populate-never-overwrites    populate leaves present blocks alone
//   flush-is-local-durability    flush returns 0 only when data and present bits are on disk
//   right-bytes-or-error         absent blocks are reported, never guessed
//
// Locking: every call holds its blocks' range: shared for reads and for aligned writes, exclusive
// for anything that reads, merges or copies before it writes. Freezing and ending a view hold the
// whole range exclusively: inside any held range the list of views and the active delta stand
// still.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/data_file.h"
#include "core/durable_bits.h"
#include "core/frozen_view.h"
#include "core/live_bits.h"
#include "core/range_lock.h"

namespace cloudvol {

struct BlockRun {
  uint64_t first = 0;
  uint64_t count = 0;
};

// How a request ended: done (error 0, nothing absent), failed with an errno value, or stopped
// before it began because the blocks in `absent` are not local: fetch them, populate, and ask
// again.
struct Outcome {
  int error = 0;
  BlockRun absent;
  bool IsAbsent() const { return absent.count != 0; }
};

struct OverlayOptions {
  std::string data_path;
  uint64_t block_bytes = 0;
  uint64_t block_count = 0;
  bool create_data = false;
  LiveIdentity identity;
  // The active delta, created with `epoch` if it is not there.
  std::string live_delta_path;
  uint64_t epoch = 0;
  // Deltas of an earlier life of the process, ORed into the active one and removed.
  std::vector<std::string> stray_delta_paths;
  // Both empty for a volume without a backing source: every block is present.
  std::string live_present_path;
  std::string durable_present_path;
  bool create_present = false;
  // Whose durable bits these are.
  uint64_t tag = 0;
  // Bound for the side stores of all views together.
  uint64_t max_side_bytes = UINT64_MAX;
};

// Which blocks are wanted of a view.
struct ViewPlan {
  // A full: all that may hold data. Otherwise what these durable deltas name.
  bool full = false;
  std::vector<std::string> base_delta_paths;
  // Blocks that a plan which is not full has besides, though they did not change.
  std::vector<BlockRun> also;
};

struct FreezeOptions {
  // The delta of the next epoch, created before the gate closes.
  std::string next_delta_path;
  uint64_t next_epoch = 0;
  // Where the sealed delta goes, durably, before the freeze counts.
  std::string sealed_delta_path;
  std::string side_path;
  // The plan is not known yet: everything is preserved until Settle.
  bool hold = false;
  // Unless held; the sealed delta belongs to it in any case.
  ViewPlan plan;
};

// A running backup and up to five queued ones.
constexpr size_t kMaxViews = 6;

class Overlay {
 public:
  // Throws Failure.
  explicit Overlay(OverlayOptions options);
  Overlay(const Overlay&) = delete;
  Overlay& operator=(const Overlay&) = delete;

  uint64_t size_bytes() const { return options_.block_count * options_.block_bytes; }
  uint64_t block_bytes() const { return options_.block_bytes; }
  uint64_t block_count() const { return options_.block_count; }
  uint64_t epoch() const { return epoch_.load(); }
  bool has_present_bits() const { return static_cast<bool>(present_); }
  // The errno value that made the volume fail for good (a failed fsync), or 0.
  int failed() const { return failed_.load(); }

  // Offsets and lengths in bytes, inside the volume; EINVAL otherwise.
  Outcome Read(uint64_t offset, std::span<std::byte> target);
  Outcome Write(uint64_t offset, std::span<const std::byte> source);
  // Trim and write-zeroes: the bytes read as zero afterwards.
  Outcome Zero(uint64_t offset, uint64_t length);
  int Flush();

  // Makes the absent ones of these blocks present, from `data` (count * block_bytes) or, without
  // data, as zeros.
  int Populate(BlockRun run, const std::byte* data);
  bool IsPresent(BlockRun run) const;
  // The first run of absent blocks at or after `from`, at most `max` long; count 0 when there is
  // none.
  BlockRun NextAbsent(uint64_t from, uint64_t max) const;
  uint64_t CountAbsent() const;
  uint64_t CountDirty();
  uint64_t AllocatedBytes() const { return data_.AllocatedBytes(); }
  // The first byte of data (of a hole) at or after `offset`, as SEEK_DATA and SEEK_HOLE mean it:
  // absent blocks are data.
  uint64_t SeekData(uint64_t offset) const;
  uint64_t SeekHole(uint64_t offset) const;

  // One instant. Throws Failure (EMFILE when there are kMaxViews); then nothing has changed.
  std::shared_ptr<FrozenView> Freeze(const FreezeOptions& options);
  // What is wanted of a view that was frozen with `hold`; its own sealed delta is to be among the
  // paths. The rest is preserved no longer. Throws Failure; then nothing has changed.
  void Settle(FrozenView& view, const ViewPlan& plan);
  // Reads blocks as they were at the view's instant. Runs that have to come from the backing source
  // are added to `absent`. Returns 0, an errno value, or the view's `broken`.
  int ReadView(FrozenView& view, BlockRun run, std::byte* target, std::vector<BlockRun>& absent);
  void EndView(const std::shared_ptr<FrozenView>& view);

  // Writes the active delta to `path`, durably: the end of an orderly close. 0 or an errno value.
  int SaveDelta(const std::string& path);

 private:
  using Mode = RangeLock::Mode;

  BlockRun BlocksOf(uint64_t offset, uint64_t length) const;
  bool IsInside(uint64_t offset, uint64_t length) const;
  bool IsInside(BlockRun run) const;
  // The first absent run among blocks that the request covers only in part / at all.
  BlockRun AbsentIn(BlockRun run) const;
  BlockRun AbsentEdge(uint64_t offset, uint64_t length) const;
  int ZeroPiece(uint64_t offset, uint64_t length);
  void SetPresent(BlockRun run);
  struct PresentPage {
    uint64_t index;
    std::vector<uint64_t> words;
  };
  std::vector<PresentPage> TakeChangedPages();
  int FlushNow();
  bool AnyViewNeeds(BlockRun run) const;
  bool NeedsCopy(uint64_t block) const;
  void CopyBeforeWrite(BlockRun run);
  int CopyBlock(uint64_t block, FrozenView& target);
  int KeepIn(FrozenView& target, uint64_t block, std::span<const std::byte> content,
             uint64_t bound);
  void BreakViewsNeeding(uint64_t block, int error);
  int ReadViewPiece(size_t position, BlockRun run, std::byte* target,
                    std::vector<BlockRun>& absent);
  const FrozenView* HolderOf(size_t position, uint64_t block) const;
  void LoadPlan(const ViewPlan& plan, Bitmap& target) const;
  void PlanFull(FrozenView& view);
  void Unfreeze(const std::shared_ptr<FrozenView>& view, LiveBits& sealed);
  int MoveToPredecessor(FrozenView& from, FrozenView& to, uint64_t block);
  void RemoveView(const std::shared_ptr<FrozenView>& view);
  size_t PositionOf(const FrozenView& view) const;
  int Fail(int error);

  const OverlayOptions options_;
  DataFile data_;
  LiveBits dirty_;
  LiveBits present_;
  DurableBits durable_present_;
  std::mutex present_mutex_;
  std::vector<bool> present_page_changed_;          // since the last flush; under present_mutex_
  std::vector<std::shared_ptr<FrozenView>> views_;  // ascending by instant
  std::atomic<uint64_t> side_bytes_{0};
  std::atomic<uint64_t> epoch_{0};
  std::atomic<int> failed_{0};
  RangeLock lock_;
  std::mutex flush_mutex_;
  std::condition_variable flush_ended_;
  uint64_t flushes_begun_ = 0;  // at most one more than have ended
  uint64_t flushes_ended_ = 0;
  std::mutex view_mutex_;  // one freeze or end of a view at a time
};

}  // namespace cloudvol
