import { UamError } from '../errors.js';
import { type AsyncOptions, hostKernel } from '../native/call.js';

interface DistanceTransformParams {
  height: number;
  width: number;
  mask: Uint8Array;
  distance: Float32Array;
}

// The definition. Slow: every pixel of the mask looks at every zero.
function distanceTransformReference({ height, width, mask, distance }: DistanceTransformParams): void {
  const zeros: [number, number][] = [];
  mask.forEach((value, at) => {
    if (value === 0) zeros.push([at % width, Math.floor(at / width)]);
  });
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let least = mask[y * width + x] === 0 ? 0 : Infinity;
      if (least > 0) for (const [zx, zy] of zeros) least = Math.min(least, (x - zx) ** 2 + (y - zy) ** 2);
      distance[y * width + x] = Math.sqrt(least);
    }
  }
}

const transform = hostKernel<DistanceTransformParams>('distance_transform', distanceTransformReference);

/**
 * How far each pixel of a mask is from the nearest pixel outside it (Euclidean, exact; centre to centre), in pixels. Pixels beyond the
 * image do not count as outside.
 *
 * @param mask `height * width` values, 0 outside
 * @returns distances; 0 outside the mask, infinity where nothing is outside
 * @throws UamError `UAM_SHAPE`, `UAM_DTYPE`
 * @example
 * const distances = distanceTransform(Uint8Array.of(0, 1, 1, 1, 0), 5, 1); // 0 1 2 1 0
 */
export function distanceTransform(mask: Uint8Array, width: number, height: number): Float32Array {
  checkPlane('distanceTransform', mask, width, height);
  const distance = new Float32Array(mask.length);
  transform({ height, width, mask, distance });
  return distance;
}

/**
 * As `distanceTransform`, on a background thread.
 *
 * @param call `signal` ends the call; the promise then rejects with `UAM_ABORTED`
 * @throws UamError as `distanceTransform`
 * @example
 * const distances = await distanceTransformAsync(Uint8Array.of(0, 1, 1, 1, 0), 5, 1);
 */
export async function distanceTransformAsync(
  mask: Uint8Array,
  width: number,
  height: number,
  call: AsyncOptions = {},
): Promise<Float32Array> {
  checkPlane('distanceTransformAsync', mask, width, height);
  const distance = new Float32Array(mask.length);
  await transform.async({ height, width, mask, distance }, call);
  return distance;
}

export function checkPlane(where: string, plane: { length: number }, width: number, height: number): void {
  if (plane.length !== width * height) {
    throw new UamError('UAM_SHAPE', `${where}: ${width} x ${height} pixels have ${width * height} values, received ${plane.length}`);
  }
}
