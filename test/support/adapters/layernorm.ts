import { layerNorm, type Tensor } from '../../../src/index.js';
import type { Adapter } from '../vectors.js';

export const layernormAdapters: Record<string, Adapter> = {
  layernorm: ({ x, weight, bias }, { eps }) => ({ out: layerNorm(x as Tensor, { weight, bias, eps: eps as number }) }),
};
