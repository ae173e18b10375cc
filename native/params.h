// The words contracts are written in. A contract is a plain struct whose fields() names every member once:
//   v.dim("tokens", tokens)                      a count, checked to be an integer >= 0
//   v.array("u", u, {tokens, dim})               a typed array of exactly that many elements
//   v.optional("z", z, {tokens, dim})            the same, or absent (data == nullptr)
//   v.offsets("offsets", offsets, tokens)        int32 [0 .. tokens], rising; copied, so it cannot change under us
//   v.unchecked_offsets("offsets", offsets, n)   the same, or on the card, where nobody has checked them
//   v.number / v.flag / v.choice                 a float, a boolean, a small enumeration
// Dims come before the arrays whose length they state. The binding checks all of it before a kernel runs.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <vector>

#if defined(__CUDACC__)
#define UAM_HD __host__ __device__
#else
#define UAM_HD
#endif

namespace uam {

template <class T> struct In {
  const T* data = nullptr;
  int64_t size = 0;
  bool on_device = false;  // data is an address of the card; only kernels of cuda/ ever see that
  explicit operator bool() const { return data != nullptr; }
};

template <class T> struct Out {
  T* data = nullptr;
  int64_t size = 0;
  bool on_device = false;
  explicit operator bool() const { return data != nullptr; }
};

// Boundaries of packed sequences: sequence s holds tokens [at(s), at(s + 1)).
// Those that a kernel made (moe_dispatch) may live on the card: then only cuda/ reads them, and nobody has checked them.
struct Offsets {
  std::vector<int32_t> values;
  const int32_t* on_device = nullptr;
  int64_t count = 0;  // of values, wherever they are
  int64_t sequences() const { return count > 0 ? count - 1 : 0; }
  int64_t at(int64_t s) const { return values[size_t(s)]; }
  int64_t length(int64_t s) const { return at(s + 1) - at(s); }
};

using Shape = std::initializer_list<int64_t>;

// Thrown by kernels for values that only they can judge (an index out of range, say).
// `code` is one of the stable codes of src/errors.ts.
struct KernelError : std::runtime_error {
  const char* code;
  KernelError(const char* code, const std::string& message) : std::runtime_error(message), code(code) {}
};

}  // namespace uam
