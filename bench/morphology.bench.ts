import { morphology } from '../src/radiomics/morphology.js';
import type { TimedCase } from './harness.js';
import { fieldOfNuclei } from './nuclei.js';

const cases: TimedCase[] = [
  {
    name: '1000 nuclei of about 330 pixels',
    setup: () => {
      const regions = fieldOfNuclei();
      const out = new Float64Array(regions.rois * morphology.features.length);
      return () => morphology.kernel(morphology.params(regions, [0.25, 0.25], out));
    },
    work: { bytes: 4 * 1000 * 24 * 24 },
  },
];

export default cases;
