// Sorting inside formulas that the card runs too. What a formula takes working memory from also says how it sorts: Scratch here,
// the card's own in cuda/texture_arena.cuh.
#pragma once
#include <algorithm>

#include "scratch.h"

namespace uam {

template <class T, class Less> void sort_list(Scratch&, T* list, int64_t n, Less less) { std::sort(list, list + n, less); }
template <class T, class Less> void stable_sort_list(Scratch&, T* list, int64_t n, Less less) { std::stable_sort(list, list + n, less); }

}  // namespace uam
