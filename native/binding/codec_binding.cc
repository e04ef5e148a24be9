// Converts arguments, keeps their memory alive while a pool thread works on it, and turns the
// outcome into a promise. Bad arguments are the program's own error and throw at once; bad data
// rejects with {code, position}.
#include "binding/codec_binding.h"

#include <iterator>
#include <memory>
#include <vector>

#include "core/codec.h"

using namespace cloudvol;

namespace {

// A pack's header and key are a hundred bytes or two.
constexpr size_t kMaxAadBytes = 4096;

// One asynchronous call. Owned by the environment from Queue() until Complete().
struct Job {
  virtual ~Job() = default;
  virtual std::optional<CodecFailure> Run() = 0;
  // The value that the promise resolves to; null with an exception pending on failure.
  virtual napi_value Answer(napi_env env) = 0;

  napi_async_work work = nullptr;
  napi_deferred deferred = nullptr;
  // The arguments and whatever else Run() reads or writes, in one array.
  napi_ref pinned = nullptr;
  std::optional<CodecFailure> failure;
};

template <typename T>
struct View {
  T* data = nullptr;
  size_t count = 0;
};

// Collects arguments: one typed array after the other, each pinned; the first mistake is thrown and
// ends it.
class Arguments {
 public:
  Arguments(napi_env env, napi_callback_info info) : env_(env) {
    size_t count = 1;
    napi_get_cb_info(env, info, &count, &object_, nullptr, nullptr);
    napi_create_array(env, &pinned_);
    ok_ = pinned_ != nullptr;
  }

  template <typename T>
  View<T> Array(const char* name, napi_typedarray_type type, size_t count) {
    View<T> view = Array<T>(name, type);
    if (ok_ && view.count != count) Refuse(name);
    return view;
  }

  template <typename T>
  View<T> Array(const char* name, napi_typedarray_type type) {
    View<T> view;
    napi_value value = Property(name);
    napi_typedarray_type found;
    void* data = nullptr;
    if (!ok_) return view;
    if (napi_get_typedarray_info(env_, value, &found, &view.count, &data, nullptr, nullptr) !=
            napi_ok ||
        found != type) {
      Refuse(name);
      return {};
    }
    view.data = static_cast<T*>(data);
    Pin(value);
    return view;
  }

  bool Has(const char* name) {
    napi_valuetype type = napi_undefined;
    napi_value value = Property(name);
    return ok_ && napi_typeof(env_, value, &type) == napi_ok && type != napi_undefined;
  }

  size_t Number(const char* name, double most) {
    double number = -1;
    napi_value value = Property(name);
    if (!ok_) return 0;
    if (napi_get_value_double(env_, value, &number) != napi_ok ||
        !(number >= 0 && number <= most)) {
      Refuse(name);
      return 0;
    }
    return static_cast<size_t>(number);
  }

  void Pin(napi_value value) {
    if (ok_) ok_ = napi_set_element(env_, pinned_, pinned_count_++, value) == napi_ok;
  }

  void Refuse(const char* name) {
    if (ok_) napi_throw_type_error(env_, "native/bad-argument", name);
    ok_ = false;
  }

  bool ok() const { return ok_; }
  napi_value pinned() const { return pinned_; }

 private:
  napi_value Property(const char* name) {
    napi_value value = nullptr;
    // A missing argument is the value undefined, whose properties cannot be read.
    if (ok_ && napi_get_named_property(env_, object_, name, &value) != napi_ok) Refuse(name);
    return value;
  }

  napi_env env_;
  napi_value object_ = nullptr;
  napi_value pinned_ = nullptr;
  uint32_t pinned_count_ = 0;
  bool ok_ = false;
};

HashKey KeyArgument(Arguments& arguments) {
  if (!arguments.Has("key")) return {};
  const auto key = arguments.Array<const uint8_t>("key", napi_uint8_array, kHashBytes);
  return {key.data, key.count};
}

FrameSeal SealArguments(Arguments& arguments) {
  const auto key = arguments.Array<const uint8_t>("sealKey", napi_uint8_array, kSealKeyBytes);
  const auto aad = arguments.Array<const uint8_t>("sealAad", napi_uint8_array);
  if (arguments.ok() && aad.count > kMaxAadBytes) arguments.Refuse("sealAad");
  return {key.data, aad.data, aad.count};
}

size_t BlockBytesArgument(Arguments& arguments) {
  const size_t block_bytes = arguments.Number("blockBytes", kMaxBlockBytes);
  if (arguments.ok() && (block_bytes == 0 || block_bytes % 64 != 0)) arguments.Refuse("blockBytes");
  return block_bytes;
}

struct ErrorName {
  const char* code;
  const char* message;
};

ErrorName NameOf(CodecError error) {
  switch (error) {
    case CodecError::kNoMemory:
      return {"no-memory", "no memory for a zstd context"};
    case CodecError::kLibraryFailed:
      return {"library-failed", "zstd or OpenSSL failed"};
    case CodecError::kFrameBounds:
      return {"frame-bounds", "the frame is cut short"};
    case CodecError::kHeaderMismatch:
      return {"header-mismatch", "the frame's header is not the one expected"};
    case CodecError::kPayload:
      return {"payload", "the payload is not exactly one block"};
    case CodecError::kContentHash:
      return {"content-hash", "the content is not the one that was hashed"};
    case CodecError::kTag:
      return {"tag", "the frame was altered, or belongs to another place"};
  }
  return {"library-failed", "unknown failure"};
}

napi_value ErrorOf(napi_env env, const CodecFailure& failure) {
  const ErrorName name = NameOf(failure.error);
  napi_value code, message, error, position;
  napi_create_string_utf8(env, name.code, NAPI_AUTO_LENGTH, &code);
  napi_create_string_utf8(env, name.message, NAPI_AUTO_LENGTH, &message);
  napi_create_error(env, code, message, &error);
  napi_create_double(env, static_cast<double>(failure.position), &position);
  napi_set_named_property(env, error, "position", position);
  return error;
}

void Complete(napi_env env, napi_status status, void* data) {
  const std::unique_ptr<Job> job(static_cast<Job*>(data));
  napi_value answer = nullptr;
  if (status == napi_ok && !job->failure) answer = job->Answer(env);
  if (answer != nullptr) {
    napi_resolve_deferred(env, job->deferred, answer);
  } else {
    napi_value error = nullptr;
    bool pending = false;
    napi_is_exception_pending(env, &pending);
    if (pending)
      napi_get_and_clear_last_exception(env, &error);
    else
      error = ErrorOf(env, job->failure.value_or(CodecFailure{CodecError::kLibraryFailed, 0}));
    napi_reject_deferred(env, job->deferred, error);
  }
  napi_delete_reference(env, job->pinned);
  napi_delete_async_work(env, job->work);
}

// Takes the job over and returns its promise; null with an exception pending if it could not be
// queued.
napi_value Queue(napi_env env, std::unique_ptr<Job> job, napi_value pinned) {
  napi_value name, promise = nullptr;
  napi_create_string_utf8(env, "cloudvol.codec", NAPI_AUTO_LENGTH, &name);
  const auto execute = [](napi_env, void* data) {
    auto* running = static_cast<Job*>(data);
    running->failure = running->Run();
  };
  if (napi_create_reference(env, pinned, 1, &job->pinned) != napi_ok ||
      napi_create_async_work(env, nullptr, name, execute, Complete, job.get(), &job->work) !=
          napi_ok ||
      napi_create_promise(env, &job->deferred, &promise) != napi_ok ||
      napi_queue_async_work(env, job->work) != napi_ok) {
    napi_throw_error(env, "native/no-memory", "the codec could not queue its work");
    return nullptr;
  }
  (void)job.release();
  return promise;
}

struct EncodeJob : Job {
  std::optional<CodecFailure> Run() override { return EncodeBlocks(request, result); }

  napi_value Answer(napi_env env) override {
    napi_value buffers, frames_buffer, frames, answer;
    if (napi_get_reference_value(env, pinned, &buffers) != napi_ok ||
        napi_get_element(env, buffers, first_output, &frames_buffer) != napi_ok ||
        napi_create_typedarray(env, napi_uint8_array, result.frames_bytes, frames_buffer, 0,
                               &frames) != napi_ok ||
        napi_create_object(env, &answer) != napi_ok ||
        napi_set_named_property(env, answer, "frames", frames) != napi_ok) {
      return nullptr;
    }
    constexpr const char* kNames[] = {"outcomes", "offsets", "payloadBytes", "hashes"};
    for (uint32_t i = 0; i < std::size(kNames); ++i) {
      napi_value array;
      if (napi_get_element(env, buffers, first_output + 1 + i, &array) != napi_ok ||
          napi_set_named_property(env, answer, kNames[i], array) != napi_ok) {
        return nullptr;
      }
    }
    return answer;
  }

  EncodeRequest request{};
  EncodeResult result{};
  // Where the outputs begin in `pinned`: the frames' ArrayBuffer, then the columns in the order of
  // Answer().
  uint32_t first_output = 0;
};

struct SealJob : Job {
  std::optional<CodecFailure> Run() override { return SealPack(pack, pack_bytes, seal); }

  napi_value Answer(napi_env env) override {
    napi_value undefined = nullptr;
    napi_get_undefined(env, &undefined);
    return undefined;
  }

  uint8_t* pack = nullptr;
  size_t pack_bytes = 0;
  FrameSeal seal;
};

struct DecodeJob : Job {
  std::optional<CodecFailure> Run() override { return DecodeFrames(request); }

  napi_value Answer(napi_env env) override {
    napi_value undefined = nullptr;
    napi_get_undefined(env, &undefined);
    return undefined;
  }

  DecodeRequest request{};
  // A copy, because a slot that changed after its check would be a write outside of the target.
  std::vector<uint32_t> slots;
};

template <typename T>
T* NewColumn(napi_env env, Arguments& arguments, napi_typedarray_type type, size_t count) {
  void* data = nullptr;
  napi_value buffer, array;
  if (!arguments.ok()) return nullptr;
  if (napi_create_arraybuffer(env, count * sizeof(T), &data, &buffer) != napi_ok ||
      napi_create_typedarray(env, type, count, buffer, 0, &array) != napi_ok) {
    arguments.Refuse("no memory for the result");
    return nullptr;
  }
  arguments.Pin(array);
  return static_cast<T*>(data);
}

uint8_t* NewFrames(napi_env env, Arguments& arguments, size_t capacity) {
  void* data = nullptr;
  napi_value buffer;
  if (!arguments.ok()) return nullptr;
  if (napi_create_arraybuffer(env, capacity, &data, &buffer) != napi_ok) {
    arguments.Refuse("no memory for the result");
    return nullptr;
  }
  arguments.Pin(buffer);
  return static_cast<uint8_t*>(data);
}

napi_value EncodeBlocksCall(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  auto job = std::make_unique<EncodeJob>();
  const auto source = arguments.Array<const uint8_t>("source", napi_uint8_array);
  const size_t block_bytes = BlockBytesArgument(arguments);
  if (arguments.ok() && (source.count > kMaxEncodeBytes || source.count % block_bytes != 0)) {
    arguments.Refuse("source");
  }
  const size_t count = arguments.ok() ? source.count / block_bytes : 0;
  job->request = {source.data, count, block_bytes, 0, nullptr, KeyArgument(arguments)};
  job->request.first_block = static_cast<uint32_t>(arguments.Number("firstBlock", UINT32_MAX));
  job->request.sealed = arguments.Has("sealed");
  if (arguments.Has("parentHashes")) {
    job->request.parent_hashes =
        arguments.Array<const uint8_t>("parentHashes", napi_uint8_array, count * kHashBytes).data;
  }
  if (arguments.ok()) {
    uint32_t pinned_count = 0;
    napi_get_array_length(env, arguments.pinned(), &pinned_count);
    job->first_output = pinned_count;
  }
  job->result.frames = NewFrames(env, arguments, EncodeCapacity(count, block_bytes));
  job->result.outcomes = NewColumn<uint8_t>(env, arguments, napi_uint8_array, count);
  job->result.offsets = NewColumn<uint32_t>(env, arguments, napi_uint32_array, count);
  job->result.payload_bytes = NewColumn<uint32_t>(env, arguments, napi_uint32_array, count);
  job->result.hashes = NewColumn<uint8_t>(env, arguments, napi_uint8_array, count * kHashBytes);
  if (!arguments.ok()) return nullptr;
  return Queue(env, std::move(job), arguments.pinned());
}

napi_value DecodeFramesCall(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  auto job = std::make_unique<DecodeJob>();
  DecodeRequest& request = job->request;
  const auto source = arguments.Array<const uint8_t>("source", napi_uint8_array);
  request.source = source.data;
  request.source_bytes = source.count;
  request.block_bytes = BlockBytesArgument(arguments);
  const auto offsets = arguments.Array<const uint32_t>("offsets", napi_uint32_array);
  const size_t count = offsets.count;
  request.frame_count = count;
  request.offsets = offsets.data;
  request.blocks = arguments.Array<const uint32_t>("blocks", napi_uint32_array, count).data;
  request.payload_bytes =
      arguments.Array<const uint32_t>("payloadBytes", napi_uint32_array, count).data;
  request.encodings = arguments.Array<const uint8_t>("encodings", napi_uint8_array, count).data;
  request.hashes =
      arguments.Array<const uint8_t>("hashes", napi_uint8_array, count * kHashBytes).data;
  const auto slots = arguments.Array<const uint32_t>("slots", napi_uint32_array, count);
  const auto target = arguments.Array<uint8_t>("target", napi_uint8_array);
  request.target = target.data;
  request.key = KeyArgument(arguments);
  if (arguments.Has("sealKey")) {
    request.seal = SealArguments(arguments);
    request.source_offset = static_cast<uint64_t>(arguments.Number("sourceOffset", UINT32_MAX));
  }
  if (!arguments.ok()) return nullptr;
  job->slots.assign(slots.data, slots.data + count);
  request.slots = job->slots.data();
  for (const uint32_t slot : job->slots) {
    if (slot >= target.count / request.block_bytes) arguments.Refuse("slots");
  }
  if (!arguments.ok()) return nullptr;
  return Queue(env, std::move(job), arguments.pinned());
}

napi_value SealPackCall(napi_env env, napi_callback_info info) {
  Arguments arguments(env, info);
  auto job = std::make_unique<SealJob>();
  const auto pack = arguments.Array<uint8_t>("pack", napi_uint8_array);
  job->pack = pack.data;
  job->pack_bytes = pack.count;
  job->seal = SealArguments(arguments);
  if (!arguments.ok()) return nullptr;
  return Queue(env, std::move(job), arguments.pinned());
}

}  // namespace

napi_value InitCodec(napi_env env, napi_value exports) {
  const napi_property_descriptor functions[] = {
      {"encodeBlocks", nullptr, EncodeBlocksCall, nullptr, nullptr, nullptr, napi_enumerable,
       nullptr},
      {"sealPack", nullptr, SealPackCall, nullptr, nullptr, nullptr, napi_enumerable, nullptr},
      {"decodeFrames", nullptr, DecodeFramesCall, nullptr, nullptr, nullptr, napi_enumerable,
       nullptr},
  };
  if (napi_define_properties(env, exports, std::size(functions), functions) != napi_ok)
    return nullptr;
  return exports;
}
