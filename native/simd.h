// Compiles UAM_SIMD_FILE once per instruction set, each copy in its own namespace (UAM_ISA), and lets
// UAM_BEST(f) choose among the copies at call time. A kernel file looks like this:
//
//   #include <cmath>                       every header first: code first seen inside a target region
//   #include "kernels/x.h"                 could be linked into the baseline (an ODR violation)
//   #include "parallel.h"
//   #define UAM_SIMD_FILE "kernels/x.cpp"
//   #include "simd.h"
//   namespace uam::cpu::UAM_ISA { loops, written with vec.h }
//   #ifndef UAM_ISA_PASS                   once, outside every region
//   namespace uam::cpu { void x_fwd(const XFwd& p) { UAM_BEST(x_fwd)(p); } }
//   #endif
//
// Inside a region this header is only vec.h again, for that instruction set.
#ifdef UAM_ISA_PASS
#include "vec.h"
#else
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <cmath>
#include <cstring>

#include "isa.h"

#define UAM_ISA_PASS 1
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#define UAM_ISA avx2
#define UAM_ISA_LEVEL 1
#include UAM_SIMD_FILE
#undef UAM_ISA
#undef UAM_ISA_LEVEL
#pragma GCC pop_options
#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,prefer-vector-width=512")
#define UAM_ISA avx512
#define UAM_ISA_LEVEL 2
#include UAM_SIMD_FILE
#undef UAM_ISA
#undef UAM_ISA_LEVEL
#pragma GCC pop_options
#define UAM_BEST(f) \
  (::uam::current_isa() == ::uam::Isa::avx512 ? &avx512::f : ::uam::current_isa() == ::uam::Isa::avx2 ? &avx2::f : &baseline::f)
#else
#define UAM_BEST(f) (&baseline::f)
#endif
#undef UAM_ISA_PASS
#define UAM_ISA baseline
#define UAM_ISA_LEVEL 0
#include "vec.h"
#endif
