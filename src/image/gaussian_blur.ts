import { UamError } from '../errors.js';
import { type AsyncOptions, hostKernel } from '../native/call.js';

interface GaussianBlurParams {
  height: number;
  width: number;
  taps: number;
  plane: Float32Array;
  weights: Float32Array;
  out: Float32Array;
}

function gaussianBlurReference({ height, width, taps, plane, weights, out }: GaussianBlurParams): void {
  const mirrored = (i: number, n: number) => {
    const at = ((i % (2 * n)) + 2 * n) % (2 * n);
    return at < n ? at : 2 * n - 1 - at;
  };
  const { fround } = Math;
  const smooth = (value: (i: number) => number, at: number, n: number) => {
    let sum = fround((weights[0] as number) * value(at));
    for (let k = 1; k < taps; k++) {
      sum = fround(sum + fround((weights[k] as number) * fround(value(mirrored(at - k, n)) + value(mirrored(at + k, n)))));
    }
    return sum;
  };
  const rows = new Float32Array(height * width);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) rows[y * width + x] = smooth((i) => plane[y * width + i] as number, x, width);
  }
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) out[y * width + x] = smooth((i) => rows[i * width + x] as number, y, height);
  }
}

const blur = hostKernel<GaussianBlurParams>('gaussian_blur', gaussianBlurReference);

/**
 * Smooths a plane with a Gaussian window, mirrored at the edges of the image (as SciPy's `gaussian_filter` does by default), cut off
 * after four standard deviations.
 *
 * @param plane `height * width` values
 * @param sigma the window's standard deviation in pixels; 0 copies
 * @returns the smoothed plane, in float32
 * @throws UamError `UAM_SHAPE`, `UAM_ARGUMENT`
 * @example
 * const smooth = gaussianBlur(Float32Array.of(0, 0, 9, 0, 0), 5, 1, 1);
 */
export function gaussianBlur(plane: Float32Array, width: number, height: number, sigma: number): Float32Array {
  const params = prepare('gaussianBlur', plane, width, height, sigma);
  blur(params);
  return params.out;
}

/**
 * As `gaussianBlur`, on a background thread.
 *
 * @param call `signal` ends the call; the promise then rejects with `UAM_ABORTED`
 * @throws UamError as `gaussianBlur`
 * @example
 * const smooth = await gaussianBlurAsync(Float32Array.of(0, 0, 9, 0, 0), 5, 1, 1);
 */
export async function gaussianBlurAsync(
  plane: Float32Array,
  width: number,
  height: number,
  sigma: number,
  call: AsyncOptions = {},
): Promise<Float32Array> {
  const params = prepare('gaussianBlurAsync', plane, width, height, sigma);
  await blur.async(params, call);
  return params.out;
}

function prepare(where: string, plane: Float32Array, width: number, height: number, sigma: number): GaussianBlurParams {
  if (plane.length !== width * height) {
    throw new UamError('UAM_SHAPE', `${where}: a plane of ${width} x ${height} has ${width * height} values, received ${plane.length}`);
  }
  if (!(sigma >= 0 && sigma <= 1e4))
    throw new UamError('UAM_ARGUMENT', `${where}: sigma must be from 0 to 10000 pixels, received ${sigma}`);
  const weights = gaussianWeights(sigma);
  return { height, width, taps: weights.length, plane, weights, out: new Float32Array(plane.length) };
}

function gaussianWeights(sigma: number): Float32Array {
  const radius = Math.floor(4 * sigma + 0.5);
  const raw = Array.from({ length: radius + 1 }, (_, k) => (sigma > 0 ? Math.exp((-k * k) / (2 * sigma * sigma)) : 1));
  const sum = raw.reduce((total, weight, k) => total + (k === 0 ? weight : 2 * weight), 0);
  return Float32Array.from(raw, (weight) => weight / sum);
}
