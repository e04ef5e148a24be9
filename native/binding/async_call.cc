#include "binding/async_call.h"

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "binding/node_values.h"
#include "core/failure.h"

namespace cloudvol::binding {
namespace {

struct Call {
  napi_async_work work = nullptr;
  napi_deferred deferred = nullptr;
  std::vector<napi_ref> pinned;
  std::function<void()> execute;
  std::function<napi_value(napi_env)> convert;
  int error = 0;
  std::string message;
};

void Execute(napi_env, void* data) {
  auto* call = static_cast<Call*>(data);
  try {
    call->execute();
  } catch (const Failure& failure) {
    call->error = failure.error();
    call->message = failure.what();
  } catch (const std::bad_alloc&) {
    call->error = ENOMEM;
    call->message = "allocate memory";
  }
}

void Complete(napi_env env, napi_status status, void* data) {
  const std::unique_ptr<Call> call(static_cast<Call*>(data));
  for (napi_ref ref : call->pinned) napi_delete_reference(env, ref);
  napi_delete_async_work(env, call->work);
  if (status == napi_cancelled) {
    call->error = ECANCELED;
    call->message = "the environment is ending";
  }
  if (call->error) {
    napi_reject_deferred(env, call->deferred, MakeError(env, call->error, call->message.c_str()));
    return;
  }
  try {
    napi_resolve_deferred(env, call->deferred, call->convert ? call->convert(env) : Undefined(env));
  } catch (const BadArgument& error) {
    napi_reject_deferred(env, call->deferred, MakeError(env, EINVAL, error.what()));
  }
}

}  // namespace

napi_value MakeError(napi_env env, int error, const char* what_failed) {
  const char* name = strerrorname_np(error);
  const std::string text = std::string(what_failed) + ": " + strerror(error);
  napi_value code = nullptr, message = nullptr, result = nullptr;
  napi_create_string_utf8(env, name ? name : "EUNKNOWN", NAPI_AUTO_LENGTH, &code);
  napi_create_string_utf8(env, text.c_str(), text.size(), &message);
  napi_create_error(env, code, message, &result);
  Set(env, result, "errno", static_cast<uint64_t>(error));
  return result;
}

napi_value RunAsync(napi_env env, std::initializer_list<napi_value> pinned,
                    std::function<void()> execute, std::function<napi_value(napi_env)> convert) {
  auto call = std::make_unique<Call>();
  call->execute = std::move(execute);
  call->convert = std::move(convert);
  napi_value promise = nullptr, name = nullptr;
  Check(napi_create_promise(env, &call->deferred, &promise), "no promise could be made");
  Check(napi_create_string_utf8(env, "cloudvol", NAPI_AUTO_LENGTH, &name), "no name could be made");
  for (napi_value value : pinned) {
    // An optional argument that was left out: no memory to keep, and no reference can be made to
    // it.
    if (IsUndefined(env, value)) continue;
    napi_ref ref = nullptr;
    Check(napi_create_reference(env, value, 1, &ref), "a value cannot be kept");
    call->pinned.push_back(ref);
  }
  Check(napi_create_async_work(env, nullptr, name, Execute, Complete, call.get(), &call->work),
        "no work could be made");
  Check(napi_queue_async_work(env, call->work), "the work cannot be queued");
  call.release();  // Complete owns it now
  return promise;
}

napi_value Guarded(napi_env env, const std::function<napi_value()>& body) {
  try {
    return body();
  } catch (const BadArgument& error) {
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", error.what());
  } catch (const Failure& failure) {
    napi_throw(env, MakeError(env, failure.error(), failure.what()));
  } catch (const std::bad_alloc&) {
    napi_throw(env, MakeError(env, ENOMEM, "allocate memory"));
  }
  return nullptr;
}

}  // namespace cloudvol::binding
