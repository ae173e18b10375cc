import { stationaryWaveletKernel } from '../src/radiomics/filters/wavelet.js';
import { waveletTaps } from '../src/radiomics/filters/wavelet_taps.js';
import type { TimedCase } from './harness.js';
import { field, greyPlane, height, pixels, width } from './planes.js';

// A level of a plane is one pass along x and two along y.
const cases = ['x', 'y'].map(
  (name, axis): TimedCase => ({
    name: `coif1 along ${name}, ${field}`,
    setup: () => {
      const { low: lowTaps, high: highTaps } = waveletTaps('coif1');
      const params = { height, width, taps: lowTaps.length, axis, lowTaps, highTaps, x: greyPlane() };
      const bands = { low: new Float64Array(pixels), high: new Float64Array(pixels) };
      return () => stationaryWaveletKernel({ ...params, ...bands });
    },
    work: { bytes: 24 * pixels, flops: 24 * pixels },
  }),
);

export default cases;
