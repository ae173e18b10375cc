import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { bring } from '../tensor/bring.js';
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
  return normsOf([x])[0] as number;
}

/** The norms of tensors of one device and type. A card is waited for once, not once for each. */
export function normsOf(tensors: readonly Tensor[]): number[] {
  const [first] = tensors;
  if (!first) return [];
  const norms = Tensor.empty([tensors.length], first.dtype, first.device);
  tensors.forEach((x, i) => {
    const norm = norms.rows(i, i + 1);
    l2NormKernel({ n: x.size, x: floats(x), norm: floats(norm) });
    norm.dispose();
  });
  const host = bring(norms, 'cpu');
  const values = Array.from(host.data);
  host.dispose();
  norms.dispose();
  return values;
}
