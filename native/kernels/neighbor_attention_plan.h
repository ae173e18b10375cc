// How the edges of a problem are gone through: by lists, or by runs of queries that share keys.
#pragma once
#include "kernels/neighbor_attention.h"
#include "scratch.h"

namespace uam {

// The edges by the key they lead to: those of key j are [start[j], start[j + 1]), in rising order.
struct IncomingEdges {
  const int32_t* start;  // [tokensK + 1]
  const int32_t* edge;   // [edges]
  const int32_t* query;  // [edges], whose list the edge is on
};

// Queries cut into components that share no key with each other, and those into runs.
struct NeighborRuns {
  int64_t runs = 0, components = 0;
  const int32_t* begin;      // [runs + 1]: the queries of run r are begin[r] .. begin[r + 1] - 1, a vector of them at most
  const int32_t* component;  // [components + 1]: the runs of a component
  const int32_t* keys;       // [edges]: the keys of the run that begins with query i, rising, from offsets[i] on
  const int32_t* counts;     // [runs]: how many keys that are
  const int32_t* places;     // [edges]: which of its run's keys an edge leads to
};

// Throws KernelError for what fields() cannot judge, but for the indices.
void check_neighbor_attention(const NeighborProblem& p);
// `indices`, checked, as they were when checked: another thread may write to the caller's array meanwhile.
const int32_t* checked_indices(const NeighborProblem& p, Scratch& scratch);

IncomingEdges incoming_edges(const NeighborProblem& p, Scratch& scratch);

// Runs of up to `width` queries; no runs where lists are the better way, because a list holds a key twice or lists have
// too little in common.
NeighborRuns neighbor_runs(const NeighborProblem& p, int64_t width, Scratch& scratch);

}  // namespace uam
