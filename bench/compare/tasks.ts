// The data sets that models are compared on: each made from the files of the shared data, none of which is part of this repository.
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { writeWhole } from '../../src/files/write_whole.js';
import { packageRoot } from '../../src/native/load.js';
import { features } from '../../src/radiomics/catalogue.js';
import type { CellDataset } from '../../src/train/dataset.js';
import { readDataset } from '../../src/train/read_manifest.js';
import { readTable } from '../../src/train/read_table.js';
import { DEFAULT_RECIPE, recipeText } from '../../src/train/recipe.js';

export type Log = (line: string) => void;

/** Where things are. */
export interface Places {
  /** The folder of the shared data. */
  data: string;
  /** The folder of what is computed. */
  store: string;
}

/** The folders that were named, else those of the project. */
export function placesFor({ data, store }: { data?: string | undefined; store?: string | undefined }): Places {
  const root = packageRoot();
  return {
    data: data ? resolve(data) : join(root, '..', 'shared', 'data'),
    store: store ? resolve(store) : join(root, 'build', 'compare'),
  };
}

export interface Task {
  name: string;
  /** The file or folder without which there is no such task. */
  needs: string;
  /** The class whose area under the curve is told beside the mean over classes. */
  positive: string;
  /** What the numbers depend on beside the files. */
  key: string;
  make(places: Places, log: Log): Promise<CellDataset>;
}

export async function lines(path: string): Promise<string[][]> {
  const text = await readFile(path, 'utf8');
  return text
    .trim()
    .split(/\r?\n/)
    .slice(1)
    .map((line) => line.split(','));
}

/** Images of breast cancer with expert's points. Both official splits together: two patients are in both, and folds go by patient. */
const brca: Task = {
  name: 'brca_m2c',
  needs: 'brca_m2c/images.csv',
  positive: 'tumour_epithelial',
  key: JSON.stringify([recipeText(DEFAULT_RECIPE), features.map(({ name }) => name)]),
  async make({ data, store }, log) {
    const folder = resolve(data, 'brca_m2c');
    const rows = (await lines(join(folder, 'images.csv'))).map(([image, patient]) => {
      const file = (end: string) => join(folder, `${image}${end}`);
      return [file('.png'), file('_autolabels.png'), file('_points.csv'), patient, 0.5].join(',');
    });
    const manifest = join(store, 'manifests', 'brca_m2c.csv');
    await mkdir(join(store, 'manifests'), { recursive: true });
    await writeWhole(manifest, [Buffer.from(`image,mask,points,patient,mpp\n${rows.join('\n')}\n`)]);
    return readDataset(manifest, {
      extraction: DEFAULT_RECIPE,
      cache: join(store, 'features'),
      onProgress: ({ cached, done, total }) => {
        if (!cached) log(`brca_m2c: features of image ${done} of ${total}`);
      },
    });
  },
};

/** Melanoma nuclei, ten classes, ten numbers each; a region of interest is the group that stays on one side. */
const pumaShapes: Task = {
  name: 'puma_shapes',
  needs: 'puma_shapes/puma_nuclear_shape_features.csv.gz',
  positive: 'tumor',
  key: '',
  async make({ data, store }) {
    const table = join(store, 'manifests', 'puma_shapes.csv');
    await mkdir(join(store, 'manifests'), { recursive: true });
    await writeWhole(table, [gunzipSync(await readFile(join(data, this.needs)))]); // whole: other processes may be reading it
    return readTable(table, { patient: 'roi', sample: 'roi', mpp: 0.23 });
  },
};

/** One row of thirty numbers per patient. */
const wdbc: Task = {
  name: 'wdbc',
  needs: 'wdbc.csv',
  positive: 'malignant',
  key: '',
  make: ({ data }) => readTable(join(data, 'wdbc.csv'), { class: 'label' }),
};

export const TASKS: readonly Task[] = Object.freeze([brca, pumaShapes, wdbc]);

/** Whether the files of a task are there. */
export const isPresent = ({ needs }: Task, { data }: Places): boolean => existsSync(join(data, needs));
