// Label masks unpacked to a file of plain numbers, which is read by regions.
import { open } from 'node:fs/promises';
import { openFile } from '../files/output_file.js';
import type { LabelMask } from '../image/image.js';
import type { OpenedMask } from '../image/open_mask.js';

/** Rows written at once. */
const ROWS = 256;

/** Writes the ids of a mask, 4 bytes each, row by row. */
export async function writeRawLabels(path: string, { width, height, data }: LabelMask): Promise<void> {
  const file = await openFile(path);
  try {
    for (let y = 0; y < height; y += ROWS) {
      const rows = data.subarray(y * width, Math.min(height, y + ROWS) * width);
      await file.write(new Uint8Array(rows.buffer, rows.byteOffset, rows.byteLength));
    }
  } catch (error) {
    await file.abort();
    throw error;
  }
  await file.close();
}

/** Opens such a file. */
export async function openRawLabels(path: string, size: { width: number; height: number }): Promise<OpenedMask> {
  const file = await open(path, 'r');
  return {
    ...{ ...size, name: path },
    async read({ x, y, width, height }) {
      const labels = new Uint32Array(width * height);
      for (let row = 0; row < height; row++) {
        const at = 4 * ((y + row) * size.width + x);
        await file.read(new Uint8Array(labels.buffer, 4 * row * width, 4 * width), 0, 4 * width, at);
      }
      return labels;
    },
    close: () => file.close(),
  };
}
