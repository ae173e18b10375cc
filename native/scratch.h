// Working memory for a kernel's block: a stack per thread that keeps its high-water mark, so steady work
// allocates nothing. Everything taken from a Scratch is given back when it goes out of scope.
#pragma once
#include <cstddef>
#include <cstdint>

namespace uam {

class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  // `count` elements, uninitialised, aligned to 64 bytes. Throws std::bad_alloc.
  template <class T> T* take(int64_t count) { return static_cast<T*>(bytes(size_t(count) * sizeof(T))); }

 private:
  struct Stack;
  static Stack& of_this_thread();
  void* bytes(size_t size);
  Stack& stack_;  // found once: the look-up of a thread's own variable is not free
  size_t block_, used_;
};

}  // namespace uam
