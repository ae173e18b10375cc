import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, requireTensor } from './check.js';

interface L2NormParams {
  n: number;
  x: FloatArray;
  norm: FloatArray;
}

const l2NormKernel = kernel<L2NormParams>('l2_norm', ({ n, x, norm }) => {
  let total = 0;
  for (let i = 0; i < n; i++) total += (x[i] as number) ** 2;
  norm[0] = Math.sqrt(total);
});

/**
 * Euclidean norm of all elements, sqrt(sum x^2), summed in float64: NaN where an element is NaN, Infinity where one is infinite.
 * Takes no part in the graph.
 *
 * @example
 * l2Norm(Tensor.from([3, 4]));   // 5
 */
export function l2Norm(x: Tensor): number {
  requireTensor('l2Norm', 'x', x);
  const norm = Tensor.empty([1], x.dtype, x.device);
  l2NormKernel({ n: x.size, x: floats(x), norm: floats(norm) });
  const value = norm.item();
  norm.dispose();
  return value;
}
