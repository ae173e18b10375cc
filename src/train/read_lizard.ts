import { mismatch, UamError } from '../errors.js';
import { openSource, readAll } from '../image/byte_source.js';
import { matVariables } from '../image/mat.js';
import { collectTiles, type ReadJointOptions } from './collect_tiles.js';
import { readCsv } from './csv_rows.js';
import type { Split } from './dataset.js';
import { FileTile } from './file_tile.js';
import { filesBelow } from './files_below.js';
import { IMAGE_FILE, stemOf } from './folder_files.js';
import type { JointDataset } from './joint_dataset.js';
import { CONIC_CLASSES, conicClass } from './read_conic.js';
import type { KnownClasses } from './tile_source.js';

export interface LizardOptions extends ReadJointOptions {
  /** Which split each number of the column `Split` in info.csv stands for, such as `{ 1: 'train', 2: 'train', 3: 'test' }`. Default: none. */
  splits?: Readonly<Record<string, Split>> | undefined;
}

/** Numbers of a variable, in the order of the file. */
async function numbersIn(path: string, variables: Awaited<ReturnType<typeof matVariables>>, name: string): Promise<number[]> {
  const found = variables.find((variable) => variable.name === name);
  if (!found?.numeric) {
    const others = variables.map((variable) => variable.name).join(', ') || 'nothing';
    throw new UamError('UAM_DATA', `${path}: there are no numbers '${name}' in it (it holds ${others})`);
  }
  return Array.from(await found.load(), Number);
}

/** The variables of a label file. */
export async function variablesIn(path: string): ReturnType<typeof matVariables> {
  const source = await openSource(path);
  try {
    return await matVariables(path, await readAll(source));
  } finally {
    await source.close();
  }
}

/** The classes of the nuclei that a label file names: `class[i]` is that of nucleus `id[i]`, whatever number it has in the mask. */
async function classesIn(path: string, ids: Uint32Array): Promise<KnownClasses> {
  const variables = await variablesIn(path);
  const [named, classes] = [await numbersIn(path, variables, 'id'), await numbersIn(path, variables, 'class')];
  if (named.length !== classes.length) {
    throw mismatch('UAM_DATA', `${path}: its classes`, `as many as its ids, ${named.length}`, String(classes.length));
  }
  const classOf = new Map(named.map((id, i) => [id, conicClass(classes[i] as number, path)]));
  return { classes: Array.from(ids, (id) => classOf.get(id)) };
}

/** What info.csv says of the splits, by the stems of images. */
async function splitsIn(path: string, splits: LizardOptions['splits']): Promise<Map<string, Split | undefined>> {
  const rows = await readCsv(path, ['Filename', 'Split']);
  return new Map(rows.map((row) => [stemOf(`${row['Filename']}`), splits?.[row['Split'] as string]]));
}

/**
 * Reads Lizard as published: images (`*.png`) and label files of the same names (`*.mat` with `inst_map`, `id`, `class`), wherever they lie
 * below the folder, and perhaps `info.csv`, whose column `Split` numbers three parts (`splits` says what they are for). `class[i]` is the
 * class of nucleus `id[i]`; nuclei of the mask that no id names have none. Pixels are of 0.5 um unless `mpp` says otherwise. Lizard
 * knows no regions, and no patients: every image counts as a patient of its own.
 *
 * @returns classes as CoNIC's: neutrophil, epithelial, lymphocyte, plasma, eosinophil, connective
 * @throws UamError `UAM_INPUT` where no image has its labels, `UAM_FORMAT` where a file is broken, `UAM_DATA` where it holds other values;
 *   `UAM_ABORTED`
 * @example
 * const read = (folder: string) => readLizard(folder, { splits: { 1: 'train', 2: 'validation', 3: 'test' } });
 */
export async function readLizard(folder: string, options: LizardOptions = {}): Promise<JointDataset> {
  const { mpp = 0.5, regions = ['tumour'], regionUnknown, splits } = options;
  const files = await filesBelow(folder, (name) => IMAGE_FILE.test(name) || /\.mat$/i.test(name) || name === 'info.csv');
  const images = new Map<string, string>();
  for (const file of files.filter((file) => IMAGE_FILE.test(file))) {
    const other = images.get(stemOf(file));
    if (other) throw new UamError('UAM_DATA', `${folder}: two images are called ${stemOf(file)}: ${other} and ${file}`);
    images.set(stemOf(file), file);
  }
  const labels = files.filter((file) => /\.mat$/i.test(file));
  const info = files.find((file) => file.endsWith('info.csv'));
  const splitOfStem = info === undefined ? undefined : await splitsIn(info, splits);
  const alone = labels.filter((file) => !images.has(stemOf(file)));
  const tiles = labels.flatMap((mask) => {
    const image = images.get(stemOf(mask));
    if (image === undefined) return [];
    const known = { file: mask, of: ({ ids }: { ids: Uint32Array }) => classesIn(mask, ids), needsMask: true };
    const rest = { regions: regions.map(() => undefined), maps: undefined, patient: undefined, mpp };
    const name = stemOf(image);
    return [new FileTile({ name, image, mask, known, split: splitOfStem?.get(name), ...rest }, { otherwise: undefined, regionUnknown })];
  });
  if (tiles.length === 0) throw new UamError('UAM_INPUT', `${folder}: no image in it has a label file (.mat) of the same name`);
  if (alone.length > 0) {
    const message = `${folder}: ${alone.length} label files have no image and are left out, such as ${alone[0]}`;
    options.onWarning?.({ image: folder, code: 'files_without_image', message });
  }
  return collectTiles(tiles, { classes: CONIC_CLASSES, regions }, options);
}
