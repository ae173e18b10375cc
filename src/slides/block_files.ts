// What is kept of the cells of a block.
import type { Polygons } from '../cells/polygons.js';
import { workFile } from './slide_task.js';
import { readRecord } from './work_files.js';

export interface BlockFacts {
  cells: number;
  /** There was no tissue, or no cell was given: nothing was looked for. */
  skipped: boolean;
  /** Cells that reach beyond the margin: larger than any nucleus, they were measured in part. */
  cut: number;
}

/** Cells of a block. Entry i of each array speaks of the same cell. */
export interface BlockCells {
  /** Ids of the mask, or numbers of the polygons in their file; those of segmented nuclei count within the block. */
  ids: Uint32Array;
  /** `[cells, 2]` in pixels of the grid; the centre of the first pixel is (0, 0). */
  centroids: Float64Array;
  /** `[cells, 4]` in pixels of the grid, as `Cells.boxes`. */
  boxes: Int32Array;
  touches: Uint8Array;
  status: Uint8Array;
  /** `[cells, features]`. */
  features: Float32Array;
}

/** Outlines in pixels of the full resolution. */
export type BlockOutlines = Omit<Polygons, 'count'>;

/** Reads the cells of a block. */
export const readBlock = (folder: string, block: number) => readRecord<BlockFacts, BlockCells>(workFile(folder, 'block', block));

/** Reads the outlines of a block's cells. */
export async function readOutlines(folder: string, block: number): Promise<Polygons> {
  const { arrays } = await readRecord<unknown, BlockOutlines>(workFile(folder, 'outlines', block));
  return { ...arrays, count: arrays.polygonOffsets.length - 1 };
}
