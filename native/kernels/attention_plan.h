// How the work of attention is cut into pieces for the threads. The cut depends on the shapes alone, so results do
// not depend on the number of threads.
#pragma once
#include <cstdint>
#include <vector>

#include "kernels/attention.h"

namespace uam {

// Sizes of the blocks of scores.
inline constexpr int64_t kForwardQueries = 128, kForwardKeys = 128;
inline constexpr int64_t kBackwardQueries = 64, kBackwardKeys = 64;

// A piece of one sequence and one key/value head: query blocks [begin, end) counted over the heads of the group
// (forward), or keys [begin, end) of the sequence (backward).
struct AttentionUnit {
  int64_t sequence, head_kv, begin, end;
  int64_t partial;  // backward: where in the buffer of partial dQ this unit writes [group, Lq, dim]; -1: straight to dQ
};

// Partial dQ of one sequence and key/value head: `parts` of them, one after the other.
struct AttentionPartials {
  int64_t sequence, head_kv, parts, partial;
};

struct AttentionPlan {
  std::vector<AttentionUnit> units;
  std::vector<int64_t> tasks;  // task t runs units [tasks[t], tasks[t + 1]): enough work to be worth handing over
  std::vector<AttentionPartials> partials;
  int64_t partial_size = 0;  // floats
};

void check_attention(const AttentionProblem& p);  // throws KernelError for what fields() cannot judge
AttentionPlan plan_attention_queries(const AttentionProblem& p, int64_t query_block);
AttentionPlan plan_attention_keys(const AttentionProblem& p, int64_t key_block);

}  // namespace uam
