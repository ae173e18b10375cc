// A picture of the slide with its regions and cells.
import { join } from 'node:path';
import { openImage } from '../image/open_image.js';
import { callCells } from '../report/calls.js';
import { openSlideOverlay } from '../report/slide_overlay.js';
import { readCalls } from './blend.js';
import { readBlock } from './block_files.js';
import { type ItemReport, Stages } from './slide_task.js';
import type { SlideWork } from './slide_work.js';
import { RESULTS } from './write_cells.js';

/** Draws `overlay.png`; the files of cells and regions are there. */
export async function drawOverlay(work: SlideWork): Promise<ItemReport> {
  const { task, plan, signal } = work;
  const { classes, regions, grid, origin, output } = task;
  const stages = new Stages();
  await stages.time('overlay', async () => {
    const picture = openSlideOverlay(join(task.work, RESULTS, 'overlay.png'), await work.slide(), { classes, regions, signal });
    for (let block = 0; origin.kind !== 'none' && block < plan.blocks.count; block++) {
      work.refuseAborted();
      const { facts, arrays } = await readBlock(task.work, block);
      if (facts.cells === 0) continue;
      const { names } = callCells({ classes, probabilities: await readCalls(task.work, block) }, output.atLeast);
      const places = arrays.centroids.map((at, i) => (at + 0.5) * (grid.toFull[i % 2] as number));
      picture.addCells(
        places,
        names.map((name) => (name === undefined ? -1 : classes.indexOf(name))),
      );
    }
    const mask = regions.length > 0 ? await openImage(join(task.work, RESULTS, 'regions.tif')) : undefined;
    try {
      await picture.close(mask);
    } finally {
      await mask?.close();
    }
  });
  return { seconds: stages.seconds };
}
