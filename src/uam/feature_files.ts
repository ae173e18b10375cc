// Feature maps that another program made: a .npy file per level, and a JSON file beside them that says what they are.
import { basename, dirname, join } from 'node:path';
import { mismatch, UamError } from '../errors.js';
import { writeWhole } from '../files/write_whole.js';
import { type ByteSource, openSource } from '../image/byte_source.js';
import type { RasterImage } from '../image/image.js';
import { readNpyHeader, writeNpy } from '../image/npy.js';
import { halfToNumber } from '../image/numeric_array.js';
import { concat, permute } from '../ops/copy_strided.js';
import { noGrad } from '../tensor/context.js';
import { scope } from '../tensor/scope.js';
import { Tensor } from '../tensor/tensor.js';
import { checkDescribed, Description, levelOf } from './description.js';
import { type FeatureLevel, type ImageFeatures, type LevelShape, levelLength } from './image_features.js';
import { fileHash, pixelHash } from './image_hash.js';

export interface ReadFeaturesOptions {
  /** The image that the maps must be of: its size and pixel size are compared, and its pixels where the sidecar has their hash. */
  image?: RasterImage | undefined;
  /** The file that the image came from, for sidecars that have the hash of that. */
  imageFile?: string | undefined;
  /** Micrometres per pixel, whatever the image says. */
  mpp?: number | undefined;
  /** The encoder that must have made them, as `JointConfig` names it. */
  modelHash?: string | undefined;
  signal?: AbortSignal | undefined;
}

/** What a sidecar says. */
interface Sidecar {
  path: string;
  width: number;
  height: number;
  mpp: number;
  origin: readonly [number, number];
  modelHash: string;
  pixels: string | undefined;
  file: string | undefined;
  levels: (LevelShape & { file: string })[];
}

const FORMAT = 'uam-image-features-1';

async function readSidecar(path: string): Promise<Sidecar> {
  const all = await Description.read(path);
  if (all.text('format') !== FORMAT) all.fail('format', `"${FORMAT}"`);
  const image = all.part('image');
  const size = (key: string) => image.number(key, { whole: true, most: 1e6 });
  const found = {
    ...{ path, width: size('width'), height: size('height'), mpp: image.number('mpp', { most: 1e3 }) },
    pixels: image.has('pixelsSha256') ? image.hash('pixelsSha256') : undefined,
    file: image.has('fileSha256') ? image.hash('fileSha256') : undefined,
    origin: (all.has('origin') ? all.numbers('origin', 2) : [0, 0]) as [number, number],
    modelHash: all.text('modelHash'),
    levels: all.parts('levels').map((entry) => {
      const level = { ...levelOf(entry), file: entry.file('file') };
      entry.done();
      return level;
    }),
  };
  image.done();
  all.done();
  if (!found.pixels && !found.file) {
    throw new UamError('UAM_FORMAT', `${path}: "image" must have "pixelsSha256" or "fileSha256", which tell the image that was encoded`);
  }
  checkDescribed(found.levels, path);
  return found;
}

/** Refuses maps of another image or encoder. */
async function checkOwner(sidecar: Sidecar, { image, imageFile, mpp, modelHash, signal }: ReadFeaturesOptions): Promise<void> {
  const { path, width, height } = sidecar;
  const refuse = (what: string, expected: string, received: string, fix?: string): never => {
    throw mismatch('UAM_DATA', `${path}: ${what}`, expected, received, fix);
  };
  if (modelHash !== undefined && modelHash !== sidecar.modelHash) {
    refuse('modelHash', modelHash, sidecar.modelHash, 'encode the image with the encoder that the model was made for');
  }
  if (image && (image.width !== width || image.height !== height)) {
    const name = image.name ?? 'the image';
    refuse('the size of its image', `${image.width} x ${image.height}, as ${name} is`, `${width} x ${height}`);
  }
  const pixelSizes = mpp === undefined ? image?.mpp : [mpp, mpp];
  if (pixelSizes && !pixelSizes.every((size) => Math.abs(size / sidecar.mpp - 1) <= 0.01)) {
    refuse(
      'mpp',
      `${pixelSizes[0]} within 1 %, as the image has it`,
      String(sidecar.mpp),
      'encode the image at the pixel size that the model uses',
    );
  }
  const wrong = 'encode the image again';
  if (image && sidecar.pixels) {
    const hash = await pixelHash(image);
    if (hash !== sidecar.pixels) refuse('pixelsSha256', hash, sidecar.pixels, wrong);
  }
  if (image && !sidecar.pixels && imageFile === undefined) {
    throw new UamError('UAM_ARGUMENT', `${path}: it has the hash of the image's file: pass imageFile, so that it can be compared`);
  }
  if (imageFile !== undefined && sidecar.file) {
    const hash = await fileHash([imageFile], signal);
    if (hash !== sidecar.file) refuse('fileSha256', `${hash}, as ${imageFile} has it`, sidecar.file, wrong);
  }
}

/** Read and turned at a time. */
const PART_BYTES = 2 ** 18;

/** One .npy file (channels, height, width), as a map with the channels last. */
async function readMap(
  source: ByteSource,
  [channels, height, width]: readonly [number, number, number],
  signal?: AbortSignal,
): Promise<Tensor> {
  const head = await source.read(0, Math.min(source.size, 65536));
  const { descr, fortran, shape, start } = readNpyHeader(head, source.name);
  if (descr !== '<f2' && descr !== '<f4') {
    throw new UamError('UAM_FORMAT', `${source.name}: expected '<f2' or '<f4' numbers, received '${descr}'; save with astype('<f4')`);
  }
  if (fortran)
    throw new UamError('UAM_FORMAT', `${source.name}: expected C order, received Fortran order; save numpy.ascontiguousarray(...)`);
  const expected = [channels, height, width];
  if (shape.length !== 3 || !shape.every((n, i) => n === expected[i])) {
    throw mismatch('UAM_DATA', `${source.name}: its shape`, `(${expected.join(', ')}), channels first`, `(${shape.join(', ')})`);
  }
  const pixels = height * width;
  const bytes = descr === '<f2' ? 2 : 4;
  if (source.size - start < channels * pixels * bytes) {
    throw new UamError('UAM_FORMAT', `${source.name}: the file ends too early; is it truncated?`);
  }
  const map = Tensor.empty([1, height, width, channels]);
  const out = map.data as Float32Array;
  const atOnce = Math.max(1, Math.floor(PART_BYTES / (pixels * bytes)));
  try {
    for (let first = 0; first < channels; first += atOnce) {
      if (signal?.aborted) throw new UamError('UAM_ABORTED', `${source.name}: reading was aborted by its signal`, { cause: signal.reason });
      const count = Math.min(atOnce, channels - first);
      const part = await source.read(start + first * pixels * bytes, count * pixels * bytes);
      const view = new DataView(part.buffer, part.byteOffset, part.byteLength);
      for (let c = 0, i = 0; c < count; c++) {
        for (let p = 0; p < pixels; p++, i++) {
          const value = bytes === 2 ? halfToNumber(view.getUint16(2 * i, true)) : view.getFloat32(4 * i, true);
          if (!Number.isFinite(value))
            throw new UamError('UAM_DATA', `${source.name}: channel ${first + c} holds ${value}; maps must be finite`);
          out[p * channels + first + c] = value;
        }
      }
    }
  } catch (error) {
    map.dispose();
    throw error;
  }
  return map;
}

/**
 * Reads the feature maps of one image that another program made: the sidecar, a JSON file, and a .npy file per level beside it, (channels,
 * height, width) in C order, `<f2` or `<f4`. docs/image_features.md tells how to write them.
 *
 * @param path of the sidecar
 * @throws UamError `UAM_INPUT` where a file cannot be read, `UAM_FORMAT` where one is broken, `UAM_DATA` where maps are of another size,
 *   pixel size, image or encoder than asked for; `UAM_ARGUMENT` where `imageFile` is needed; `UAM_ABORTED`
 * @example
 * const read = (image: RasterImage) => readImageFeatures('tile_7.features.json', { image, mpp: 0.5 });
 */
export async function readImageFeatures(path: string, options: ReadFeaturesOptions = {}): Promise<ImageFeatures> {
  const sidecar = await readSidecar(path);
  await checkOwner(sidecar, options);
  const { width, height, mpp, origin, modelHash } = sidecar;
  const coarsest = sidecar.levels.at(-1)?.stride as number;
  const levels: FeatureLevel[] = [];
  try {
    for (const { name, stride, channels, file } of sidecar.levels) {
      const size = [levelLength(height, stride, coarsest), levelLength(width, stride, coarsest)] as const;
      const source = await openSource(join(dirname(path), file));
      try {
        const tensor = await readMap(source, [channels, ...size], options.signal);
        levels.push({ name, stride, channels, height: size[0], width: size[1], tensor });
      } finally {
        await source.close();
      }
    }
  } catch (error) {
    for (const { tensor } of levels) tensor.dispose();
    throw error;
  }
  return { levels, width, height, mpp, origin: Float64Array.from(origin), modelHash };
}

/**
 * Writes the features of one image as files that `readImageFeatures` takes: for an encoder whose weights stay as they are, each image
 * has to be encoded once only. The maps are called as the sidecar, with the names of their levels; each file appears whole or not at
 * all, the sidecar last.
 *
 * @param path of the sidecar, such as `tile_7.features.json`
 * @param features of one image, from an encoder that has a `modelHash`
 * @param image that was encoded
 * @throws UamError `UAM_ARGUMENT` for several images or an encoder without hash, `UAM_IO`; `UAM_DTYPE` where the image is not 8-bit
 * @example
 * const write = (features: ImageFeatures, image: RasterImage) => writeImageFeatures('tile_7.features.json', features, image);
 */
export async function writeImageFeatures(path: string, features: ImageFeatures, image: RasterImage): Promise<void> {
  const { width, height, mpp, origin, modelHash } = features;
  if (origin.length !== 2) throw mismatch('UAM_ARGUMENT', 'writeImageFeatures: features', 'of one image', `of ${origin.length / 2}`);
  if (modelHash === undefined) {
    throw new UamError('UAM_ARGUMENT', 'writeImageFeatures: these features have no modelHash: their encoder is still being trained');
  }
  if (image.width !== width || image.height !== height) {
    throw mismatch('UAM_SHAPE', 'writeImageFeatures: image', `${width} x ${height}, as the features`, `${image.width} x ${image.height}`);
  }
  const stem = basename(path).replace(/(\.features)?\.json$/, '');
  const levels = [];
  for (const { name, stride, channels, tensor } of features.levels) {
    const file = `${stem}.${name}.npy`;
    const map = scope(() => noGrad(() => permute(tensor, [0, 3, 1, 2])));
    try {
      await writeNpy(join(dirname(path), file), map.data as Float32Array, map.shape.slice(1));
    } finally {
      map.dispose();
    }
    levels.push({ name, stride, channels, file });
  }
  const described = { width, height, mpp, pixelsSha256: await pixelHash(image) };
  const sidecar = { format: FORMAT, image: described, origin: [...origin], modelHash, levels };
  await writeWhole(path, [Buffer.from(`${JSON.stringify(sidecar, null, 2)}\n`)]);
}

/**
 * Features of several images as one batch. Copies.
 *
 * @param list of one size, pixel size and encoder
 * @throws UamError `UAM_SHAPE`, `UAM_DATA` where they differ
 * @example
 * const batch = (list: ImageFeatures[]) => stackFeatures(list);
 */
export function stackFeatures(list: readonly ImageFeatures[]): ImageFeatures {
  const [first] = list;
  if (!first) throw new UamError('UAM_ARGUMENT', 'stackFeatures: expected at least one, received none');
  const signature = ({ width, height, mpp, modelHash, levels }: ImageFeatures) =>
    JSON.stringify([width, height, mpp, modelHash, levels.map(({ name, tensor }) => [name, ...tensor.shape.slice(1)])]);
  const other = list.find((features) => signature(features) !== signature(first));
  if (other) throw mismatch('UAM_DATA', 'stackFeatures: every image', signature(first), signature(other));
  const levels = first.levels.map((level, i) => {
    const parts = list.map((features) => (features.levels[i] as FeatureLevel).tensor);
    return { ...level, tensor: concat(parts) };
  });
  return { ...first, levels, origin: Float64Array.from(list.flatMap(({ origin }) => [...origin])) };
}
