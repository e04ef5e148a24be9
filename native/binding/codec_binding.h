#pragma once

#include <node_api.h>

// Adds encodeBlocks and decodeFrames to `exports`; their types are NativeCodec in src/native.ts.
// Both run on libuv's pool and return promises. Null, with an exception pending, on failure.
napi_value InitCodec(napi_env env, napi_value exports);
