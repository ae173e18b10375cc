// Small label images for tests: random ones, and what turning, flipping and moving does to them.
import fc from 'fast-check';
import type { LabelMask } from '../../src/image/image.js';

export function maskOf(rows: readonly (readonly number[])[]): LabelMask {
  return { width: rows[0]?.length ?? 0, height: rows.length, data: Uint32Array.from(rows.flat()) };
}

/** Any label image of up to 14 x 14 pixels with few labels (so that they touch, enclose each other and fall into pieces). */
export const anyMask: fc.Arbitrary<LabelMask> = fc
  .record({ width: fc.integer({ min: 1, max: 14 }), height: fc.integer({ min: 1, max: 14 }), kinds: fc.integer({ min: 1, max: 5 }) })
  .chain(({ width, height, kinds }) =>
    fc
      .array(fc.constantFrom(...[0, 0, 1, 7, 65536, 4294967295, 9].slice(0, kinds + 2)), {
        minLength: width * height,
        maxLength: width * height,
      })
      .map((data) => ({ width, height, data: Uint32Array.from(data) })),
  );

function remap({ width, height, data }: LabelMask, w: number, h: number, from: (x: number, y: number) => [number, number]): LabelMask {
  const out = new Uint32Array(w * h);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const [sx, sy] = from(x, y);
      if (sx >= 0 && sy >= 0 && sx < width && sy < height) out[y * w + x] = data[sy * width + sx] as number;
    }
  }
  return { width: w, height: h, data: out };
}

/** A quarter turn clockwise. */
export const turned = (mask: LabelMask): LabelMask => remap(mask, mask.height, mask.width, (x, y) => [y, mask.height - 1 - x]);
export const flipped = (mask: LabelMask): LabelMask => remap(mask, mask.width, mask.height, (x, y) => [mask.width - 1 - x, y]);
/** The mask inside a larger one. */
export const moved = (mask: LabelMask, dx: number, dy: number): LabelMask =>
  remap(mask, mask.width + dx + 1, mask.height + dy + 1, (x, y) => [x - dx, y - dy]);

/** Round cells of radius 3 to `radius` on a jittered grid, ids in a mixed order: about as crowded as tissue. */
export function manyCells(width: number, height: number, radius = 8, seed = 1): LabelMask {
  const data = new Uint32Array(width * height);
  let state = seed >>> 0;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const pitch = radius * 3;
  let id = 0;
  for (let gy = pitch / 2; gy < height; gy += pitch) {
    for (let gx = pitch / 2; gx < width; gx += pitch) {
      const [cx, cy, r] = [gx + random() * radius, gy + random() * radius, 3 + random() * (radius - 3)];
      id++;
      const label = Math.imul(id, 40503) >>> 0;
      for (let y = Math.max(0, Math.floor(cy - r)); y < Math.min(height, cy + r); y++) {
        for (let x = Math.max(0, Math.floor(cx - r)); x < Math.min(width, cx + r); x++) {
          if ((x - cx) ** 2 + (y - cy) ** 2 < r * r) data[y * width + x] = label;
        }
      }
    }
  }
  return { width, height, data };
}
