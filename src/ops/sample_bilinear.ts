import { UamError } from '../errors.js';
import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { record } from '../tensor/autograd.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, gradientOf, optionalFloats, requireSameDtype, requireShape, requireTensor } from './check.js';

interface Sampling {
  batch: number;
  height: number;
  width: number;
  channels: number;
  points: number;
  map: FloatArray;
  position: FloatArray;
  image: Int32Array;
}

function checkPoints({ batch, height, width, points, image }: Sampling): void {
  if (points > 0 && (height === 0 || width === 0))
    throw new UamError('UAM_SHAPE', 'sample_bilinear: a map without pixels has no values to sample');
  image.forEach((n, i) => {
    if (n < 0 || n >= batch)
      throw new UamError('UAM_ARGUMENT', `sample_bilinear: image[${i}] must be from 0 to ${batch - 1}, received ${n}`);
  });
}

/** One coordinate: the two pixels around it, the weight of the second, and whether the value still changes there. */
function between(at: number, length: number): { low: number; high: number; part: number; inside: boolean } {
  const clamped = Math.min(Math.max(at, 0), length - 1); // NaN stays NaN
  const low = Number.isNaN(clamped) ? 0 : Math.floor(clamped);
  return { low, high: Math.min(low + 1, length - 1), part: clamped - low, inside: !(at < 0 || at > length - 1) };
}

/** The pixels (offsets of their first channel) and weights that a point is made of: top left, top right, bottom left, bottom right. */
function cornersOf(p: Sampling, point: number) {
  const x = between(p.position[2 * point] as number, p.width);
  const y = between(p.position[2 * point + 1] as number, p.height);
  const pixel = (row: number, column: number) => (((p.image[point] as number) * p.height + row) * p.width + column) * p.channels;
  const pixels = [pixel(y.low, x.low), pixel(y.low, x.high), pixel(y.high, x.low), pixel(y.high, x.high)] as const;
  const weights = [(1 - y.part) * (1 - x.part), (1 - y.part) * x.part, y.part * (1 - x.part), y.part * x.part] as const;
  return { x, y, pixels, weights };
}

const sampleFwd = kernel<Sampling & { out: FloatArray }>('sample_bilinear_fwd', (p) => {
  checkPoints(p);
  for (let point = 0; point < p.points; point++) {
    const { pixels, weights } = cornersOf(p, point);
    for (let c = 0; c < p.channels; c++) {
      p.out[point * p.channels + c] = weights.reduce((sum, weight, i) => sum + weight * (p.map[(pixels[i] as number) + c] as number), 0);
    }
  }
});

const sampleBwd = kernel<Sampling & { dOut: FloatArray; dMap: FloatArray | undefined; dPosition: FloatArray | undefined }>(
  'sample_bilinear_bwd',
  (p) => {
    checkPoints(p);
    const sums = new Float64Array(p.map.length);
    for (let point = 0; point < p.points; point++) {
      const { x, y, pixels, weights } = cornersOf(p, point);
      let alongX = 0;
      let alongY = 0;
      for (let c = 0; c < p.channels; c++) {
        const slope = p.dOut[point * p.channels + c] as number;
        pixels.forEach((pixel, i) => {
          (sums[pixel + c] as number) += slope * (weights[i] as number);
        });
        const [a, b, d, e] = pixels.map((pixel) => p.map[pixel + c] as number) as [number, number, number, number];
        alongX += slope * ((1 - y.part) * (b - a) + y.part * (e - d));
        alongY += slope * ((1 - x.part) * (d - a) + x.part * (e - b));
      }
      if (p.dPosition) {
        p.dPosition[2 * point] = x.inside ? alongX : 0;
        p.dPosition[2 * point + 1] = y.inside ? alongY : 0;
      }
    }
    p.dMap?.set(sums);
  },
);

/**
 * Values of feature maps at points, by bilinear interpolation between the four nearest pixels. Beyond the map its border continues
 * (a point is moved to the nearest place on the map). Differentiable by the map and by the positions; in a direction that leads
 * beyond the border the derivative by the position is 0, and at a pixel centre it is that of the cell to the right or below.
 *
 * @param map [batch, height, width, channels]
 * @param position [points, 2]: x (column) then y (row) in pixels of the map, whole numbers at pixel centres: (0, 0) is the centre of
 *   the first pixel. A place given in pixels of an image that is `stride` times larger, its own pixel centres at whole numbers,
 *   is (x + 1/2) / stride - 1/2 here. A NaN makes its point's values NaN.
 * @param image int32 [points]: which map of the batch each point lies on
 * @returns [points, channels]
 * @throws UamError `UAM_ARGUMENT` for an image out of range, `UAM_SHAPE`, `UAM_DTYPE`
 * @example
 * const map = Tensor.from([0, 1, 2, 3], [1, 2, 2, 1]);
 * sampleBilinear(map, Tensor.from([0.5, 0.5], [1, 2]), Tensor.from(Int32Array.of(0)));   // 1.5
 */
export function sampleBilinear(map: Tensor, position: Tensor, image: Tensor): Tensor {
  requireTensor('sampleBilinear', 'map', map);
  requireTensor('sampleBilinear', 'position', position);
  requireTensor('sampleBilinear', 'image', image, ['int32']);
  requireShape('sampleBilinear', 'map', map, ['batch', 'height', 'width', 'channels']);
  requireShape('sampleBilinear', 'position', position, ['points', 2]);
  const points = position.shape[0] as number;
  requireShape('sampleBilinear', 'image', image, [points]);
  const dtype = requireSameDtype('sampleBilinear', map, position);
  const [batch, height, width, channels] = map.shape as [number, number, number, number];
  const sampling = (): Sampling => ({
    batch,
    height,
    width,
    channels,
    points,
    map: floats(map),
    position: floats(position),
    image: image.memory as Int32Array,
  });
  const out = Tensor.empty([points, channels], dtype, map.device);
  sampleFwd({ ...sampling(), out: floats(out) });
  return record('sampleBilinear', [map, position], out, (dOut, [needsMap, needsPosition]) => {
    const dMap = gradientOf(map, needsMap);
    const dPosition = gradientOf(position, needsPosition);
    sampleBwd({ ...sampling(), dOut: floats(dOut), dMap: optionalFloats(dMap), dPosition: optionalFloats(dPosition) });
    return [dMap, dPosition];
  });
}
