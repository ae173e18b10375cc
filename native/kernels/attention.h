// Scaled dot-product attention over packed sequences (Vaswani et al. 2017), computed in blocks that never hold the
// Lq x Lk matrix (Dao et al. 2022). Per sequence, query i, head h and its key/value head g = h / (heads / headsKv):
//   s[j]   = scale * <q[i,h], k[j,g]> + bias[i,j]      for the keys j that are visible
//   lse    = log sum_j exp(s[j]),  p[j] = exp(s[j] - lse),  out[i,h] = sum_j p[j] v[j,g]
// Visible: j < kLens[sequence], keyMask[j] != 0 and, when causal, j <= i + (Lk - Lq). A row that sees nothing has
// out = 0, lse = -inf and no gradient.
//   backward, with delta = <dOut[i,h], out[i,h]>:
//   ds[j] = p[j] (<dOut[i,h], v[j,g]> - delta)
//   dQ[i,h] = scale sum_j ds[j] k[j,g];  dK[j,g] = scale sum_{i,h} ds[j] q[i,h];  dV[j,g] = sum_{i,h} p[j] dOut[i,h]
//   dBias = ds, summed over the sequences and heads that share a bias.
#pragma once
#include "params.h"

namespace uam {

// What the forward and the backward pass are both given.
struct AttentionProblem {
  int64_t tokens_q, tokens_k, heads, heads_kv;  // heads is a multiple of heads_kv
  int64_t dim, dim_v;                           // of a query and key, of a value
  int64_t bias_batch, bias_heads;               // each 1 or the full count; all zero without a bias
  int64_t length_q, length_k;                   // with a bias every sequence has these lengths
  float scale;
  bool causal;
  Offsets offsets_q, offsets_k;  // as many sequences in both; a sequence may be empty in either
  In<float> q;                   // [tokensQ, heads, dim]
  In<float> k;                   // [tokensK, headsKv, dim]
  In<float> v;                   // [tokensK, headsKv, dimV]
  In<int32_t> k_lens;            // [sequences], each 0 .. its Lk
  In<uint8_t> key_mask;          // [tokensK], 0 = hidden
  In<float> bias;                // [biasBatch, biasHeads, lengthQ, lengthK]

  template <class V> void problem_fields(V&& v_) {
    v_.dim("tokensQ", tokens_q);
    v_.dim("tokensK", tokens_k);
    v_.dim("heads", heads);
    v_.dim("headsKv", heads_kv);
    v_.dim("dim", dim);
    v_.dim("dimV", dim_v);
    v_.dim("biasBatch", bias_batch);
    v_.dim("biasHeads", bias_heads);
    v_.dim("lengthQ", length_q);
    v_.dim("lengthK", length_k);
    v_.number("scale", scale);
    v_.flag("causal", causal);
    v_.offsets("offsetsQ", offsets_q, tokens_q);
    v_.offsets("offsetsK", offsets_k, tokens_k);
    v_.array("q", q, {tokens_q, heads, dim});
    v_.array("k", k, {tokens_k, heads_kv, dim});
    v_.array("v", v, {tokens_k, heads_kv, dim_v});
    v_.optional("kLens", k_lens, {offsets_k.sequences()});
    v_.optional("keyMask", key_mask, {tokens_k});
    v_.optional("bias", bias, {bias_batch, bias_heads, length_q, length_k});
  }
};

struct AttentionFwd : AttentionProblem {
  Out<float> out;  // [tokensQ, heads, dimV]
  Out<float> lse;  // [heads, tokensQ]
  template <class V> void fields(V&& v_) {
    problem_fields(v_);
    v_.array("out", out, {tokens_q, heads, dim_v});
    v_.array("lse", lse, {heads, tokens_q});
  }
};

struct AttentionBwd : AttentionProblem {
  In<float> out, d_out;              // [tokensQ, heads, dimV]
  In<float> lse;                     // [heads, tokensQ]
  Out<float> d_q, d_k, d_v, d_bias;  // shaped like q, k, v, bias; only those wanted
  template <class V> void fields(V&& v_) {
    problem_fields(v_);
    v_.array("out", out, {tokens_q, heads, dim_v});
    v_.array("dOut", d_out, {tokens_q, heads, dim_v});
    v_.array("lse", lse, {heads, tokens_q});
    v_.optional("dQ", d_q, {tokens_q, heads, dim});
    v_.optional("dK", d_k, {tokens_k, heads_kv, dim});
    v_.optional("dV", d_v, {tokens_k, heads_kv, dim_v});
    v_.optional("dBias", d_bias, {bias_batch, bias_heads, length_q, length_k});
  }
};

}  // namespace uam
