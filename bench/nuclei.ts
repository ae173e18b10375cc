// What the benches of cells work on: nuclei of like size, spread over an image.
import type { RoiMask } from '../src/radiomics/roi.js';

/** Ellipses of about 330 pixels, turned and stretched by their number, one in each square of 32 pixels. */
export function fieldOfNuclei(columns = 40, rows = 25): RoiMask {
  const [width, height] = [32 * columns, 32 * rows];
  const labels = new Uint32Array(width * height);
  const rois = columns * rows;
  const boxes = new Int32Array(4 * rois);
  for (let cell = 0; cell < rois; cell++) {
    const [left, top] = [32 * (cell % columns), 32 * Math.floor(cell / columns)];
    const stretch = 1 + 0.4 * Math.sin(cell);
    const [long, short] = [10.2 * Math.sqrt(stretch), 10.2 / Math.sqrt(stretch)];
    const [cosine, sine] = [Math.cos(0.7 * cell), Math.sin(0.7 * cell)];
    const box = [width, height, 0, 0];
    for (let y = 0; y < 32; y++) {
      for (let x = 0; x < 32; x++) {
        const u = ((x - 15.5) * cosine + (y - 15.5) * sine) / long;
        const v = ((y - 15.5) * cosine - (x - 15.5) * sine) / short;
        if (u * u + v * v > 1) continue;
        labels[(top + y) * width + left + x] = cell + 1;
        box[0] = Math.min(box[0] as number, left + x);
        box[1] = Math.min(box[1] as number, top + y);
        box[2] = Math.max(box[2] as number, left + x + 1);
        box[3] = Math.max(box[3] as number, top + y + 1);
      }
    }
    boxes.set(box, 4 * cell);
  }
  return { width, height, rois, labels, ids: Uint32Array.from({ length: rois }, (_, cell) => cell + 1), boxes };
}
