import { UamError } from '../errors.js';
import { type FileInput, openSource, readAll, recognise } from './byte_source.js';
import { argumentError, dataError, formatError, pixelLimit, refuseAborted, withinMemory } from './failure.js';
import type { ImageWarning, LabelMask } from './image.js';
import { type StoredLabels, toLabels, warnAboutLabels } from './labels.js';
import { matLabels, npyLabels, npzLabels } from './mask_arrays.js';
import { pngLabels, tiffLabels } from './mask_images.js';
import { Warnings } from './warnings.js';

/** How a mask is read. */
export interface ReadMaskOptions {
  /** The size that the mask must have: that of its image. */
  width?: number;
  height?: number;
  /** Which array of an .npz or .mat file is the mask. */
  key?: string;
  /** The page of a TIFF, from 0; by default the first. */
  page?: number;
  /** The most pixels held in memory at once; 1e9 by default. */
  maxPixels?: number;
  /** What messages call bytes that have no path. */
  name?: string;
  signal?: AbortSignal;
}

/**
 * Reads a label mask: each pixel holds the id of its cell, 0 for none. Ids need not be consecutive and stay exactly as they are.
 *
 * Read are PNG (8 and 16 bits), TIFF (8 to 64 bits), .npy, .npz (`key`, or the array named `inst_map`, `labels`, `mask`, ..., or the
 * only one with two axes) and MATLAB .mat up to version 7.2 (`key`, `inst_map`, ...), told apart by their first bytes. `warnings`
 * name what may be wrong with a mask that can be used:
 *
 * | code             | meaning                                                                    |
 * |------------------|----------------------------------------------------------------------------|
 * | `empty_mask`     | no cell                                                                    |
 * | `binary_mask`    | 0 and one other value (1, 255, 65535) only: one cell                       |
 * | `clipped_labels` | the highest id is the most that the file's 8 or 16 bits hold               |
 * | `float_mask`     | whole numbers stored as floats                                             |
 * | `rgb_as_grey`    | an RGB image whose channels are equal; `palette_as_grey`: a palette of greys |
 * | `more_pages`     | a TIFF of several pages, of which one is read                              |
 * | `white_is_zero`  | a TIFF whose values are said to be inverted; they are taken as stored      |
 *
 * @param input the path of a file, or its bytes
 * @returns `data` of `[height, width]` ids
 * @throws `UAM_INPUT` where the file cannot be read, `UAM_FORMAT` where it is broken or of an unsupported kind, `UAM_DATA` where its
 * values are no labels (colours, fractions, negative or too large ids), `UAM_SHAPE` where it has not the size asked for
 * @example
 * const file = encodeNpy(Int32Array.of(0, 3, 3, 70000), [2, 2]);
 * const mask = await readMask(file, { width: 2, height: 2 });
 * console.log(mask.data, mask.warnings); // Uint32Array [0, 3, 3, 70000] []
 */
export async function readMask(input: FileInput, options: ReadMaskOptions = {}): Promise<LabelMask & { warnings: ImageWarning[] }> {
  const warnings = new Warnings();
  const source = await openSource(input, options.name);
  try {
    refuseAborted(source.name, options.signal);
    const stored = await withinMemory(source.name, () => readStored(source, options, warnings));
    refuseAborted(source.name, options.signal);
    const { width, height, data } = stored;
    refuseOtherSize(source.name, stored, options);
    const labels = toLabels(stored, warnings);
    warnAboutLabels(source.name, labels, data, warnings);
    return { width, height, data: labels, name: source.name, warnings: warnings.list };
  } finally {
    await source.close();
  }
}

async function readStored(
  source: Awaited<ReturnType<typeof openSource>>,
  { key, page, maxPixels, signal }: ReadMaskOptions,
  warnings: Warnings,
): Promise<StoredLabels> {
  const { name } = source;
  const most = pixelLimit(maxPixels);
  const { kind, words } = await recognise(source);
  if (page !== undefined && kind !== 'tiff') throw argumentError(`page ${page} was asked for, but ${name} is ${words} and has no pages`);
  switch (kind) {
    case 'png':
      return pngLabels(name, await readAll(source), most, warnings);
    case 'tiff':
      return tiffLabels(source, page, most, warnings, signal);
    case 'npy':
      return npyLabels(name, await readAll(source), most);
    case 'zip':
      return npzLabels(name, await readAll(source), key, most);
    case 'mat':
      return matLabels(name, await readAll(source), key, most);
    case 'jpeg':
      throw dataError(name, 'a JPEG cannot be a label mask: it changes the ids; export the labels as 16-bit PNG or 32-bit TIFF');
    case 'hdf5':
      throw formatError(
        name,
        'this is an HDF5 file (MATLAB 7.3 writes them), which is not read; in MATLAB save with -v7, or save the array as .npy',
      );
    case 'json':
      throw formatError(name, 'this is JSON text (GeoJSON polygons or HoVer-Net cells?), not a raster mask; read it as polygons');
    default:
      throw formatError(name, `this file is ${words}; masks are read from PNG, TIFF, NPY, NPZ and MATLAB .mat files`);
  }
}

function refuseOtherSize(name: string, stored: StoredLabels, { width, height }: ReadMaskOptions): void {
  const wanted = [width ?? stored.width, height ?? stored.height];
  if (wanted[0] === stored.width && wanted[1] === stored.height) return;
  const turned = wanted[0] === stored.height && wanted[1] === stored.width;
  throw new UamError(
    'UAM_SHAPE',
    `${name} must be ${wanted.join(' x ')} pixels, received ${stored.width} x ${stored.height}` +
      (turned ? '; it seems to be transposed: swap its axes' : '; export the mask at the size of its image'),
  );
}
