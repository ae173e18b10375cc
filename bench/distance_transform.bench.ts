import { distanceTransform } from '../src/cells/distance_transform.js';
import { anyCell, largeMask } from './cell_images.js';
import type { TimedCase } from './harness.js';

const side = 2048;

const cases: TimedCase[] = [
  {
    name: `${side} x ${side} pixels`,
    setup: () => {
      const mask = anyCell(largeMask(side));
      return () => void distanceTransform(mask, side, side);
    },
    work: { bytes: 5 * side * side },
  },
];

export default cases;
