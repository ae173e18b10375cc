import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { record } from '../tensor/autograd.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, requireTensor } from './check.js';

interface UnaryFwdParams {
  op: number;
  n: number;
  x: FloatArray;
  y: FloatArray;
}

interface UnaryBwdParams {
  op: number;
  n: number;
  x: FloatArray;
  dy: FloatArray;
  dx: FloatArray;
}

const logistic = (x: number) => 1 / (1 + Math.exp(-x));

/** Name, function and derivative, in the order of `UnaryOp` in native/kernels/unary.h. */
const functions: readonly { name: string; f: (x: number) => number; slope: (x: number) => number }[] = [
  { name: 'neg', f: (x) => -x, slope: () => -1 },
  { name: 'abs', f: Math.abs, slope: (x) => Math.sign(x) },
  { name: 'exp', f: Math.exp, slope: Math.exp },
  { name: 'log', f: Math.log, slope: (x) => 1 / x },
  { name: 'sqrt', f: Math.sqrt, slope: (x) => 0.5 / Math.sqrt(x) },
  { name: 'square', f: (x) => x * x, slope: (x) => 2 * x },
  { name: 'reciprocal', f: (x) => 1 / x, slope: (x) => -1 / (x * x) },
  { name: 'tanh', f: Math.tanh, slope: (x) => 1 - Math.tanh(x) ** 2 },
  { name: 'sigmoid', f: logistic, slope: (x) => logistic(x) * logistic(-x) },
  { name: 'silu', f: (x) => x / (1 + Math.exp(-x)), slope: (x) => logistic(x) * (1 + x * logistic(-x)) },
  { name: 'softplus', f: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), slope: logistic },
  { name: 'relu', f: (x) => (x < 0 ? 0 : x), slope: (x) => (x > 0 ? 1 : 0 * x) },
];

const unaryFwd = kernel<UnaryFwdParams>('unary_fwd', ({ op, n, x, y }) => {
  const f = functions[op]?.f as (x: number) => number;
  for (let i = 0; i < n; i++) y[i] = f(x[i] as number);
});

const unaryBwd = kernel<UnaryBwdParams>('unary_bwd', ({ op, n, x, dy, dx }) => {
  const slope = functions[op]?.slope as (x: number) => number;
  for (let i = 0; i < n; i++) dx[i] = (dy[i] as number) * slope(x[i] as number);
});

function unary(name: string, x: Tensor): Tensor {
  requireTensor(name, 'x', x);
  const op = functions.findIndex((entry) => entry.name === name);
  const n = x.size;
  const y = Tensor.empty(x.shape, x.dtype);
  unaryFwd({ op, n, x: floats(x), y: floats(y) });
  return record(name, [x], y, (dy) => {
    const dx = Tensor.empty(x.shape, x.dtype);
    unaryBwd({ op, n, x: floats(x), dy: floats(dy), dx: floats(dx) });
    return [dx];
  });
}

/** -x, elementwise. @example neg(Tensor.from([1, -2])); */
export const neg = (x: Tensor): Tensor => unary('neg', x);

/** |x|, elementwise; its derivative at 0 is 0. @example abs(Tensor.from([1, -2])); */
export const abs = (x: Tensor): Tensor => unary('abs', x);

/** e^x, elementwise. @example exp(Tensor.from([0, 1])); */
export const exp = (x: Tensor): Tensor => unary('exp', x);

/** Natural logarithm, elementwise: -Infinity at 0, NaN below. @example log(Tensor.from([1, Math.E])); */
export const log = (x: Tensor): Tensor => unary('log', x);

/** Square root, elementwise: NaN below 0. @example sqrt(Tensor.from([4, 9])); */
export const sqrt = (x: Tensor): Tensor => unary('sqrt', x);

/** x^2, elementwise. @example square(Tensor.from([2, 3])); */
export const square = (x: Tensor): Tensor => unary('square', x);

/** 1 / x, elementwise. @example reciprocal(Tensor.from([2, 4])); */
export const reciprocal = (x: Tensor): Tensor => unary('reciprocal', x);

/** Hyperbolic tangent, elementwise. @example tanh(Tensor.from([0, 1])); */
export const tanh = (x: Tensor): Tensor => unary('tanh', x);

/** Logistic function 1 / (1 + e^-x), elementwise; stable for any x. @example sigmoid(Tensor.from([0])); */
export const sigmoid = (x: Tensor): Tensor => unary('sigmoid', x);

/** x / (1 + e^-x), elementwise (Elfwing et al. 2018, "SiLU"). @example silu(Tensor.from([-1, 1])); */
export const silu = (x: Tensor): Tensor => unary('silu', x);

/** log(1 + e^x), elementwise; stable for any x. @example softplus(Tensor.from([0])); */
export const softplus = (x: Tensor): Tensor => unary('softplus', x);

/** max(x, 0), elementwise; its derivative at 0 is 0. @example relu(Tensor.from([-1, 1])); */
export const relu = (x: Tensor): Tensor => unary('relu', x);
