// Image and mask to a table: every chosen class on every chosen plane, block by block.
import type { Cells } from '../cells/cells.js';
import { findCellsAsync } from '../cells/find_cells.js';
import { UamError } from '../errors.js';
import type { LabelMask, RasterImage } from '../image/image.js';
import type { Task } from './class_tasks.js';
import { checkInputs, type ExtractOptions, type LabelInput, type Request, readOptions } from './extract_options.js';
import { planTasks } from './extract_tasks.js';
import { type CellField, factorsTo, resampleField, rowsAmong } from './measuring_scale.js';
import { formStatus, NO_VALUES, nanStatus } from './status.js';
import { FeatureTable } from './table.js';
import type { FeatureColumn } from './table_columns.js';

/**
 * Computes features for every cell of an image: PyRadiomics' 102 of its grey levels where nothing else is asked for.
 *
 * Cells are taken in rising order of their ids, ids are kept, and no cell is left out: what cannot be computed for a cell is NaN, and
 * its `status` says why. Results do not depend on the number of threads or the block size.
 *
 * @param image pixels, RGB or one channel; `mpp`, its micrometres per pixel, scales lengths and areas
 * @param mask a label image of the same size, as uint32, int32 (none negative), uint16 or uint8
 * @param options see `ExtractOptions`
 * @returns a row per cell
 * @throws UamError `UAM_SHAPE` where image and mask differ in size, `UAM_ARGUMENT` for an unknown option, setting, channel or feature,
 *   `UAM_DATA` for stains of a grey image, `UAM_DEVICE` where there is no CUDA device to take, `UAM_ABORTED`
 * @example
 * const image = { width: 4, height: 2, channels: 1, data: Uint8Array.of(90, 60, 10, 30, 120, 80, 20, 240), mpp: [0.25, 0.25] };
 * const mask = { width: 4, height: 2, data: Uint32Array.of(7, 7, 0, 9, 7, 7, 0, 9) };
 * const table = await radiomics.extract(image, mask, { settings: { binWidth: 10 } });
 * console.log(table.ids, table.column('firstorder_Mean').data); // 7 and 9; 87.5 and 135
 */
export async function extract(image: RasterImage, mask: LabelInput, options: ExtractOptions = {}): Promise<FeatureTable> {
  const blocks: FeatureTable[] = [];
  for await (const block of extractBlocks(image, mask, options)) blocks.push(block);
  return FeatureTable.concat(blocks);
}

/**
 * As `extract`, in tables of at most `blockSize` cells as they are computed, so that memory does not grow with the number of cells.
 * At least one table comes, though it may be empty.
 *
 * @throws UamError as `extract`
 * @example
 * const image = { width: 4, height: 1, channels: 1, data: Uint8Array.of(90, 60, 10, 30) };
 * const mask = { width: 4, height: 1, data: Uint32Array.of(1, 1, 2, 2) };
 * for await (const block of radiomics.extractBlocks(image, mask, { blockSize: 1 })) console.log(block.length); // 1, 1
 */
export async function* extractBlocks(
  image: RasterImage,
  labels: LabelInput,
  options: ExtractOptions = {},
): AsyncGenerator<FeatureTable, void, undefined> {
  const request = readOptions(image, options);
  const mask = checkInputs(image, labels);
  const cells = await findCellsAsync(mask, { signal: request.signal, device: request.device });
  const [first, last] = chosenCells(cells, request, mask);
  const { tasks, found } = await planned({ image, mask, cells }, request);
  let next = first;
  do {
    const end = Math.min(next + request.blockSize, last);
    yield await block({ cells, found, tasks }, next, end, request);
    next = end;
    request.onProgress?.({ done: next - first, total: last - first });
  } while (next < last);
}

interface Plan {
  tasks: readonly Task[];
  /** The cells that the tasks know: all, or those that are left at the pixel size at which features are measured. */
  found: Cells;
}

async function planned(own: CellField, request: Request): Promise<Plan> {
  const factors = factorsTo(request.scale, own.image);
  if (!factors) return { tasks: await planTasks(own.image, own.mask, own.cells, request), found: own.cells };
  const { image, mask, cells } = await resampleField(own, factors, request.signal);
  const [x, y] = request.spacing;
  const tasks = await planTasks(image, mask, cells, { ...request, spacing: [x * factors[0], y * factors[1]] });
  return { tasks, found: cells };
}

/** Every cell, or the one that the setting `label` names: its ring and its neighbourhood still know of the others. */
function chosenCells(cells: Cells, { settings }: Request, mask: LabelMask): [from: number, to: number] {
  const { label } = settings;
  if (label === null) return [0, cells.count];
  const at = cells.ids.indexOf(label);
  if (at < 0) throw new UamError('UAM_DATA', `${mask.name ?? 'the mask'} has no cell ${label}, which the setting label asks for`);
  return [at, at + 1];
}

/** The table of the cells `[from, to)`. */
async function block({ cells, found, tasks }: Plan & { cells: Cells }, from: number, to: number, request: Request): Promise<FeatureTable> {
  const { settings, signal, device } = request;
  const among = rowsAmong(found, cells, from, to);
  const status = new Uint8Array(to - from).fill(NO_VALUES);
  for (const [i, row] of among.rows.entries()) status[row] = formStatus(found, among.from + i, settings);
  const columns: FeatureColumn[] = [];
  for (const task of tasks) {
    const values = await task.run(among.from, among.to, { signal, device });
    const data = turned(values, task, among.rows, to - from);
    task.columns.forEach((column, at) => {
      columns.push({ ...column, data: data[at] as Float64Array });
    });
    for (const { start, width, lacks } of task.decidesStatus ?? []) {
      for (const [i, row] of among.rows.entries()) {
        if (allNaN(values, i * task.width + start, width)) status[row] = nanStatus(status[row] as number, lacks === 'values');
      }
    }
  }
  return new FeatureTable({
    ids: cells.ids.slice(from, to),
    centroids: cells.centroids.slice(2 * from, 2 * to),
    touchesBorder: cells.touchesBorder.slice(from, to),
    status,
    columns,
  });
}

/**
 * The columns of a task's values, of which those of cell i belong into row `rows[i]`; other rows are NaN. Row by row, as a row is far
 * shorter than the columns are: it stays in the cache.
 */
function turned(values: Float64Array, { places, width }: Task, rows: Int32Array, count: number): Float64Array[] {
  const columns = places.map(() => (rows.length === count ? new Float64Array(count) : new Float64Array(count).fill(Number.NaN)));
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] as number;
    for (let at = 0; at < places.length; at++) (columns[at] as Float64Array)[row] = values[i * width + (places[at] as number)] as number;
  }
  return columns;
}

function allNaN(rows: Float64Array, start: number, width: number): boolean {
  for (let at = start; at < start + width; at++) if (!Number.isNaN(rows[at])) return false;
  return true;
}
