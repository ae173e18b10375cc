// Oracle: the derived images of PyRadiomics 3.1.0, ../shared/vectors/radiomics/derived.json: the mean, the least value and the first
// eight pixels of each filtered image inside each region. The features on these images are checked with the feature classes.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { packageRoot } from '../../src/native/load.js';
import { deriveImages, type ImageTypeOptions } from '../../src/radiomics/image_types.js';
import { parseNpy } from '../support/npy.js';

const folder = join(packageRoot(), '..', 'shared', 'vectors', 'radiomics');

interface ImageStatistics {
  roi_mean: number;
  roi_min: number;
  roi_max: number;
  first8_roi: number[];
}

t.test('every number about the images', { skip: existsSync(folder) ? false : `${folder} is absent` }, async (t) => {
  const { meta, rois } = JSON.parse(readFileSync(join(folder, 'derived.json'), 'utf8')) as {
    meta: { image_types: ImageTypeOptions };
    rois: { id: string; images: Record<string, ImageStatistics> }[];
  };
  const npy = (name: string) => parseNpy(readFileSync(join(folder, 'rois', name)));
  let exact = 0;
  let compared = 0;
  for (const { id, images } of rois) {
    const image = npy(`${id}_image.npy`);
    const mask = npy(`${id}_mask.npy`).data;
    const [height, width] = image.shape as [number, number];
    const names: string[] = [];
    for await (const { name, plane } of deriveImages(image.data as Float32Array, { width, height }, meta.image_types)) {
      names.push(name);
      const inside = plane.filter((_, i) => mask[i] === 1);
      const got = {
        roi_mean: inside.reduce((a, b) => a + b, 0) / inside.length,
        roi_min: Math.min(...inside),
        roi_max: Math.max(...inside),
        first8_roi: [...inside.subarray(0, 8)],
      };
      const want = images[name] as ImageStatistics;
      const pairs = (Object.keys(got) as (keyof ImageStatistics)[]).flatMap((key) => {
        const [a, b] = [[got[key]].flat(), [want[key]].flat()];
        t.equal(a.length, b.length, `${id} ${name} ${key}`);
        // numpy's mean of a float32 image is summed in float32.
        const near = name === 'gradient' && key === 'roi_mean' ? 1e-6 : 1e-9;
        return b.map((value, i) => [a[i] as number, value, near] as const);
      });
      compared += pairs.length;
      exact += pairs.filter(([a, b]) => a === b).length;
      // A mean near 0 is a sum of large values that cancel: measured against the largest of them.
      const scale = Math.max(Math.abs(want.roi_min), Math.abs(want.roi_max));
      const wrong = pairs.filter(([a, b, near]) => !(Math.abs(a - b) <= near * Math.abs(b) + 1e-15 * scale));
      t.same(wrong, [], `${id} ${name}`);
      if (/^(wavelet|square|gradient|lbp)/.test(name)) t.same(got.first8_roi, want.first8_roi, `${id} ${name} has the same bits`);
    }
    t.same(
      names,
      Object.keys(images).filter((name) => name !== 'original'),
      `${id}: the names and their order`,
    );
  }
  t.ok(compared > 1000, `${compared} numbers, ${exact} of them the same to the bit`);
});
