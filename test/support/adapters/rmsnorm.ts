import { addRmsNorm, rmsNorm, type Tensor } from '../../../src/index.js';
import type { Adapter, Tensors } from '../vectors.js';

export const rmsnormAdapters: Record<string, Adapter> = {
  rmsnorm: ({ x, residual, z, weight }, { eps }): Tensors => {
    const options = { weight, z, eps: eps as number };
    if (!residual) return { out: rmsNorm(x as Tensor, options) };
    const { out, sum } = addRmsNorm(x as Tensor, residual, options);
    return { out, residual_out: sum };
  },
};
