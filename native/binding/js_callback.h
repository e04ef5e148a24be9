// Calls a JavaScript function from any thread, without waiting. It does not keep the event loop alive, and calls after the
// environment has ended are dropped.
#pragma once

#include <node_api.h>

#include <functional>
#include <memory>

#include "binding/node_values.h"

namespace cloudvol::binding {

class JsCallback {
 public:
  JsCallback(napi_env env, napi_value function) {
    napi_value name = nullptr;
    Check(napi_create_string_utf8(env, "cloudvol", NAPI_AUTO_LENGTH, &name), "no name could be made");
    Check(napi_create_threadsafe_function(env, function, nullptr, name, 0, 1, nullptr, nullptr, nullptr, CallJs, &function_),
          "a function is wanted");
    Check(napi_unref_threadsafe_function(env, function_), "the function cannot be unreferenced");
  }
  ~JsCallback() { napi_release_threadsafe_function(function_, napi_tsfn_release); }
  JsCallback(const JsCallback&) = delete;
  JsCallback& operator=(const JsCallback&) = delete;

  // `make_argument` runs on the JavaScript thread.
  void Call(std::function<napi_value(napi_env)> make_argument) {
    auto message = std::make_unique<std::function<napi_value(napi_env)>>(std::move(make_argument));
    if (napi_call_threadsafe_function(function_, message.get(), napi_tsfn_nonblocking) == napi_ok) message.release();
  }

 private:
  static void CallJs(napi_env env, napi_value function, void*, void* data) {
    const std::unique_ptr<std::function<napi_value(napi_env)>> make_argument(
        static_cast<std::function<napi_value(napi_env)>*>(data));
    if (env == nullptr || function == nullptr) return;
    napi_value argument = (*make_argument)(env);
    napi_call_function(env, Undefined(env), function, 1, &argument, nullptr);
  }

  napi_threadsafe_function function_ = nullptr;
};

}  // namespace cloudvol::binding
