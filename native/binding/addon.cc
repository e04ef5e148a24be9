#include <node_api.h>

#include "binding/codec_binding.h"
#include "binding/overlay_binding.h"

// The addon is context-aware and keeps no process-wide state: each environment gets its own
// exports.
NAPI_MODULE_INIT() {
  if (InitCodec(env, exports) == nullptr) return nullptr;
  if (InitOverlay(env, exports) == nullptr || InitViews(env, exports) == nullptr) return nullptr;
  return InitFuse(env, exports);
}
