// Images as large as the slides' parts that cells are found in, with about as many cells.
import type { LabelMask } from '../src/image/image.js';

/** 4096 x 4096 pixels with 21,316 round cells of radius 3 to 10, ids in a mixed order. */
export function largeMask(side = 4096, pitch = 28): LabelMask {
  const data = new Uint32Array(side * side);
  let state = 1;
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  let id = 0;
  for (let gy = pitch / 2; gy < side; gy += pitch) {
    for (let gx = pitch / 2; gx < side; gx += pitch) {
      const [cx, cy, r] = [gx + random() * 8, gy + random() * 8, 3 + random() * 7];
      const label = Math.imul(++id, 40503) >>> 0;
      for (let y = Math.max(0, Math.floor(cy - r)); y < Math.min(side, cy + r); y++) {
        for (let x = Math.max(0, Math.floor(cx - r)); x < Math.min(side, cx + r); x++) {
          if ((x - cx) ** 2 + (y - cy) ** 2 < r * r) data[y * side + x] = label;
        }
      }
    }
  }
  return { width: side, height: side, data };
}

/** The mask of any cell. */
export function anyCell({ data }: LabelMask): Uint8Array {
  return Uint8Array.from(data, (label) => (label ? 1 : 0));
}
