#pragma once

#include <node_api.h>

// Adds what src/native.ts calls NativeOverlay to `exports`; nullptr with a pending exception on
// failure.
napi_value InitOverlay(napi_env env, napi_value exports);
