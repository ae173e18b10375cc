import { mismatch, UamError } from '../errors.js';
import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { record } from '../tensor/autograd.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, requireOptions, requireShape, requireTensor } from './check.js';

interface Resize {
  batch: number;
  height: number;
  width: number;
  channels: number;
  outHeight: number;
  outWidth: number;
  alignCorners: boolean;
}

/** The two source indices of output `o` along an axis, and the weight of the second. */
function sourceOf(o: number, length: number, outLength: number, alignCorners: boolean): [low: number, high: number, part: number] {
  const at = alignCorners ? (outLength > 1 ? (o * (length - 1)) / (outLength - 1) : 0) : ((o + 0.5) * length) / outLength - 0.5;
  const inside = Math.min(Math.max(at, 0), length - 1);
  const low = Math.floor(inside);
  return [low, Math.min(low + 1, length - 1), inside - low];
}

/** Calls `visit` with the offsets of an output and a source element (first channels) and the weight that joins them. */
function eachPart(p: Resize, visit: (out: number, source: number, weight: number) => void): void {
  for (let n = 0; n < p.batch; n++) {
    for (let oy = 0; oy < p.outHeight; oy++) {
      const [top, bottom, down] = sourceOf(oy, p.height, p.outHeight, p.alignCorners);
      for (let ox = 0; ox < p.outWidth; ox++) {
        const [left, right, across] = sourceOf(ox, p.width, p.outWidth, p.alignCorners);
        const out = ((n * p.outHeight + oy) * p.outWidth + ox) * p.channels;
        const source = (y: number, x: number) => ((n * p.height + y) * p.width + x) * p.channels;
        visit(out, source(top, left), (1 - down) * (1 - across));
        visit(out, source(top, right), (1 - down) * across);
        visit(out, source(bottom, left), down * (1 - across));
        visit(out, source(bottom, right), down * across);
      }
    }
  }
}

const upsampleFwd = kernel<Resize & { x: FloatArray; y: FloatArray }>('upsample_bilinear_fwd', (p) => {
  const sums = new Float64Array(p.y.length);
  eachPart(p, (out, source, weight) => {
    for (let c = 0; c < p.channels; c++) (sums[out + c] as number) += weight * (p.x[source + c] as number);
  });
  p.y.set(sums);
});

const upsampleBwd = kernel<Resize & { dy: FloatArray; dx: FloatArray }>('upsample_bilinear_bwd', (p) => {
  const sums = new Float64Array(p.dx.length);
  eachPart(p, (out, source, weight) => {
    for (let c = 0; c < p.channels; c++) (sums[source + c] as number) += weight * (p.dy[out + c] as number);
  });
  p.dx.set(sums);
});

export interface UpsampleBilinearOptions {
  /**
   * true: the centres of the corner pixels stay where they are, coordinate o (in - 1) / (out - 1). false (default): the outer
   * edges do, coordinate (o + 1/2) in / out - 1/2.
   */
  alignCorners?: boolean;
}

/**
 * Resizes images to any size, larger or smaller, by bilinear interpolation between the four nearest pixels: PyTorch's
 * `interpolate(mode='bilinear')` for channels last. (Making an image much smaller skips pixels: there is no antialiasing.)
 *
 * @param x [batch, height, width, channels]
 * @param size [outHeight, outWidth]
 * @returns [batch, outHeight, outWidth, channels]
 * @throws UamError `UAM_SHAPE` for an image without pixels, `UAM_ARGUMENT` for a size that is not two integers >= 1, `UAM_DTYPE`
 * @example upsampleBilinear(Tensor.from([0, 1], [1, 1, 2, 1]), [1, 3], { alignCorners: true });   // 0, 0.5, 1
 */
export function upsampleBilinear(x: Tensor, size: readonly [number, number], options: UpsampleBilinearOptions = {}): Tensor {
  requireTensor('upsampleBilinear', 'x', x);
  requireShape('upsampleBilinear', 'x', x, ['batch', 'height', 'width', 'channels']);
  requireOptions('upsampleBilinear', options, ['alignCorners']);
  if (size.length !== 2 || !size.every((n) => Number.isInteger(n) && n >= 1)) {
    throw mismatch('UAM_ARGUMENT', 'upsampleBilinear: size', 'two integers >= 1, [outHeight, outWidth]', JSON.stringify(size));
  }
  const [batch, height, width, channels] = x.shape as [number, number, number, number];
  const [outHeight, outWidth] = size;
  if (height === 0 || width === 0)
    throw new UamError('UAM_SHAPE', `upsampleBilinear: a ${height} x ${width} image has no pixels to interpolate`);
  const resize: Resize = { batch, height, width, channels, outHeight, outWidth, alignCorners: options.alignCorners ?? false };
  const y = Tensor.empty([batch, outHeight, outWidth, channels], x.dtype, x.device);
  upsampleFwd({ ...resize, x: floats(x), y: floats(y) });
  return record('upsampleBilinear', [x], y, (dy) => {
    const dx = Tensor.empty(x.shape, x.dtype, x.device);
    upsampleBwd({ ...resize, dy: floats(dy), dx: floats(dx) });
    return [dx];
  });
}
