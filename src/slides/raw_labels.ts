// Label masks unpacked to a file of plain numbers, which is read by regions.
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { openFile } from '../files/output_file.js';
import type { LabelMask } from '../image/image.js';
import type { OpenedMask } from '../image/open_mask.js';
import { readMask } from '../image/read_mask.js';
import { type CellOrigin, type ItemReport, Stages } from './slide_task.js';
import type { SlideWork } from './slide_work.js';

/** Rows written at once. */
const ROWS = 256;

/** The file that a mask is unpacked to. */
export const rawLabels = (work: string): string => join(work, 'labels.raw');

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

/**
 * Unpacks a label image that can be read only whole. It is held once: what memory it takes was reckoned before.
 *
 * @throws UamError as `readMask`
 */
export async function unpackLabels({ task, signal }: SlideWork): Promise<ItemReport> {
  const { origin, unpack, work } = task;
  const stages = new Stages();
  await stages.time('unpack', async () => {
    const size = (origin as Extract<CellOrigin, { kind: 'mask' }>).raw;
    await writeRawLabels(rawLabels(work), await readMask(unpack.labels as string, { ...size, ...(signal && { signal }) }));
  });
  return { seconds: stages.seconds };
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
