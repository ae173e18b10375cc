// The regions of a slide as files.
import { join } from 'node:path';
import { openRegionGeoJson } from '../cells/write_regions.js';
import { openPyramidTiff } from '../image/pyramid_tiff.js';
import { classColors } from '../report/class_colors.js';
import { regionRows } from './region_rows.js';
import { type ItemReport, Stages } from './slide_task.js';
import type { SlideWork } from './slide_work.js';
import { RESULTS } from './write_cells.js';

/** What is written about the regions of a slide. */
export interface RegionTotals {
  /** Pixels of the grid per region. */
  pixels: Record<string, number>;
}

/** Writes `regions.tif` and `regions.geojson`. */
export async function writeRegions(work: SlideWork): Promise<ItemReport> {
  const { task, plan } = work;
  const { width, height } = plan.sizes;
  const stages = new Stages();
  const pixels = new Array<number>(task.regions.length).fill(0);
  await stages.time('write', async () => {
    const description = `regions of ${task.name.replace(/^.*[\\/]/, '')}: 0 none, ${task.regions.map((name, i) => `${i + 1} ${name}`).join(', ')}`;
    const tiff = await openPyramidTiff(join(task.work, RESULTS, 'regions.tif'), {
      ...{ width, height, channels: 1, mpp: task.grid.mpp, description },
    });
    const outlines = await openRegionGeoJson(join(task.work, RESULTS, 'regions.geojson'), {
      ...{ width, regions: task.regions, scale: task.grid.toFull, mpp: task.grid.mpp, minArea: task.output.minRegion },
      ...{ colors: classColors(task.regions), signal: work.signal },
    });
    try {
      for await (const { mask } of regionRows(work, (found) => found.forEach((count, i) => void (pixels[i]! += count)))) {
        await tiff.writeRows(mask);
        await outlines.writeRows(mask);
      }
      await tiff.close();
      await outlines.close();
    } catch (error) {
      await Promise.all([tiff.abort(), outlines.abort()]);
      throw error;
    }
  });
  const totals: RegionTotals = { pixels: Object.fromEntries(task.regions.map((name, i) => [name, pixels[i] as number])) };
  return { seconds: stages.seconds, facts: totals };
}
