import { gradientMagnitudeKernel } from '../src/radiomics/filters/gradient.js';
import type { TimedCase } from './harness.js';
import { field, greyPlane, height, pixels, width } from './planes.js';

const cases: TimedCase[] = [
  {
    name: field,
    setup: () => {
      const params = { height, width, spacingX: 0.25, spacingY: 0.25, x: greyPlane(), y: new Float64Array(pixels) };
      return () => gradientMagnitudeKernel(params);
    },
    work: { bytes: 16 * pixels },
  },
];

export default cases;
