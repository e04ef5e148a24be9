// One call of core/ on libuv's pool, as a Promise. Never used by the session threads, which have
// threads of their own.
#pragma once

#include <node_api.h>

#include <functional>
#include <initializer_list>

#include "core/failure.h"

namespace cloudvol::binding {

// An Error with `errno` and `code` (EIO, ENOSPC, …) beside its message.
napi_value MakeError(napi_env env, int error, const char* what_failed);

// Runs `execute` on the pool (it may throw Failure), then `convert` on the JavaScript thread for
// the Promise's value; without it the value is undefined. `pinned` values, such as the buffers that
// `execute` uses, are kept alive until then.
napi_value RunAsync(napi_env env, std::initializer_list<napi_value> pinned,
                    std::function<void()> execute,
                    std::function<napi_value(napi_env)> convert = {});

// Calls an entry point's body and turns what it throws into a JavaScript exception.
napi_value Guarded(napi_env env, const std::function<napi_value()>& body);

// Throws when an I/O call of core/ returned an errno value.
inline void Require(int error, const char* what) {
  if (error) throw Failure(error, what);
}

}  // namespace cloudvol::binding
