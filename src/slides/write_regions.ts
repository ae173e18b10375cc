// The regions of a slide as files.
import { regionRows } from './region_rows.js';
import { type ItemReport, Stages } from './slide_task.js';
import type { SlideWork } from './slide_work.js';

/** What is written about the regions of a slide. */
export interface RegionTotals {
  /** Pixels of the grid per region. */
  pixels: Record<string, number>;
}

/** Writes `regions.tif` and `regions.geojson`. */
export async function writeRegions(work: SlideWork): Promise<ItemReport> {
  const { task } = work;
  const stages = new Stages();
  const pixels = new Array<number>(task.regions.length).fill(0);
  await stages.time('write', async () => {
    for await (const _rows of regionRows(work, (found) => found.forEach((count, i) => void (pixels[i]! += count)))) {
      // to be written
    }
  });
  const totals: RegionTotals = { pixels: Object.fromEntries(task.regions.map((name, i) => [name, pixels[i] as number])) };
  return { seconds: stages.seconds, facts: totals };
}
