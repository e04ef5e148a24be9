#pragma once

#include <node_api.h>

// Each adds its part of what src/native.ts calls NativeOverlay to `exports`; nullptr with a pending
// exception on failure.
napi_value InitOverlay(napi_env env, napi_value exports);
napi_value InitViews(napi_env env, napi_value exports);
napi_value InitFuse(napi_env env, napi_value exports);
