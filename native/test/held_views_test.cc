// Instants that are taken before their plan is known; frozen_views_model_test.cc has random ones.
#include <cerrno>

#include "core/failure.h"
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

TEST("a view that is held keeps everything, and what is not planned no longer once it is settled") {
  TestVolume volume(DiskFolder(), Kind::kLocal, 100);
  const auto overlay = volume.Open();
  for (const uint64_t block : {1, 2, 3}) WriteBlock(*overlay, block, 1);
  FreezeDirty(volume, *overlay);
  WriteBlock(*overlay, 2, 2);
  FreezeOptions first = volume.NextFreeze(*overlay, false);
  first.hold = true;
  const View older = overlay->Freeze(first);
  WriteBlock(*overlay, 1, 3);
  CHECK(older->copied->Test(1));
  FreezeOptions second = volume.NextFreeze(*overlay);
  second.hold = true;
  const View newer = overlay->Freeze(second);
  WriteBlock(*overlay, 2, 4);
  WriteBlock(*overlay, 50, 4);
  CHECK(!older->copied->Test(2) && newer->copied->Test(2) && newer->copied->Test(50));
  // What is a hole now was data at the instant, and lies in the side store of the newer view.
  CHECK_EQ(overlay->Zero(3 * kBlockBytes, kBlockBytes).error, 0);
  ViewPlan incremental;
  incremental.base_delta_paths = {first.sealed_delta_path};
  overlay->Settle(*older, incremental);
  CHECK(PlanOf(older) == std::vector<uint64_t>{2});
  CHECK_EQ(ReadOf(*overlay, older, 2), 2u);
  ViewPlan full;
  full.full = true;
  overlay->Settle(*newer, full);
  CHECK((PlanOf(newer) == std::vector<uint64_t>{1, 2, 3, 50}));
  CHECK_EQ(ReadOf(*overlay, newer, 3), 1u);
  WriteBlock(*overlay, 60, 5);
  CHECK(!newer->copied->Test(60));
  overlay->EndView(newer);
  CHECK_EQ(ReadOf(*overlay, older, 2), 2u);
  CHECK(!older->copied->Test(1) || ReadOf(*overlay, older, 1) == 1u);
  CHECK_FAILS(EBADF, overlay->Settle(*newer, full));
  ViewPlan missing;
  missing.base_delta_paths = {DiskFolder() + "/missing"};
  CHECK_FAILS(ENOENT, overlay->Settle(*older, missing));
  CHECK(PlanOf(older) == std::vector<uint64_t>{2});
}

}  // namespace
}  // namespace cloudvol::test
