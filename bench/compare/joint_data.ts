// brca_m2c with its images and region masks.
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { writeWhole } from '../../src/files/write_whole.js';
import type { JointDataset } from '../../src/train/joint_dataset.js';
import { readJointDataset } from '../../src/train/read_joint_manifest.js';
import { DEFAULT_RECIPE } from '../../src/train/recipe.js';
import { type Log, lines, type Places } from './tasks.js';

/** The files that make up the data set, in the order of `images.csv`, so that folds are those of `brca_cell`. */
export async function jointData({ data, store }: Places, log: Log): Promise<JointDataset> {
  const folder = resolve(data, 'brca_m2c');
  const rows = (await lines(join(folder, 'images.csv'))).map(([image, patient]) => {
    const file = (end: string) => join(folder, `${image}${end}`);
    const files = ['.png', '_autolabels.png', '_points.csv', '_tumour_region_derived.png'].map(file);
    return [...files, patient, 0.5].join(',');
  });
  const manifest = join(store, 'manifests', 'brca_joint.csv');
  await mkdir(join(store, 'manifests'), { recursive: true });
  await writeWhole(manifest, [Buffer.from(`image,mask,points,region,patient,mpp\n${rows.join('\n')}\n`)]);
  return readJointDataset(manifest, {
    extraction: DEFAULT_RECIPE,
    cache: join(store, 'features'),
    onProgress: ({ cached, done, total }) => {
      if (!cached) log(`brca_m2c: features of image ${done} of ${total}`);
    },
  });
}
