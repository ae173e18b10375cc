// Tiles lie over each other: what they say of a pixel or of a cell is averaged, with weights that fall towards the tiles' edges.
import type { Region } from '../image/tiff_read.js';
import { weightAt } from '../train/overlap.js';
import { softmaxAt } from '../train/temperature.js';
import { readBlock } from './block_files.js';
import { readAnswer, readTile, rowsInside } from './model_tile.js';
import { type ItemReport, Stages, workFile } from './slide_task.js';
import type { SlideWork } from './slide_work.js';
import { readRecord, writeRecord } from './work_files.js';

export interface PatchFacts {
  /** Pixels of each region. */
  pixels: number[];
}

/** Adds what a tile says of a patch; a tile without an answer says that nothing lies inside of a region. */
function addTile(
  sums: Float64Array,
  shares: Float64Array,
  patch: Region,
  tile: Region,
  answer: Float32Array | undefined,
  kinds: number,
): void {
  const left = Math.max(patch.x, tile.x);
  const right = Math.min(patch.x + patch.width, tile.x + tile.width);
  const across = Float64Array.from({ length: tile.width }, (_, i) => weightAt(i + 0.5, tile.width));
  for (let y = Math.max(patch.y, tile.y); y < Math.min(patch.y + patch.height, tile.y + tile.height); y++) {
    const down = weightAt(y - tile.y + 0.5, tile.height);
    let from = ((y - tile.y) * tile.width + left - tile.x) * kinds;
    let at = (y - patch.y) * patch.width + left - patch.x;
    for (let x = left; x < right; x++, at++) {
      const weight = down * (across[x - tile.x] as number);
      shares[at]! += weight;
      if (!answer) continue;
      for (let k = 0; k < kinds; k++) sums[at * kinds + k]! += weight * (answer[from++] as number);
    }
  }
}

/**
 * The blended regions of a patch: per pixel the region of the greatest probability of at least 1/2, counted from 1; 0 where there is
 * none. Tiles without tissue were not asked: there are no regions in them.
 */
export async function blendPatch(work: SlideWork, index: number): Promise<ItemReport> {
  const { task, plan } = work;
  const stages = new Stages();
  await stages.time('blend', async () => {
    const patch = plan.patches.region(index);
    const kinds = task.regions.length;
    const area = patch.width * patch.height;
    const sums = new Float64Array(area * kinds);
    const shares = new Float64Array(area);
    for (const tile of plan.tiles.meeting(patch)) {
      const { facts } = await readTile(task.work, tile);
      const answer = facts.skipped ? undefined : await readAnswer(task.work, tile);
      addTile(sums, shares, patch, plan.tiles.region(tile), answer, kinds);
    }
    const mask = new Uint8Array(area);
    const pixels = new Array<number>(kinds).fill(0);
    for (let at = 0; at < area; at++) {
      let best = (shares[at] as number) / 2;
      if (best === 0) continue;
      for (let k = 0; k < kinds; k++) {
        const sum = sums[at * kinds + k] as number;
        if (mask[at] === 0 ? sum >= best : sum > best) [best, mask[at]] = [sum, k + 1];
      }
      if (mask[at] !== 0) pixels[(mask[at] as number) - 1]! += 1;
    }
    await writeRecord(workFile(task.work, 'patch', index), { pixels }, { mask });
  });
  return { seconds: stages.seconds };
}

/** Reads a patch of the blended regions. */
export const readPatch = (folder: string, patch: number) => readRecord<PatchFacts, { mask: Uint8Array }>(workFile(folder, 'patch', patch));

/** The probabilities of a block's cells: the mean of the tiles' logits, with the weights of the centroids, at the model's temperature. */
export async function callBlock(work: SlideWork, block: number): Promise<ItemReport> {
  const { task, plan } = work;
  const stages = new Stages();
  const cells = await stages.time('blend', async () => {
    const { facts, arrays } = await readBlock(task.work, block);
    const classes = task.classes.length;
    const sums = new Float64Array(facts.cells * classes);
    const shares = new Float64Array(facts.cells);
    for (const tile of facts.cells > 0 ? plan.tiles.meeting(plan.blocks.region(block)) : []) {
      const region = plan.tiles.region(tile);
      const said = await readTile(task.work, tile);
      const before = said.facts.blocks.findIndex(([of]) => of === block);
      if (before < 0) continue;
      let at = said.facts.blocks.slice(0, before).reduce((sum, [, count]) => sum + count, 0) * classes;
      for (const row of rowsInside(arrays, region)) {
        const [x, y] = [arrays.centroids[2 * row] as number, arrays.centroids[2 * row + 1] as number];
        const weight = weightAt(x + 0.5 - region.x, region.width) * weightAt(y + 0.5 - region.y, region.height);
        shares[row]! += weight;
        for (let c = 0; c < classes; c++) sums[row * classes + c]! += weight * (said.arrays.logits[at++] as number);
      }
    }
    const logits = sums.map((sum, i) => sum / (shares[Math.floor(i / classes)] as number));
    const probabilities = Float32Array.from(softmaxAt(logits, classes, task.temperature));
    await writeRecord(workFile(task.work, 'calls', block), {}, { probabilities });
    return facts.cells;
  });
  return { seconds: stages.seconds, cells };
}

/** Reads the probabilities of a block's cells. */
export const readCalls = async (folder: string, block: number): Promise<Float32Array> =>
  (await readRecord<unknown, { probabilities: Float32Array }>(workFile(folder, 'calls', block))).arrays.probabilities;
