import { findCells } from '../src/cells/find_cells.js';
import { largeMask } from './cell_images.js';
import type { TimedCase } from './harness.js';

const cases: TimedCase[] = [
  {
    name: '4096 x 4096 pixels, 21,000 cells',
    setup: () => {
      const mask = largeMask();
      return () => void findCells(mask);
    },
    work: { bytes: 4 * 4096 * 4096 },
  },
];

export default cases;
