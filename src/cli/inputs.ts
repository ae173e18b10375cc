// Which image goes with which mask: two files, two folders, or the lines of a manifest.
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { UamError } from '../errors.js';
import { isManifest, readManifest } from './manifest.js';

/** One image of a run. */
export interface InputPair {
  image: string;
  /** Absent where the nuclei are to be segmented. */
  mask?: string | undefined;
  /** Micrometres per pixel, where a manifest gives it. */
  mpp?: number | undefined;
  /** The texts that its rows carry, under the names of `Inputs.columns`. */
  labels: string[];
}

export interface Inputs {
  pairs: InputPair[];
  /** Names of the text columns; none for a single image. */
  columns: string[];
  /** What the user should know. */
  notes: string[];
}

export interface InputOptions {
  image: string;
  mask?: string | undefined;
  segment: boolean;
}

const imageEnd = /\.(png|jpe?g|tiff?|svs|ndpi|scn|mrxs|vms|bif|webp|bmp|gif)$/i;
const maskOnlyEnd = /\.(npy|npz|mat|geojson|json)$/i;
const maskEnd = /\.(png|tiff?|npy|npz|mat|geojson|json)$/i;
/** What stands between an image's name and the end of its mask's. */
export const MASK_SUFFIXES = Object.freeze(['_labels', '_label', '_mask', '_masks', '_instances', '_inst', '_autolabels']);

/**
 * Finds the images and their masks, and sees that every file is there.
 *
 * @throws UamError `UAM_ARGUMENT` for a combination that means nothing, `UAM_INPUT` for what is missing or cannot be paired,
 *   `UAM_FORMAT` and `UAM_DATA` for a manifest that cannot be read
 */
export async function findInputs({ image, mask, segment }: InputOptions): Promise<Inputs> {
  if (mask !== undefined && segment) {
    throw new UamError('UAM_ARGUMENT', '--mask and --segment exclude each other: a mask holds the cells that --segment would look for');
  }
  const kind = await kindOf(image);
  if (kind === 'file' && isManifest(image)) {
    if (mask !== undefined) throw new UamError('UAM_ARGUMENT', `--mask must be left out: ${image} is a manifest, which names the masks`);
    const inputs = await readManifest(image, segment);
    await refuseMissing(inputs.pairs);
    return inputs;
  }
  if (mask === undefined && !segment) {
    throw new UamError('UAM_ARGUMENT', '--mask is missing; name the mask of the cells, or say --segment to use the built-in segmentation');
  }
  if (kind === 'folder') return segment ? folderToSegment(image) : pairFolders(image, mask as string);
  if (mask === undefined) return { pairs: [{ image, labels: [] }], columns: [], notes: [] };
  const found = (await kindOf(mask)) === 'folder' ? onlyMask(image, mask, await files(mask)) : mask;
  return { pairs: [{ image, mask: found, labels: [] }], columns: [], notes: [] };
}

async function kindOf(path: string): Promise<'file' | 'folder'> {
  try {
    return (await stat(path)).isDirectory() ? 'folder' : 'file';
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' || code === 'ENOTDIR' ? 'there is no such file or folder' : message;
    throw new UamError('UAM_INPUT', `${path}: ${reason}`, { cause: error });
  }
}

/** File names in a folder, sorted by code units: the same order everywhere. */
async function files(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries
      .filter((entry) => !entry.isDirectory() && !entry.name.startsWith('.'))
      .map(({ name }) => name)
      .sort();
  } catch (error) {
    throw new UamError('UAM_INPUT', `cannot read the folder ${folder}: ${(error as Error).message}`, { cause: error });
  }
}

/** The name without its ending; `.ome.tif` is one ending. */
const stemOf = (name: string): string => basename(name).replace(/(\.ome)?\.[^.]+$/i, '');
const isMaskOf = (stem: string) => (name: string) =>
  maskEnd.test(name) && (stemOf(name) === stem || MASK_SUFFIXES.some((suffix) => stemOf(name) === stem + suffix));
const isNamedMask = (name: string): boolean => MASK_SUFFIXES.some((suffix) => stemOf(name).endsWith(suffix));

/** The one mask of an image among the files of a folder. */
function onlyMask(image: string, folder: string, names: readonly string[]): string {
  const masks = masksOf(image, folder, names);
  const [mask] = masks;
  if (mask === undefined) throw withoutMask(folder, [basename(image)]);
  if (masks.length > 1) throw severalMasks(image, masks);
  return join(folder, mask);
}

function masksOf(image: string, folder: string, names: readonly string[]): string[] {
  // In one folder with the images, a file of the same name is a mask only where it can be no image.
  const together = resolve(dirname(image)) === resolve(folder);
  const stem = stemOf(image);
  return names.filter(isMaskOf(stem)).filter((name) => !together || stemOf(name) !== stem || maskOnlyEnd.test(name));
}

async function pairFolders(folder: string, maskFolder: string): Promise<Inputs> {
  if ((await kindOf(maskFolder)) === 'file') {
    throw new UamError('UAM_ARGUMENT', `--image ${folder} is a folder, so --mask must be a folder too, received the file ${maskFolder}`);
  }
  const together = resolve(folder) === resolve(maskFolder);
  const maskNames = await files(maskFolder);
  const images = (await files(folder)).filter((name) => imageEnd.test(name) && !(together && isNamedMask(name)));
  if (images.length === 0) throw noImages(folder);
  const pairs: InputPair[] = [];
  const lonely: string[] = [];
  for (const name of images) {
    const image = join(folder, name);
    const masks = masksOf(image, maskFolder, maskNames);
    if (masks.length > 1) throw severalMasks(image, masks);
    if (masks.length === 0) lonely.push(name);
    else pairs.push({ image, mask: join(maskFolder, masks[0] as string), labels: [name] });
  }
  // Beside a.png and a_labels.png, a picture like a_overlay.png belongs to a.png and is no image of its own.
  const stems = pairs.map(({ image }) => `${stemOf(image)}_`);
  const aside = together ? lonely.filter((name) => stems.some((stem) => name.startsWith(stem))) : [];
  const missing = lonely.filter((name) => !aside.includes(name));
  if (missing.length > 0) throw withoutMask(maskFolder, missing);
  refuseTwins(pairs);
  const notes = aside.length === 0 ? [] : [`${folder}: left out, as they have no mask and belong to other images: ${list(aside, 3)}`];
  return { pairs, columns: ['image'], notes };
}

async function folderToSegment(folder: string): Promise<Inputs> {
  const names = (await files(folder)).filter((name) => imageEnd.test(name));
  const stems = new Set(names.map(stemOf));
  const belongs = (name: string): boolean =>
    MASK_SUFFIXES.some((end) => stemOf(name).endsWith(end) && stems.has(stemOf(name).slice(0, -end.length)));
  const aside = names.filter(belongs);
  const pairs = names.filter((name) => !belongs(name)).map((name) => ({ image: join(folder, name), labels: [name] }));
  if (pairs.length === 0) throw noImages(folder);
  const notes = aside.length === 0 ? [] : [`${folder}: left out, as they are masks of other images: ${list(aside, 3)}`];
  return { pairs, columns: ['image'], notes };
}

/** Two images that one mask would go with: `a.png` and `a.tif`. */
function refuseTwins(pairs: readonly InputPair[]): void {
  const byMask = new Map<string, string>();
  for (const { image, mask = '' } of pairs) {
    const other = byMask.get(mask);
    if (other !== undefined) {
      throw new UamError('UAM_INPUT', `${other} and ${image} would both have the mask ${mask}; list the pairs in a manifest`);
    }
    byMask.set(mask, image);
  }
}

async function refuseMissing(pairs: readonly InputPair[]): Promise<void> {
  const missing: string[] = [];
  for (const path of new Set(pairs.flatMap(({ image, mask }) => (mask === undefined ? [image] : [image, mask])))) {
    await stat(path).catch(() => missing.push(path));
  }
  if (missing.length > 0) throw new UamError('UAM_INPUT', `the manifest names files that do not exist: ${list(missing)}`);
}

/** The first ones, and how many more. */
const list = (names: readonly string[], most = 10): string =>
  names.slice(0, most).join(', ') + (names.length > most ? ` and ${names.length - most} more` : '');

const noImages = (folder: string): UamError =>
  new UamError('UAM_INPUT', `${folder} holds no images (PNG, JPEG, TIFF or SVS files; folders in it are not searched)`);

const withoutMask = (folder: string, names: readonly string[]): UamError =>
  new UamError(
    'UAM_INPUT',
    `${names.length} image${names.length === 1 ? ' has' : 's have'} no mask in ${folder}: ${list(names)}; the mask of a.png is a.*, a_labels.* or a_mask.* ` +
      '(PNG, TIFF, NPY, NPZ, MAT or GeoJSON); list the pairs in a manifest, or say --segment instead of --mask',
  );

const severalMasks = (image: string, masks: readonly string[]): UamError =>
  new UamError('UAM_INPUT', `${image} could have the masks ${masks.join(', ')}; list the pairs in a manifest`);
