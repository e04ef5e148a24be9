// Calls a JavaScript function from any thread, without waiting. It does not keep the event loop
// alive, and calls after the environment has ended are dropped.
#pragma once

#include <node_api.h>

#include <functional>
#include <memory>
#include <mutex>

#include "binding/node_values.h"

namespace cloudvol::binding {

class JsCallback {
 public:
  JsCallback(napi_env env, napi_value function) {
    napi_value name = nullptr;
    Check(napi_create_string_utf8(env, "cloudvol", NAPI_AUTO_LENGTH, &name),
          "no name could be made");
    auto shared = std::make_unique<std::shared_ptr<Handle>>(handle_);
    Check(napi_create_threadsafe_function(env, function, nullptr, name, 0, 1, shared.get(),
                                          Finalize, nullptr, CallJs, &handle_->function),
          "a function is wanted");
    shared.release();  // Finalize owns it now
    Check(napi_unref_threadsafe_function(env, handle_->function),
          "the function cannot be unreferenced");
  }
  ~JsCallback() {
    const std::lock_guard lock(handle_->mutex);
    if (handle_->function) napi_release_threadsafe_function(handle_->function, napi_tsfn_release);
  }
  JsCallback(const JsCallback&) = delete;
  JsCallback& operator=(const JsCallback&) = delete;

  // `make_argument` runs on the JavaScript thread.
  void Call(std::function<napi_value(napi_env)> make_argument) {
    auto message = std::make_unique<std::function<napi_value(napi_env)>>(std::move(make_argument));
    const std::lock_guard lock(handle_->mutex);
    if (!handle_->function) return;
    if (napi_call_threadsafe_function(handle_->function, message.get(), napi_tsfn_nonblocking) ==
        napi_ok)
      message.release();
  }

 private:
  // The environment deletes its function when it ends, whoever still holds it: from then on there
  // is none.
  struct Handle {
    std::mutex mutex;
    napi_threadsafe_function function = nullptr;
  };

  static void Finalize(napi_env, void* data, void*) {
    const std::unique_ptr<std::shared_ptr<Handle>> handle(
        static_cast<std::shared_ptr<Handle>*>(data));
    const std::lock_guard lock((*handle)->mutex);
    (*handle)->function = nullptr;
  }

  static void CallJs(napi_env env, napi_value function, void*, void* data) {
    const std::unique_ptr<std::function<napi_value(napi_env)>> make_argument(
        static_cast<std::function<napi_value(napi_env)>*>(data));
    if (env == nullptr || function == nullptr) return;
    napi_value argument = (*make_argument)(env);
    napi_call_function(env, Undefined(env), function, 1, &argument, nullptr);
  }

  const std::shared_ptr<Handle> handle_ = std::make_shared<Handle>();
};

}  // namespace cloudvol::binding
