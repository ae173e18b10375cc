#include "kernels/neighbor_attention_plan.h"

#include <algorithm>
#include <atomic>
#include <climits>
#include <string>

#include "index_error.h"
#include "parallel.h"

namespace uam {

namespace {

// Dense products beyond this many per edge cost more than following the lists.
constexpr int64_t kMostPerEdge = 8;
constexpr int64_t kQueriesPerTask = 1024;

void clear(int32_t* to, int64_t count) { std::fill(to, to + count, 0); }

// Where no key is seen from both sides: the queries that begin a component, and their number.
int64_t cut_components(const NeighborProblem& p, Scratch& scratch, const int32_t*& begin) {
  int32_t *lowest = scratch.take<int32_t>(p.tokens_q + 1), *highest = scratch.take<int32_t>(p.tokens_q);
  parallel_for(p.tokens_q, kQueriesPerTask, [&](int64_t first, int64_t end) {
    for (int64_t i = first; i < end; ++i) {
      int32_t low = INT_MAX, high = -1;
      for (int64_t e = p.offsets.at(i); e < p.offsets.at(i + 1); ++e) {
        low = std::min(low, p.indices.data[e]);
        high = std::max(high, p.indices.data[e]);
      }
      lowest[i] = low, highest[i] = high;
    }
  });
  lowest[p.tokens_q] = INT_MAX;
  for (int64_t i = p.tokens_q - 1; i >= 0; --i) lowest[i] = std::min(lowest[i], lowest[i + 1]);
  int32_t *starts = scratch.take<int32_t>(p.tokens_q + 1), high = -1;
  int64_t count = 0;
  for (int64_t i = 0; i < p.tokens_q; ++i) {
    if (i == 0 || high < lowest[i]) starts[count++] = int32_t(i);
    high = std::max(high, highest[i]);
  }
  starts[count] = int32_t(p.tokens_q);
  begin = starts;
  return count;
}

// The keys of one run, rising, and the place of each edge among them; false where a list holds a key twice.
bool share_keys(const NeighborProblem& p, int64_t begin, int64_t end, int32_t* keys, int32_t& count, int32_t* places) {
  const int64_t first = p.offsets.at(begin), last = p.offsets.at(end);
  count = 0;
  if (first == last) return true;
  int32_t low = INT_MAX, high = 0;
  for (int64_t e = first; e < last; ++e) low = std::min(low, p.indices.data[e]), high = std::max(high, p.indices.data[e]);
  const int64_t base = low, words = (high - base) / 8 + 1;
  Scratch scratch;
  uint64_t* seen = scratch.take<uint64_t>(words);  // a byte per key, eight looked at together
  int32_t* place = scratch.take<int32_t>(words * 8);
  std::fill(seen, seen + words, uint64_t(0));
  auto* bytes = reinterpret_cast<unsigned char*>(seen);
  for (int64_t e = first; e < last; ++e) bytes[p.indices.data[e] - base] = 1;
  for (int64_t word = 0; word < words; ++word) {
    if (seen[word] == 0) continue;
    for (int64_t key = word * 8; key < word * 8 + 8; ++key)
      if (bytes[key]) place[key] = count, keys[count++] = int32_t(base + key);
  }
  int32_t* last_query = scratch.take<int32_t>(count);
  clear(last_query, count);
  for (int64_t i = begin; i < end; ++i)
    for (int64_t e = p.offsets.at(i); e < p.offsets.at(i + 1); ++e) {
      const int32_t at = place[p.indices.data[e] - base];
      places[e] = at;
      if (last_query[at] == int32_t(i - begin + 1)) return false;
      last_query[at] = int32_t(i - begin + 1);
    }
  return true;
}

}  // namespace

NeighborRuns neighbor_runs(const NeighborProblem& p, int64_t width, Scratch& scratch) {
  NeighborRuns plan;
  const int32_t* starts;
  const int64_t components = cut_components(p, scratch, starts);
  int32_t *begin = scratch.take<int32_t>(p.tokens_q / width + components + 1), *component = scratch.take<int32_t>(components + 1);
  int64_t runs = 0;
  for (int64_t c = 0; c < components; ++c) {
    component[c] = int32_t(runs);
    for (int64_t i = starts[c]; i < starts[c + 1]; i += width) begin[runs++] = int32_t(i);
  }
  begin[runs] = int32_t(p.tokens_q);
  component[components] = int32_t(runs);
  int32_t *keys = scratch.take<int32_t>(p.edges), *places = scratch.take<int32_t>(p.edges), *counts = scratch.take<int32_t>(runs);
  std::atomic<bool> sound{true};
  parallel_for(runs, std::max<int64_t>(1, kQueriesPerTask / width), [&](int64_t first, int64_t end) {
    for (int64_t r = first; r < end; ++r)
      if (!share_keys(p, begin[r], begin[r + 1], keys + p.offsets.at(begin[r]), counts[r], places)) sound = false;
  });
  int64_t products = 0;
  for (int64_t r = 0; r < runs; ++r) products += counts[r] * width;
  if (!sound || products > kMostPerEdge * p.edges) return plan;
  plan.runs = runs, plan.components = components;
  plan.begin = begin, plan.component = component;
  plan.keys = keys, plan.counts = counts, plan.places = places;
  return plan;
}

void check_neighbor_attention(const NeighborProblem& p) {
  if (p.offsets.sequences() != p.tokens_q)
    throw KernelError("UAM_SHAPE", "offsets must hold one list per query (" + std::to_string(p.tokens_q) + "), received " +
                                       std::to_string(p.offsets.sequences()));
  if (p.heads_kv == 0 ? p.heads != 0 : p.heads % p.heads_kv != 0)
    throw KernelError("UAM_SHAPE",
                      "heads must be a multiple of headsKv, received " + std::to_string(p.heads) + " and " + std::to_string(p.heads_kv));
  if (bool(p.slopes) != bool(p.distances)) throw KernelError("UAM_ARGUMENT", "distances and slopes go together");
}

const int32_t* checked_indices(const NeighborProblem& p, Scratch& scratch) {
  check_neighbor_attention(p);
  int32_t* copy = scratch.take<int32_t>(p.edges);
  for (int64_t e = 0; e < p.edges; ++e) {
    copy[e] = p.indices.data[e];
    if (copy[e] < 0 || copy[e] >= p.tokens_k) reject_index("indices", e, copy[e], p.tokens_k);
  }
  return copy;
}

// A counting sort of the edges by key.
IncomingEdges incoming_edges(const NeighborProblem& p, Scratch& scratch) {
  int32_t* start = scratch.take<int32_t>(p.tokens_k + 1);
  int32_t* next = scratch.take<int32_t>(p.tokens_k);
  int32_t *edge = scratch.take<int32_t>(p.edges), *query = scratch.take<int32_t>(p.edges);
  clear(start, p.tokens_k + 1);
  for (int64_t e = 0; e < p.edges; ++e) ++start[p.indices.data[e] + 1];
  for (int64_t j = 0; j < p.tokens_k; ++j) next[j] = start[j], start[j + 1] += start[j];
  for (int64_t i = 0; i < p.tokens_q; ++i)
    for (int64_t e = p.offsets.at(i); e < p.offsets.at(i + 1); ++e) {
      const int32_t at = next[p.indices.data[e]]++;
      edge[at] = int32_t(e);
      query[at] = int32_t(i);
    }
  return {start, edge, query};
}

}  // namespace uam
