import { cellContours } from '../src/cells/cell_contours.js';
import { findCells } from '../src/cells/find_cells.js';
import { rasterizePolygons } from '../src/cells/rasterize.js';
import { largeMask } from './cell_images.js';
import type { TimedCase } from './harness.js';

const cases: TimedCase[] = [
  {
    name: '21,000 outlines into 4096 x 4096 pixels',
    setup: () => {
      const mask = largeMask();
      const cells = findCells(mask);
      const polygons = cellContours(mask, cells);
      return () => void rasterizePolygons(polygons, { width: 4096, height: 4096, ids: cells.ids });
    },
    work: { bytes: 4 * 4096 * 4096 },
  },
];

export default cases;
