import { mismatch } from '../errors.js';
import { record } from '../tensor/autograd.js';
import { format, type Shape } from '../tensor/shape.js';
import type { Tensor } from '../tensor/tensor.js';
import { requireTensor } from './check.js';
import { broadcastCopy } from './copy_strided.js';
import { sumTo } from './reduce.js';

/**
 * `x` repeated along axes of length 1, and along new leading axes. Copies.
 *
 * @throws UamError `UAM_SHAPE` where `x` does not broadcast to `shape`
 * @example broadcastTo(Tensor.from([1, 2]), [3, 2]);
 */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  requireTensor('broadcastTo', 'x', x);
  const lead = shape.length - x.shape.length;
  const fits = lead >= 0 && x.shape.every((n, axis) => n === 1 || n === shape[axis + lead]);
  if (!fits) throw mismatch('UAM_SHAPE', 'broadcastTo: shape', `one that ${format(x.shape)} broadcasts to`, format(shape));
  return record('broadcastTo', [x], broadcastCopy(x, shape), (dy) => [sumTo(dy, x.shape)]);
}
