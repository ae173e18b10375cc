import { UamError } from '../errors.js';
import type { LabelMask } from '../image/image.js';

/** How far from a nucleus a point may lie and still belong to it, in pixels. */
const REACH = 3;

/**
 * The nucleus that each point belongs to: the one under it, else the nearest with a pixel within 3 px of it, ties to the lower id.
 *
 * @param points `[n, 2]`: x and y in pixels; the centre of the first pixel is (0, 0)
 * @returns ids; 0 for a point on no nucleus
 * @throws UamError `UAM_DATA` for places that are not numbers
 * @example
 * const mask = { width: 3, height: 1, data: Uint32Array.of(7, 0, 0) };
 * matchPoints(mask, Float64Array.of(0, 0, 2, 0));   // 7, 7
 */
export function matchPoints({ width, height, data }: LabelMask, points: Float64Array): Uint32Array {
  return Uint32Array.from({ length: points.length / 2 }, (_, i) => {
    const [x, y] = [points[2 * i] as number, points[2 * i + 1] as number];
    if (!Number.isFinite(x) || !Number.isFinite(y))
      throw new UamError('UAM_DATA', `point ${i} is at ${x}, ${y}; two numbers were expected`);
    const [column, row] = [Math.round(x), Math.round(y)];
    const inside = column >= 0 && column < width && row >= 0 && row < height;
    const under = inside ? (data[row * width + column] as number) : 0;
    if (under > 0) return under;
    let best = { id: 0, square: REACH * REACH };
    for (let v = Math.max(0, row - REACH); v <= Math.min(height - 1, row + REACH); v++) {
      for (let u = Math.max(0, column - REACH); u <= Math.min(width - 1, column + REACH); u++) {
        const id = data[v * width + u] as number;
        const square = (u - x) ** 2 + (v - y) ** 2;
        if (id > 0 && (square < best.square || (square === best.square && (best.id === 0 || id < best.id)))) best = { id, square };
      }
    }
    return best.id;
  });
}
