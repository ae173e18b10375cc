#include "kernels/attention_plan.h"

#include <algorithm>
#include <string>

namespace uam {

namespace {

constexpr int64_t kTaskCost = int64_t(1) << 21;  // multiply-adds: some 50 us on one core
constexpr int64_t kForwardParts = 32;            // no unit holds more than this share of all work ...
constexpr int64_t kBackwardParts = 8;            // ... fewer here, where a part costs a partial dQ

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Multiply-adds of one key/value head and all the queries that use it.
int64_t cost(const AttentionProblem& p, int64_t s) {
  const int64_t group = p.heads / p.heads_kv;
  return group * (p.offsets_q.length(s) + 8) * (p.offsets_k.length(s) + 8) * (p.dim + p.dim_v + 8);
}

int64_t largest_unit(const AttentionProblem& p, int64_t parts) {
  int64_t total = 0;
  for (int64_t s = 0; s < p.offsets_q.sequences(); ++s) total += p.heads_kv * cost(p, s);
  return std::max(total / parts, kTaskCost);
}

struct TaskCutter {
  AttentionPlan& plan;
  int64_t pending = 0;
  void add(const AttentionUnit& unit, int64_t unit_cost) {
    if (pending == 0) plan.tasks.push_back(int64_t(plan.units.size()));
    plan.units.push_back(unit);
    pending += unit_cost;
    if (pending >= kTaskCost) pending = 0;
  }
  void finish() { plan.tasks.push_back(int64_t(plan.units.size())); }
};

[[noreturn]] void reject(const char* code, const std::string& message) { throw KernelError(code, message); }

}  // namespace

void check_attention(const AttentionProblem& p) {
  const int64_t sequences = p.offsets_q.sequences();
  if (p.offsets_k.sequences() != sequences)
    reject("UAM_SHAPE", "offsetsQ and offsetsK must describe as many sequences, received " + std::to_string(sequences) + " and " +
                            std::to_string(p.offsets_k.sequences()));
  if (p.heads_kv == 0 ? p.heads != 0 : p.heads % p.heads_kv != 0)
    reject("UAM_SHAPE", "heads must be a multiple of headsKv, received " + std::to_string(p.heads) + " and " + std::to_string(p.heads_kv));
  if (p.k_lens)
    for (int64_t s = 0; s < sequences; ++s)
      if (p.k_lens.data[s] < 0 || p.k_lens.data[s] > p.offsets_k.length(s))
        reject("UAM_ARGUMENT", "kLens[" + std::to_string(s) + "] must lie in 0.." + std::to_string(p.offsets_k.length(s)) + ", received " +
                                   std::to_string(p.k_lens.data[s]));
  if (p.bias) {
    if (p.bias_batch != 1 && p.bias_batch != sequences)
      reject("UAM_SHAPE", "bias must have 1 or " + std::to_string(sequences) + " batches, received " + std::to_string(p.bias_batch));
    if (p.bias_heads != 1 && p.bias_heads != p.heads)
      reject("UAM_SHAPE", "bias must have 1 or " + std::to_string(p.heads) + " heads, received " + std::to_string(p.bias_heads));
    for (int64_t s = 0; s < sequences; ++s)
      if (p.offsets_q.length(s) != p.length_q || p.offsets_k.length(s) != p.length_k)
        reject("UAM_SHAPE", "a bias needs sequences of equal lengths (" + std::to_string(p.length_q) + " queries, " +
                                std::to_string(p.length_k) + " keys); sequence " + std::to_string(s) + " has " +
                                std::to_string(p.offsets_q.length(s)) + " and " + std::to_string(p.offsets_k.length(s)));
  }
}

AttentionPlan plan_attention_queries(const AttentionProblem& p, int64_t query_block) {
  AttentionPlan plan;
  TaskCutter cutter{plan};
  if (p.heads_kv > 0) {
    const int64_t largest = largest_unit(p, kForwardParts);
    for (int64_t s = 0; s < p.offsets_q.sequences(); ++s) {
      const int64_t blocks = p.heads / p.heads_kv * ceil_div(p.offsets_q.length(s), query_block);
      if (blocks == 0) continue;
      const int64_t parts = std::min(blocks, ceil_div(cost(p, s), largest));
      for (int64_t head = 0; head < p.heads_kv; ++head)
        for (int64_t part = 0; part < parts; ++part)
          cutter.add({s, head, blocks * part / parts, blocks * (part + 1) / parts, -1}, cost(p, s) / parts);
    }
  }
  cutter.finish();
  return plan;
}

AttentionPlan plan_attention_keys(const AttentionProblem& p, int64_t key_block) {
  AttentionPlan plan;
  TaskCutter cutter{plan};
  if (p.heads_kv > 0) {
    const int64_t largest = largest_unit(p, kBackwardParts);
    for (int64_t s = 0; s < p.offsets_q.sequences(); ++s) {
      const int64_t keys = p.offsets_k.length(s), blocks = ceil_div(keys, key_block);
      const int64_t parts = std::max<int64_t>(1, std::min(blocks, ceil_div(cost(p, s), largest)));
      const int64_t partial = p.heads / p.heads_kv * p.offsets_q.length(s) * p.dim;
      for (int64_t head = 0; head < p.heads_kv; ++head) {
        if (parts > 1) plan.partials.push_back({s, head, parts, plan.partial_size});
        for (int64_t part = 0; part < parts; ++part) {
          const int64_t begin = std::min(keys, blocks * part / parts * key_block),
                        end = std::min(keys, blocks * (part + 1) / parts * key_block);
          cutter.add({s, head, begin, end, parts > 1 ? plan.partial_size : -1}, cost(p, s) / parts);
          if (parts > 1) plan.partial_size += partial;
        }
      }
    }
  }
  cutter.finish();
  return plan;
}

}  // namespace uam
