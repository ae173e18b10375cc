import { mismatch } from '../errors.js';
import { record } from '../tensor/autograd.js';
import { format, type Shape, sameShape, sizeOf } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { broadcastTo } from './broadcast.js';
import { floats, requireOptions, requireSameDtype, requireTensor } from './check.js';
import { gemm } from './gemm.js';
import { sumTo } from './reduce.js';

export interface MatmulOptions {
  /** Uses a^T, its last two axes swapped. Default false. */
  transposeA?: boolean;
  /** Uses b^T, its last two axes swapped. Default false. */
  transposeB?: boolean;
}

/** A stack of matrices as the kernel reads it: one for every batch entry, or one for all of them. */
interface Stack {
  tensor: Tensor;
  batch: number;
  transposed: boolean;
}

const matrix = (shape: Shape): [number, number] => [shape.at(-2) as number, shape.at(-1) as number];

/** op(a) op(b), of shape [...batchShape, m, n]. */
function multiply(a: Stack, b: Stack, shape: Shape): Tensor {
  const [m, n] = matrix(shape);
  const k = a.tensor.shape.at(a.transposed ? -2 : -1) as number;
  const y = Tensor.empty(shape, a.tensor.dtype, a.tensor.device);
  const batch = sizeOf(shape.slice(0, -2));
  // One b for all rows of an untransposed a: a single product of batch * m rows.
  const folded = b.batch === 1 && a.batch === batch && !a.transposed;
  gemm({
    transposeA: a.transposed,
    transposeB: b.transposed,
    activation: 0,
    batch: folded ? 1 : batch,
    aBatch: folded ? 1 : a.batch,
    bBatch: b.batch,
    m: folded ? batch * m : m,
    n,
    k,
    a: floats(a.tensor),
    b: floats(b.tensor),
    c: floats(y),
  });
  return y;
}

const flipped = (stack: Stack): Stack => ({ ...stack, transposed: !stack.transposed });

/** The gradient of an operand: left times right, added up over the batch where the operand served all of it. */
function gradient(operand: Stack, left: Stack, right: Stack, batchShape: Shape): Tensor {
  const shape = operand.tensor.shape;
  const batch = sizeOf(batchShape);
  // Both lie by k, batch entry after batch entry: the sum over the batch is a longer k.
  if (operand.batch === 1 && left.transposed && !right.transposed && left.batch === batch && right.batch === batch) {
    const joined = ({ tensor, transposed }: Stack): Stack => {
      const [rows, columns] = matrix(tensor.shape);
      return { tensor: tensor.alias([batch * rows, columns]), batch: 1, transposed };
    };
    return multiply(joined(left), joined(right), shape);
  }
  return sumTo(multiply(left, right, [...batchShape, ...matrix(shape)]), shape);
}

/** Batch axes of both operands together, by the rule of broadcasting. */
function broadcastBatch(a: Shape, b: Shape): number[] | undefined {
  const length = Math.max(a.length, b.length);
  const at = (shape: Shape, axis: number) => shape[axis - length + shape.length] ?? 1;
  const axes = Array.from({ length }, (_, axis) => (at(a, axis) === 1 ? at(b, axis) : at(a, axis)));
  return axes.every((n, axis) => [1, n].includes(at(a, axis)) && [1, n].includes(at(b, axis))) ? axes : undefined;
}

/**
 * Products of matrices in the last two axes; the axes before them are a batch and broadcast. Gradients of what was broadcast are
 * added up.
 *
 * @param a [..., m, k] ([..., k, m] with `transposeA`)
 * @param b [..., k, n] ([..., n, k] with `transposeB`)
 * @returns [..., m, n]
 * @throws UamError `UAM_SHAPE` where the shapes do not fit, `UAM_DTYPE` for tensors that are not of one float type
 * @example
 * matmul(Tensor.from([1, 2, 3, 4], [2, 2]), Tensor.from([1, 0, 0, 1], [2, 2])).data;   // [1, 2, 3, 4]
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  requireTensor('matmul', 'a', a);
  requireTensor('matmul', 'b', b);
  requireOptions('matmul', options, ['transposeA', 'transposeB']);
  requireSameDtype('matmul', a, b);
  const { transposeA = false, transposeB = false } = options;
  if (a.shape.length < 2)
    throw mismatch('UAM_SHAPE', 'matmul: a', '[..., m, k]', format(a.shape), 'reshape a vector to a matrix of one row');
  if (b.shape.length < 2)
    throw mismatch('UAM_SHAPE', 'matmul: b', '[..., k, n]', format(b.shape), 'reshape a vector to a matrix of one column');
  const [aFirst, aSecond] = matrix(a.shape);
  const [bFirst, bSecond] = matrix(b.shape);
  const [m, k] = transposeA ? [aSecond, aFirst] : [aFirst, aSecond];
  const [kOfB, n] = transposeB ? [bSecond, bFirst] : [bFirst, bSecond];
  const batchShape = broadcastBatch(a.shape.slice(0, -2), b.shape.slice(0, -2));
  if (kOfB !== k || !batchShape) {
    const [aText, bText] = [transposeA ? '[..., k, m]' : '[..., m, k]', transposeB ? '[..., n, k]' : '[..., k, n]'];
    throw mismatch(
      'UAM_SHAPE',
      `matmul: a ${aText} and b ${bText}`,
      'of one k, with batch axes that broadcast',
      `${format(a.shape)} and ${format(b.shape)}`,
    );
  }
  return stacked(ready(a, batchShape), ready(b, batchShape), { transposeA, transposeB }, [...batchShape, m, n]);
}

/** The operand itself where it has one matrix or one for every batch entry, else repeated to that. */
function ready(x: Tensor, batchShape: Shape): Tensor {
  const own = x.shape.slice(0, -2);
  if (sizeOf(own) === 1 || sameShape(own, batchShape)) return x;
  return broadcastTo(x, [...batchShape, ...matrix(x.shape)]);
}

function stacked(a: Tensor, b: Tensor, { transposeA, transposeB }: Required<MatmulOptions>, shape: Shape): Tensor {
  const batchShape = shape.slice(0, -2);
  const stack = (tensor: Tensor, transposed: boolean): Stack => ({ tensor, batch: sizeOf(tensor.shape.slice(0, -2)), transposed });
  const [left, right] = [stack(a, transposeA), stack(b, transposeB)];
  return record('matmul', [a, b], multiply(left, right, shape), (dy, [needsA, needsB]) => {
    const up = stack(dy, false);
    const dA = () => (transposeA ? gradient(left, right, flipped(up), batchShape) : gradient(left, up, flipped(right), batchShape));
    const dB = () => (transposeB ? gradient(right, flipped(up), left, batchShape) : gradient(right, flipped(left), up, batchShape));
    return [needsA ? dA() : undefined, needsB ? dB() : undefined];
  });
}
