import { filterIntensityKernel, intensityFilters } from '../src/radiomics/filters/intensity.js';
import type { TimedCase } from './harness.js';
import { field, greyPlane, pixels } from './planes.js';

// The plane is read twice, once for its maximum. No floor is known for the C library's log and exp.
const cases = intensityFilters.map(
  (name, filter): TimedCase => ({
    name: `${name} ${field}`,
    setup: () => {
      const params = { filter, n: pixels, x: greyPlane(), y: new Float64Array(pixels) };
      return () => filterIntensityKernel(params);
    },
    work: { bytes: 24 * pixels },
  }),
);

export default cases;
