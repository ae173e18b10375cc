// What the model says of a tile: of its pixels, and of the cells whose centroids lie in it.
import type { Region } from '../image/tiff_read.js';
import { FeatureRows } from '../train/feature_rows.js';
import type { BlockCells } from './block_files.js';
import { readGrid } from './slide_source.js';
import { type ItemReport, Stages, workFile } from './slide_task.js';
import type { SlideWork } from './slide_work.js';
import { holds } from './tile_plan.js';
import { readRecord, writeRecord } from './work_files.js';

export interface TileFacts {
  /** There was neither tissue nor a cell. */
  skipped: boolean;
  /** Blocks in the order of the logits, each with how many of its cells lie in the tile. */
  blocks: [block: number, cells: number][];
}

/** Cells of several blocks in a tile. */
interface TileCells {
  blocks: TileFacts['blocks'];
  count: number;
  features: Float32Array;
  /** Micrometres from the centre of the tile's first pixel. */
  positions: Float64Array;
  boxes: Float64Array;
}

/** Rows of a block's cells that lie in a region. */
export function rowsInside({ centroids }: Pick<BlockCells, 'centroids'>, region: Region): number[] {
  const rows: number[] = [];
  for (let i = 0; 2 * i < centroids.length; i++) {
    if (holds(region, (centroids[2 * i] as number) + 0.5, (centroids[2 * i + 1] as number) + 0.5)) rows.push(i);
  }
  return rows;
}

/** Asks the model about a tile and stores what it says. */
export async function modelTile(work: SlideWork, tile: number): Promise<ItemReport> {
  const { task, plan } = work;
  const stages = new Stages();
  const region = plan.tiles.region(tile);
  const model = await stages.time('load', () => work.model());
  const cells = await stages.time('store', () => gatherCells(work, region, model.mpp));
  const tissue = model.reads.image && (cells.count > 0 || (await work.settled()).tissueIn(region));
  const nothing = new Float32Array();
  if (!tissue && cells.count === 0) {
    await store(work, tile, { skipped: true, blocks: [] }, nothing, nothing, stages);
    return { seconds: stages.seconds };
  }
  const pixels = tissue ? await stages.time('read', async () => readGrid(await work.slide(), task.grid, region, work.signal)) : undefined;
  work.refuseAborted();
  const { logits, regions } = await stages.time('model', () =>
    model.answer({
      ...(pixels && { image: { width: region.width, height: region.height, data: pixels.data as Uint8Array, origin: [0, 0] as const } }),
      ...(cells.count > 0 && {
        cells: { table: FeatureRows.of(task.features, cells.features), positions: cells.positions, boxes: cells.boxes },
      }),
    }),
  );
  await store(work, tile, { skipped: false, blocks: cells.blocks }, cells.count > 0 ? logits : nothing, regions ?? nothing, stages);
  return { seconds: stages.seconds, cells: cells.count };
}

/**
 * The cells of a tile, block by block. Places are told in the model's own pixel size, in which the pixels are taken as well: a slide may
 * differ from it by some per cent.
 */
async function gatherCells(work: SlideWork, region: Region, modelMpp: number | undefined): Promise<TileCells> {
  const { task, plan } = work;
  const mpp = modelMpp === undefined ? task.grid.mpp : ([modelMpp, modelMpp] as const);
  const blocks: TileFacts['blocks'] = [];
  const parts: { cells: BlockCells; rows: number[] }[] = [];
  if (task.origin.kind !== 'none') {
    for (const block of plan.blocks.meeting(region)) {
      const arrays = await work.block(block);
      const rows = rowsInside(arrays, region);
      if (rows.length === 0) continue;
      blocks.push([block, rows.length]);
      parts.push({ cells: arrays, rows });
    }
  }
  const count = parts.reduce((sum, { rows }) => sum + rows.length, 0);
  const width = task.features.length;
  const gathered = {
    blocks,
    count,
    features: new Float32Array(count * width),
    positions: new Float64Array(2 * count),
    boxes: new Float64Array(4 * count),
  };
  let at = 0;
  for (const { cells, rows } of parts) {
    for (const row of rows) {
      gathered.features.set(cells.features.subarray(row * width, (row + 1) * width), at * width);
      for (let axis = 0; axis < 4; axis++) {
        const corner = axis % 2 === 0 ? region.x : region.y;
        const size = mpp[axis % 2] as number;
        if (axis < 2) gathered.positions[2 * at + axis] = ((cells.centroids[2 * row + axis] as number) - corner) * size;
        // Edges of pixels, where centres are whole numbers.
        gathered.boxes[4 * at + axis] = ((cells.boxes[4 * row + axis] as number) - 0.5 - corner) * size;
      }
      at++;
    }
  }
  return gathered;
}

async function store({ task }: SlideWork, tile: number, facts: TileFacts, logits: Float32Array, regions: Float32Array, stages: Stages) {
  await stages.time('store', async () => {
    if (regions.length > 0) await writeRecord(workFile(task.work, 'answer', tile), {}, { regions });
    await writeRecord(workFile(task.work, 'tile', tile), facts, { logits }); // the last one: with it the tile is done
  });
}

/** Reads what the model said of a tile's cells. */
export const readTile = (folder: string, tile: number) => readRecord<TileFacts, { logits: Float32Array }>(workFile(folder, 'tile', tile));

/** Reads the probabilities of a tile's pixels, `[height, width, regions]`. */
export const readAnswer = async (folder: string, tile: number): Promise<Float32Array> =>
  (await readRecord<unknown, { regions: Float32Array }>(workFile(folder, 'answer', tile))).arrays.regions;
