import { access } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { mismatch, UamError } from '../errors.js';
import { readNpyTexts } from '../image/npy_texts.js';
import { collectTiles, type ReadJointOptions } from './collect_tiles.js';
import type { Split } from './dataset.js';
import { filesBelow } from './files_below.js';
import type { JointDataset } from './joint_dataset.js';
import type { Pace } from './pace.js';
import { checkStacks, idsOfChannel, openStack, type Stack, type StackNuclei, StackTile } from './stack_tile.js';

/** The classes of PanNuke, in the order of its channels; the last channel is background. */
export const PANNUKE_CLASSES = Object.freeze(['Neoplastic', 'Inflammatory', 'Connective', 'Dead', 'Epithelial'] as const);

/** The files of one fold. */
export interface PanNukeFiles {
  /** `[N, height, width, 3]`, from 0 to 255. */
  images: string;
  /** `[N, height, width, 6]`: ids of nuclei, a channel per class and one of background. */
  masks: string;
  /** `[N]`: names of tissues. */
  types?: string | undefined;
}

export interface PanNukeOptions extends ReadJointOptions {
  /** Which split each fold is, by `fold1`, `fold2`, `fold3`. Default: none says. PanNuke's authors train on one fold, validate on another
   * and test on the third, for they do not tell which patient an image is of. */
  splits?: Readonly<Record<string, Split>> | undefined;
  /** Only images of these tissues, such as `Breast`. Default: all. */
  tissues?: readonly string[] | undefined;
}

interface Fold extends PanNukeFiles {
  /** `fold1`; empty where there is one only, without a number. */
  name: string;
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** The folder where a fold's masks lie: that of its images, or the one called `masks` in place of `images`. */
async function beside(images: string, file: string): Promise<string | undefined> {
  const own = dirname(images);
  const parts = own.split(sep);
  const at = parts.lastIndexOf('images');
  const other = parts.map((part, i) => (i === at ? 'masks' : part)).join(sep);
  for (const folder of new Set([own, other])) if (await exists(join(folder, file))) return join(folder, file);
  return undefined;
}

/** The folds below a folder, such as `Fold 1/images/fold1/images.npy`. */
export async function panNukeFolds(folder: string): Promise<Fold[]> {
  const folds: Fold[] = [];
  for (const images of await filesBelow(folder, (file) => file === 'images.npy')) {
    const masks = await beside(images, 'masks.npy');
    const number = [...resolve(images).matchAll(/fold[ _-]?(\d+)/gi)].at(-1)?.[1];
    if (masks) folds.push({ name: number ? `fold${number}` : '', images, masks, types: await beside(images, 'types.npy') });
  }
  return folds;
}

/**
 * Nuclei of all classes in one mask. Ids count in each channel anew, so they are numbered on; where channels overlap, the later one has the
 * pixel, as in the usual conversions.
 */
async function nucleiOf(masks: Stack, index: number, pace: Pace): Promise<StackNuclei> {
  const values = await masks.read(index);
  const data = new Uint32Array(masks.shape[1] * masks.shape[2]);
  const classOf = new Map<number, string>();
  for (const [channel, name] of PANNUKE_CLASSES.entries()) {
    const ids = idsOfChannel(values, channel, masks, `${masks.name}, image ${index}, ${name}`);
    const numbers = new Map<number, number>();
    for (let at = 0; at < ids.length; at++) {
      const id = ids[at] as number;
      if (id === 0) continue;
      let number = numbers.get(id);
      if (number === undefined) {
        number = classOf.size + 1;
        numbers.set(id, number);
        classOf.set(number, name);
      }
      data[at] = number;
    }
    await pace.rest();
  }
  return { data, classOf };
}

/** The tiles of a fold; `opened` takes the files that are to be closed. */
async function tilesOf(fold: Fold, options: PanNukeOptions, opened: Stack[]): Promise<StackTile[]> {
  const open = async (path: string, channels: number): Promise<Stack> => {
    const stack = await openStack(path, channels);
    opened.push(stack);
    return stack;
  };
  const images = await open(fold.images, 3);
  const masks = await open(fold.masks, PANNUKE_CLASSES.length + 1);
  checkStacks(images, masks);
  const [count] = images.shape;
  const types = fold.types === undefined ? undefined : await readNpyTexts(fold.types);
  if (types && types.length !== count)
    throw mismatch('UAM_SHAPE', `${fold.types}: its texts`, `${count}, one per image`, String(types.length));
  const { tissues, mpp = 0.25, splits, regions = ['tumour'] } = options;
  if (tissues && !types) throw new UamError('UAM_DATA', `${fold.images}: tissues are asked for, but there is no types.npy that tells them`);
  return Array.from({ length: count }, (_, index) => index)
    .filter((index) => !tissues || tissues.includes(types?.[index] as string))
    .map((index) => {
      const name = [fold.name, types?.[index], index].filter((part) => part !== '' && part !== undefined).join('/');
      const split = splits?.[fold.name];
      return new StackTile({ images, index, name, split, mpp, regions: regions.length, nuclei: (pace) => nucleiOf(masks, index, pace) });
    });
}

/**
 * Reads PanNuke: one or more folds of `images.npy`, `masks.npy` and perhaps `types.npy`, whether they lie in one folder or as published
 * (`Fold 1/images/fold1/images.npy`, `Fold 1/masks/fold1/masks.npy`). Arrays are read image by image, never whole. Pixels are of 0.25 um
 * unless `mpp` says otherwise. PanNuke knows no regions, and no patients: every image counts as a patient of its own; keep its folds
 * apart (`splits`).
 *
 * @param from a folder, or the files of one fold
 * @returns tiles called `fold1/Breast/17`; classes Neoplastic, Inflammatory, Connective, Dead, Epithelial
 * @throws UamError `UAM_INPUT` where the files are not there, `UAM_FORMAT` where they are broken or truncated, `UAM_SHAPE`, `UAM_DATA`
 *   where they do not fit each other or hold other values; `UAM_ABORTED`
 * @example
 * const { mkdtemp, rm } = await import('node:fs/promises');
 * const { tmpdir } = await import('node:os');
 * const folder = await mkdtemp(`${tmpdir()}/uam-example-`);
 * await writeNpy(`${folder}/images.npy`, new Uint8Array(2 * 8 * 8 * 3).fill(200), [2, 8, 8, 3]);
 * await writeNpy(`${folder}/masks.npy`, new Uint16Array(2 * 8 * 8 * 6).fill(1, 0, 1), [2, 8, 8, 6]);
 * const dataset = await readPanNuke(folder, { extraction: { features: ['firstorder'], channels: ['grey'] } });
 * dataset.counts();   // [1, 0, 0, 0, 0]: a neoplastic nucleus of one pixel
 * await rm(folder, { recursive: true });
 */
export async function readPanNuke(from: string | PanNukeFiles, options: PanNukeOptions = {}): Promise<JointDataset> {
  const folds = typeof from === 'string' ? await panNukeFolds(from) : [{ name: '', ...from }];
  if (folds.length === 0) {
    throw new UamError(
      'UAM_INPUT',
      `${from}: there is no images.npy with its masks.npy in it, nor as in Fold 1/images/fold1 and Fold 1/masks/fold1`,
    );
  }
  const opened: Stack[] = [];
  try {
    const tiles: StackTile[] = [];
    for (const fold of folds) tiles.push(...(await tilesOf(fold, options, opened)));
    if (tiles.length === 0) throw new UamError('UAM_DATA', `${folds[0]?.images}: no image is of ${options.tissues?.join(', ')}`);
    return await collectTiles(tiles, { classes: PANNUKE_CLASSES, regions: options.regions ?? ['tumour'] }, options);
  } finally {
    for (const stack of opened) await stack.close();
  }
}
