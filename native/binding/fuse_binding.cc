#include <node_api.h>

#include <atomic>
#include <memory>
#include <utility>

#include "binding/async_call.h"
#include "binding/js_callback.h"
#include "binding/open_overlay.h"
#include "binding/overlay_binding.h"
#include "core/fuse_session.h"

namespace cloudvol::binding {

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
const napi_type_tag kTypeTag<ServedFuse> = {0xa4c8e2b19f5d4706ULL, 0xb3e7125d6c908fa2ULL};

namespace {

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

napi_value InitFuse(napi_env env, napi_value exports) {
  using namespace cloudvol::binding;
  return DefineMethods(env, exports,
                       {
                           {"serveFuse", ServeFuseCall},
                           {"endFuse", EndFuseCall},
                       });
}
