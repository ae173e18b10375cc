import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { UamError } from '../errors.js';
import type { ReadJointOptions } from './collect_tiles.js';
import { filesBelow } from './files_below.js';
import { IMAGE_FILE, listFolder, stemOf } from './folder_files.js';
import type { JointDataset } from './joint_dataset.js';
import { readConic } from './read_conic.js';
import { readJointDataset } from './read_joint_manifest.js';
import { readLizard, variablesIn } from './read_lizard.js';
import { panNukeFolds, readPanNuke } from './read_pannuke.js';
import { readTileFolder } from './read_tile_folder.js';

/** How the files of a dataset may lie. */
type JointLayout = 'manifest' | 'conic' | 'pannuke' | 'lizard' | 'tiles';

const READERS = Object.freeze({
  manifest: readJointDataset,
  conic: readConic,
  pannuke: readPanNuke,
  lizard: readLizard,
  tiles: readTileFolder,
});

/** Whether label files as Lizard has them lie below a folder, beside images of their names. */
async function isLizard(folder: string): Promise<boolean> {
  const files = await filesBelow(folder, (name) => IMAGE_FILE.test(name) || /\.mat$/i.test(name));
  const images = new Set(files.filter((file) => IMAGE_FILE.test(file)).map(stemOf));
  const labels = files.find((file) => /\.mat$/i.test(file) && images.has(stemOf(file)));
  if (labels === undefined) return false;
  const names = (await variablesIn(labels)).map(({ name }) => name);
  return ['inst_map', 'id', 'class'].every((name) => names.includes(name));
}

async function layoutOfFolder(folder: string): Promise<JointLayout> {
  const { files, folders } = await listFolder(folder);
  if (files.includes('manifest.csv')) return 'manifest';
  if (files.includes('images.npy') && files.includes('labels.npy')) return 'conic';
  if ((await panNukeFolds(folder)).length > 0) return 'pannuke';
  if (await isLizard(folder)) return 'lizard';
  const among = folders.includes('images') ? (await listFolder(join(folder, 'images'))).files : files;
  if (among.some((file) => IMAGE_FILE.test(file))) return 'tiles';
  throw new UamError(
    'UAM_INPUT',
    `${folder}: no dataset was found in this folder; looked for manifest.csv; images.npy with labels.npy (CoNIC); images.npy with masks.npy, also ` +
      'as Fold 1/images/fold1/images.npy (PanNuke); images with .mat files of their names (Lizard); images, or a folder images, with masks, ' +
      'points, classes and regions (a plain folder)',
  );
}

/** How the files of a dataset lie, by what is there, and where: the file of a manifest, else the folder. */
async function layoutOf(path: string): Promise<{ layout: JointLayout; at: string }> {
  const found = await stat(path).catch((cause) => {
    throw new UamError('UAM_INPUT', `${path}: cannot be read: ${cause.message}`, { cause });
  });
  if (found.isDirectory()) {
    const layout = await layoutOfFolder(path);
    return { layout, at: layout === 'manifest' ? join(path, 'manifest.csv') : path };
  }
  if (/\.(csv|tsv)$/i.test(path)) return { layout: 'manifest', at: path };
  throw new UamError('UAM_INPUT', `${path}: a dataset is a manifest (.csv, .tsv) or a folder; this is another file`);
}

/**
 * Reads a dataset of images, cells and regions, however its files lie: a manifest (`readJointDataset`; in a folder `manifest.csv`), CoNIC,
 * PanNuke, Lizard, or a plain folder (`readTileFolder`). The layout is told by what is there; the readers of each take more options.
 *
 * @param path of a manifest or a folder
 * @throws UamError `UAM_INPUT` where there is no dataset, and what was looked for; as the readers
 * @example
 * const { mkdtemp, rm } = await import('node:fs/promises');
 * const { tmpdir } = await import('node:os');
 * const folder = await mkdtemp(`${tmpdir()}/uam-example-`);
 * await writeNpy(`${folder}/images.npy`, new Uint8Array(8 * 8 * 3).fill(200), [1, 8, 8, 3]);
 * await writeNpy(`${folder}/labels.npy`, new Uint16Array(8 * 8 * 2).fill(2, 0, 4), [1, 8, 8, 2]);
 * const dataset = await openJointDataset(folder, { extraction: { features: ['firstorder'], channels: ['grey'] } });
 * dataset.mpp;   // 0.5: it is CoNIC
 * await rm(folder, { recursive: true });
 */
export async function openJointDataset(path: string, options: ReadJointOptions = {}): Promise<JointDataset> {
  const { layout, at } = await layoutOf(path);
  return READERS[layout](at, options);
}
