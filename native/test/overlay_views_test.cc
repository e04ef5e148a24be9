// Freezing and its failures, one case at a time; frozen_views_model_test.cc has the random ones.
#include <algorithm>

#include "core/failure.h"
#include "test/system_calls.h"
#include "test/test_volume.h"

namespace cloudvol::test {
namespace {

using Kind = TestVolume::Kind;
using View = std::shared_ptr<FrozenView>;

// What view reads of a block: its version, or kAbsent.
constexpr uint64_t kAbsent = UINT64_MAX;

uint64_t ReadOf(Overlay& overlay, const View& view, uint64_t block) {
  Bytes bytes(kBlockBytes);
  std::vector<BlockRun> absent;
  CHECK_EQ(overlay.ReadView(*view, {block, 1}, bytes.data(), absent), 0);
  if (absent.empty()) return VersionOf(bytes.data(), block);
  CHECK(absent.size() == 1 && absent[0].first == block && absent[0].count == 1);
  return kAbsent;
}

int ErrorOf(Overlay& overlay, const View& view, BlockRun run) {
  Bytes bytes(run.count * kBlockBytes);
  std::vector<BlockRun> absent;
  return overlay.ReadView(*view, run, bytes.data(), absent);
}

std::vector<uint64_t> PlanOf(const View& view) {
  std::vector<uint64_t> plan;
  for (uint64_t block = view->plan->NextSet(0); block != Bitmap::kNone;
       block = view->plan->NextSet(block + 1)) {
    plan.push_back(block);
  }
  return plan;
}

// A freeze that keeps only the blocks dirtied since the one before.
View FreezeDirty(const TestVolume& volume, Overlay& overlay) {
  return overlay.Freeze(volume.NextFreeze(overlay, false));
}

TEST("frozen-is-immutable: a view reads its instant, later ones theirs, the volume the newest") {
  TestVolume volume(DiskFolder(), Kind::kLocal, 8);
  const auto overlay = volume.Open();
  std::vector<View> views;
  for (uint64_t version = 1; version <= kMaxViews; ++version) {
    WriteBlock(*overlay, 3, version);
    if (version % 2) WriteBlock(*overlay, 4, version);
    views.push_back(overlay->Freeze(volume.NextFreeze(*overlay)));
  }
  WriteBlock(*overlay, 3, 70);
  WriteBlock(*overlay, 4, 70);
  // From the middle outwards.
  for (const size_t ended : {2, 4, 0, 5, 3, 1}) {
    for (size_t at = 0; at < views.size(); ++at) {
      if (!views[at]) continue;
      CHECK_EQ(ReadOf(*overlay, views[at], 3), at + 1);
      CHECK_EQ(ReadOf(*overlay, views[at], 4), at % 2 ? at : at + 1);
    }
    overlay->EndView(views[ended]);
    CHECK_EQ(ErrorOf(*overlay, views[ended], {3, 1}), EBADF);
    views[ended].reset();
  }
  CHECK_EQ(ReadBlock(*overlay, 3), 70u);
}

TEST("an incremental plans what was dirtied since its base and nothing else") {
  TestVolume volume(DiskFolder(), Kind::kLocal, 100);
  const auto overlay = volume.Open();
  WriteBlock(*overlay, 1, 1);
  const View full = overlay->Freeze(volume.NextFreeze(*overlay));
  CHECK_EQ(full->epoch, 1u);
  CHECK_EQ(overlay->epoch(), 2u);
  CHECK_EQ(overlay->CountDirty(), 0u);
  WriteBlock(*overlay, 2, 1);
  const View second = FreezeDirty(volume, *overlay);
  CHECK(PlanOf(second) == std::vector<uint64_t>{2});
  WriteBlock(*overlay, 3, 1);
  // A base further back takes in the delta between.
  FreezeOptions freeze = volume.NextFreeze(*overlay, false);
  freeze.plan.base_delta_paths = {volume.SealedPath(2)};
  CHECK((PlanOf(overlay->Freeze(freeze)) == std::vector<uint64_t>{2, 3}));
}

TEST("an incremental that also wants blocks that did not change keeps them as they were") {
  TestVolume volume(DiskFolder(), Kind::kLocal, 100);
  const auto overlay = volume.Open();
  WriteBlock(*overlay, 1, 7);
  FreezeDirty(volume, *overlay);
  WriteBlock(*overlay, 4, 1);
  FreezeOptions freeze = volume.NextFreeze(*overlay, false);
  freeze.plan.also = {{1, 1}, {98, 2}};
  const View view = overlay->Freeze(freeze);
  CHECK((PlanOf(view) == std::vector<uint64_t>{1, 4, 98, 99}));
  WriteBlock(*overlay, 1, 8);
  CHECK(view->copied->Test(1));
  // They are wanted by this view alone: no delta has them.
  CHECK(PlanOf(FreezeDirty(volume, *overlay)) == std::vector<uint64_t>{1});
  CHECK(PlanOf(FreezeDirty(volume, *overlay)).empty());
}

TEST("a block whose view has what it needs costs the writer one copy, and then none") {
  TestVolume volume(DiskFolder(), Kind::kLocal, 8);
  const auto overlay = volume.Open();
  WriteBlock(*overlay, 1, 1);
  WriteBlock(*overlay, 2, 1);
  const View view = overlay->Freeze(volume.NextFreeze(*overlay));
  view->need->ClearRange(2, 1);
  unsigned writes = 0;
  Intercept([&](const Call& call) { return writes += call.name == CallName::kWrite, 0; });
  WriteBlock(*overlay, 1, 2);
  CHECK_EQ(writes, 2u);
  WriteBlock(*overlay, 1, 3);
  WriteBlock(*overlay, 2, 3);
  CHECK_EQ(writes, 4u);
  Intercept({});
  CHECK_EQ(ReadOf(*overlay, view, 1), 1u);
}

TEST("what was absent at the instant comes from the backing source, whatever was written since") {
  TestVolume volume(DiskFolder(), Kind::kLazy, 16);
  const auto overlay = volume.Open();
  WriteBlock(*overlay, 1, 1);
  const View view = overlay->Freeze(volume.NextFreeze(*overlay));
  WriteBlock(*overlay, 1, 2);
  WriteBlock(*overlay, 2, 2);
  CHECK_EQ(overlay->Zero(3 * kBlockBytes, kBlockBytes).error, 0);
  CHECK_EQ(PopulateBlock(*overlay, 4, 9), 0);
  CHECK_EQ(ReadOf(*overlay, view, 1), 1u);
  CHECK_EQ(ReadOf(*overlay, view, 2), kAbsent);
  CHECK_EQ(ReadOf(*overlay, view, 3), kAbsent);
  CHECK_EQ(ReadOf(*overlay, view, 4), 9u);
  std::vector<BlockRun> absent;
  Bytes bytes(16 * kBlockBytes);
  CHECK_EQ(overlay->ReadView(*view, {0, 16}, bytes.data(), absent), 0);
  CHECK_EQ(absent.size(), 3u);
  CHECK(absent[0].count == 1 && absent[1].first == 2 && absent[1].count == 2);
  CHECK(absent[2].first == 5 && absent[2].count == 11);
  // It moves to the older view as such.
  const View newer = overlay->Freeze(volume.NextFreeze(*overlay));
  WriteBlock(*overlay, 6, 2);
  overlay->EndView(newer);
  CHECK_EQ(ReadOf(*overlay, view, 6), kAbsent);
}

// --- the plan of a full --------------------------------------------------------------------------

TEST("a full plans data and absent blocks, not holes") {
  TestVolume volume(DiskFolder(), Kind::kLazy, 64);
  const auto overlay = volume.Open();
  CHECK_EQ(overlay->Populate({0, 60}, nullptr), 0);
  WriteBlock(*overlay, 7, 1);
  WriteBlock(*overlay, 9, 1);
  CHECK_EQ(overlay->Zero(9 * kBlockBytes, kBlockBytes).error, 0);
  const View view = overlay->Freeze(volume.NextFreeze(*overlay));
  CHECK((PlanOf(view) == std::vector<uint64_t>{7, 60, 61, 62, 63}));
  CHECK_EQ(view->need->Count(), 5u);
}

// A question of the walk over data and holes that plans a full: its nth of a kind.
struct Moment {
  CallName asked;
  unsigned nth;
  bool after;
};

void PlanWhile(const Moment& moment, void (*change)(Overlay&)) {
  TestVolume volume(DiskFolder(), Kind::kLazy, 64);
  const auto overlay = volume.Open();
  CHECK_EQ(overlay->Populate({0, 60}, nullptr), 0);
  WriteBlock(*overlay, 7, 1);
  unsigned asked = 0;
  const auto at_the_moment = [&](const Call& call) {
    if (call.name == moment.asked && ++asked == moment.nth) change(*overlay);
    return 0;
  };
  moment.after ? InterceptAfter(at_the_moment) : Intercept(at_the_moment);
  const View view = overlay->Freeze(volume.NextFreeze(*overlay));
  Intercept({});
  InterceptAfter({});
  CHECK(asked >= moment.nth);
  for (const uint64_t block : {7, 60, 61, 62, 63}) CHECK(view->plan->Test(block));
  CHECK_EQ(ReadOf(*overlay, view, 7), 1u);
  for (const uint64_t block : {5, 30}) {
    if (view->plan->Test(block)) CHECK_EQ(ReadOf(*overlay, view, block), 0u);
  }
}

TEST("a full misses no block that is written, trimmed or populated while it is planned") {
  for (const bool after : {false, true}) {
    for (const Moment& moment :
         {Moment{CallName::kSeekData, 1, after}, Moment{CallName::kSeekHole, 1, after},
          Moment{CallName::kSeekData, 2, after}}) {
      PlanWhile(moment, [](Overlay& overlay) {
        WriteBlock(overlay, 5, 8);
        WriteBlock(overlay, 30, 8);
        CHECK_EQ(overlay.Zero(7 * kBlockBytes, kBlockBytes).error, 0);
      });
      PlanWhile(moment, [](Overlay& overlay) {
        for (uint64_t block = 60; block < 64; ++block) {
          CHECK_EQ(PopulateBlock(overlay, block, 8), 0);
        }
      });
    }
  }
}

// --- failures ------------------------------------------------------------------------------------

// The dirty bits of the active delta.
std::vector<uint64_t> DirtyOf(const TestVolume& volume, Overlay& overlay) {
  const std::string path = volume.SealedPath(1000);
  CHECK_EQ(overlay.SaveDelta(path), 0);
  OwnedBitmap bits(overlay.block_count());
  DurableBits::Open(path, overlay.block_count(), volume.options.tag).LoadInto(*bits);
  std::vector<uint64_t> dirty;
  for (uint64_t block = 0; block < overlay.block_count(); ++block) {
    if (bits->Test(block)) dirty.push_back(block);
  }
  return dirty;
}

TEST("a freeze that fails changes nothing: no bit, no epoch, no view, and the next one works") {
  TestVolume volume(DiskFolder(), Kind::kLocal, 64);
  const auto overlay = volume.Open();
  WriteBlock(*overlay, 3, 1);
  FreezeOptions unsealable = volume.NextFreeze(*overlay);
  unsealable.sealed_delta_path = DiskFolder() + "/missing/sealed";
  FreezeOptions baseless = volume.NextFreeze(*overlay, false);
  baseless.plan.base_delta_paths = {DiskFolder() + "/missing"};
  FreezeOptions sideless = volume.NextFreeze(*overlay);
  sideless.side_path = DiskFolder() + "/missing/side";
  FreezeOptions nextless = volume.NextFreeze(*overlay);
  nextless.next_delta_path = DiskFolder() + "/missing/delta";
  for (const FreezeOptions& freeze : {unsealable, baseless, sideless, nextless}) {
    CHECK_FAILS(ENOENT, overlay->Freeze(freeze));
    CHECK_EQ(overlay->epoch(), 1u);
    CHECK(DirtyOf(volume, *overlay) == std::vector<uint64_t>{3});
    CHECK(access(volume.options.live_delta_path.c_str(), F_OK) == 0);
    CHECK(access(volume.NextFreeze(*overlay).next_delta_path.c_str(), F_OK) != 0);
    CHECK(access(freeze.side_path.c_str(), F_OK) != 0);
  }
  WriteBlock(*overlay, 4, 1);
  const View view = FreezeDirty(volume, *overlay);
  CHECK((PlanOf(view) == std::vector<uint64_t>{3, 4}));
  CHECK_EQ(overlay->epoch(), 2u);
}

TEST("a write between the instant and the failing of its seal stays dirty") {
  TestVolume volume(DiskFolder(), Kind::kLocal, 64);
  const auto overlay = volume.Open();
  WriteBlock(*overlay, 3, 1);
  bool written = false;
  Intercept([&](const Call& call) {
    if (call.name == CallName::kSyncData && !written) {
      written = true;
      WriteBlock(*overlay, 3, 2);
      WriteBlock(*overlay, 5, 2);
    }
    return call.name == CallName::kSyncData ? EIO : 0;
  });
  CHECK_FAILS(EIO, overlay->Freeze(volume.NextFreeze(*overlay)));
  Intercept({});
  CHECK(written);
  CHECK((DirtyOf(volume, *overlay) == std::vector<uint64_t>{3, 5}));
  CHECK_EQ(ReadBlock(*overlay, 3), 2u);
}

TEST("there are as many views as there may be, and one more is refused before anything happens") {
  TestVolume volume(DiskFolder(), Kind::kLocal, 8);
  const auto overlay = volume.Open();
  std::vector<View> views;
  for (size_t count = 0; count < kMaxViews; ++count) views.push_back(FreezeDirty(volume, *overlay));
  CHECK_FAILS(EMFILE, FreezeDirty(volume, *overlay));
  CHECK_EQ(overlay->epoch(), 1 + kMaxViews);
  overlay->EndView(views[0]);
  overlay->EndView(views[0]);
  views.push_back(FreezeDirty(volume, *overlay));
}

TEST("a side store that is full breaks the views that needed the block, never the write") {
  constexpr uint64_t kBlocks = 32;
  TestVolume volume(DiskFolder(), Kind::kLocal, kBlocks);
  volume.options.max_side_bytes = 2 * kBlockBytes;
  const auto overlay = volume.Open();
  for (uint64_t block = 0; block < 10; ++block) WriteBlock(*overlay, block, 1);
  const View large = FreezeDirty(volume, *overlay);
  WriteBlock(*overlay, 20, 1);
  const View small = FreezeDirty(volume, *overlay);
  // Zeros cost nothing.
  const View later = FreezeDirty(volume, *overlay);
  for (uint64_t block = 0; block < 3; ++block) WriteBlock(*overlay, block, 2);
  for (uint64_t block = 0; block < 3; ++block) CHECK_EQ(ReadBlock(*overlay, block), 2u);
  CHECK_EQ(ErrorOf(*overlay, large, {0, 1}), ENOSPC);
  CHECK_EQ(ReadOf(*overlay, small, 20), 1u);
  CHECK_EQ(ErrorOf(*overlay, later, {0, 1}), 0);
  CHECK((DirtyOf(volume, *overlay) == std::vector<uint64_t>{0, 1, 2}));
  // A broken view asks for no more copies, and its end makes room.
  unsigned writes = 0;
  Intercept([&](const Call& call) { return writes += call.name == CallName::kWrite, 0; });
  WriteBlock(*overlay, 4, 2);
  Intercept({});
  CHECK_EQ(writes, 1u);
  overlay->EndView(later);
  overlay->EndView(large);
  WriteBlock(*overlay, 20, 2);
  CHECK_EQ(ReadOf(*overlay, small, 20), 1u);
}

TEST("an old block that cannot be read or kept breaks the view, and uses up no room") {
  TestVolume volume(DiskFolder(), Kind::kLocal, 64);
  volume.options.max_side_bytes = 3 * kBlockBytes;
  const auto overlay = volume.Open();
  WriteBlock(*overlay, 60, 1);
  const View bystander = FreezeDirty(volume, *overlay);
  for (uint64_t round = 0; round < 6; ++round) {
    WriteBlock(*overlay, round, 1);
    const View view = FreezeDirty(volume, *overlay);
    // The first write or read in a write to a needed block is that of the copy.
    const CallName failing = round % 2 ? CallName::kWrite : CallName::kRead;
    bool failed = false;
    Intercept([&](const Call& call) {
      if (failed || call.name != failing) return 0;
      failed = true;
      return EIO;
    });
    WriteBlock(*overlay, round, 2);
    Intercept({});
    CHECK(failed);
    CHECK_EQ(ErrorOf(*overlay, view, {round, 1}), EIO);
    CHECK_EQ(ReadBlock(*overlay, round), 2u);
    overlay->EndView(view);
  }
  for (uint64_t block = 0; block < 3; ++block) {
    WriteBlock(*overlay, 10 + block, 1);
  }
  const View view = FreezeDirty(volume, *overlay);
  for (uint64_t block = 0; block < 3; ++block) WriteBlock(*overlay, 10 + block, 2);
  for (uint64_t block = 0; block < 3; ++block) CHECK_EQ(ReadOf(*overlay, view, 10 + block), 1u);
  CHECK_EQ(ReadOf(*overlay, bystander, 60), 1u);
}

TEST("a copy that cannot be handed on when a view ends breaks the view that needed it") {
  TestVolume volume(DiskFolder(), Kind::kLocal, 64);
  const auto overlay = volume.Open();
  WriteBlock(*overlay, 1, 1);
  WriteBlock(*overlay, 2, 1);
  const View old = FreezeDirty(volume, *overlay);
  WriteBlock(*overlay, 3, 1);
  const View middle = FreezeDirty(volume, *overlay);
  const View newest = FreezeDirty(volume, *overlay);
  WriteBlock(*overlay, 1, 2);
  WriteBlock(*overlay, 3, 2);
  Intercept([&](const Call& call) {
    return call.name == CallName::kWrite && call.offset == kBlockBytes ? EIO : 0;
  });
  overlay->EndView(newest);
  Intercept({});
  CHECK_EQ(ErrorOf(*overlay, old, {1, 1}), EIO);
  CHECK_EQ(ReadOf(*overlay, middle, 3), 1u);
}

TEST("a view is read inside the volume only") {
  TestVolume volume(DiskFolder(), Kind::kLocal, 8);
  const auto overlay = volume.Open();
  const View view = overlay->Freeze(volume.NextFreeze(*overlay));
  std::vector<BlockRun> absent;
  for (const BlockRun run : {BlockRun{8, 1}, {7, 2}, {UINT64_MAX, 2}, {2, UINT64_MAX}, {0, 0}}) {
    CHECK_EQ(overlay->ReadView(*view, run, nullptr, absent), EINVAL);
  }
}

TEST("a side store has no name: a killed process leaves none behind") {
  TestVolume volume(DiskFolder(), Kind::kLocal, 8);
  const auto overlay = volume.Open();
  const FreezeOptions freeze = volume.NextFreeze(*overlay);
  const View view = overlay->Freeze(freeze);
  CHECK(access(freeze.side_path.c_str(), F_OK) != 0);
}

}  // namespace
}  // namespace cloudvol::test
