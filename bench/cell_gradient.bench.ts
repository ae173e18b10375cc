import { gradient } from '../src/radiomics/gradient.js';
import { roiInput } from '../src/radiomics/roi.js';
import { DEFAULT_SETTINGS } from '../src/radiomics/settings.js';
import type { TimedCase } from './harness.js';
import { fieldOfNuclei } from './nuclei.js';

const cases: TimedCase[] = [
  {
    name: '1000 nuclei of about 330 pixels',
    setup: () => {
      const regions = fieldOfNuclei();
      const plane = Uint8Array.from({ length: regions.labels.length }, (_, at) => 128 + 100 * Math.sin(at * at));
      const out = new Float64Array(regions.rois * gradient.features.length);
      const params = gradient.params(roiInput(regions, plane, DEFAULT_SETTINGS), DEFAULT_SETTINGS, [0.25, 0.25], out);
      return () => gradient.kernel(params);
    },
    work: { flops: 1000 * 36 * 36 * 60 },
  },
];

export default cases;
