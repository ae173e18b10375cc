import { lbpMethods, lbpOffsets, localBinaryPatternKernel } from '../src/radiomics/filters/lbp.js';
import type { TimedCase } from './harness.js';
import { field, greyPlane, height, pixels, width } from './planes.js';

const cases: TimedCase[] = [
  {
    name: `uniform, 8 samples at 1 pixel, ${field}`,
    setup: () => {
      const offsets = lbpOffsets({ samples: 8, radius: 1 });
      const method = lbpMethods.indexOf('uniform');
      const params = { height, width, samples: 8, method, ...offsets, x: greyPlane(), y: new Float64Array(pixels) };
      return () => localBinaryPatternKernel(params);
    },
    work: { bytes: 16 * pixels, flops: 8 * 10 * pixels },
  },
];

export default cases;
