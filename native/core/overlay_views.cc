// Freezing, copy-before-write, and reading a view. views_ is ascending by instant. The content of
// block b at the instant of view t is in the side store of the first view u ≥ t that has copied b;
// if none has, it is still where it was: in the data file, or absent.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/aligned_buffer.h"
#include "core/failure.h"
#include "core/overlay.h"

namespace cloudvol {
namespace {

bool IsZero(const std::byte* data, size_t length) {
  return data[0] == std::byte{0} && std::memcmp(data, data + 1, length - 1) == 0;
}

// The view wants no block that is not in `wanted`.
void KeepOnly(FrozenView& view, const Bitmap& wanted) {
  for (uint64_t block = wanted.NextClear(0); block != Bitmap::kNone;) {
    const uint64_t end = std::min(wanted.NextSet(block), wanted.size());
    view.plan->ClearRange(block, end - block);
    view.need->ClearRange(block, end - block);
    block = end < wanted.size() ? wanted.NextClear(end) : Bitmap::kNone;
  }
}

std::byte* CopyBuffer() {
  static thread_local AlignedBuffer buffer(kMaxPieceBytes);
  return buffer.data();
}

}  // namespace

std::shared_ptr<FrozenView> Overlay::Freeze(const FreezeOptions& options) {
  const std::lock_guard one_at_a_time(view_mutex_);
  if (views_.size() >= kMaxViews)
    throw Failure(EMFILE, "freeze: there are as many views as there may be");
  auto view = std::make_shared<FrozenView>(options.side_path, block_count(), block_bytes());
  const bool all = options.hold || options.plan.full;
  if (all) {
    view->plan->SetRange(0, block_count());
  } else {
    LoadPlan(options.plan, *view->plan);
  }
  LiveBits sealed = LiveBits::Create(options.next_delta_path, options_.identity, options.next_epoch,
                                     block_count());
  {
    // The gate. Nothing in here waits for a disk or a network.
    const RangeLock::Hold gate(lock_, 0, block_count(), Mode::kExclusive);
    std::swap(dirty_, sealed);
    view->epoch = sealed.epoch();
    view->plan->OrWith(sealed.bits());
    view->need->OrWith(*view->plan);
    views_.push_back(view);
    epoch_ = options.next_epoch;
  }
  if (const int error = SaveBits(options.sealed_delta_path, sealed.bits(), options_.tag)) {
    Unfreeze(view, sealed);
    throw Failure(error, "write " + options.sealed_delta_path);
  }
  sealed.Unlink();
  if (options.plan.full && !options.hold) PlanFull(*view);
  return view;
}

void Overlay::LoadPlan(const ViewPlan& plan, Bitmap& target) const {
  for (const std::string& path : plan.base_delta_paths) {
    DurableBits::Open(path, block_count(), options_.tag).LoadInto(target);
  }
  for (const BlockRun& run : plan.also) target.SetRange(run.first, run.count);
}

void Overlay::Settle(FrozenView& view, const ViewPlan& plan) {
  const std::lock_guard one_at_a_time(view_mutex_);
  if (PositionOf(view) == views_.size()) throw Failure(EBADF, "settle: the view has ended");
  if (plan.full) return PlanFull(view);
  OwnedBitmap wanted(block_count());
  LoadPlan(plan, *wanted);
  KeepOnly(view, *wanted);
}

// A freeze that failed loses no bit and leaves no trace: the delta that was sealed is the active
// one again.
void Overlay::Unfreeze(const std::shared_ptr<FrozenView>& view, LiveBits& sealed) {
  {
    const RangeLock::Hold gate(lock_, 0, block_count(), Mode::kExclusive);
    sealed.bits().OrWith(dirty_.bits());
    std::swap(dirty_, sealed);
    epoch_ = dirty_.epoch();
  }
  RemoveView(view);
  sealed.Unlink();
}

// Drops from the plan what was a hole at the instant. A block that gets data after the instant, or
// loses it, has been copied first, so that "no data now and never copied" means "no data then".
// Order matters: a block that is populated during the walk was absent before it, and copies made
// during the walk are seen after it. Copies lie in the views that were the newest when they were
// made: this one, or one after it.
void Overlay::PlanFull(FrozenView& view) {
  OwnedBitmap holds_data(block_count());
  for (BlockRun absent = NextAbsent(0, block_count()); absent.count != 0;
       absent = NextAbsent(absent.first + absent.count, block_count())) {
    holds_data->SetRange(absent.first, absent.count);
  }
  for (uint64_t at = data_.NextData(0); at < size_bytes();) {
    const uint64_t end = data_.NextHole(at);
    const BlockRun run = BlocksOf(at, std::max<uint64_t>(end - at, 1));
    holds_data->SetRange(run.first, run.count);
    at = data_.NextData(end);
  }
  for (size_t position = PositionOf(view); position < views_.size(); ++position) {
    holds_data->OrWith(*views_[position]->copied);
  }
  KeepOnly(view, *holds_data);
}

// --- before a write ------------------------------------------------------------------------------

bool Overlay::AnyViewNeeds(BlockRun run) const {
  for (const auto& view : views_) {
    if (!view->broken && view->need->Any(run.first, run.count)) {
      for (uint64_t block = run.first; block < run.first + run.count; ++block) {
        if (NeedsCopy(block)) return true;
      }
      return false;
    }
  }
  return false;
}

bool Overlay::NeedsCopy(uint64_t block) const {
  for (auto view = views_.rbegin(); view != views_.rend(); ++view) {
    if ((*view)->copied->Test(block)) return false;
    if ((*view)->Wants(block)) return true;
  }
  return false;
}

void Overlay::CopyBeforeWrite(BlockRun run) {
  FrozenView& newest = *views_.back();
  for (uint64_t block = run.first; block < run.first + run.count; ++block) {
    if (!NeedsCopy(block)) continue;
    if (const int error = CopyBlock(block, newest)) BreakViewsNeeding(block, error);
  }
}

int Overlay::CopyBlock(uint64_t block, FrozenView& target) {
  if (!IsPresent({block, 1})) {
    target.absent->Set(block);
    target.copied->Set(block);
    return 0;
  }
  const std::span<std::byte> buffer(CopyBuffer(), block_bytes());
  if (const int error = data_.Read(block * block_bytes(), buffer)) return error;
  return KeepIn(target, block, buffer, options_.max_side_bytes);
}

int Overlay::KeepIn(FrozenView& target, uint64_t block, std::span<const std::byte> content,
                    uint64_t bound) {
  // A hole of the side store reads as zeros: nothing to write.
  if (!IsZero(content.data(), content.size())) {
    const bool has_room = side_bytes_.fetch_add(content.size()) + content.size() <= bound;
    const int error = has_room ? target.side.Write(block * block_bytes(), content) : ENOSPC;
    if (error) {
      side_bytes_ -= content.size();
      return error;
    }
    target.side_bytes += content.size();
  }
  target.copied->Set(block);
  return 0;
}

void Overlay::BreakViewsNeeding(uint64_t block, int error) {
  for (auto view = views_.rbegin(); view != views_.rend() && !(*view)->copied->Test(block);
       ++view) {
    if ((*view)->need->Test(block)) (*view)->broken = error;
  }
}

// --- reading a view ------------------------------------------------------------------------------

size_t Overlay::PositionOf(const FrozenView& view) const {
  for (size_t position = 0; position < views_.size(); ++position) {
    if (views_[position].get() == &view) return position;
  }
  return views_.size();
}

const FrozenView* Overlay::HolderOf(size_t position, uint64_t block) const {
  for (; position < views_.size(); ++position) {
    if (views_[position]->copied->Test(block)) return views_[position].get();
  }
  return nullptr;
}

int Overlay::ReadView(FrozenView& view, BlockRun run, std::byte* target,
                      std::vector<BlockRun>& absent) {
  if (!IsInside(run)) return EINVAL;
  const uint64_t piece_blocks = std::max<uint64_t>(kMaxPieceBytes / block_bytes(), 1);
  for (uint64_t first = run.first; first < run.first + run.count; first += piece_blocks) {
    const BlockRun piece = {first, std::min(piece_blocks, run.first + run.count - first)};
    const RangeLock::Hold hold(lock_, piece.first, piece.count, Mode::kShared);
    const size_t position = PositionOf(view);
    if (position == views_.size()) return EBADF;
    std::byte* piece_target = target + (first - run.first) * block_bytes();
    if (const int error = ReadViewPiece(position, piece, piece_target, absent)) return error;
  }
  return view.broken;
}

int Overlay::ReadViewPiece(size_t position, BlockRun run, std::byte* target,
                           std::vector<BlockRun>& absent) {
  const uint64_t end = run.first + run.count;
  for (uint64_t first = run.first; first < end;) {
    // The longest run with one origin: a side store, the data file, or nowhere here.
    const FrozenView* holder = HolderOf(position, first);
    const auto is_absent = [&](uint64_t block) {
      return holder ? holder->absent->Test(block) : !IsPresent({block, 1});
    };
    const bool missing = is_absent(first);
    uint64_t next = first + 1;
    while (next < end && HolderOf(position, next) == holder && is_absent(next) == missing) ++next;
    if (missing) {
      if (!absent.empty() && absent.back().first + absent.back().count == first) {
        absent.back().count += next - first;
      } else {
        absent.push_back({first, next - first});
      }
    } else {
      const DataFile& file = holder ? holder->side : data_;
      const std::span<std::byte> part(target + (first - run.first) * block_bytes(),
                                      (next - first) * block_bytes());
      if (const int error = file.Read(first * block_bytes(), part)) return error;
    }
    first = next;
  }
  return 0;
}

// --- ending a view -------------------------------------------------------------------------------

int Overlay::MoveToPredecessor(FrozenView& from, FrozenView& to, uint64_t block) {
  if (from.absent->Test(block)) {
    to.absent->Set(block);
    to.copied->Set(block);
    return 0;
  }
  const std::span<std::byte> buffer(CopyBuffer(), block_bytes());
  if (const int error = from.side.Read(block * block_bytes(), buffer)) return error;
  // Beyond the bound for a moment: what it came from goes away with its view.
  return KeepIn(to, block, buffer, UINT64_MAX);
}

void Overlay::EndView(const std::shared_ptr<FrozenView>& view) {
  const std::lock_guard one_at_a_time(view_mutex_);
  RemoveView(view);
}

void Overlay::RemoveView(const std::shared_ptr<FrozenView>& view) {
  const size_t position = PositionOf(*view);
  if (position == views_.size()) return;
  // What an older view still needs moves to its side store: first block by block while I/O goes on,
  // then, with the gate closed, the few that came since.
  const auto move_needed = [&](bool gate_closed) {
    if (position == 0) return;
    FrozenView& predecessor = *views_[position - 1];
    for (uint64_t block = view->copied->NextSet(0); block != Bitmap::kNone;
         block = view->copied->NextSet(block + 1)) {
      std::optional<RangeLock::Hold> hold;
      if (!gate_closed) hold.emplace(lock_, block, 1, Mode::kExclusive);
      bool needed = false;
      for (size_t older = position; older-- > 0 && !views_[older]->copied->Test(block);) {
        needed |= views_[older]->Wants(block);
      }
      if (!needed) continue;
      if (const int error = MoveToPredecessor(*view, predecessor, block)) {
        for (size_t older = position; older-- > 0 && !views_[older]->copied->Test(block);) {
          if (views_[older]->need->Test(block)) views_[older]->broken = error;
        }
      }
    }
  };
  move_needed(false);
  const RangeLock::Hold gate(lock_, 0, block_count(), Mode::kExclusive);
  move_needed(true);
  views_.erase(views_.begin() + static_cast<std::ptrdiff_t>(position));
  side_bytes_ -= view->side_bytes;
}

}  // namespace cloudvol
