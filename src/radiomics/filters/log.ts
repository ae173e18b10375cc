// The Laplacian of Gaussian as ITK's LaplacianRecursiveGaussianImageFilter computes it: by recursive filters that approximate
// convolution with a Gaussian and with its second derivative, whatever the width, at the same cost.
import { type AsyncOptions, hostKernel } from '../../native/call.js';
import type { PlaneSize, Spacing } from './plane.js';

interface RecursiveGaussian {
  height: number;
  width: number;
  axis: number;
  accumulate: boolean;
  scale: number;
  coefficients: Float64Array;
  x: Float64Array;
  y: Float64Array;
}

/** The definition (native/kernels/recursive_gaussian.h). */
function recursiveGaussianReference({ height, width, axis, accumulate, scale, coefficients, x, y }: RecursiveGaussian): void {
  const [n, d, m] = [coefficients.subarray(0, 4), coefficients.subarray(4, 8), coefficients.subarray(8, 12)];
  const [before, after] = coefficients.subarray(12) as unknown as [number, number];
  const [lines, length, lineStride, step] = axis === 0 ? [height, width, width, 1] : [width, height, 1, width];
  const dot = (taps: Float64Array, value: (j: number) => number) => {
    let sum = (taps[0] as number) * value(0);
    for (let j = 1; j < 4; j++) sum += (taps[j] as number) * value(j);
    return sum;
  };
  for (let line = 0; line < lines; line++) {
    const place = (i: number) => line * lineStride + Math.min(Math.max(i, 0), length - 1) * step;
    const input = (i: number) => x[place(i)] as number;
    const forward = new Float64Array(length);
    const backward = new Float64Array(length);
    const forwardAt = (i: number) => (i < 0 ? input(0) * before : (forward[i] as number));
    const backwardAt = (i: number) => (i >= length ? input(length) * after : (backward[i] as number));
    for (let i = 0; i < length; i++) forward[i] = dot(n, (j) => input(i - j)) - dot(d, (j) => forwardAt(i - 1 - j));
    for (let i = length - 1; i >= 0; i--) backward[i] = dot(m, (j) => input(i + 1 + j)) - dot(d, (j) => backwardAt(i + 1 + j));
    for (let i = 0; i < length; i++) {
      const value = (forward[i] as number) + (backward[i] as number);
      y[place(i)] = (accumulate ? (y[place(i)] as number) : 0) + scale * value;
    }
  }
}

export const recursiveGaussianKernel = hostKernel('recursive_gaussian', recursiveGaussianReference);

/** One damped oscillation of the approximation: (a cos(w t) + b sin(w t)) e^(l t), t in units of sigma. */
interface Oscillation {
  a: number;
  b: number;
  w: number;
  l: number;
}

// Table 1 of G. Farneback and C.-F. Westin, "Improving Deriche-style recursive Gaussian filters", Journal of Mathematical Imaging
// and Vision 26 (2006) 293-299: order 4, one pair of poles for all derivatives. ITK uses the same.
const poles = [
  { w: 0.6681, l: -1.3932 },
  { w: 2.0787, l: -1.3732 },
] as const;
const smoothing: readonly Oscillation[] = [
  { a: 1.353, b: 1.8151, ...poles[0] },
  { a: -0.3531, b: 0.0902, ...poles[1] },
];
const secondDerivative: readonly Oscillation[] = [
  { a: -1.3563, b: 5.2318, ...poles[0] },
  { a: 0.3446, b: -2.2355, ...poles[1] },
];

const sum = (values: readonly number[], weight: (j: number) => number): number =>
  values.reduce((total, value, j) => total + value * weight(j), 0);

/** The product of two polynomials in z^-1. */
function multiply(p: readonly number[], q: readonly number[]): number[] {
  const product = new Array<number>(p.length + q.length - 1).fill(0);
  for (const [i, a] of p.entries()) for (const [j, b] of q.entries()) (product[i + j] as number) += a * b;
  return product;
}

/**
 * Numerator and denominator of the z transform of the sampled half response sum over n >= 0 of h(n / sigma) z^-n: each oscillation is
 * (a + (b sin - a cos) e z^-1) / (1 - 2 cos e z^-1 + e^2 z^-2), with the sine and cosine of w / sigma and e = exp(l / sigma).
 */
function transfer([first, second]: readonly Oscillation[], sigma: number): { numerator: number[]; denominator: number[] } {
  const fraction = ({ a, b, w, l }: Oscillation) => {
    const [sine, cosine, e] = [Math.sin(w / sigma), Math.cos(w / sigma), Math.exp(l / sigma)];
    return { over: [a, (b * sine - a * cosine) * e], under: [1, -2 * cosine * e, e * e] };
  };
  const [one, two] = [fraction(first as Oscillation), fraction(second as Oscillation)];
  const [left, right] = [multiply(one.over, two.under), multiply(two.over, one.under)];
  return { numerator: left.map((value, j) => value + (right[j] as number)), denominator: multiply(one.under, two.under) };
}

/**
 * Coefficients of the kernel for a Gaussian (order 0) or its second derivative (order 2), scaled so that a constant keeps its value,
 * or so that the response to a constant is 0 and to x^2 / 2 is 1.
 *
 * @param sigma standard deviation in pixels
 */
export function gaussianCoefficients(order: 0 | 2, sigma: number): Float64Array {
  const { numerator: smooth, denominator } = transfer(smoothing, sigma);
  // Moments of the half response follow from numerator and denominator at z = 1 and their derivatives there.
  const [sd, dd, ed] = [sum(denominator, () => 1), sum(denominator, (j) => j), sum(denominator, (j) => j * j)];
  const total = (p: readonly number[]) => (2 * sum(p, () => 1)) / sd - (p[0] as number); // both halves share their middle value
  let n = smooth;
  let scale = total(smooth);
  if (order === 2) {
    const curved = transfer(secondDerivative, sigma).numerator;
    const share = -total(curved) / total(smooth); // of the Gaussian, to be added so that the response to a constant is 0
    n = curved.map((value, j) => value + share * (smooth[j] as number));
    const [sn, dn, en] = [sum(n, () => 1), sum(n, (j) => j), sum(n, (j) => j * j)];
    scale = (en * sd * sd - ed * sn * sd - 2 * dn * dd * sd + 2 * dd * dd * sn) / sd ** 3; // sum of n^2 h(n) over one half
  }
  n = n.map((value) => value / scale);
  const n0 = n[0] as number;
  const m = denominator.slice(1).map((d, j) => (n[j + 1] ?? 0) - d * n0);
  return Float64Array.from([...n.slice(0, 4), ...denominator.slice(1), ...m, sum(n, () => 1) / sd, sum(m, () => 1) / sd]);
}

/**
 * The Laplacian of Gaussian of a plane, times sigma^2 (ITK's NormalizeAcrossScale, which PyRadiomics turns on).
 *
 * @param sigma standard deviation of the Gaussian, in the unit of `spacing`
 */
export async function laplacianOfGaussian(
  x: Float64Array,
  { width, height }: PlaneSize,
  sigma: number,
  spacing: Spacing,
  options?: AsyncOptions,
): Promise<Float64Array> {
  const y = new Float64Array(x.length);
  const curved = new Float64Array(x.length);
  for (const axis of [0, 1] as const) {
    const [along, across] = [sigma / spacing[axis], sigma / spacing[(1 - axis) as 0 | 1]];
    const pass = { height, width };
    const bend = { ...pass, axis, accumulate: false, scale: along * along, coefficients: gaussianCoefficients(2, along) };
    await recursiveGaussianKernel.async({ ...bend, x, y: curved }, options);
    const smooth = { ...pass, axis: 1 - axis, accumulate: axis === 1, scale: 1, coefficients: gaussianCoefficients(0, across) };
    await recursiveGaussianKernel.async({ ...smooth, x: curved, y }, options);
  }
  return y;
}
