import { type AsyncOptions, hostKernel } from '../../native/call.js';
import type { PlaneSize } from './plane.js';
import { waveletTaps } from './wavelet_taps.js';

interface StationaryWavelet {
  height: number;
  width: number;
  taps: number;
  axis: number;
  lowTaps: Float64Array;
  highTaps: Float64Array;
  x: Float64Array;
  low: Float64Array;
  high: Float64Array;
}

/** The definition (native/kernels/stationary_wavelet.h). */
function stationaryWaveletReference({ height, width, taps, axis, lowTaps, highTaps, x, low, high }: StationaryWavelet): void {
  const [lines, length, lineStride, step] = axis === 0 ? [height, width, width, 1] : [width, height, 1, width];
  for (let line = 0; line < lines; line++) {
    for (let o = 0; o < length; o++) {
      const start = o + Math.floor(taps / 2);
      const past = start - length; // taps 0 to past lie beyond the end of the line; pywt sums these first, backwards
      let [sumLow, sumHigh] = [0, 0];
      for (let i = 0; i < taps; i++) {
        const t = i <= past ? past - i : i;
        const from = (((start - t) % length) + length) % length;
        const value = x[line * lineStride + from * step] as number;
        sumLow += (lowTaps[t] as number) * value;
        sumHigh += (highTaps[t] as number) * value;
      }
      low[line * lineStride + o * step] = sumLow;
      high[line * lineStride + o * step] = sumHigh;
    }
  }
}

export const stationaryWaveletKernel = hostKernel('stationary_wavelet', stationaryWaveletReference);

export interface WaveletOptions {
  /** A name of `waveletNames()`. */
  wavelet: string;
  /** Levels to return. */
  level: number;
  /** Levels to take off before. */
  startLevel: number;
}

/** One band of a decomposition; L is low, H is high, the first letter speaks of x and the second of y. */
export interface WaveletBand {
  /** From 1. */
  level: number;
  band: 'LH' | 'HL' | 'HH' | 'LL';
  plane: Float64Array;
}

/**
 * The bands of the stationary wavelet transform, in PyRadiomics' order: LH, HL, HH of each level, then LL of the last. Each level
 * transforms the LL band of the one before with the same, undilated taps, as PyRadiomics does (calling pywt level by level). A plane with
 * an odd side is first lengthened there by its first row or column; the bands are cut back.
 */
export async function* waveletBands(
  x: Float64Array,
  size: PlaneSize,
  { wavelet, level, startLevel }: WaveletOptions,
  options?: AsyncOptions,
): AsyncGenerator<WaveletBand> {
  const even = { width: size.width + (size.width % 2), height: size.height + (size.height % 2) };
  const crop = (plane: Float64Array) => resize(plane, even, size);
  const { low: lowTaps, high: highTaps } = waveletTaps(wavelet);
  const split = async (from: Float64Array, axis: number) => {
    const [low, high] = [new Float64Array(from.length), new Float64Array(from.length)];
    await stationaryWaveletKernel.async({ ...even, taps: lowTaps.length, axis, lowTaps, highTaps, x: from, low, high }, options);
    return { low, high };
  };
  let smooth = resize(x, size, even);
  for (let at = 0; at < startLevel; at++) smooth = (await split((await split(smooth, 0)).low, 1)).low;
  for (let at = 1; at <= level; at++) {
    const { low, high } = await split(smooth, 0);
    const left = await split(low, 1);
    yield { level: at, band: 'LH', plane: crop(left.high) };
    const right = await split(high, 1);
    yield { level: at, band: 'HL', plane: crop(right.low) };
    yield { level: at, band: 'HH', plane: crop(right.high) };
    smooth = left.low;
  }
  yield { level, band: 'LL', plane: crop(smooth) };
}

/** A plane of another size: cut, or gone on with its first rows and columns. */
function resize(x: Float64Array, from: PlaneSize, to: PlaneSize): Float64Array {
  if (from.width === to.width && from.height === to.height) return x;
  const y = new Float64Array(to.width * to.height);
  for (let r = 0; r < to.height; r++) {
    const row = (r % from.height) * from.width;
    for (let c = 0; c < to.width; c++) y[r * to.width + c] = x[row + (c % from.width)] as number;
  }
  return y;
}
