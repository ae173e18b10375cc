import { gaussianCoefficients, recursiveGaussianKernel } from '../src/radiomics/filters/log.js';
import type { TimedCase } from './harness.js';
import { field, greyPlane, height, pixels, width } from './planes.js';

// A Laplacian of Gaussian is two passes along x and two along y. In float64 the machine does half the operations of its float32 floor.
const cases = ['x', 'y'].map(
  (name, axis): TimedCase => ({
    name: `along ${name}, ${field}`,
    setup: () => {
      const coefficients = gaussianCoefficients(2, 4);
      const params = { height, width, axis, accumulate: false, scale: 1, coefficients, x: greyPlane(), y: new Float64Array(pixels) };
      return () => recursiveGaussianKernel(params);
    },
    work: { bytes: 16 * pixels, flops: 32 * pixels },
  }),
);

export default cases;
