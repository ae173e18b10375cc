// The first look at a slide: a small picture of it, where its tissue is, and what must be the same in all its parts.
import type { SegmentOptions } from '../cells/segment.js';
import { settleSegmentation } from '../cells/segment_tiles.js';
import { stainedPixels } from '../cells/threshold.js';
import { estimateStains } from '../image/estimate_stains.js';
import type { RasterImage } from '../image/image.js';
import type { StainChoice } from '../image/stains.js';
import { stainPlanesAsync } from '../image/stains.js';
import type { Region } from '../image/tiff_read.js';
import { readGrid } from './slide_source.js';
import type { ItemReport, SlideTask } from './slide_task.js';
import { Stages, workFile } from './slide_task.js';
import type { SlideWork } from './slide_work.js';
import { readRecord, writeRecord } from './work_files.js';

/** Side of the small picture, at most. */
export const SMALL_SIDE = 2048;
/** Pixels of a level that a part of the scan reads, about. */
const PART = 1 << 24;
/** Windows of tissue that stains and threshold are found in, and their side. */
const SAMPLES = 64;
const SAMPLE_SIDE = 256;

interface SettledFacts {
  /** Density that parts nuclei from the rest; absent where the slide has none, or where it is not needed. */
  threshold?: number | undefined;
  stains?: StainChoice | undefined;
  /** Pixels of the small picture that are tissue. */
  tissuePixels: number;
}

/** What the scan found. */
export class Settled {
  constructor(
    readonly facts: SettledFacts,
    /** 1 where the small picture shows tissue, `[height, width]`. */
    readonly tissue: Uint8Array,
    private readonly task: SlideTask,
  ) {}

  /** Whether there is tissue in a region of the grid, or within a small pixel of it. */
  tissueIn({ x, y, width, height }: Region): boolean {
    const { grid, small } = this.task;
    const range = (from: number, to: number, axis: 0 | 1, most: number): [number, number] => {
      const share = grid.toFull[axis] / small.toFull[axis];
      return [Math.max(0, Math.min(most - 1, Math.floor(from * share) - 1)), Math.min(most, Math.ceil(to * share) + 1)];
    };
    const [left, right] = range(x, x + width, 0, small.width);
    const [top, bottom] = range(y, y + height, 1, small.height);
    for (let row = top; row < bottom; row++) {
      if (this.tissue.subarray(row * small.width + left, row * small.width + right).includes(1)) return true;
    }
    return false;
  }
}

/** The parts in which the small picture is made. */
export function scanParts({ small }: SlideTask): Region[] {
  const { factors = [1, 1], width, height } = small;
  const side = Math.max(1, Math.floor(Math.sqrt(PART / (factors[0] * factors[1]))));
  const cut = (length: number) => Array.from({ length: Math.ceil(length / side) }, (_, i) => i * side);
  return cut(height).flatMap((y) =>
    cut(width).map((x) => ({ x, y, width: Math.min(side, width - x), height: Math.min(side, height - y) })),
  );
}

/** One part of the small picture. */
export async function scanPart(work: SlideWork, index: number): Promise<ItemReport> {
  const { task, signal } = work;
  const stages = new Stages();
  const region = scanParts(task)[index] as Region;
  const image = await stages.time('scan', async () => readGrid(await work.slide(), task.small, region, signal));
  await writeRecord(workFile(task.work, 'scan', index), {}, { rgb: image.data as Uint8Array });
  return { seconds: stages.seconds };
}

/** Puts the small picture together, finds its tissue, and settles stains and threshold for the whole slide. */
export async function settle(work: SlideWork): Promise<ItemReport> {
  const { task } = work;
  const stages = new Stages();
  await stages.time('scan', async () => {
    const rgb = await smallPicture(task);
    const { width, height } = task.small;
    const picture: RasterImage = { width, height, channels: 3, data: rgb, name: task.name };
    const given = task.recipe.stains === 'macenko' ? undefined : task.recipe.stains;
    const planes = await stainPlanesAsync(picture, { stains: given, planes: ['haematoxylin', 'eosin'] }, callOf(work));
    const { tissue, count } = stainedPixels(planes.haematoxylin as Float32Array, planes.eosin as Float32Array);
    const facts = { ...(count > 0 ? await alikeEverywhere(work, tissue, count) : {}), tissuePixels: count };
    await writeRecord(workFile(task.work, 'settle', 0), facts, { tissue });
  });
  return { seconds: stages.seconds };
}

const callOf = ({ signal }: SlideWork) => (signal ? { signal } : {});

async function smallPicture(task: SlideTask): Promise<Uint8Array> {
  const { width, height } = task.small;
  const rgb = new Uint8Array(width * height * 3);
  for (const [index, part] of scanParts(task).entries()) {
    const { arrays } = await readRecord<unknown, { rgb: Uint8Array }>(workFile(task.work, 'scan', index));
    for (let y = 0; y < part.height; y++) {
      rgb.set(arrays.rgb.subarray(y * part.width * 3, (y + 1) * part.width * 3), ((part.y + y) * width + part.x) * 3);
    }
  }
  return rgb;
}

async function alikeEverywhere(work: SlideWork, tissue: Uint8Array, count: number): Promise<Omit<SettledFacts, 'tissuePixels'>> {
  const { recipe, origin } = work.task;
  if (origin.kind === 'none' || (origin.kind !== 'segmented' && recipe.stains !== 'macenko')) return {};
  const sample = await sampleOfTissue(work, tissue, count);
  if (origin.kind !== 'segmented') return { stains: estimateStains(sample) };
  const options: SegmentOptions = { stains: recipe.stains };
  const { stains, threshold } = await settleSegmentation(sample, options, callOf(work));
  return { ...(recipe.stains === 'macenko' && { stains }), threshold };
}

/** Windows about places spread evenly over the tissue, one above the other in one picture. */
async function sampleOfTissue(work: SlideWork, tissue: Uint8Array, count: number): Promise<RasterImage> {
  const { grid, small, name } = work.task;
  const side = Math.min(SAMPLE_SIDE, grid.width, grid.height);
  const data = new Uint8Array(side * side * SAMPLES * 3);
  const slide = await work.slide();
  let [seen, next] = [0, 0];
  for (let at = 0; at < tissue.length && next < SAMPLES; at++) {
    if (tissue[at] === 0) continue;
    seen++;
    while (next < SAMPLES && Math.floor(((next + 0.5) * count) / SAMPLES) < seen) {
      const place = (small: number, axis: 0 | 1, smallToFull: number, length: number) =>
        Math.max(0, Math.min(length - side, Math.floor(((small + 0.5) * smallToFull) / grid.toFull[axis] - side / 2)));
      const x = place(at % small.width, 0, small.toFull[0], grid.width);
      const y = place(Math.floor(at / small.width), 1, small.toFull[1], grid.height);
      const window = await readGrid(slide, grid, { x, y, width: side, height: side }, work.signal);
      data.set(window.data as Uint8Array, next++ * side * side * 3);
    }
  }
  return { width: side, height: side * SAMPLES, channels: 3, data, name, mpp: grid.mpp };
}

/** Reads what `settle` wrote. */
export async function readSettled(task: SlideTask): Promise<Settled> {
  const file = workFile(task.work, 'settle', 0);
  const { facts, arrays } = await readRecord<SettledFacts, { tissue: Uint8Array }>(file);
  return new Settled(facts, arrays.tissue, task);
}
