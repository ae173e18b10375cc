// JS object -> contract. Visits fields() and checks every value against what the contract says before any
// native code touches it. Arrays are borrowed (zero copy); an async call also keeps them referenced.
#pragma once
#include <cmath>
#include <limits>
#include <string>
#include <type_traits>
#include <vector>

#include "binding/device_array.h"
#include "binding/environment.h"
#include "params.h"

namespace uam::binding {

template <class T> struct ElementType;
template <> struct ElementType<float> {
  static constexpr auto type = napi_float32_array;
  static constexpr auto name = "Float32Array";
};
template <> struct ElementType<double> {
  static constexpr auto type = napi_float64_array;
  static constexpr auto name = "Float64Array";
};
template <> struct ElementType<int32_t> {
  static constexpr auto type = napi_int32_array;
  static constexpr auto name = "Int32Array";
};
template <> struct ElementType<uint32_t> {
  static constexpr auto type = napi_uint32_array;
  static constexpr auto name = "Uint32Array";
};
template <> struct ElementType<uint16_t> {
  static constexpr auto type = napi_uint16_array;
  static constexpr auto name = "Uint16Array";
};
template <> struct ElementType<uint8_t> {
  static constexpr auto type = napi_uint8_array;
  static constexpr auto name = "Uint8Array";
};

class Reader {
 public:
  // `queue`: of kernels that work on the card; null for those of the CPU, which refuse arrays that live there.
  Reader(Napi::Env env, Napi::Object args, const char* kernel, std::vector<Napi::ObjectReference>* keep, const DeviceQueue* queue)
      : env_(env), args_(args), kernel_(kernel), keep_(keep), queue_(queue) {}

  void dim(const char* field, int64_t& value) {
    const double number = read_number(field);
    if (!(number >= 0 && number <= 9007199254740991.0) || number != std::floor(number))
      fail("UAM_ARGUMENT", field, "an integer >= 0", std::to_string(number));
    value = int64_t(number);
  }

  template <class T> void array(const char* field, In<T>& in, Shape shape) {
    T* data = nullptr;
    borrow(field, args_.Get(field), shape, data, in.size, in.on_device);
    in.data = data;
  }
  template <class T> void array(const char* field, Out<T>& out, Shape shape) {
    borrow(field, args_.Get(field), shape, out.data, out.size, out.on_device);
  }

  template <class Array> void optional(const char* field, Array& value, Shape shape) {
    const Napi::Value given = args_.Get(field);
    if (!given.IsUndefined() && !given.IsNull()) array(field, value, shape);
  }

  // Offsets that may live on the card, where a kernel made them: nobody has looked at them.
  void unchecked_offsets(const char* field, Offsets& offsets, int64_t total) {
    const Napi::Value given = args_.Get(field);
    if (const DeviceArray* array = device_array(given)) {
      int32_t* data = nullptr;
      bool on_device = false;
      borrow(field, given, {array->size}, data, offsets.count, on_device);
      offsets.on_device = data;
      if (offsets.count < 1) fail("UAM_ARGUMENT", field, "at least one offset (0)", "an empty array");
      return;
    }
    this->offsets(field, offsets, total);
  }

  void offsets(const char* field, Offsets& offsets, int64_t total) {
    const Napi::Value given = args_.Get(field);
    if (!given.IsTypedArray() || given.As<Napi::TypedArray>().TypedArrayType() != napi_int32_array)
      fail("UAM_DTYPE", field, "an Int32Array of sequence offsets", describe(given));
    auto array = given.As<Napi::Int32Array>();
    if (array.ElementLength() < 1) fail("UAM_ARGUMENT", field, "at least one offset (0)", "an empty array");
    offsets.values.assign(array.Data(), array.Data() + array.ElementLength());
    offsets.count = int64_t(offsets.values.size());
    const auto& at = offsets.values;
    bool rising = at.front() == 0 && at.back() == total;
    for (size_t i = 1; i < at.size(); ++i) rising = rising && at[i] >= at[i - 1];
    if (!rising)
      fail("UAM_ARGUMENT", field, "offsets that start at 0, never fall and end at " + std::to_string(total),
           "offsets from " + std::to_string(at.front()) + " to " + std::to_string(at.back()));
  }

  template <class T> void number(const char* field, T& value) {
    const double given = read_number(field);
    if constexpr (std::is_integral_v<T>) {
      if (given != std::floor(given) || given < double(std::numeric_limits<T>::min()) || given > double(std::numeric_limits<T>::max()))
        fail("UAM_ARGUMENT", field, "an integer in range", std::to_string(given));
    }
    value = T(given);
  }

  void flag(const char* field, bool& value) {
    const Napi::Value given = args_.Get(field);
    if (given.IsBoolean()) value = given.As<Napi::Boolean>().Value();
    else if (given.IsUndefined()) value = false;
    else fail("UAM_ARGUMENT", field, "a boolean", describe(given));
  }

  // One of the `count` values of an enumeration.
  template <class E> void choice(const char* field, E& value, int count) {
    int32_t given = 0;
    number(field, given);
    if (given < 0 || given >= count)
      fail("UAM_ARGUMENT", field, "an integer from 0 to " + std::to_string(count - 1), std::to_string(given));
    value = E(given);
  }

  // To be called after fields(), with no JavaScript in between: a getter among the parameters may have detached or moved
  // an array that was already read. Returns what keeps the arrays on the card in place; hold it until the kernel has run.
  std::vector<Pin> confirm() {
    for (const auto& [value, field, data, length] : borrowed_) {
      void* now = nullptr;
      size_t length_now = 0;
      napi_get_typedarray_info(env_, value, nullptr, &length_now, &now, nullptr, nullptr);
      if (now != data || length_now != length) fail("UAM_ARGUMENT", field, "left alone while it is read", "an array that a getter changed");
    }
    return std::move(pins_);
  }

 private:
  [[noreturn]] void fail(const char* code, const char* field, const std::string& expected, const std::string& received) {
    throw coded_error(env_, code, std::string(kernel_) + ": " + field + " must be " + expected + ", received " + received);
  }

  std::string describe(Napi::Value value) {
    if (value.IsUndefined()) return "undefined";
    if (value.IsNull()) return "null";
    if (value.IsTypedArray()) return "another kind of typed array";
    if (value.IsNumber() || value.IsString() || value.IsBoolean()) return value.ToString().Utf8Value().substr(0, 60);
    if (value.IsArray()) return "a plain array";
    return value.IsObject() ? "an object" : "another kind of value";  // converting these to text could run JavaScript, or fail
  }

  double read_number(const char* field) {
    const Napi::Value given = args_.Get(field);
    if (!given.IsNumber()) fail("UAM_ARGUMENT", field, "a number", describe(given));
    return given.As<Napi::Number>().DoubleValue();
  }

  void check_size(const char* field, Shape shape, int64_t size) {
    int64_t expected = 1;
    bool overflow = false;
    for (int64_t n : shape) overflow |= __builtin_mul_overflow(expected, n, &expected);
    if (!overflow && size == expected) return;
    std::string text;
    for (int64_t n : shape) text += (text.empty() ? "" : " x ") + std::to_string(n);
    fail("UAM_SHAPE", field, text + " elements", std::to_string(size));
  }

  template <class T> void borrow(const char* field, Napi::Value given, Shape shape, T*& data, int64_t& size, bool& on_device) {
    if (const DeviceArray* array = device_array(given)) {
      if (!queue_) fail("UAM_DEVICE", field, "in the memory of the host", "an array on the card: bring it with to('cpu')");
      if (array->memory->queue.get() != queue_)
        fail("UAM_DEVICE", field, "on the card that this thread uses", "an array of another thread's queue");
      if (!array->memory->usable()) fail("UAM_DISPOSED", field, "an array that is still there", "one that was released");
      if (array->type != ElementType<T>::type)
        fail("UAM_DTYPE", field, std::string("a ") + ElementType<T>::name, "an array of other elements");
      size = array->size;
      data = reinterpret_cast<T*>(static_cast<char*>(array->memory->at) + array->byte_offset);
      on_device = true;
      check_size(field, shape, size);
      pins_.emplace_back(array->memory);
      return;
    }
    if (!given.IsTypedArray() || given.As<Napi::TypedArray>().TypedArrayType() != ElementType<T>::type)
      fail("UAM_DTYPE", field, std::string("a ") + ElementType<T>::name, describe(given));
    auto array = given.As<Napi::TypedArrayOf<T>>();
    size = int64_t(array.ElementLength());
    check_size(field, shape, size);
    static T nowhere{};  // an empty array has no address, yet it is not absent
    data = size ? array.Data() : &nowhere;
    if (reinterpret_cast<uintptr_t>(data) % alignof(T) != 0)
      fail("UAM_ARGUMENT", field, "aligned to its element size", "a misaligned view");
    if (keep_) keep_->push_back(Napi::Persistent(given.As<Napi::Object>()));
    borrowed_.push_back({given, field, array.Data(), array.ElementLength()});
  }

  // An array as it was when its address was taken.
  struct Borrowed {
    Napi::Value value;
    const char* field;
    const void* data;
    size_t length;
  };

  Napi::Env env_;
  Napi::Object args_;
  const char* kernel_;
  std::vector<Napi::ObjectReference>* keep_;
  const DeviceQueue* queue_;
  std::vector<Borrowed> borrowed_;
  std::vector<Pin> pins_;
};

}  // namespace uam::binding
