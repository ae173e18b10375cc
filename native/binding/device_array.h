// Arrays on the card as JavaScript holds them: an opaque handle that says where, how many and of what kind.
#pragma once
#include <memory>

#include "binding/napi_setup.h"
#include "device_queue.h"

namespace uam::binding {

// What several views share. It goes back to the card when released, or when the last view is collected; but not before the
// calls on other threads that use it (pins) have ended.
struct DeviceMemory {
  std::shared_ptr<DeviceQueue> queue;
  void* at = nullptr;
  int64_t told = 0;  // bytes that the garbage collector knows of
  int pins = 0;
  bool released = false;
  bool usable() const { return at && !released; }
  void release() noexcept {
    released = true;
    if (at && pins == 0) {
      queue->release(at);
      at = nullptr;
    }
  }
  ~DeviceMemory() {
    pins = 0;
    release();
  }
};

// Keeps memory where it is. Made and ended on the JavaScript thread.
class Pin {
 public:
  explicit Pin(std::shared_ptr<DeviceMemory> memory) : memory_(std::move(memory)) { ++memory_->pins; }
  Pin(Pin&& other) noexcept : memory_(std::move(other.memory_)) {}
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;
  ~Pin() {
    if (memory_ && --memory_->pins == 0 && memory_->released) memory_->release();
  }

 private:
  std::shared_ptr<DeviceMemory> memory_;
};

struct DeviceArray {
  std::shared_ptr<DeviceMemory> memory;
  int64_t byte_offset, size;  // size in elements
  napi_typedarray_type type;
};

// The array behind a handle, or behind an object's `handle`; null for anything else, whatever JavaScript passes.
const DeviceArray* device_array(Napi::Value value);

// { allocate, view, release, upload, download, downloadLater, copy, fill, wait, liveBytes, select, card }
Napi::Object device_functions(Napi::Env env);

}  // namespace uam::binding
