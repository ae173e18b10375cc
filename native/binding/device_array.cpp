#include "binding/device_array.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "binding/environment.h"
#include "binding/expose.h"

namespace uam::binding {

namespace {

constexpr napi_type_tag kTag = {0x75616d2d6e617469, 0x76652d6465766963};

int element_bytes(napi_typedarray_type type) {
  switch (type) {
    case napi_float32_array:
    case napi_int32_array: return 4;
    case napi_uint8_array: return 1;
    default: throw KernelError("UAM_DTYPE", "arrays on the card hold float32, int32 or uint8");
  }
}

napi_typedarray_type type_named(const std::string& name) {
  if (name == "float32") return napi_float32_array;
  if (name == "int32") return napi_int32_array;
  if (name == "uint8") return napi_uint8_array;
  throw KernelError("UAM_DTYPE", "arrays on the card hold float32, int32 or uint8, not " + name);
}

// The collector sees a few words of a handle; told of the bytes behind it, it collects forgotten ones before the card is full.
void tell_collector(Napi::Env env, DeviceMemory& memory, int64_t bytes) {
  Napi::MemoryManagement::AdjustExternalMemory(env, bytes - memory.told);
  memory.told = bytes;
}

void forget(Napi::Env env, DeviceArray* gone) {
  if (gone->memory.use_count() == 1) tell_collector(env, *gone->memory, 0);
  delete gone;
}

Napi::Value handle_of(Napi::Env env, DeviceArray array) {
  auto handle = Napi::External<DeviceArray>::New(env, new DeviceArray(std::move(array)), forget);
  handle.TypeTag(&kTag);
  return handle;
}

const DeviceArray& array_at(const Napi::CallbackInfo& info, size_t index) {
  const DeviceArray* array = device_array(info[index]);
  if (!array) throw KernelError("UAM_ARGUMENT", "expected an array on the card");
  if (!array->memory->usable()) throw KernelError("UAM_DISPOSED", "this array on the card was released");
  return *array;
}

void* address(const DeviceArray& array) { return static_cast<char*>(array.memory->at) + array.byte_offset; }
int64_t bytes_of(const DeviceArray& array) { return array.size * element_bytes(array.type); }

int64_t count_at(const Napi::CallbackInfo& info, size_t index) {
  const double count = info[index].IsNumber() ? info[index].As<Napi::Number>().DoubleValue() : -1;
  if (!(count >= 0 && count <= 9007199254740991.0) || count != std::floor(count))
    throw KernelError("UAM_ARGUMENT", "expected an integer >= 0");
  return int64_t(count);
}

// The bytes of a typed array of the host that are to be those of `array`.
void* host_bytes(const Napi::CallbackInfo& info, size_t index, const DeviceArray& array) {
  if (!info[index].IsTypedArray()) throw KernelError("UAM_ARGUMENT", "expected a typed array");
  auto host = info[index].As<Napi::TypedArray>();
  if (host.TypedArrayType() != array.type) throw KernelError("UAM_DTYPE", "expected a typed array of the same elements as on the card");
  if (int64_t(host.ElementLength()) != array.size)
    throw KernelError("UAM_SHAPE",
                      "expected " + std::to_string(array.size) + " elements, received " + std::to_string(host.ElementLength()));
  return static_cast<char*>(host.ArrayBuffer().Data()) + host.ByteOffset();
}

Napi::Value allocate(const Napi::CallbackInfo& info) {
  const napi_typedarray_type type = type_named(info[0].ToString().Utf8Value());
  const int64_t size = count_at(info, 1);
  auto memory = std::make_shared<DeviceMemory>();
  memory->queue = environment(info.Env()).queue();
  const int64_t bytes = size * element_bytes(type);
  memory->at = memory->queue->allocate(std::max<int64_t>(bytes, 1));
  tell_collector(info.Env(), *memory, bytes);
  return handle_of(info.Env(), {std::move(memory), 0, size, type});
}

// view(array, first element, elements, dtype): the same memory; dtype may be another of the same size
Napi::Value view(const Napi::CallbackInfo& info) {
  const DeviceArray& array = array_at(info, 0);
  const int64_t first = count_at(info, 1), size = count_at(info, 2);
  const napi_typedarray_type type = type_named(info[3].ToString().Utf8Value());
  if (first > array.size || size > array.size - first) throw KernelError("UAM_ARGUMENT", "a view must lie within its array");
  if (element_bytes(type) != element_bytes(array.type)) throw KernelError("UAM_DTYPE", "a view's elements must be as wide as the array's");
  return handle_of(info.Env(), {array.memory, array.byte_offset + first * element_bytes(array.type), size, type});
}

// A copy to the host that settles a promise: the driver calls back on a thread of its own, which wakes this one.
class Coming {
 public:
  Coming(Napi::Env env, const DeviceArray& array, Napi::Object target)
      : done_(Napi::Promise::Deferred::New(env)), pin_(array.memory), target_(Napi::Persistent(target)) {
    wake_ = Napi::ThreadSafeFunction::New(env, Napi::Function::New(env, [](const Napi::CallbackInfo&) {}), "uam_native copy", 0, 1);
  }

  Napi::Promise start(const DeviceArray& array) {
    const Napi::Promise promise = done_.Promise();
    try {
      arrival_ = array.memory->queue->download_later(
          address(array), bytes_of(array), [this] { wake_.BlockingCall([this](Napi::Env env, Napi::Function) { finish(env); }); });
    } catch (...) {
      wake_.Release();
      delete this;
      throw;
    }
    return promise;
  }

 private:
  void finish(Napi::Env env) {
    try {
      arrival_->check();
      auto host = target_.Value().As<Napi::TypedArray>();
      std::memcpy(static_cast<char*>(host.ArrayBuffer().Data()) + host.ByteOffset(), arrival_->data(), host.ByteLength());
      done_.Resolve(env.Undefined());
    } catch (const KernelError& error) {
      done_.Reject(coded_error(env, error.code, error.what()).Value());
    }
    wake_.Release();
    delete this;
  }

  Napi::Promise::Deferred done_;
  Pin pin_;
  Napi::ObjectReference target_;
  Napi::ThreadSafeFunction wake_;
  std::shared_ptr<DeviceQueue::Arrival> arrival_;
};

Napi::Value card(const Napi::CallbackInfo& info) {
  const CudaCard card = cuda_card();
  auto object = Napi::Object::New(info.Env());
  object.Set("name", card.name);
  object.Set("index", card.index);
  object.Set("capability", std::to_string(card.major) + "." + std::to_string(card.minor));
  object.Set("driver", card.driver);
  object.Set("runtime", card.runtime);
  object.Set("memory", double(card.memory));
  object.Set("free", double(card.free));
  object.Set("architectures", card.architectures);
  return object;
}

}  // namespace

const DeviceArray* device_array(Napi::Value value) {
  if (value.IsObject() && !value.IsTypedArray() && !value.IsExternal()) value = value.As<Napi::Object>().Get("handle");
  if (!value.IsExternal()) return nullptr;
  auto handle = value.As<Napi::External<DeviceArray>>();
  return handle.CheckTypeTag(&kTag) ? handle.Data() : nullptr;
}

Napi::Object device_functions(Napi::Env env) {
  auto object = Napi::Object::New(env);
  expose(object, "allocate", allocate);
  expose(object, "view", view);
  expose(object, "release", [](const Napi::CallbackInfo& info) -> Napi::Value {
    if (const DeviceArray* array = device_array(info[0])) {
      array->memory->release();
      tell_collector(info.Env(), *array->memory, 0);
    }
    return info.Env().Undefined();
  });
  expose(object, "upload", [](const Napi::CallbackInfo& info) -> Napi::Value {
    const DeviceArray& array = array_at(info, 0);
    array.memory->queue->upload(address(array), host_bytes(info, 1, array), bytes_of(array));
    return info.Env().Undefined();
  });
  expose(object, "download", [](const Napi::CallbackInfo& info) -> Napi::Value {
    const DeviceArray& array = array_at(info, 0);
    array.memory->queue->download(host_bytes(info, 1, array), address(array), bytes_of(array));
    return info.Env().Undefined();
  });
  expose(object, "downloadLater", [](const Napi::CallbackInfo& info) -> Napi::Value {
    const DeviceArray& array = array_at(info, 0);
    host_bytes(info, 1, array);  // checked now, written when the copy has arrived
    return (new Coming(info.Env(), array, info[1].As<Napi::Object>()))->start(array);
  });
  expose(object, "copy", [](const Napi::CallbackInfo& info) -> Napi::Value {
    const DeviceArray &to = array_at(info, 0), &from = array_at(info, 1);
    if (to.type != from.type || to.size != from.size) throw KernelError("UAM_SHAPE", "expected two arrays of the same elements");
    to.memory->queue->copy(address(to), address(from), bytes_of(to));
    return info.Env().Undefined();
  });
  expose(object, "fill", [](const Napi::CallbackInfo& info) -> Napi::Value {
    const DeviceArray& array = array_at(info, 0);
    const double value = info[1].ToNumber().DoubleValue();
    uint32_t pattern = 0;
    if (array.type == napi_float32_array) {
      const float single = float(value);
      std::memcpy(&pattern, &single, sizeof pattern);
    } else {
      pattern = uint32_t(int32_t(info[1].ToNumber().Int32Value()));
    }
    array.memory->queue->fill(address(array), pattern, element_bytes(array.type), array.size);
    return info.Env().Undefined();
  });
  expose(object, "wait", [](const Napi::CallbackInfo& info) -> Napi::Value {
    if (const auto& queue = environment(info.Env()).device) queue->wait();
    return info.Env().Undefined();
  });
  expose(object, "liveBytes", [](const Napi::CallbackInfo& info) -> Napi::Value {
    const auto& queue = environment(info.Env()).device;
    return Napi::Number::New(info.Env(), queue ? double(queue->live_bytes()) : 0);
  });
  expose(object, "select", [](const Napi::CallbackInfo& info) -> Napi::Value {
    select_cuda_device(int(count_at(info, 0)));
    return info.Env().Undefined();
  });
  expose(object, "card", card);
  expose(object, "matmulPrecision",
         [](const Napi::CallbackInfo& info) -> Napi::Value { return Napi::Number::New(info.Env(), double(matmul_precision())); });
  expose(object, "setMatmulPrecision", [](const Napi::CallbackInfo& info) -> Napi::Value {
    const int64_t precision = count_at(info, 0);
    if (precision > int64_t(MatmulPrecision::bf16)) throw KernelError("UAM_ARGUMENT", "expected 0 (float32), 1 (tf32) or 2 (bf16)");
    set_matmul_precision(MatmulPrecision(precision));
    return info.Env().Undefined();
  });
  return object;
}

}  // namespace uam::binding
