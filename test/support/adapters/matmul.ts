import { matmul, type Tensor } from '../../../src/index.js';
import type { Adapter } from '../vectors.js';

export const matmulAdapters: Record<string, Adapter> = {
  matmul: ({ a, b }, { ta, tb }) => ({ out: matmul(a as Tensor, b as Tensor, { transposeA: Boolean(ta), transposeB: Boolean(tb) }) }),
};
