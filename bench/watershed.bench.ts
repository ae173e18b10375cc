import { distanceTransform } from '../src/cells/distance_transform.js';
import { watershed } from '../src/cells/watershed.js';
import { anyCell, largeMask } from './cell_images.js';
import type { TimedCase } from './harness.js';

const side = 2048;

const cases: TimedCase[] = [
  {
    name: `${side} x ${side} pixels, distances of round cells`,
    setup: () => {
      const mask = anyCell(largeMask(side, 16));
      const heights = distanceTransform(mask, side, side);
      return () => void watershed(heights, mask, side, side, 0.5);
    },
    work: { bytes: 9 * side * side },
  },
];

export default cases;
