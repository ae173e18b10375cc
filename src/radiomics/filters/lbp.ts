import { type AsyncOptions, hostKernel } from '../../native/call.js';
import type { PlaneSize } from './plane.js';

/** Names of scikit-image for the ways to turn a pattern into a number, in the order of the kernel's enumeration. */
export const lbpMethods = ['default', 'ror', 'uniform', 'var'] as const;
export type LbpMethod = (typeof lbpMethods)[number];

/** A pattern is kept in the bits of an int32. */
export const MOST_LBP_SAMPLES = 31;

interface LocalBinaryPattern {
  height: number;
  width: number;
  samples: number;
  method: number;
  rowOffsets: Float64Array;
  columnOffsets: Float64Array;
  x: Float64Array;
  y: Float64Array;
}

/** The definition (native/kernels/local_binary_pattern.h). */
function localBinaryPatternReference(p: LocalBinaryPattern): void {
  const { height, width, samples, x } = p;
  const pixel = (r: number, c: number) => (r < 0 || r >= height || c < 0 || c >= width ? 0 : (x[r * width + c] as number));
  const interpolate = (r: number, c: number): number => {
    const [top, left] = [Math.floor(r), Math.floor(c)];
    const [bottom, right] = [Math.ceil(r), Math.ceil(c)];
    const [dr, dc] = [r - top, c - left];
    const above = (1 - dc) * pixel(top, left) + dc * pixel(top, right);
    const below = (1 - dc) * pixel(bottom, left) + dc * pixel(bottom, right);
    return (1 - dr) * above + dr * below;
  };
  for (let r = 0; r < height; r++) {
    for (let c = 0; c < width; c++) {
      const texture = Array.from({ length: samples }, (_, s) =>
        interpolate(r + (p.rowOffsets[s] as number), c + (p.columnOffsets[s] as number)),
      );
      const bits = texture.map((value) => (value - pixel(r, c) >= 0 ? 1 : 0));
      p.y[r * width + c] = codeOf(lbpMethods[p.method] as LbpMethod, bits, texture);
    }
  }
}

function codeOf(method: LbpMethod, bits: readonly number[], texture: readonly number[]): number {
  const samples = bits.length;
  const plain = (from: number) => bits.reduce((sum, _, s) => sum + (bits[(s + from) % samples] as number) * 2 ** s, 0);
  if (method === 'default') return plain(0);
  if (method === 'ror') return Math.min(...bits.map((_, from) => plain(from)));
  if (method === 'var') {
    const sum = texture.reduce((total, value) => total + value, 0);
    const squares = texture.reduce((total, value) => total + value * value, 0);
    const variance = (squares - (sum * sum) / samples) / samples;
    return variance !== 0 ? variance : Number.NaN;
  }
  const changes = bits.filter((bit, s) => s + 1 < samples && bit !== bits[s + 1]).length;
  return changes <= 2 ? bits.reduce((sum, bit) => sum + bit, 0) : samples + 1;
}

export const localBinaryPatternKernel = hostKernel('local_binary_pattern', localBinaryPatternReference);

export interface LbpOptions {
  samples: number;
  radius: number;
  method: LbpMethod;
}

/** Offsets of the samples from their pixel, with scikit-image's rounding to five decimals, which keeps the axes exact. */
export function lbpOffsets({ samples, radius }: Pick<LbpOptions, 'samples' | 'radius'>): {
  rowOffsets: Float64Array;
  columnOffsets: Float64Array;
} {
  const r = Math.fround(radius); // scikit-image takes the radius as a C float
  const angle = (s: number) => (2 * Math.PI * s) / samples;
  return {
    rowOffsets: Float64Array.from({ length: samples }, (_, s) => round5(-r * Math.sin(angle(s)))),
    columnOffsets: Float64Array.from({ length: samples }, (_, s) => round5(r * Math.cos(angle(s)))),
  };
}

/** numpy.round(x, 5): halves to the even neighbour. */
function round5(x: number): number {
  const scaled = x * 1e5;
  const below = Math.floor(scaled);
  const rest = scaled - below;
  const whole = rest > 0.5 || (rest === 0.5 && below % 2 !== 0) ? below + 1 : below;
  return whole / 1e5;
}

/** The local binary patterns of a plane, as scikit-image's `local_binary_pattern`. */
export async function localBinaryPattern(
  x: Float64Array,
  { width, height }: PlaneSize,
  { samples, radius, method }: LbpOptions,
  options?: AsyncOptions,
): Promise<Float64Array> {
  const y = new Float64Array(x.length);
  const params = { height, width, samples, method: lbpMethods.indexOf(method), ...lbpOffsets({ samples, radius }), x, y };
  await localBinaryPatternKernel.async(params, options);
  return y;
}
