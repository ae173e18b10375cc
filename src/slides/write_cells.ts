// The cells of a slide as files, block by block.
import { join } from 'node:path';
import type { Cells } from '../cells/cells.js';
import { openGeoJson } from '../cells/write_geojson.js';
import { openTableWriter } from '../radiomics/table_writer.js';
import { callCells, callsTable } from '../report/calls.js';
import { classColors } from '../report/class_colors.js';
import { readCalls } from './blend.js';
import { type BlockCells, readBlock, readOutlines } from './block_files.js';
import { type ItemReport, type OutputWishes, type SlideTask, Stages } from './slide_task.js';
import type { SlideWork } from './slide_work.js';

/** What is written about the cells of a slide. */
export interface CellTotals {
  cells: number;
  /** Cells per class; those without one are not in it. */
  classes: Record<string, number>;
  /** Blocks in which there was nothing to look for. */
  skippedBlocks: number;
  /** Cells that reach beyond the margin of their block. */
  cut: number;
}

/** Cells of a block in pixels of the full resolution, numbered over the whole slide where they have no ids of their own. */
function inFull({ grid, origin }: SlideTask, { ids, centroids, boxes, touches }: BlockCells, before: number): Cells {
  const own = origin.kind === 'mask' || origin.kind === 'polygons';
  const toFull = (i: number) => grid.toFull[i % 2] as number;
  return {
    count: ids.length,
    ids: own ? ids : Uint32Array.from(ids, (_, i) => before + i + 1),
    boxes: Int32Array.from(boxes, (edge, i) => Math.round(edge * toFull(i))),
    areas: new Uint32Array(ids.length),
    centroids: centroids.map((at, i) => (at + 0.5) * toFull(i) - 0.5),
    touchesBorder: touches,
  };
}

/** The names of the files. */
export const geoJsonOf = ({ packed }: OutputWishes): string => `cells.geojson${packed ? '.gz' : ''}`;
export const tableOf = ({ table }: OutputWishes): string => `cells.${table}`;

/** Writes the cells as GeoJSON and as a table. */
export async function writeCells(work: SlideWork): Promise<ItemReport> {
  const { task, plan, signal } = work;
  const { classes, output } = task;
  const stages = new Stages();
  const totals: CellTotals = { cells: 0, classes: {}, skippedBlocks: 0, cut: 0 };
  await stages.time('write', async () => {
    const json = await openGeoJson(join(task.work, RESULTS, geoJsonOf(output)), {
      ...{ objectType: 'detection', signal },
      colors: classColors(classes),
    });
    const table = await openTableWriter(join(task.work, RESULTS, tableOf(output)));
    try {
      for (let block = 0; block < plan.blocks.count; block++) {
        work.refuseAborted();
        const { facts, arrays } = await readBlock(task.work, block);
        totals.skippedBlocks += facts.skipped ? 1 : 0;
        totals.cut += facts.cut;
        if (facts.cells === 0 && block > 0) continue; // the first one tells the table its columns
        const cells = inFull(task, arrays, totals.cells);
        totals.cells += facts.cells;
        const calls = { classes, probabilities: await readCalls(task.work, block) };
        const { names, confidence } = callCells(calls, output.atLeast);
        for (const name of names) if (name !== undefined) totals.classes[name] = (totals.classes[name] ?? 0) + 1;
        const measurements = measured(task, arrays.features);
        await table.write(callsTable(cells, calls, { atLeast: output.atLeast, measurements }));
        const column = (c: number) =>
          Float64Array.from({ length: cells.count }, (_, i) => calls.probabilities[i * classes.length + c] as number);
        await json.write(await readOutlines(task.work, block), {
          ids: cells.ids,
          classes: names,
          measurements: {
            ...Object.fromEntries(classes.map((name, c) => [`Probability ${name}`, column(c)])),
            Confidence: confidence,
            ...measurements,
          },
        });
      }
      await table.close();
      await json.close();
    } catch (error) {
      await Promise.all([table.abort(), json.abort()]);
      throw error;
    }
  });
  return { seconds: stages.seconds, cells: totals.cells, facts: totals };
}

/** The folder of the results while they are written, inside that of the work. */
export const RESULTS = 'results';

function measured({ features, output }: SlideTask, values: Float32Array): Record<string, Float64Array> {
  const rows = features.length === 0 ? 0 : values.length / features.length;
  return Object.fromEntries(
    output.measurements.map((name) => {
      const at = features.indexOf(name);
      return [name, Float64Array.from({ length: rows }, (_, i) => values[i * features.length + at] as number)];
    }),
  );
}
