// What one Node environment (the main thread, or a worker) holds while the addon is loaded in it.
// Node deletes it with the environment; the last one to go ends the pool's threads.
#pragma once
#include <memory>

#include "binding/napi_setup.h"
#include "device_queue.h"
#include "parallel.h"

namespace uam::binding {

struct Environment {
  std::shared_ptr<Pool> pool = acquire_pool();
  bool alone = false;  // kernels called from here run on the calling thread only: its neighbours have work of their own
  Pool* helpers() const { return alone ? nullptr : pool.get(); }
  std::shared_ptr<DeviceQueue> device;  // made when first asked for; arrays on the card hold it, too
  const std::shared_ptr<DeviceQueue>& queue() {
    if (!device) device = make_cuda_queue();
    return device;
  }
};

inline Environment& environment(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

// An error with a code of src/errors.ts; TypeScript turns it into a UamError.
inline Napi::Error coded_error(Napi::Env env, const char* code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  return error;
}

}  // namespace uam::binding
