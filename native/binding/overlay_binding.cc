#include "binding/overlay_binding.h"

#include <node_api.h>

#include <memory>
#include <string>
#include <vector>

#include "binding/async_call.h"
#include "binding/js_callback.h"
#include "binding/open_overlay.h"

namespace cloudvol::binding {
namespace {

OverlayOptions ReadOptions(napi_env env, napi_value object) {
  const auto text = [&](const char* name) { return ToString(env, Property(env, object, name)); };
  const auto number = [&](const char* name) { return ToUint64(env, Property(env, object, name)); };
  const auto flag = [&](const char* name) { return ToBool(env, Property(env, object, name)); };
  OverlayOptions options;
  options.data_path = text("dataPath");
  options.block_bytes = number("blockBytes");
  options.block_count = number("blockCount");
  options.create_data = flag("createData");
  options.identity = {text("bootId"), text("session")};
  options.live_delta_path = text("liveDeltaPath");
  options.epoch = number("epoch");
  options.stray_delta_paths = ToStrings(env, Property(env, object, "strayDeltaPaths"));
  options.live_present_path = text("livePresentPath");
  options.durable_present_path = text("durablePresentPath");
  options.create_present = flag("createPresent");
  options.tag = number("tag");
  options.max_side_bytes = number("maxSideBytes");
  return options;
}

// openOverlay(options, onMiss) → Promise<handle>
napi_value OpenOverlayCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [options_value, on_miss] = Arguments<2>(env, info);
    auto callback = std::make_shared<JsCallback>(env, on_miss);
    auto options = std::make_shared<OverlayOptions>(ReadOptions(env, options_value));
    auto opened = std::make_shared<OpenOverlay>();
    return RunAsync(
        env, {},
        [=] {
          opened->overlay = std::make_shared<Overlay>(std::move(*options));
          opened->misses = std::make_shared<MissQueue>(opened->overlay, [callback](BlockRun run) {
            callback->Call([run](napi_env inner) { return FromRun(inner, run); });
          });
        },
        [=](napi_env inner) { return MakeHandle(inner, opened); });
  });
}

// closeOverlay(handle): lets go of files and memory. The live bits stay for the next open.
napi_value CloseOverlayCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [handle] = Arguments<1>(env, info);
    HandleSlot<OpenOverlay>(env, handle).reset();
    return Undefined(env);
  });
}

// readOverlay(handle, offset, target) → Promise<Extent | undefined>: the extent is absent and
// nothing was read
napi_value ReadCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [handle, offset_value, target_value] = Arguments<3>(env, info);
    const auto opened = FromHandle<OpenOverlay>(env, handle);
    const uint64_t offset = ToUint64(env, offset_value);
    const auto target = ToBytes(env, target_value);
    auto outcome = std::make_shared<Outcome>();
    return RunAsync(
        env, {target_value},
        [=] {
          Require((*outcome = opened->overlay->Read(offset, target)).error, "read the volume");
        },
        [=](napi_env inner) { return FromOptionalRun(inner, outcome->absent); });
  });
}

napi_value WriteCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [handle, offset_value, source_value] = Arguments<3>(env, info);
    const auto opened = FromHandle<OpenOverlay>(env, handle);
    const uint64_t offset = ToUint64(env, offset_value);
    const auto source = ToBytes(env, source_value);
    auto outcome = std::make_shared<Outcome>();
    return RunAsync(
        env, {source_value},
        [=] {
          Require((*outcome = opened->overlay->Write(offset, source)).error, "write the volume");
        },
        [=](napi_env inner) { return FromOptionalRun(inner, outcome->absent); });
  });
}

napi_value ZeroCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [handle, offset_value, length_value] = Arguments<3>(env, info);
    const auto opened = FromHandle<OpenOverlay>(env, handle);
    const uint64_t offset = ToUint64(env, offset_value);
    const uint64_t length = ToUint64(env, length_value);
    auto outcome = std::make_shared<Outcome>();
    return RunAsync(
        env, {},
        [=] {
          Require((*outcome = opened->overlay->Zero(offset, length)).error, "zero the volume");
        },
        [=](napi_env inner) { return FromOptionalRun(inner, outcome->absent); });
  });
}

napi_value FlushCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [handle] = Arguments<1>(env, info);
    const auto opened = FromHandle<OpenOverlay>(env, handle);
    return RunAsync(env, {}, [=] { Require(opened->overlay->Flush(), "flush the volume"); });
  });
}

// populateOverlay(handle, firstBlock, blockCount, data | undefined) → Promise<void>; wakes who
// waits for the blocks
napi_value PopulateCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [handle, first, count, data_value] = Arguments<4>(env, info);
    const auto opened = FromHandle<OpenOverlay>(env, handle);
    const BlockRun run = {ToUint64(env, first), ToUint64(env, count)};
    const std::byte* data = nullptr;
    if (!IsUndefined(env, data_value)) {
      const auto bytes = ToBytes(env, data_value);
      if (bytes.size() != run.count * opened->overlay->block_bytes())
        throw BadArgument("data of the run's size is wanted");
      data = bytes.data();
    }
    return RunAsync(env, {data_value}, [=] {
      Require(opened->overlay->Populate(run, data), "fill blocks of the volume");
      opened->misses->Populated(run);
    });
  });
}

// failMisses(handle, firstBlock, blockCount, errno): the blocks will not come
napi_value FailMissesCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [handle, first, count, error] = Arguments<4>(env, info);
    FromHandle<OpenOverlay>(env, handle)
        ->misses->Failed({ToUint64(env, first), ToUint64(env, count)},
                         static_cast<int>(ToUint64(env, error)));
    return Undefined(env);
  });
}

napi_value NextAbsentCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [handle, from, max] = Arguments<3>(env, info);
    const auto opened = FromHandle<OpenOverlay>(env, handle);
    return FromOptionalRun(env,
                           opened->overlay->NextAbsent(ToUint64(env, from), ToUint64(env, max)));
  });
}

napi_value ReportCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [handle] = Arguments<1>(env, info);
    const auto opened = FromHandle<OpenOverlay>(env, handle);
    napi_value report = nullptr;
    Check(napi_create_object(env, &report), "no object could be made");
    Set(env, report, "epoch", opened->overlay->epoch());
    Set(env, report, "absentBlocks", opened->overlay->CountAbsent());
    Set(env, report, "dirtyBlocks", opened->overlay->CountDirty());
    Set(env, report, "allocatedBytes", opened->overlay->AllocatedBytes());
    Set(env, report, "parkedRequests", opened->misses->parked());
    Set(env, report, "failedErrno", static_cast<uint64_t>(opened->overlay->failed()));
    return report;
  });
}

}  // namespace
}  // namespace cloudvol::binding

napi_value InitOverlay(napi_env env, napi_value exports) {
  using namespace cloudvol::binding;
  return DefineMethods(env, exports,
                       {
                           {"openOverlay", OpenOverlayCall},
                           {"closeOverlay", CloseOverlayCall},
                           {"readOverlay", ReadCall},
                           {"writeOverlay", WriteCall},
                           {"zeroOverlay", ZeroCall},
                           {"flushOverlay", FlushCall},
                           {"populateOverlay", PopulateCall},
                           {"failMisses", FailMissesCall},
                           {"nextAbsent", NextAbsentCall},
                           {"reportOverlay", ReportCall},
                       });
}
