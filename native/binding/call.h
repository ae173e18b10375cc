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

template <class P> Failure run_guarded(Kernel<P> kernel, const P& params, const char* name, Pool* pool, const int32_t* cancel) {
  try {
    RunScope scope(pool, cancel);
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

inline Napi::Object arguments(const Napi::CallbackInfo& info, const char* name) {
  if (!info[0].IsObject()) throw coded_error(info.Env(), "UAM_ARGUMENT", std::string(name) + ": expected an object of parameters");
  return info[0].As<Napi::Object>();
}

template <class P> Napi::Function sync(Napi::Env env, const char* name, Kernel<P> kernel) {
  return Napi::Function::New(
      env,
      [=](const Napi::CallbackInfo& info) -> Napi::Value {
        P params{};
        Reader reader(info.Env(), arguments(info, name), name, nullptr);
        params.fields(reader);
        reader.confirm();
        const Failure failure = run_guarded(kernel, params, name, environment(info.Env()).helpers(), nullptr);
        if (failure.code) throw coded_error(info.Env(), failure.code, failure.message);
        return info.Env().Undefined();
      },
      name);
}

template <class P> class Work : public Napi::AsyncWorker {
 public:
  Work(Napi::Env env, const char* name, Kernel<P> kernel)
      : AsyncWorker(env, name), name_(name), kernel_(kernel), pool_(environment(env).pool), done_(Napi::Promise::Deferred::New(env)) {}

  P params{};
  std::vector<Napi::ObjectReference> keep;
  const int32_t* cancel = nullptr;

  Napi::Promise promise() const { return done_.Promise(); }

 protected:
  void Execute() override { failure_ = run_guarded(kernel_, params, name_, pool_.get(), cancel); }

  void OnOK() override {
    if (failure_.code) done_.Reject(coded_error(Env(), failure_.code, failure_.message).Value());
    else done_.Resolve(Env().Undefined());
  }

 private:
  const char* name_;
  Kernel<P> kernel_;
  std::shared_ptr<Pool> pool_;
  Napi::Promise::Deferred done_;
  Failure failure_;
};

// async(params, cancel?): cancel is an Int32Array whose first element stops the work when it turns non-zero.
template <class P> Napi::Function async(Napi::Env env, const char* name, Kernel<P> kernel) {
  return Napi::Function::New(
      env,
      [=](const Napi::CallbackInfo& info) -> Napi::Value {
        auto work = std::make_unique<Work<P>>(info.Env(), name, kernel);
        Reader reader(info.Env(), arguments(info, name), name, &work->keep);
        work->params.fields(reader);
        reader.confirm();
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
