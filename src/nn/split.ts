import { concat, slice } from '../ops/copy_strided.js';
import { customOp } from '../tensor/autograd.js';
import { Tensor } from '../tensor/tensor.js';

/**
 * Parts of the last axis, one after the other. The gradient is the parts' gradients side by side, in one pass; cutting with `slice`
 * would add up one array of zeros per part.
 *
 * @param sizes lengths of the parts; they sum to the length of the axis
 */
export function split(x: Tensor, sizes: readonly number[]): Tensor[] {
  const lead = x.shape.slice(0, -1);
  const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((a, b) => a + b, 0));
  const zeros = lead.map(() => 0);
  return customOp(
    'split',
    [x],
    () => sizes.map((size, i) => slice(x, [...zeros, starts[i] as number], [...lead, (starts[i] as number) + size])),
    (upstream) => [
      concat(
        upstream.map((gradient, i) => gradient ?? Tensor.zeros([...lead, sizes[i] as number], x.dtype, x.device)),
        -1,
      ),
    ],
  );
}
