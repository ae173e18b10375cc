// The sync and the async JavaScript function of any kernel. Nothing that a kernel throws passes the boundary
// except as a JavaScript error with a code.
#pragma once
#include <new>
#include <vector>

#include "binding/reader.h"

namespace uam::binding {

template <class P> using Kernel = void (*)(const P&);

struct Failure {
  const char* code = nullptr;  // null: the kernel succeeded
  std::string message;
};

template <class P>
Failure run_guarded(Kernel<P> kernel, const P& params, const char* name, Pool* pool, DeviceQueue* queue, const int32_t* cancel) {
  try {
    RunScope scope(pool, cancel);
    QueueScope queue_scope(queue, name);
    kernel(params);
    return {};
  } catch (const KernelError& error) {
    return {error.code, std::string(name) + ": " + error.what()};
  } catch (const std::bad_alloc&) {
    return {"UAM_MEMORY", std::string(name) + ": out of memory for working buffers"};
  } catch (const std::exception& error) {
    return {"UAM_NATIVE", std::string(name) + ": " + error.what()};
  } catch (...) {
    return {"UAM_NATIVE", std::string(name) + ": unknown native exception"};
  }
}

// The environment's queue, or a JavaScript error with the driver's words.
inline std::shared_ptr<DeviceQueue> queue_of(Napi::Env env, const char* name) {
  try {
    return environment(env).queue();
  } catch (const KernelError& error) {
    throw coded_error(env, error.code, std::string(name) + ": " + error.what());
  }
}

inline Napi::Object arguments(const Napi::CallbackInfo& info, const char* name) {
  if (!info[0].IsObject()) throw coded_error(info.Env(), "UAM_ARGUMENT", std::string(name) + ": expected an object of parameters");
  return info[0].As<Napi::Object>();
}

// Which kind of memory a table of kernels works on.
enum class Memory { host, device };

template <class P> Napi::Function sync(Napi::Env env, const char* name, Kernel<P> kernel, Memory memory) {
  return Napi::Function::New(
      env,
      [=](const Napi::CallbackInfo& info) -> Napi::Value {
        P params{};
        Environment& here = environment(info.Env());
        DeviceQueue* queue = memory == Memory::device ? queue_of(info.Env(), name).get() : nullptr;
        Reader reader(info.Env(), arguments(info, name), name, nullptr, queue);
        params.fields(reader);
        const std::vector<Pin> pins = reader.confirm();
        const Failure failure = run_guarded(kernel, params, name, here.helpers(), queue, nullptr);
        if (failure.code) throw coded_error(info.Env(), failure.code, failure.message);
        return info.Env().Undefined();
      },
      name);
}

template <class P> class Work : public Napi::AsyncWorker {
 public:
  Work(Napi::Env env, const char* name, Kernel<P> kernel, std::shared_ptr<DeviceQueue> queue)
      : AsyncWorker(env, name),
        name_(name),
        kernel_(kernel),
        pool_(environment(env).pool),
        queue_(std::move(queue)),
        done_(Napi::Promise::Deferred::New(env)) {}

  P params{};
  std::vector<Napi::ObjectReference> keep;
  std::vector<Pin> pins;
  const int32_t* cancel = nullptr;

  Napi::Promise promise() const { return done_.Promise(); }

 protected:
  void Execute() override { failure_ = run_guarded(kernel_, params, name_, pool_.get(), queue_.get(), cancel); }

  void OnOK() override {
    if (failure_.code) done_.Reject(coded_error(Env(), failure_.code, failure_.message).Value());
    else done_.Resolve(Env().Undefined());
  }

 private:
  const char* name_;
  Kernel<P> kernel_;
  std::shared_ptr<Pool> pool_;
  std::shared_ptr<DeviceQueue> queue_;
  Napi::Promise::Deferred done_;
  Failure failure_;
};

// async(params, cancel?): cancel is an Int32Array whose first element stops the work when it turns non-zero.
template <class P> Napi::Function async(Napi::Env env, const char* name, Kernel<P> kernel, Memory memory) {
  return Napi::Function::New(
      env,
      [=](const Napi::CallbackInfo& info) -> Napi::Value {
        const auto queue = memory == Memory::device ? queue_of(info.Env(), name) : nullptr;
        auto work = std::make_unique<Work<P>>(info.Env(), name, kernel, queue);
        Reader reader(info.Env(), arguments(info, name), name, &work->keep, queue.get());
        work->params.fields(reader);
        work->pins = reader.confirm();
        if (info[1].IsTypedArray() && info[1].As<Napi::TypedArray>().TypedArrayType() == napi_int32_array &&
            info[1].As<Napi::Int32Array>().ElementLength() > 0) {
          work->cancel = info[1].As<Napi::Int32Array>().Data();
          work->keep.push_back(Napi::Persistent(info[1].As<Napi::Object>()));
        }
        auto promise = work->promise();
        work.release()->Queue();
        return promise;
      },
      name);
}

}  // namespace uam::binding
