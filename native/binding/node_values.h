// Conversions between JavaScript values and those of core/. Every reader throws BadArgument, which
// the entry points turn into a TypeError: the typed face in src/native.ts is the only caller, so a
// wrong type is a defect of ours.
#pragma once

#include <node_api.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/overlay.h"

namespace cloudvol::binding {

class BadArgument : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline void Check(napi_status status, const char* what) {
  if (status != napi_ok) throw BadArgument(what);
}

// The first N arguments of a call; those that were left out are undefined.
template <size_t N>
std::array<napi_value, N> Arguments(napi_env env, napi_callback_info info) {
  std::array<napi_value, N> values{};
  size_t count = N;
  Check(napi_get_cb_info(env, info, &count, values.data(), nullptr, nullptr),
        "arguments are wanted");
  return values;
}

inline uint64_t ToUint64(napi_env env, napi_value value) {
  double number = 0;
  Check(napi_get_value_double(env, value, &number), "a number is wanted");
  // Integers up to 2^53 are exact in a double.
  if (!(number >= 0 && number <= 9007199254740992.0) ||
      number != static_cast<double>(static_cast<uint64_t>(number))) {
    throw BadArgument("a whole number from 0 to 2^53 is wanted");
  }
  return static_cast<uint64_t>(number);
}

inline bool ToBool(napi_env env, napi_value value) {
  bool result = false;
  Check(napi_get_value_bool(env, value, &result), "a boolean is wanted");
  return result;
}

inline std::string ToString(napi_env env, napi_value value) {
  size_t length = 0;
  Check(napi_get_value_string_utf8(env, value, nullptr, 0, &length), "a string is wanted");
  std::string text(length, '\0');
  Check(napi_get_value_string_utf8(env, value, text.data(), length + 1, &length),
        "a string is wanted");
  return text;
}

inline std::vector<std::string> ToStrings(napi_env env, napi_value value) {
  uint32_t length = 0;
  Check(napi_get_array_length(env, value, &length), "an array of strings is wanted");
  std::vector<std::string> texts;
  for (uint32_t index = 0; index < length; ++index) {
    napi_value item = nullptr;
    Check(napi_get_element(env, value, index, &item), "an array of strings is wanted");
    texts.push_back(ToString(env, item));
  }
  return texts;
}

inline std::span<std::byte> ToBytes(napi_env env, napi_value value) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  Check(napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr),
        "a Uint8Array is wanted");
  if (type != napi_uint8_array) throw BadArgument("a Uint8Array is wanted");
  return {static_cast<std::byte*>(data), length};
}

inline napi_value Property(napi_env env, napi_value object, const char* name) {
  napi_value value = nullptr;
  Check(napi_get_named_property(env, object, name, &value), name);
  return value;
}

// The runs of an array of Extents of src/base/extent.ts.
inline std::vector<BlockRun> ToRuns(napi_env env, napi_value value) {
  uint32_t length = 0;
  Check(napi_get_array_length(env, value, &length), "an array of extents is wanted");
  std::vector<BlockRun> runs;
  for (uint32_t index = 0; index < length; ++index) {
    napi_value item = nullptr;
    Check(napi_get_element(env, value, index, &item), "an array of extents is wanted");
    runs.push_back({ToUint64(env, Property(env, item, "firstBlock")),
                    ToUint64(env, Property(env, item, "blockCount"))});
  }
  return runs;
}

inline napi_value Undefined(napi_env env) {
  napi_value value = nullptr;
  napi_get_undefined(env, &value);
  return value;
}

inline bool IsUndefined(napi_env env, napi_value value) {
  napi_valuetype type;
  Check(napi_typeof(env, value, &type), "a value is wanted");
  return type == napi_undefined;
}

inline napi_value FromUint64(napi_env env, uint64_t number) {
  napi_value value = nullptr;
  Check(napi_create_double(env, static_cast<double>(number), &value), "no number could be made");
  return value;
}

inline void Set(napi_env env, napi_value object, const char* name, uint64_t number) {
  Check(napi_set_named_property(env, object, name, FromUint64(env, number)), name);
}

// An Extent of src/base/extent.ts.
inline napi_value FromRun(napi_env env, BlockRun run) {
  napi_value object = nullptr;
  Check(napi_create_object(env, &object), "no object could be made");
  Set(env, object, "firstBlock", run.first);
  Set(env, object, "blockCount", run.count);
  return object;
}

// Undefined for an empty run.
inline napi_value FromOptionalRun(napi_env env, BlockRun run) {
  return run.count == 0 ? Undefined(env) : FromRun(env, run);
}

struct Method {
  const char* name;
  napi_callback call;
};

// Adds functions to `exports` and returns it; nullptr with a pending exception on failure.
inline napi_value DefineMethods(napi_env env, napi_value exports,
                                std::initializer_list<Method> methods) {
  for (const auto& [name, call] : methods) {
    const napi_property_descriptor property = {name,    nullptr,         call,   nullptr, nullptr,
                                               nullptr, napi_enumerable, nullptr};
    if (napi_define_properties(env, exports, 1, &property) != napi_ok) return nullptr;
  }
  return exports;
}

}  // namespace cloudvol::binding
