import { type RoiMask, roiInput } from '../src/radiomics/roi.js';
import { completeSettings } from '../src/radiomics/settings.js';
import { JOINT_CLASSES, textureKernel, textureParams } from '../src/radiomics/texture.js';
import type { TimedCase } from './harness.js';
import { nucleiImage } from './nuclei_image.js';

const boxArea = ({ rois, boxes }: RoiMask): number => {
  let area = 0;
  for (let k = 0; k < 4 * rois; k += 4) {
    const [x0 = 0, y0 = 0, x1 = 0, y1 = 0] = boxes.subarray(k, k + 4);
    area += (x1 - x0) * (y1 - y0);
  }
  return area;
};

/** The six classes on 1,000 nuclei. The work counted is to read their boxes in image and mask, and to write the features. */
function jointCase(binWidth: number): TimedCase {
  const { plane, regions } = nucleiImage(1024, 1024, 1000);
  const settings = completeSettings({ binWidth });
  const params = textureParams(JOINT_CLASSES, roiInput(regions, plane, settings), settings, [1, 1]);
  return {
    name: `${regions.rois} nuclei, binWidth ${binWidth}`,
    setup: () => () => textureKernel(params),
    work: { bytes: 5 * boxArea(regions) + 8 * params.out.length },
  };
}

export default [jointCase(25), jointCase(5)];
