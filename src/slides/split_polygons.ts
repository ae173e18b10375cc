// Cells that come as polygons: read once, and put where each block finds its own.
import { appendFile, readFile, rm } from 'node:fs/promises';
import { readGeoJsonParts } from '../cells/geojson.js';
import { PolygonBuilder, type Polygons } from '../cells/polygons.js';
import { UamError } from '../errors.js';
import { unwritable } from '../files/output_file.js';
import { synced } from '../files/write_unsynced.js';
import type { ImageWarning } from '../image/image.js';
import { type ItemReport, Stages, workFile } from './slide_task.js';
import type { SlideWork } from './slide_work.js';
import { writeRecord } from './work_files.js';

/** Numbers gathered before they are written. */
const GATHERED = 1 << 20;

/** What the split knows at its end. */
export interface SplitFacts {
  polygons: number;
  /** Polygons that lie outside the slide. */
  outside: number;
  warnings: ImageWarning[];
}

/** Polygons of a block: pixels of the full resolution, and their numbers in the file. */
export interface NumberedPolygons {
  polygons: Polygons;
  ids: Uint32Array;
}

/** Gathers numbers by block and appends them to the blocks' files. */
class Spreader {
  #waiting = new Map<number, number[]>();
  #count = 0;
  /** The files that were written. */
  readonly files = new Set<string>();

  constructor(private readonly fileOf: (block: number) => string) {}

  add(block: number, numbers: readonly number[]): void {
    const list = this.#waiting.get(block);
    if (list) for (const value of numbers) list.push(value);
    else this.#waiting.set(block, [...numbers]);
    this.#count += numbers.length;
  }

  get full(): boolean {
    return this.#count >= GATHERED;
  }

  async flush(): Promise<void> {
    for (const [block, numbers] of this.#waiting) {
      const file = this.fileOf(block);
      this.files.add(file);
      await appendFile(file, new Uint8Array(Float64Array.from(numbers).buffer)).catch(async (error) => {
        throw await unwritable(file, error);
      });
    }
    this.#waiting = new Map();
    this.#count = 0;
  }
}

/** A polygon as numbers: its id, its rings, the points of each ring, then x and y of every point. */
function numbersOf({ points, ringOffsets, polygonOffsets }: Polygons, i: number, id: number): number[] {
  const [first, last] = [polygonOffsets[i] as number, polygonOffsets[i + 1] as number];
  const lengths = Array.from(
    { length: last - first },
    (_, r) => (ringOffsets[first + r + 1] as number) - (ringOffsets[first + r] as number),
  );
  return [id, last - first, ...lengths, ...points.subarray(2 * (ringOffsets[first] as number), 2 * (ringOffsets[last] as number))];
}

function boxOf({ points, ringOffsets, polygonOffsets }: Polygons, i: number) {
  const [from, to] = [ringOffsets[polygonOffsets[i] as number] as number, ringOffsets[polygonOffsets[i + 1] as number] as number];
  const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (let at = from; at < to; at++) {
    const [x, y] = [points[2 * at] as number, points[2 * at + 1] as number];
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x);
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y);
  }
  return box;
}

/** Writes the polygons of every block, its margin included, to a file. */
export async function splitPolygons(work: SlideWork): Promise<ItemReport> {
  const { task, plan } = work;
  const { origin, grid } = task;
  if (origin.kind !== 'polygons') throw new UamError('UAM_ARGUMENT', 'this run has no polygons');
  const stages = new Stages();
  const fileOf = (block: number) => workFile(task.work, 'polygons', block);
  const facts: SplitFacts = { polygons: 0, outside: 0, warnings: [] };
  await stages.time('read', async () => {
    // What an interrupted split has left would stand in the files twice.
    for (let block = 0; block < plan.blocks.count; block++) await rm(fileOf(block), { force: true });
    const spreader = new Spreader(fileOf);
    const warn = (warnings: ImageWarning[]) => void (facts.warnings = warnings);
    for await (const { polygons, ids } of readGeoJsonParts(origin.path, {}, 2048, warn)) {
      work.refuseAborted();
      facts.polygons += ids.length;
      for (let i = 0; i < polygons.count; i++) {
        const { left, top, right, bottom } = boxOf(polygons, i);
        const [x, y] = [left / grid.toFull[0], top / grid.toFull[1]];
        const box = { x, y, width: right / grid.toFull[0] - x, height: bottom / grid.toFull[1] - y };
        const blocks = plan.paddedMeeting(box);
        if (blocks.length === 0) facts.outside++;
        const numbers = blocks.length > 0 ? numbersOf(polygons, i, ids[i] as number) : [];
        for (const block of blocks) spreader.add(block, numbers);
      }
      if (spreader.full) await spreader.flush();
    }
    await spreader.flush();
    for (const file of spreader.files) await synced(file);
    await writeRecord(workFile(task.work, 'split', 0), facts, {});
  });
  return { seconds: stages.seconds };
}

/** Reads the polygons of a block, in the order of the file. */
export async function polygonsOfBlock(work: string, block: number): Promise<NumberedPolygons | undefined> {
  const bytes = await readFile(workFile(work, 'polygons', block)).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (!bytes) return undefined;
  const numbers = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  const builder = new PolygonBuilder();
  const ids: number[] = [];
  for (let at = 0; at < numbers.length; ) {
    ids.push(numbers[at] as number);
    const rings = numbers[at + 1] as number;
    const lengths = numbers.subarray(at + 2, at + 2 + rings);
    at += 2 + rings;
    for (const length of lengths) {
      for (let i = 0; i < length; i++, at += 2) builder.point(numbers[at] as number, numbers[at + 1] as number);
      builder.endRing();
    }
    builder.endPolygon();
  }
  return { polygons: builder.finish(), ids: Uint32Array.from(ids) };
}
