// Attention in which every query sees a given list of keys. Query i has edges e in [offsets[i], offsets[i + 1]), which
// lead to the keys j = indices[e]; per head h and its key/value head g = h / (heads / headsKv):
//   s[e]   = scale * <q[i,h], k[j,g]> + bias[e,h] + slopes[h] distances[e]
//   lse    = log sum_e exp(s[e]),  p[e] = exp(s[e] - lse),  out[i,h] = sum_e p[e] v[j,g]
// A key may stand in a list more than once. An empty list gives out = 0, lse = -inf and no gradient.
//   backward, with delta = <dOut[i,h], out[i,h]>:
//   ds[e] = p[e] (<dOut[i,h], v[j,g]> - delta) = dBias[e,h]
//   dQ[i,h] = scale sum_e ds[e] k[j,g];  dK[j,g] = scale sum ds[e] q[i,h];  dV[j,g] = sum p[e] dOut[i,h]
//   dSlopes[h] = sum_e ds[e] distances[e]
// where dK and dV sum over the edges that lead to j, and over the heads of the group.
//
// Two ways lead there. Where queries that follow each other share most of their keys, as cells along a curve do, W queries
// (lanes) meet the union of their keys in small dense products (neighbor_attention_block.h); the rest of the products is hidden.
// Where lists have little in common, or hold a key twice, or something is not finite (and would spread through what is hidden),
// every list is followed by itself (neighbor_attention_list.h). Which way is taken depends on the problem alone.
#pragma once
#include "params.h"

namespace uam {

struct NeighborProblem {
  int64_t tokens_q, tokens_k, edges, heads, heads_kv;  // heads is a multiple of heads_kv
  int64_t dim, dim_v;
  float scale;
  Offsets offsets;      // one list per query
  In<int32_t> indices;  // [edges], each 0 .. tokensK - 1
  In<float> q;          // [tokensQ, heads, dim]
  In<float> k;          // [tokensK, headsKv, dim]
  In<float> v;          // [tokensK, headsKv, dimV]
  In<float> bias;       // [edges, heads]
  In<float> distances;  // [edges]
  In<float> slopes;     // [heads], where there are distances

  template <class V> void problem_fields(V&& v_) {
    v_.dim("tokensQ", tokens_q);
    v_.dim("tokensK", tokens_k);
    v_.dim("edges", edges);
    v_.dim("heads", heads);
    v_.dim("headsKv", heads_kv);
    v_.dim("dim", dim);
    v_.dim("dimV", dim_v);
    v_.number("scale", scale);
    v_.offsets("offsets", offsets, edges);
    v_.array("indices", indices, {edges});
    v_.array("q", q, {tokens_q, heads, dim});
    v_.array("k", k, {tokens_k, heads_kv, dim});
    v_.array("v", v, {tokens_k, heads_kv, dim_v});
    v_.optional("bias", bias, {edges, heads});
    v_.optional("distances", distances, {edges});
    v_.optional("slopes", slopes, {heads});
  }
};

struct NeighborAttentionFwd : NeighborProblem {
  Out<float> out;  // [tokensQ, heads, dimV]
  Out<float> lse;  // [heads, tokensQ]
  template <class V> void fields(V&& v_) {
    problem_fields(v_);
    v_.array("out", out, {tokens_q, heads, dim_v});
    v_.array("lse", lse, {heads, tokens_q});
  }
};

struct NeighborAttentionBwd : NeighborProblem {
  In<float> out, d_out;              // [tokensQ, heads, dimV]
  In<float> lse;                     // [heads, tokensQ]
  Out<float> d_q, d_k, d_v, d_bias;  // shaped like q, k, v, bias; only those wanted
  Out<float> d_slopes;               // [heads]
  template <class V> void fields(V&& v_) {
    problem_fields(v_);
    v_.array("out", out, {tokens_q, heads, dim_v});
    v_.array("dOut", d_out, {tokens_q, heads, dim_v});
    v_.array("lse", lse, {heads, tokens_q});
    v_.optional("dQ", d_q, {tokens_q, heads, dim});
    v_.optional("dK", d_k, {tokens_k, heads_kv, dim});
    v_.optional("dV", d_v, {tokens_k, heads_kv, dim_v});
    v_.optional("dBias", d_bias, {edges, heads});
    v_.optional("dSlopes", d_slopes, {heads});
  }
};

}  // namespace uam
