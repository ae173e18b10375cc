import { ringMask } from '../src/radiomics/ring.js';
import type { TimedCase } from './harness.js';
import { fieldOfNuclei } from './nuclei.js';

const cases = [2, 8].map((width): TimedCase => {
  return {
    name: `1280x800, rings of ${4 * width} pixels`,
    setup: () => {
      const { width: columns, height, labels, rois, ids, boxes } = fieldOfNuclei();
      const cells = {
        count: rois,
        ids,
        boxes,
        areas: new Uint32Array(rois),
        centroids: new Float64Array(2 * rois),
        touchesBorder: new Uint8Array(rois),
      };
      return () => void ringMask({ width: columns, height, data: labels }, cells, width, [0.25, 0.25]);
    },
    work: { bytes: 8 * 1280 * 800 },
  };
});

export default cases;
