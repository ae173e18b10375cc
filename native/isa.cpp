#include "isa.h"

#include <atomic>
#include <cstdlib>

#include "params.h"

namespace uam {

Isa best_isa() {
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw"))
    return Isa::avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Isa::avx2;
#endif
  return Isa::baseline;
}

const char* isa_name(Isa isa) { return isa == Isa::avx512 ? "avx512" : isa == Isa::avx2 ? "avx2" : "baseline"; }

static Isa parse(const std::string& name) {
  for (Isa isa : {Isa::baseline, Isa::avx2, Isa::avx512}) {
    if (name != isa_name(isa)) continue;
    if (isa <= best_isa()) return isa;
    throw KernelError("UAM_ARGUMENT", "UAM_ISA=" + name + " asks for instructions that this processor or build lacks; the best here is " +
                                          isa_name(best_isa()));
  }
  throw KernelError("UAM_ARGUMENT", "UAM_ISA must be baseline, avx2 or avx512, received '" + name + "'");
}

// Process-wide on purpose: it describes the processor. -1 = not chosen yet.
static std::atomic<int> chosen{-1};

Isa current_isa() {
  int isa = chosen.load(std::memory_order_relaxed);
  if (isa < 0) {
    const char* forced = std::getenv("UAM_ISA");
    isa = int(forced && *forced ? parse(forced) : best_isa());
    chosen.store(isa, std::memory_order_relaxed);
  }
  return Isa(isa);
}

void set_isa(const std::string& name) { chosen.store(int(parse(name)), std::memory_order_relaxed); }

}  // namespace uam
