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

/**
 * erfc(x) = 1 - erf(x) in float64: below 2 by the series erf(x) = 2 / sqrt(pi) e^(-x^2) sum 2^n x^(2n+1) / (1 3 ... (2n+1)),
 * whose terms are all positive; from there by the continued fraction e^(-x^2) / sqrt(pi) / (x + 1/2 / (x + 2/2 / (x + ...))).
 */
function erfc(x: number): number {
  if (x < 0) return 2 - erfc(-x);
  if (x >= 2) {
    let fraction = x;
    for (let k = 80; k >= 1; k--) fraction = x + k / 2 / fraction;
    return Math.exp(-x * x) / Math.sqrt(Math.PI) / fraction;
  }
  let term = x;
  let total = x;
  for (let n = 1; Math.abs(term) > 1e-17 * total; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    total += term;
  }
  return 1 - (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total + 0 * x;
}

const normalCdf = (x: number) => 0.5 * erfc(-x / Math.SQRT2);
const normalPdf = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

// gelu in its tanh form is x logistic(2u) with u = sqrt(2/pi) (x + 0.044715 x^3), since (1 + tanh(u)) / 2 = logistic(2u)
const twiceU = (x: number) => 2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3);
const twiceUSlope = (x: number) => 2 * Math.sqrt(2 / Math.PI) * (1 + 3 * 0.044715 * x * x);

/** Name, function and derivative, in the order of `UnaryOp` in native/kernels/unary.h. */
const functions: readonly { name: string; f: (x: number) => number; slope: (x: number) => number }[] = [
  { name: 'neg', f: (x) => -x, slope: () => -1 },
  { name: 'abs', f: Math.abs, slope: (x) => Math.sign(x) },
  { name: 'exp', f: Math.exp, slope: Math.exp },
  { name: 'log', f: Math.log, slope: (x) => 1 / x },
  { name: 'sqrt', f: Math.sqrt, slope: (x) => 0.5 / Math.sqrt(x) },
  { name: 'square', f: (x) => x * x, slope: (x) => 2 * x },
  { name: 'reciprocal', f: (x) => 1 / x, slope: (x) => -1 / (x * x) },
  { name: 'tanh', f: Math.tanh, slope: (x) => 1 / Math.cosh(x) ** 2 },
  { name: 'sigmoid', f: logistic, slope: (x) => logistic(x) * logistic(-x) },
  { name: 'silu', f: (x) => x / (1 + Math.exp(-x)), slope: (x) => logistic(x) * (1 + x * logistic(-x)) },
  { name: 'softplus', f: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), slope: (x) => (x === 0 ? 1 : logistic(x)) },
  { name: 'relu', f: (x) => Math.max(x, 0), slope: (x) => (x > 0 ? 1 : Math.max(x, 0)) },
  {
    name: 'geluTanh',
    f: (x) => x * logistic(twiceU(x)),
    slope: (x) => logistic(twiceU(x)) + x * (logistic(twiceU(x)) * logistic(-twiceU(x))) * twiceUSlope(x),
  },
  { name: 'geluErf', f: (x) => x * normalCdf(x), slope: (x) => normalCdf(x) + x * normalPdf(x) },
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
  const y = Tensor.empty(x.shape, x.dtype, x.device);
  unaryFwd({ op, n, x: floats(x), y: floats(y) });
  return record(name, [x], y, (dy) => {
    const dx = Tensor.empty(x.shape, x.dtype, x.device);
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

/** x / (1 + e^-x), elementwise (Elfwing et al. 2018, "SiLU"); NaN at -Infinity, as the formula gives. @example silu(Tensor.from([-1, 1])); */
export const silu = (x: Tensor): Tensor => unary('silu', x);

/**
 * log(1 + e^x), elementwise; stable for any x. At exactly 0 the gradient is 1, as in the specification's vectors, which
 * differentiate max(x, 0) + log1p(e^-|x|) term by term; the true derivative there is 1/2.
 *
 * @example softplus(Tensor.from([0]));
 */
export const softplus = (x: Tensor): Tensor => unary('softplus', x);

/** max(x, 0), elementwise; its derivative at 0 is 0. @example relu(Tensor.from([-1, 1])); */
export const relu = (x: Tensor): Tensor => unary('relu', x);

/**
 * Gaussian error linear unit in its tanh form (Hendrycks & Gimpel 2016), elementwise:
 * x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))). NaN at -Infinity, as the formula gives.
 *
 * @example geluTanh(Tensor.from([-1, 0, 1]));
 */
export const geluTanh = (x: Tensor): Tensor => unary('geluTanh', x);

/**
 * Gaussian error linear unit in its exact form (Hendrycks & Gimpel 2016), elementwise: x/2 erfc(-x / sqrt(2)), that is x times
 * the probability that a standard normal number lies below x. NaN at -Infinity, as the formula gives.
 *
 * @example geluErf(Tensor.from([-1, 0, 1]));
 */
export const geluErf = (x: Tensor): Tensor => unary('geluErf', x);
