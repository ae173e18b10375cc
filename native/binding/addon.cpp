// { cpu: { <kernel>, ..., async: { <kernel>, ... } }, cuda?: the same, runtime: { isa, setIsa, threads, ... }, device: { allocate, ... } }
#include "backend.h"
#include "binding/call.h"
#include "binding/device_array.h"
#include "binding/expose.h"
#include "isa.h"

namespace uam::binding {

static Napi::Object kernels(Napi::Env env, const Backend& backend, Memory memory) {
  auto table = Napi::Object::New(env), asynchronous = Napi::Object::New(env);
#define UAM_KERNEL(name, Params, ON_CPU, ON_CUDA)                             \
  if (backend.name) {                                                         \
    table.Set(#name, sync<Params>(env, #name, backend.name, memory));         \
    asynchronous.Set(#name, async<Params>(env, #name, backend.name, memory)); \
  }
#include "kernels.def"
  table.Set("async", asynchronous);
  return table;
}

static Napi::Object runtime(Napi::Env env) {
  auto object = Napi::Object::New(env);
  expose(object, "isa", [](const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), isa_name(current_isa())); });
  expose(object, "bestIsa", [](const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), isa_name(best_isa())); });
  expose(object, "setIsa", [](const Napi::CallbackInfo& info) {
    set_isa(info[0].ToString().Utf8Value());
    return info.Env().Undefined();
  });
  expose(object, "threads",
         [](const Napi::CallbackInfo& info) { return Napi::Number::New(info.Env(), pool_threads(*environment(info.Env()).pool)); });
  expose(object, "setThreads", [](const Napi::CallbackInfo& info) {
    set_pool_threads(*environment(info.Env()).pool, info[0].ToNumber().Int32Value());
    return info.Env().Undefined();
  });
  expose(object, "setAlone", [](const Napi::CallbackInfo& info) {
    environment(info.Env()).alone = info[0].ToBoolean().Value();
    return info.Env().Undefined();
  });
  expose(object, "cudaStatus", [](const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), cuda_status()); });
  // Bytes from the last 64-byte boundary to the buffer's start: lets the arena hand out aligned views.
  expose(object, "misalignment", [](const Napi::CallbackInfo& info) -> Napi::Value {
    if (!info[0].IsArrayBuffer()) throw KernelError("UAM_ARGUMENT", "misalignment: expected an ArrayBuffer");
    return Napi::Number::New(info.Env(), double(reinterpret_cast<uintptr_t>(info[0].As<Napi::ArrayBuffer>().Data()) % 64));
  });
  return object;
}

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  try {
    env.SetInstanceData(new Environment);
    current_isa();  // an unknown UAM_ISA is an error now, not in the middle of a run
  } catch (const KernelError& error) {
    throw coded_error(env, error.code, error.what());
  }
  exports.Set("cpu", kernels(env, cpu_backend(), Memory::host));
  if (auto* cuda = cuda_backend()) exports.Set("cuda", kernels(env, *cuda, Memory::device));
  exports.Set("runtime", runtime(env));
  exports.Set("device", device_functions(env));
  return exports;
}

static Napi::Object register_addon(Napi::Env env, Napi::Object exports) { return init(env, exports); }

}  // namespace uam::binding

using uam::binding::register_addon;
NODE_API_MODULE(uam_native, register_addon)
