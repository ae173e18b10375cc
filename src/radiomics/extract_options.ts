// What an extraction is asked for: options, checked and completed.
import { mismatch, UamError } from '../errors.js';
import type { LabelMask, RasterImage } from '../image/image.js';
import type { StainChoice } from '../image/stains.js';
import { chooseDevice, type Device } from '../native/device.js';
import { checkChoice, chooseFeatures, type FeatureChoice, featureClasses } from './catalogue.js';
import { type Channel, checkChannels } from './channels.js';
import { derivedImageNames, type ImageTypeOptions } from './image_types.js';
import { isMeasuringScale, type MeasuringScale } from './measuring_scale.js';
import { completeSettings, type Settings } from './settings.js';

export interface ExtractOptions {
  /** PyRadiomics' settings, under PyRadiomics' names; what is absent has PyRadiomics' default. */
  settings?: Partial<Settings>;
  /** Classes (`'glcm'`), features (`'glcm_Contrast'`), `'default'` (PyRadiomics' 102) or `'all'`; or a choice by class. Default `['default']`. */
  features?: readonly string[] | FeatureChoice;
  /** What to compute on: `'grey'`, `'r'`, `'g'`, `'b'`, `'haematoxylin'`, `'eosin'`. Default `['grey']`. */
  channels?: readonly string[];
  /** PyRadiomics' image types with their settings. Default `{ Original: {} }`. */
  imageTypes?: ImageTypeOptions;
  /** The stain matrix for haematoxylin and eosin: `'ruifrok'` (default), `'macenko'` (estimated from the image), or rows of a matrix. */
  stains?: StainChoice;
  /** Width of the ring about each nucleus, in micrometres (pixels where the pixel size is unknown). Default 2. */
  ringWidth?: number;
  /**
   * Micrometres per pixel at which features are measured. An image whose pixels differ by more than 5 % is resampled to it: the mean of
   * the area where it shrinks, interpolated where it grows, masks by their nearest pixel. Ids, places and borders stay those of the mask
   * as it is given; a cell that has no pixel left is NaN with the status `no_values`. Default `'own'`: the pixels as they are.
   */
  mpp?: MeasuringScale;
  /** Cells per block: what is computed between two reports of progress. Default 4096. Results do not depend on it. */
  blockSize?: number;
  /**
   * What computes the features: `'cpu'`, `'cuda'`, `'cuda:1'` (that card) or `'auto'` (a card where there is one, else the CPU). A card
   * finds the cells and computes shape2D and PyRadiomics' classes of texture; filters, the places of rings, morphology, gradients and
   * neighbours run on the CPU all the same. The values are the CPU's but for the last bits of logarithms and exponentials. Default `'cpu'`.
   */
  device?: string;
  /** Ends the extraction; the promise then rejects with `UAM_ABORTED`. */
  signal?: AbortSignal | undefined;
  /** Called after each block. */
  onProgress?: ((progress: { done: number; total: number }) => void) | undefined;
}

/** Options with nothing left to decide. */
export interface Request {
  settings: Settings;
  spacing: readonly [x: number, y: number];
  /** Whether `spacing` is in micrometres; otherwise it counts pixels. */
  physical: boolean;
  choice: FeatureChoice;
  channels: readonly Channel[];
  imageTypes: ImageTypeOptions;
  stains: StainChoice;
  ringWidth: number;
  scale: MeasuringScale;
  blockSize: number;
  device: Device;
  signal: AbortSignal | undefined;
  onProgress: ExtractOptions['onProgress'];
}

const OPTIONS = Object.freeze([
  'settings',
  'features',
  'channels',
  'imageTypes',
  'stains',
  'ringWidth',
  'mpp',
  'blockSize',
  'device',
  'signal',
  'onProgress',
]);

/** Checks the options of an extraction from this image. */
export function readOptions(image: RasterImage, options: ExtractOptions): Request {
  for (const name of Object.keys(options)) {
    if (!OPTIONS.includes(name)) {
      throw new UamError('UAM_ARGUMENT', `extract: there is no option '${name}'; the options are ${OPTIONS.join(', ')}`);
    }
  }
  const { blockSize = 4096, ringWidth = 2, channels = ['grey'], imageTypes = { Original: {} }, stains = 'ruifrok', onProgress } = options;
  const { mpp: scale = 'own', device = 'cpu' } = options;
  if (!Number.isSafeInteger(blockSize) || blockSize < 1) throw refuse('blockSize', 'a whole number of at least 1', blockSize);
  if (!(typeof ringWidth === 'number' && ringWidth > 0 && ringWidth < Infinity)) throw refuse('ringWidth', 'a number above 0', ringWidth);
  if (!isMeasuringScale(scale)) throw refuse('mpp', "micrometres per pixel, a number above 0, or 'own'", scale);
  if (onProgress !== undefined && typeof onProgress !== 'function') throw refuse('onProgress', 'a function', onProgress);
  if (!Array.isArray(channels) || channels.length === 0) throw refuse('channels', "a list such as ['grey']", JSON.stringify(channels));
  if (Object.keys(imageTypes).length === 0) throw refuse('imageTypes', 'at least one image type, such as { Original: {} }', '{}');
  const settings = completeSettings(options.settings);
  const choice = chosen(options.features ?? ['default']);
  checkChoice(choice);
  derivedImageNames(imageTypes); // refuses what it does not know
  const given = settings.spacing ?? checkMpp(image);
  return {
    ...{ settings, choice, imageTypes, stains, ringWidth, scale, blockSize, device: chooseDevice(device) },
    channels: checkChannels(channels),
    spacing: given ? [given[0], given[1]] : [1, 1],
    physical: given !== undefined,
    signal: options.signal,
    onProgress,
  };
}

/** The size of a pixel where the image knows it. */
function checkMpp({ mpp, name = 'the image' }: RasterImage): RasterImage['mpp'] {
  if (mpp === undefined || (Array.isArray(mpp) && mpp.length === 2 && mpp.every((size) => size > 0 && size < Infinity))) return mpp;
  throw mismatch('UAM_ARGUMENT', `extract: mpp of ${name}`, 'two numbers above 0 (x, y), or absent', JSON.stringify(mpp));
}

const refuse = (name: string, expected: string, received: unknown): UamError =>
  mismatch('UAM_ARGUMENT', `extract: ${name}`, expected, String(received));

function chosen(features: NonNullable<ExtractOptions['features']>): FeatureChoice {
  if (typeof features !== 'object' || features === null) throw refuse('features', "a list such as ['default']", features);
  const choice: FeatureChoice = Array.isArray(features) ? chooseFeatures(features) : (features as FeatureChoice);
  if (Object.keys(choice).length === 0) throw refuse('features', 'at least one class or feature', 'none');
  return choice;
}

/** The chosen features of a class by their place in it; nothing where the class was not chosen. */
export function chosenColumns(choice: FeatureChoice, className: string): number[] {
  const wanted = Object.hasOwn(choice, className) ? choice[className] : undefined;
  const info = featureClasses().find(({ name }) => name === className);
  if (wanted === undefined || !info) return [];
  return info.features.flatMap(({ name, deprecated }, at) => ((wanted === null ? !deprecated : wanted.includes(name)) ? [at] : []));
}

/** A label image whose ids may be of any integer kind. */
export interface LabelInput extends Omit<LabelMask, 'data'> {
  data: Uint32Array | Int32Array | Uint16Array | Uint8Array;
}

/** Image and mask must be of one size, and hold what they say. Gives the mask with its ids as uint32. */
export function checkInputs(image: RasterImage, mask: LabelInput): LabelMask {
  for (const [what, { width, height }] of Object.entries({ image, mask })) {
    if (!Number.isSafeInteger(width) || !Number.isSafeInteger(height) || width < 0 || height < 0) {
      throw mismatch('UAM_ARGUMENT', `extract: width and height of the ${what}`, 'whole numbers', `${width} x ${height}`);
    }
  }
  if (image.channels !== 1 && image.channels !== 3) {
    throw mismatch('UAM_ARGUMENT', `extract: channels of ${image.name ?? 'the image'}`, '1 (grey) or 3 (RGB)', `${image.channels}`);
  }
  if (image.width !== mask.width || image.height !== mask.height) {
    throw mismatch(
      'UAM_SHAPE',
      `extract: the mask ${mask.name ?? ''}`.trimEnd(),
      `of the image's size, ${image.width} x ${image.height}`,
      `${mask.width} x ${mask.height}`,
      'give the mask of this very image, at the same magnification',
    );
  }
  if (mask.data?.length !== mask.width * mask.height) {
    throw mismatch('UAM_SHAPE', 'extract: mask.data', `${mask.width * mask.height} ids`, `${mask.data?.length}`);
  }
  return { ...mask, data: asIds(mask.data) };
}

/** Ids of any kind of integers as the kernels want them; those of 32 bits are not copied. */
function asIds(data: LabelInput['data']): Uint32Array {
  if (data instanceof Uint32Array) return data;
  if (data instanceof Uint16Array || data instanceof Uint8Array) return Uint32Array.from(data);
  if (!(data instanceof Int32Array)) {
    const received = `${(data as object)?.constructor?.name}`;
    throw mismatch('UAM_DTYPE', 'extract: mask.data', 'a Uint32Array, Int32Array, Uint16Array or Uint8Array of ids', received);
  }
  const negative = data.find((id) => id < 0);
  if (negative !== undefined) throw mismatch('UAM_DATA', 'extract: mask.data', 'ids of at least 0', `${negative}`);
  return new Uint32Array(data.buffer, data.byteOffset, data.length);
}
