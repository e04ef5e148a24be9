#include "binding/overlay_binding.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "binding/async_call.h"
#include "binding/handle.h"
#include "binding/js_callback.h"
#include "binding/node_values.h"
#include "core/durable_bits.h"
#include "core/failure.h"
#include "core/fuse_session.h"
#include "core/miss_queue.h"
#include "core/overlay.h"

namespace cloudvol::binding {

// What a volume's handle holds: the overlay and those who wait for its absent blocks.
struct OpenOverlay {
  std::shared_ptr<Overlay> overlay;
  std::shared_ptr<MissQueue> misses;
};

struct ServedFuse {
  ~ServedFuse() {
    // A session that still serves when the process ends has threads inside read(2), which only
    // unmounting ends: it is left to the kernel.
    if (!*closed) (void)new std::shared_ptr<FuseSession>(session);
  }
  std::shared_ptr<std::atomic<bool>> closed = std::make_shared<std::atomic<bool>>(false);
  std::shared_ptr<FuseSession> session;
};

template <>
const napi_type_tag kTypeTag<OpenOverlay> = {0x7c1f5d0be8e14b1aULL, 0x9d6a3c2f40b17e55ULL};
template <>
const napi_type_tag kTypeTag<FrozenView> = {0x2f0e6a41d79c4c33ULL, 0x8b1d90c5e6f2a784ULL};
template <>
const napi_type_tag kTypeTag<ServedFuse> = {0xa4c8e2b19f5d4706ULL, 0xb3e7125d6c908fa2ULL};

namespace {

template <size_t N>
std::array<napi_value, N> Arguments(napi_env env, napi_callback_info info) {
  std::array<napi_value, N> values{};
  size_t count = N;
  Check(napi_get_cb_info(env, info, &count, values.data(), nullptr, nullptr),
        "arguments are wanted");
  return values;
}

// Throws when an I/O call of core/ returned an errno value.
void Require(int error, const char* what) {
  if (error) throw Failure(error, what);
}

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

// --- views
// ----------------------------------------------------------------------------------------------------------

napi_value FreezeCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [handle, object] = Arguments<2>(env, info);
    const auto opened = FromHandle<OpenOverlay>(env, handle);
    auto options = std::make_shared<FreezeOptions>();
    options->next_delta_path = ToString(env, Property(env, object, "nextDeltaPath"));
    options->next_epoch = ToUint64(env, Property(env, object, "nextEpoch"));
    options->sealed_delta_path = ToString(env, Property(env, object, "sealedDeltaPath"));
    options->side_path = ToString(env, Property(env, object, "sidePath"));
    options->full = ToBool(env, Property(env, object, "full"));
    options->base_delta_paths = ToStrings(env, Property(env, object, "baseDeltaPaths"));
    auto view = std::make_shared<std::shared_ptr<FrozenView>>();
    return RunAsync(
        env, {}, [=] { *view = opened->overlay->Freeze(*options); },
        [=](napi_env inner) { return MakeHandle(inner, *view); });
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

// --- deltas
// ---------------------------------------------------------------------------------------------------------

napi_value SaveDeltaCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [handle, path_value] = Arguments<2>(env, info);
    const auto opened = FromHandle<OpenOverlay>(env, handle);
    const std::string path = ToString(env, path_value);
    return RunAsync(env, {},
                    [=] { Require(opened->overlay->SaveDelta(path), "save the dirty bits"); });
  });
}

napi_value DropLiveCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [handle] = Arguments<1>(env, info);
    FromHandle<OpenOverlay>(env, handle)->overlay->DropLive();
    return Undefined(env);
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

// --- FUSE
// -----------------------------------------------------------------------------------------------------------

// serveFuse(handle, fd, threads, onClosed) → session; the descriptor is taken over (a duplicate of
// it is used)
napi_value ServeFuseCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [handle, fd_value, threads, on_closed] = Arguments<4>(env, info);
    const auto opened = FromHandle<OpenOverlay>(env, handle);
    UniqueFd device(static_cast<int>(ToUint64(env, fd_value)));
    auto callback = std::make_shared<JsCallback>(env, on_closed);
    auto served = std::make_shared<ServedFuse>();
    served->session =
        std::make_shared<FuseSession>(std::move(device), opened->overlay, opened->misses,
                                      static_cast<unsigned>(ToUint64(env, threads)),
                                      [callback, closed = served->closed](int error) {
                                        *closed = true;
                                        callback->Call([error](napi_env inner) {
                                          return FromUint64(inner, static_cast<uint64_t>(error));
                                        });
                                      });
    return MakeHandle(env, served);
  });
}

// endFuse(session) → Promise<void>: waits for the threads of a session whose connection is gone or
// never came about
napi_value EndFuseCall(napi_env env, napi_callback_info info) {
  return Guarded(env, [&] {
    const auto [session_value] = Arguments<1>(env, info);
    auto served = FromHandle<ServedFuse>(env, session_value);
    HandleSlot<ServedFuse>(env, session_value).reset();
    served->session->Abandon();
    auto held = std::make_shared<std::shared_ptr<ServedFuse>>(std::move(served));
    return RunAsync(env, {}, [held] {
      (*held)->session.reset();
      held->reset();
    });
  });
}

}  // namespace
}  // namespace cloudvol::binding

napi_value InitOverlay(napi_env env, napi_value exports) {
  using namespace cloudvol::binding;
  const auto method = [](const char* name, napi_callback call) {
    return napi_property_descriptor{name,    nullptr,         call,   nullptr, nullptr,
                                    nullptr, napi_enumerable, nullptr};
  };
  const std::array methods = {
      method("openOverlay", OpenOverlayCall),  method("closeOverlay", CloseOverlayCall),
      method("readOverlay", ReadCall),         method("writeOverlay", WriteCall),
      method("zeroOverlay", ZeroCall),         method("flushOverlay", FlushCall),
      method("populateOverlay", PopulateCall), method("failMisses", FailMissesCall),
      method("nextAbsent", NextAbsentCall),    method("reportOverlay", ReportCall),
      method("freezeOverlay", FreezeCall),     method("readView", ReadViewCall),
      method("nextPlanned", NextPlannedCall),  method("plannedBlocks", PlannedBlocksCall),
      method("forgetPlanned", ForgetCall),     method("endView", EndViewCall),
      method("saveDelta", SaveDeltaCall),      method("dropLive", DropLiveCall),
      method("mergeDeltas", MergeDeltasCall),  method("serveFuse", ServeFuseCall),
      method("endFuse", EndFuseCall),
  };
  if (napi_define_properties(env, exports, methods.size(), methods.data()) != napi_ok)
    return nullptr;
  return exports;
}
