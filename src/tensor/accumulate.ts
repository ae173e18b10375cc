import { kernel } from '../native/call.js';
import type { FloatArray } from './arena.js';
import type { Tensor } from './tensor.js';

interface AccumulateParams {
  n: number;
  x: FloatArray;
  y: FloatArray;
}

/** y[i] += x[i] */
const accumulateKernel = kernel<AccumulateParams>('accumulate', ({ n, x, y }) => {
  for (let i = 0; i < n; i++) (y[i] as number) += x[i] as number;
});

/** target += addend, in place. */
export function accumulate(target: Tensor, addend: Tensor): void {
  accumulateKernel({ n: target.size, x: addend.memory as FloatArray, y: target.memory as FloatArray });
}
