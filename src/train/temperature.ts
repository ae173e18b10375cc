// What logits are divided by so that their probabilities are calibrated.
import { UamError } from '../errors.js';

/** Temperatures are fitted from 1 / WIDEST to WIDEST: where few cases are all right, none would be low enough. */
const WIDEST = 20;

/** Slope and curvature in b = 1/T of the mean of -log softmax(b z)[truth]: E[z] - z_truth and the variance of z. */
function slope(logits: ArrayLike<number>, truth: Int32Array, width: number, b: number): { first: number; second: number } {
  let [first, second] = [0, 0];
  for (let i = 0; i < truth.length; i++) {
    let top = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < width; c++) top = Math.max(top, logits[i * width + c] as number);
    let [sum, mean, square] = [0, 0, 0];
    for (let c = 0; c < width; c++) {
      const z = (logits[i * width + c] as number) - top;
      const e = Math.exp(b * z);
      sum += e;
      mean += e * z;
      square += e * z * z;
    }
    mean /= sum;
    first += mean - ((logits[i * width + (truth[i] as number)] as number) - top);
    second += Math.max(0, square / sum - mean * mean);
  }
  return { first: first / truth.length, second: second / truth.length };
}

/**
 * The temperature that makes softmax(logits / T) fit best: the least mean -log p(truth) (Guo et al., ICML 2017). The loss is convex in
 * 1/T; Newton's method finds its minimum, kept inside a bracket by bisection. Fit it on validation patients, never on those tested.
 *
 * @param logits `[n, C]`; logarithms of probabilities serve as well. Rows with NaN are passed over
 * @param truth `[n]` classes from 0 to C - 1; -1 is passed over
 * @returns from 0.05 to 20: the ends where the loss falls beyond them (every point right: the surer the better)
 * @throws UamError `UAM_SHAPE` for lengths that do not fit; `UAM_DATA` where no row is left, or a truth is no class
 * @example
 * // Three of four right, each called with odds of 9 to 1: too sure, so T > 1, and then the odds are 3 to 1.
 * const T = fitTemperature(Float64Array.from([1, 1, 1, 1].flatMap(() => [Math.log(9), 0])), [0, 0, 0, 1]);
 * console.log(T); // 2
 */
export function fitTemperature(logits: Float32Array | Float64Array, truth: ArrayLike<number>): number {
  const width = truth.length > 0 ? logits.length / truth.length : 0;
  if (!Number.isInteger(width) || width < 2) {
    throw new UamError('UAM_SHAPE', `fitTemperature: ${logits.length} logits do not make rows of two or more for ${truth.length} points`);
  }
  const [kept, labels] = [new Float64Array(logits.length), new Int32Array(truth.length)];
  let rows = 0;
  for (let i = 0; i < truth.length; i++) {
    const y = truth[i] as number;
    if (!Number.isInteger(y) || y < -1 || y >= width) {
      throw new UamError('UAM_DATA', `fitTemperature: the truth of point ${i} must be 0 to ${width - 1}, or -1, received ${y}`);
    }
    const row = logits.subarray(i * width, (i + 1) * width);
    if (y < 0 || !row.every(Number.isFinite)) continue;
    kept.set(row, rows * width);
    labels[rows++] = y;
  }
  if (rows === 0) throw new UamError('UAM_DATA', 'fitTemperature: no point has both a label and finite logits');
  return 1 / leastLoss(kept, labels.subarray(0, rows), width);
}

function leastLoss(logits: Float64Array, truth: Int32Array, width: number): number {
  let [low, high] = [1 / WIDEST, WIDEST];
  if (slope(logits, truth, width, high).first <= 0) return slope(logits, truth, width, 1).first === 0 ? 1 : high; // 0: T changes nothing
  if (slope(logits, truth, width, low).first >= 0) return low;
  let b = 1;
  for (let step = 0; step < 200; step++) {
    const { first, second } = slope(logits, truth, width, b);
    if (first === 0) break;
    if (first < 0) low = b;
    else high = b;
    const newton = second > 0 ? b - first / second : Number.NaN;
    const next = newton > low && newton < high ? newton : (low + high) / 2;
    if (Math.abs(next - b) <= 1e-13 * b) return next;
    b = next;
  }
  return b;
}

/**
 * Probabilities at a temperature: softmax(logits / T), row by row.
 *
 * @param logits `[n, C]`
 * @param width C
 * @param temperature greater than 0; 1 is the plain softmax
 * @returns `[n, C]`; a row with NaN gives NaN
 * @throws UamError `UAM_ARGUMENT`, `UAM_SHAPE`
 * @example console.log(softmaxAt(Float64Array.of(Math.log(9), 0), 2, 2)); // 0.75, 0.25
 */
export function softmaxAt(logits: Float32Array | Float64Array, width: number, temperature: number): Float64Array {
  if (!(temperature > 0 && temperature < Number.POSITIVE_INFINITY)) {
    throw new UamError('UAM_ARGUMENT', `softmaxAt: the temperature must be a number greater than 0, received ${temperature}`);
  }
  if (!Number.isInteger(width) || width < 1 || logits.length % width !== 0) {
    throw new UamError('UAM_SHAPE', `softmaxAt: ${logits.length} logits do not make rows of ${width}`);
  }
  const out = new Float64Array(logits.length);
  for (let at = 0; at < out.length; at += width) {
    let top = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < width; c++) top = Math.max(top, logits[at + c] as number);
    let sum = 0;
    for (let c = 0; c < width; c++) sum += out[at + c] = Math.exp(((logits[at + c] as number) - top) / temperature);
    for (let c = 0; c < width; c++) out[at + c] = (out[at + c] as number) / sum;
  }
  return out;
}
