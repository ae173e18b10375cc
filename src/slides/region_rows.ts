// The blended regions of a slide as rows from top to bottom, though they lie in patches.
import { readPatch } from './blend.js';
import type { SlideWork } from './slide_work.js';

/** Rows that are put together at once: what is held is a row of patches and these. */
const ROWS = 64;

/** Rows of the regions' mask, and the first one's place. */
export interface RegionRows {
  y: number;
  count: number;
  /** `[count, width]`: 0 for none, else a region, counted from 1. */
  mask: Uint8Array;
}

/**
 * @param onPatches is told the pixels of every region in each row of patches
 */
export async function* regionRows(work: SlideWork, onPixels: (pixels: readonly number[]) => void = () => {}): AsyncGenerator<RegionRows> {
  const { task, plan } = work;
  const { width } = plan.sizes;
  const columns = plan.patches.columns.length;
  for (const [row, [top, bottom]] of plan.patches.rows.entries()) {
    const patches = [];
    for (let column = 0; column < columns; column++) {
      const { facts, arrays } = await readPatch(task.work, row * columns + column);
      onPixels(facts.pixels);
      patches.push(arrays.mask);
    }
    for (let y = top; y < bottom; y += ROWS) {
      work.refuseAborted();
      const count = Math.min(ROWS, bottom - y);
      const mask = new Uint8Array(count * width);
      patches.forEach((patch, column) => {
        const [left, right] = plan.patches.columns[column] as readonly [number, number];
        const across = right - left;
        for (let i = 0; i < count; i++) {
          const from = (y - top + i) * across;
          mask.set(patch.subarray(from, from + across), i * width + left);
        }
      });
      yield { y, count, mask };
    }
  }
}
