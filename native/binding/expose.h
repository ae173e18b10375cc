// Functions of the addon that are no kernels: what they throw becomes a JavaScript error with a code.
#pragma once
#include <new>
#include <system_error>

#include "binding/environment.h"
#include "params.h"

namespace uam::binding {

template <class F> void expose(Napi::Object object, const char* name, F&& body) {
  object.Set(name, Napi::Function::New(
                       object.Env(),
                       [=](const Napi::CallbackInfo& info) -> Napi::Value {
                         try {
                           return body(info);
                         } catch (const KernelError& error) {
                           throw coded_error(info.Env(), error.code, error.what());
                         } catch (const std::bad_alloc&) {
                           throw coded_error(info.Env(), "UAM_MEMORY", "out of memory");
                         } catch (const std::system_error& error) {  // the system gives no more threads
                           throw coded_error(info.Env(), "UAM_MEMORY", error.what());
                         }
                       },
                       name));
}

}  // namespace uam::binding
