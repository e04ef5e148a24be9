#pragma once

#include <node_api.h>

#include <memory>

#include "binding/handle.h"
#include "core/miss_queue.h"
#include "core/overlay.h"

namespace cloudvol::binding {

// What a volume's handle holds: the overlay and those who wait for its absent blocks.
struct OpenOverlay {
  std::shared_ptr<Overlay> overlay;
  std::shared_ptr<MissQueue> misses;
};

template <>
inline const napi_type_tag kTypeTag<OpenOverlay> = {0x7c1f5d0be8e14b1aULL, 0x9d6a3c2f40b17e55ULL};

}  // namespace cloudvol::binding
