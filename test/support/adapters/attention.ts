import { type AttentionOptions, attention, permute, reshape, type Tensor } from '../../../src/index.js';
import type { Adapter } from '../vectors.js';

/** [batch, heads, length, dim] and [batch, length, heads, dim]: its own inverse. */
const swapHeads = (x: Tensor) => permute(x, [0, 2, 1, 3]);

export const attentionAdapters: Record<string, Adapter> = {
  attention: ({ q, k, v, k_lens: kLens, key_mask: keyMask, bias }, attributes) => {
    const optional = { ...(kLens && { kLens }), ...(keyMask && { keyMask }), ...(bias && { bias }) };
    const { out, lse } = attention(swapHeads(q as Tensor), swapHeads(k as Tensor), swapHeads(v as Tensor), {
      ...(attributes as AttentionOptions),
      ...optional,
    });
    const [batch = 0, length = 0, heads = 0] = out.shape;
    return { out: swapHeads(out), lse: permute(reshape(lse, [heads, batch, length]), [1, 0, 2]) };
  },
  attention_varlen: ({ q, k, v, cu_seqlens_q: offsetsQ, cu_seqlens_k: offsetsK }, attributes) => ({
    ...attention(q as Tensor, k as Tensor, v as Tensor, {
      ...(attributes as AttentionOptions),
      ...(offsetsQ && { offsetsQ }),
      ...(offsetsK && { offsetsK }),
    }),
  }),
};
