import { mismatch } from '../errors.js';
import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { record } from '../tensor/autograd.js';
import { Tensor } from '../tensor/tensor.js';
import { add, mul } from './binary.js';
import { floats, requireTensor } from './check.js';
import { uniformAt } from './philox.js';
import { checkKey, type RandomKey, randomNormal } from './random.js';

interface DropoutParams {
  rate: number;
  seed: number;
  step: number;
  stream: number;
  n: number;
  x: FloatArray;
  y: FloatArray;
}

const dropoutKernel = kernel<DropoutParams>('dropout', ({ rate, seed, step, stream, n, x, y }) => {
  const limit = Math.fround(rate); // native code holds the rate in float32; masks must agree
  for (let i = 0; i < n; i++) y[i] = uniformAt(seed, step, stream, i) >= limit ? (x[i] as number) / (1 - limit) : 0;
});

/**
 * Sets each element to 0 with probability `rate` and scales the others by 1 / (1 - rate) (Srivastava et al. 2014). The mask is a
 * function of `key`: it is made again in the backward pass, not stored, and a run repeats exactly.
 *
 * @param rate in [0, 1)
 * @throws UamError `UAM_ARGUMENT` for another rate or key
 * @example dropout(Tensor.from([1, 2, 3]), 0.1, { seed: 1, step: 12, stream: 3 });
 */
export function dropout(x: Tensor, rate: number, key: RandomKey): Tensor {
  requireTensor('dropout', 'x', x);
  if (!(rate >= 0 && rate < 1)) throw mismatch('UAM_ARGUMENT', 'dropout: rate', 'in [0, 1)', String(rate));
  const params = { rate, ...checkKey('dropout', key), n: x.size };
  const apply = (from: Tensor): Tensor => {
    const to = Tensor.empty(from.shape, from.dtype, from.device);
    dropoutKernel({ ...params, x: floats(from), y: floats(to) });
    return to;
  };
  return record('dropout', [x], apply(x), (dy) => [apply(dy)]);
}

/**
 * x + sigma * n with n normal of mean 0 and variance 1.
 *
 * @throws UamError `UAM_ARGUMENT` for a key that is not made of integers from 0 to 2^32 - 1
 * @example addNoise(Tensor.from([1, 2, 3]), 0.05, { seed: 1, step: 12 });
 */
export function addNoise(x: Tensor, sigma: number, key: RandomKey): Tensor {
  requireTensor('addNoise', 'x', x);
  const noise = randomNormal(x.shape, key, x.device);
  const like = x.dtype === 'float64' ? Tensor.from(Float64Array.from(noise.data), x.shape) : noise;
  return add(x, mul(like, sigma));
}
