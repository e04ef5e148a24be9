#include <node_api.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "binding/async_call.h"
#include "binding/open_overlay.h"
#include "binding/overlay_binding.h"
#include "core/durable_bits.h"

namespace cloudvol::binding {

template <>
const napi_type_tag kTypeTag<FrozenView> = {0x2f0e6a41d79c4c33ULL, 0x8b1d90c5e6f2a784ULL};

namespace {

ViewPlan ReadPlan(napi_env env, napi_value object, const Overlay& overlay) {
  ViewPlan plan;
  plan.full = ToBool(env, Property(env, object, "full"));
  plan.base_delta_paths = ToStrings(env, Property(env, object, "baseDeltaPaths"));
  plan.also = ToRuns(env, Property(env, object, "also"));
  for (const BlockRun& run : plan.also) {
    const uint64_t blocks = overlay.block_count();
    if (run.count > blocks || run.first > blocks - run.count)
      throw BadArgument("blocks of the volume are wanted");
  }
  return plan;
}

napi_value FreezeCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [handle, object] = Arguments<2>(env, info);
    const auto opened = FromHandle<OpenOverlay>(env, handle);
    auto options = std::make_shared<FreezeOptions>();
    options->next_delta_path = ToString(env, Property(env, object, "nextDeltaPath"));
    options->next_epoch = ToUint64(env, Property(env, object, "nextEpoch"));
    options->sealed_delta_path = ToString(env, Property(env, object, "sealedDeltaPath"));
    options->side_path = ToString(env, Property(env, object, "sidePath"));
    options->hold = ToBool(env, Property(env, object, "hold"));
    options->plan = ReadPlan(env, object, *opened->overlay);
    auto view = std::make_shared<std::shared_ptr<FrozenView>>();
    return RunAsync(
        env, {}, [=] { *view = opened->overlay->Freeze(*options); },
        [=](napi_env inner) { return MakeHandle(inner, *view); });
  });
}

// settleView(overlay, view, plan) → Promise<void>
napi_value SettleViewCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [handle, view_value, object] = Arguments<3>(env, info);
    const auto opened = FromHandle<OpenOverlay>(env, handle);
    const auto view = FromHandle<FrozenView>(env, view_value);
    const ViewPlan plan = ReadPlan(env, object, *opened->overlay);
    return RunAsync(env, {}, [=] { opened->overlay->Settle(*view, plan); });
  });
}

napi_value ReadViewCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [handle, view_value, first, count, target_value] = Arguments<5>(env, info);
    const auto opened = FromHandle<OpenOverlay>(env, handle);
    const auto view = FromHandle<FrozenView>(env, view_value);
    const BlockRun run = {ToUint64(env, first), ToUint64(env, count)};
    const auto target = ToBytes(env, target_value);
    if (target.size() < run.count * opened->overlay->block_bytes())
      throw BadArgument("a larger target is wanted");
    auto absent = std::make_shared<std::vector<BlockRun>>();
    return RunAsync(
        env, {target_value},
        [=] {
          Require(opened->overlay->ReadView(*view, run, target.data(), *absent),
                  "read a view of the volume");
        },
        [=](napi_env inner) {
          napi_value array = nullptr;
          Check(napi_create_array_with_length(inner, absent->size(), &array),
                "no array could be made");
          for (uint32_t index = 0; index < absent->size(); ++index) {
            Check(napi_set_element(inner, array, index, FromRun(inner, (*absent)[index])),
                  "the array cannot be set");
          }
          return array;
        });
  });
}

// nextPlanned(view, from, max) → Extent | undefined
napi_value NextPlannedCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [view_value, from, max] = Arguments<3>(env, info);
    const auto view = FromHandle<FrozenView>(env, view_value);
    const Bitmap& plan = *view->plan;
    const uint64_t first = plan.NextSet(ToUint64(env, from));
    if (first == Bitmap::kNone) return Undefined(env);
    const uint64_t end = std::min({plan.NextClear(first), first + ToUint64(env, max), plan.size()});
    return FromRun(env, {first, end - first});
  });
}

napi_value PlannedBlocksCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [view_value] = Arguments<1>(env, info);
    return FromUint64(env, FromHandle<FrozenView>(env, view_value)->plan->Count());
  });
}

napi_value ForgetCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [view_value, first, count] = Arguments<3>(env, info);
    const auto view = FromHandle<FrozenView>(env, view_value);
    const BlockRun run = {ToUint64(env, first), ToUint64(env, count)};
    if (run.count > view->need->size() || run.first > view->need->size() - run.count) {
      throw BadArgument("blocks of the volume are wanted");
    }
    view->need->ClearRange(run.first, run.count);
    return Undefined(env);
  });
}

napi_value EndViewCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [handle, view_value] = Arguments<2>(env, info);
    const auto opened = FromHandle<OpenOverlay>(env, handle);
    const auto view = FromHandle<FrozenView>(env, view_value);
    HandleSlot<FrozenView>(env, view_value).reset();
    return RunAsync(env, {}, [=] { opened->overlay->EndView(view); });
  });
}

napi_value SaveDeltaCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [handle, path_value] = Arguments<2>(env, info);
    const auto opened = FromHandle<OpenOverlay>(env, handle);
    const std::string path = ToString(env, path_value);
    return RunAsync(env, {},
                    [=] { Require(opened->overlay->SaveDelta(path), "save the dirty bits"); });
  });
}

// mergeDeltas(sources, target, blockCount, tag) → Promise<void>
napi_value MergeDeltasCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [sources_value, target_value, count, tag_value] = Arguments<4>(env, info);
    const auto sources = ToStrings(env, sources_value);
    const std::string target = ToString(env, target_value);
    const uint64_t bits = ToUint64(env, count);
    const uint64_t tag = ToUint64(env, tag_value);
    return RunAsync(env, {}, [=] { MergeBits(sources, target, bits, tag); });
  });
}

}  // namespace
}  // namespace cloudvol::binding

napi_value InitViews(napi_env env, napi_value exports) {
  using namespace cloudvol::binding;
  return DefineMethods(env, exports,
                       {
                           {"freezeOverlay", FreezeCall},
                           {"settleView", SettleViewCall},
                           {"readView", ReadViewCall},
                           {"nextPlanned", NextPlannedCall},
                           {"plannedBlocks", PlannedBlocksCall},
                           {"forgetPlanned", ForgetCall},
                           {"endView", EndViewCall},
                           {"saveDelta", SaveDeltaCall},
                           {"mergeDeltas", MergeDeltasCall},
                       });
}
