import { type CausalConv1dOptions, causalConv1d, permute, reshape, type Tensor } from '../../../src/index.js';
import type { Adapter } from '../vectors.js';
import { batchOffsets } from './packed.js';

export const causalConv1dAdapters: Record<string, Adapter> = {
  // x [batch, dim, length]
  causal_conv1d: ({ x, weight, bias, cu_seqlens }, { activation, reverse }) => {
    const [batch, dim, length] = (x as Tensor).shape as [number, number, number];
    const packed = reshape(permute(x as Tensor, [0, 2, 1]), [batch * length, dim]);
    const options = { bias, activation: activation as CausalConv1dOptions['activation'], reverse: reverse as boolean };
    const out = causalConv1d(
      packed,
      weight as Tensor,
      { ...options, offsets: cu_seqlens ?? batchOffsets(batch, length) } as CausalConv1dOptions,
    );
    return { out: permute(reshape(out, [batch, length, dim]), [0, 2, 1]) };
  },
};
