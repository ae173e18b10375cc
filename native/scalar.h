// The lesser and the greater of two, as std::min and std::max have it (the first where neither is), for code that the card runs too.
#pragma once
#include "params.h"

namespace uam {

template <class T> UAM_HD constexpr T least(T a, T b) { return b < a ? b : a; }
template <class T> UAM_HD constexpr T most(T a, T b) { return a < b ? b : a; }

}  // namespace uam
