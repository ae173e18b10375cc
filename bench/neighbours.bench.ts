import { neighboursKernel } from '../src/radiomics/neighbours.js';
import type { TimedCase } from './harness.js';

// A slide: half a million cells at a density of one per 100 square micrometres, the main features of a table averaged around each.
const cases = [20_000, 500_000].map(
  (n): TimedCase => ({
    name: `${n} cells, 10 nearest, 15 and 30 um, 8 features`,
    setup: () => {
      const side = Math.sqrt(n * 100);
      let state = 1;
      const random = () => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 2 ** 32;
      };
      const params = {
        ...{ n, nearest: 10, radiusCount: 2, features: 8, radii: Float64Array.of(15, 30) },
        points: Float64Array.from({ length: 2 * n }, () => random() * side),
        values: Float64Array.from({ length: 8 * n }, random),
        distances: new Float64Array(10 * n),
        counts: new Float64Array(2 * n),
        means: new Float64Array(16 * n),
      };
      return () => neighboursKernel(params);
    },
    // Every array once; a search has no floor of its own.
    work: { bytes: 8 * n * (2 + 8 + 10 + 2 + 16) },
  }),
);

export default cases;
