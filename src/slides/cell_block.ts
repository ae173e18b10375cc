// The cells of a block: found in it and its margin, measured there, and kept where their centroids lie in it.
import { cellContoursAsync } from '../cells/cell_contours.js';
import type { Cells } from '../cells/cells.js';
import { findCellsAsync } from '../cells/find_cells.js';
import { PolygonBuilder } from '../cells/polygons.js';
import { rasterizePolygonsAsync } from '../cells/rasterize.js';
import { segmentNuclei } from '../cells/segment.js';
import { UamError } from '../errors.js';
import type { LabelMask, RasterImage } from '../image/image.js';
import { resampledMaskFrom, resampleMaskPart } from '../image/resample.js';
import type { Region } from '../image/tiff_read.js';
import { extractBlocks } from '../radiomics/extract.js';
import type { ExtractOptions } from '../radiomics/extract_options.js';
import type { FeatureTable } from '../radiomics/table.js';
import { refuseAbsent } from '../tokens/scaling.js';
import type { BlockCells, BlockFacts, BlockOutlines } from './block_files.js';
import { readGrid } from './slide_source.js';
import { type ItemReport, type SlideTask, Stages, workFile } from './slide_task.js';
import type { SlideWork } from './slide_work.js';
import { type NumberedPolygons, polygonsOfBlock } from './split_polygons.js';
import { holds } from './tile_plan.js';
import { writeRecord } from './work_files.js';

interface Found {
  mask: LabelMask;
  given: NumberedPolygons | undefined;
}

/** Finds, measures and stores the cells of a block. */
export async function cellBlock(work: SlideWork, block: number): Promise<ItemReport> {
  const { task, plan } = work;
  const stages = new Stages();
  const padded = plan.padded(block);
  const own = plan.blocks.region(block);
  let read: Promise<RasterImage> | undefined;
  const image = () => (read ??= stages.time('read', async () => readGrid(await work.slide(), task.grid, padded, work.signal)));
  const found = await cellsIn(work, block, padded, image, stages);
  const all = found && (await stages.time('cells', () => findCellsAsync(found.mask, callOf(work))));
  if (all && task.origin.kind === 'mask') refuseBinary(all, task);
  const rows = all ? ownRows(all, padded, own) : [];
  if (!found || !all || rows.length === 0) {
    await store(work, block, { cells: 0, skipped: found === undefined, cut: 0 }, emptyCells(), noOutlines(), stages);
    return { seconds: stages.seconds, cells: 0 };
  }
  const pixels = await image();
  const stains = (await work.settled()).facts.stains;
  const recipe = { ...task.recipe, ...(stains && { stains }) };
  const table = await stages.time('features', () =>
    measured(pixels, ownFirst(found.mask, all, rows), rows.length, { ...recipe, ...callOf(work) }),
  );
  const outlines = await stages.time('cells', () => outlinesOf(work, found, all, rows, padded));
  const facts = { cells: rows.length, skipped: false, cut: rows.filter((row) => isCut(work, all, row, padded)).length };
  await store(work, block, facts, keptCells(work, table, all, rows, padded), outlines, stages);
  return { seconds: stages.seconds, cells: rows.length };
}

const callOf = ({ signal }: SlideWork) => (signal ? { signal } : {});

/**
 * The mask with the ids 1, 2, ... for the cells of the block, and higher ones for those of the margin, which are not to be measured
 * themselves. (Of a ring's pixel that is as far from two nuclei the lower id decides: there, and only there, a margin makes a difference.)
 */
function ownFirst({ width, height, data }: LabelMask, all: Cells, rows: readonly number[]): LabelMask {
  const number = new Map<number, number>(rows.map((row, i) => [all.ids[row] as number, i + 1]));
  for (const id of all.ids) if (!number.has(id)) number.set(id, number.size + 1);
  const renumbered = new Uint32Array(data.length);
  let [last, to] = [0, 0];
  for (let i = 0; i < data.length; i++) {
    const id = data[i] as number;
    if (id === 0) continue;
    if (id !== last) [last, to] = [id, number.get(id) as number];
    renumbered[i] = to;
  }
  return { width, height, data: renumbered };
}

/** The features of the first cells of a mask: the others are only neighbours. */
async function measured(image: RasterImage, mask: LabelMask, count: number, options: ExtractOptions): Promise<FeatureTable> {
  for await (const table of extractBlocks(image, mask, { ...options, blockSize: count })) return table;
  throw new UamError('UAM_NATIVE', 'no features came of a block of cells');
}

/** The cells of a region as a label image, however they are to be had; undefined where there is nothing to look for. */
async function cellsIn(
  work: SlideWork,
  block: number,
  padded: Region,
  image: () => Promise<RasterImage>,
  stages: Stages,
): Promise<Found | undefined> {
  const { task, plan } = work;
  const { origin, grid } = task;
  const { width, height } = padded;
  if (origin.kind === 'mask') {
    const mask = await work.mask();
    const data = await stages.time('read', async () => {
      if (!origin.factors) return mask.read(padded, work.signal);
      const field = { width: mask.width, height: mask.height, factors: origin.factors };
      return resampleMaskPart(await mask.read(resampledMaskFrom(padded, field), work.signal), padded, field);
    });
    return data.some((id) => id !== 0) ? { mask: { width, height, data }, given: undefined } : undefined;
  }
  if (origin.kind === 'polygons') {
    const given = await stages.time('read', () => polygonsOfBlock(task.work, block));
    if (!given) return undefined;
    const inGrid = { ...given.polygons, points: given.polygons.points.map((value, i) => value / (grid.toFull[i % 2] as number)) };
    const options = { width, height, ids: given.ids, origin: [padded.x, padded.y] as const };
    const { mask } = await stages.time('cells', () => rasterizePolygonsAsync(inGrid, options, callOf(work)));
    return { mask, given };
  }
  const settled = await work.settled();
  if (!settled.tissueIn(plan.blocks.region(block))) return undefined;
  const { stains = task.recipe.stains, threshold } = settled.facts;
  const pixels = await image();
  const mpp = (grid.mpp[0] + grid.mpp[1]) / 2;
  const { mask } = await stages.time('segment', () => segmentNuclei(pixels, { mpp, stains, threshold }, callOf(work)));
  return { mask, given: undefined };
}

/** Square micrometres that no nucleus has. */
const NO_NUCLEUS = 5000;

/** A mask that tells only where nuclei are would make one cell of each block. */
function refuseBinary({ count, ids, areas }: Cells, { origin, grid }: SlideTask): void {
  const area = (areas[0] as number) * grid.mpp[0] * grid.mpp[1];
  if (count !== 1 || ![1, 255, 65535].includes(ids[0] as number) || area < NO_NUCLEUS) return;
  const name = origin.kind === 'mask' ? origin.path : 'the mask';
  throw new UamError(
    'UAM_DATA',
    `${name}: it seems to hold 0 and ${ids[0]} only, which makes one cell of ${Math.round(area)} square um: give each nucleus an id of its own ` +
      '(connected components), or leave the mask out',
  );
}

/** Cells of the padded block whose centroids lie in the block itself. */
const ownRows = ({ count, centroids }: Cells, padded: Region, own: Region): number[] =>
  Array.from({ length: count }, (_, i) => i).filter((i) =>
    holds(own, (centroids[2 * i] as number) + 0.5 + padded.x, (centroids[2 * i + 1] as number) + 0.5 + padded.y),
  );

/** Whether a cell reaches an edge of the padded block that is none of the slide's. */
function isCut({ plan }: SlideWork, { boxes }: Cells, row: number, { x, y, width, height }: Region): boolean {
  const [left, top, right, bottom] = boxes.subarray(4 * row, 4 * row + 4) as unknown as [number, number, number, number];
  const { sizes } = plan;
  return (
    (left === 0 && x > 0) ||
    (top === 0 && y > 0) ||
    (right === width && x + width < sizes.width) ||
    (bottom === height && y + height < sizes.height)
  );
}

function keptCells({ task }: SlideWork, table: FeatureTable, all: Cells, rows: readonly number[], { x, y }: Region): BlockCells {
  refuseAbsent(task.features, table);
  const columns = new Map(table.columns.map(({ name, data }) => [name, data]));
  const data = task.features.map((name) => columns.get(name) as Float64Array);
  const features = new Float32Array(rows.length * data.length);
  for (let i = 0; i < rows.length; i++) {
    for (let f = 0; f < data.length; f++) features[i * data.length + f] = (data[f] as Float64Array)[i] as number;
  }
  const shifted = (value: number, axis: number) => value + (axis % 2 === 0 ? x : y);
  return {
    ids: Uint32Array.from(rows, (row) => all.ids[row] as number),
    centroids: Float64Array.from(
      rows.flatMap((row) => [...all.centroids.subarray(2 * row, 2 * row + 2)]),
      shifted,
    ),
    boxes: Int32Array.from(
      rows.flatMap((row) => [...all.boxes.subarray(4 * row, 4 * row + 4)]),
      shifted,
    ),
    touches: Uint8Array.from(rows, (row) => all.touchesBorder[row] as number),
    status: Uint8Array.from(table.status),
    features,
  };
}

const emptyCells = (): BlockCells => ({
  ids: new Uint32Array(),
  centroids: new Float64Array(),
  boxes: new Int32Array(),
  touches: new Uint8Array(),
  status: new Uint8Array(),
  features: new Float32Array(),
});

const noOutlines = (): BlockOutlines => ({ points: new Float64Array(), ringOffsets: Int32Array.of(0), polygonOffsets: Int32Array.of(0) });

/** The outlines as they were given; otherwise along the edges of the grid's pixels. */
async function outlinesOf(work: SlideWork, { mask, given }: Found, all: Cells, rows: readonly number[], { x, y }: Region) {
  if (given) return givenOutlines(given, new Set(rows.map((row) => all.ids[row] as number)));
  const own = { ...all, count: rows.length, ...{ ids: pick(all.ids, rows), areas: pick(all.areas, rows) } };
  const { points, ringOffsets, polygonOffsets } = await cellContoursAsync(mask, own, callOf(work));
  const { toFull } = work.task.grid;
  const inFull = points.map((value, i) => (value + (i % 2 === 0 ? x : y)) * (toFull[i % 2] as number));
  return { points: inFull, ringOffsets, polygonOffsets };
}

const pick = (list: Uint32Array, rows: readonly number[]): Uint32Array => Uint32Array.from(rows, (row) => list[row] as number);

/** Rising ids, as the polygons of a file have: those of cells come in the order of the cells. */
function givenOutlines({ polygons, ids }: NumberedPolygons, kept: ReadonlySet<number>): BlockOutlines {
  const { points, ringOffsets, polygonOffsets } = polygons;
  const builder = new PolygonBuilder();
  for (let i = 0; i < ids.length; i++) {
    if (!kept.has(ids[i] as number)) continue;
    for (let r = polygonOffsets[i] as number; r < (polygonOffsets[i + 1] as number); r++) {
      for (let at = ringOffsets[r] as number; at < (ringOffsets[r + 1] as number); at++) {
        builder.point(points[2 * at] as number, points[2 * at + 1] as number);
      }
      builder.endRing();
    }
    builder.endPolygon();
  }
  return builder.finish();
}

async function store(work: SlideWork, block: number, facts: BlockFacts, cells: BlockCells, outlines: BlockOutlines, stages: Stages) {
  const { work: folder } = work.task;
  await stages.time('store', async () => {
    const { points, ringOffsets, polygonOffsets } = outlines;
    await writeRecord(workFile(folder, 'outlines', block), {}, { points, ringOffsets, polygonOffsets });
    await writeRecord(workFile(folder, 'block', block), facts, { ...cells }); // the last one: with it the block is done
  });
}
