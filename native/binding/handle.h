// A JavaScript object that holds a shared_ptr<T>. Closed handles hold nothing; calls on them fail
// with EBADF.
#pragma once

#include <node_api.h>

#include <cerrno>
#include <memory>

#include "binding/node_values.h"
#include "core/failure.h"

namespace cloudvol::binding {

// Each T has a tag of its own, so that a handle of another kind is refused instead of misread.
template <typename T>
extern const napi_type_tag kTypeTag;

template <typename T>
napi_value MakeHandle(napi_env env, std::shared_ptr<T> pointer) {
  napi_value object = nullptr;
  Check(napi_create_object(env, &object), "no object could be made");
  Check(napi_type_tag_object(env, object, &kTypeTag<T>), "the object cannot be tagged");
  auto holder = std::make_unique<std::shared_ptr<T>>(std::move(pointer));
  const auto finalize = [](napi_env, void* data, void*) {
    delete static_cast<std::shared_ptr<T>*>(data);
  };
  Check(napi_wrap(env, object, holder.get(), finalize, nullptr, nullptr),
        "the object cannot be wrapped");
  holder.release();
  return object;
}

template <typename T>
std::shared_ptr<T>& HandleSlot(napi_env env, napi_value object) {
  bool tagged = false;
  Check(napi_check_object_type_tag(env, object, &kTypeTag<T>, &tagged),
        "a native handle is wanted");
  if (!tagged) throw BadArgument("a native handle of another kind is wanted");
  void* data = nullptr;
  Check(napi_unwrap(env, object, &data), "a native handle is wanted");
  return *static_cast<std::shared_ptr<T>*>(data);
}

template <typename T>
std::shared_ptr<T> FromHandle(napi_env env, napi_value object) {
  const std::shared_ptr<T>& slot = HandleSlot<T>(env, object);
  if (!slot) throw Failure(EBADF, "use of a closed handle");
  return slot;
}

}  // namespace cloudvol::binding
