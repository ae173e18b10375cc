// Label masks in image files. Values are taken as stored: nothing is scaled, no profile applied.
import type { ByteSource } from './byte_source.js';
import { dataError, formatError, refuseHuge } from './failure.js';
import type { StoredLabels } from './labels.js';
import type { NumericArray } from './numeric_array.js';
import { decodePng, PNG_PALETTE, readPngChunks } from './png.js';
import { readTiff, type TiffPage } from './tiff_directory.js';
import { pickPage } from './tiff_image.js';
import { type Region, readablePage, readTiffRegion } from './tiff_read.js';
import { JPEG } from './tiff_unpack.js';
import type { Warnings } from './warnings.js';

const EXPORT = 'export the labels as a 16-bit grey PNG, a 32-bit TIFF or an .npy file';

const colours: Record<number, string> = { 2: 'grey with alpha', 4: 'RGB with alpha' };

/** The labels of a PNG: grey of any depth. Colours that are greys are accepted with a warning. */
export async function pngLabels(name: string, bytes: Uint8Array, maxPixels: number, warnings: Warnings): Promise<StoredLabels> {
  const chunks = readPngChunks(name, bytes);
  const { samples, colour, width, height } = chunks.header;
  const coloured = colours[samples];
  if (coloured) throw dataError(name, `this PNG is ${coloured}, not a label image; ${EXPORT}`);
  const { data, palette } = await decodePng(name, chunks, maxPixels);
  if (colour === PNG_PALETTE) return { name, width, height, data: greysOfPalette(name, data, palette ?? new Uint8Array(), warnings) };
  return { name, width, height, data: samples === 3 ? equalChannels(name, data, warnings) : data };
}

/** RGB in which all three channels say the same. */
function equalChannels<T extends NumericArray>(name: string, data: T, warnings: Warnings): T {
  const grey = new (data.constructor as new (length: number) => T)(data.length / 3);
  for (let p = 0, i = 0; p < grey.length; p++, i += 3) {
    if (data[i] !== data[i + 1] || data[i] !== data[i + 2]) {
      throw dataError(name, `this is an RGB image (a pixel is ${data[i]}, ${data[i + 1]}, ${data[i + 2]}), not a label image; ${EXPORT}`);
    }
    grey[p] = data[i]!;
  }
  warnings.add('rgb_as_grey', `${name}: an RGB image whose channels are equal was taken as labels of ${data.BYTES_PER_ELEMENT * 8} bits`);
  return grey;
}

/** A palette whose colours in use are greys: some programs pack grey images so. */
function greysOfPalette(name: string, indices: Uint8Array | Uint16Array, palette: Uint8Array, warnings: Warnings): Uint8Array {
  const out = new Uint8Array(indices.length);
  for (let p = 0; p < indices.length; p++) {
    const at = indices[p]! * 3;
    if (at + 2 >= palette.length) throw formatError(name, 'a pixel names a colour that the palette does not have: the file is damaged');
    if (palette[at] !== palette[at + 1] || palette[at] !== palette[at + 2]) {
      throw dataError(name, `this image has a colour palette, so its colours and not its values mean something; ${EXPORT}`);
    }
    out[p] = palette[at]!;
  }
  warnings.add('palette_as_grey', `${name}: an image with a palette of greys was taken as labels of 8 bits`);
  return out;
}

const WHITE_IS_ZERO = 0;
const PALETTE = 3;

/** The labels of a TIFF page, read when they are asked for. */
interface TiffLabels {
  width: number;
  height: number;
  read(region: Region, signal?: AbortSignal): Promise<StoredLabels>;
}

/** Opens a TIFF page as labels: one channel of any integer or float type, without lossy compression. */
export async function openTiffLabels(source: ByteSource, page: number | undefined, warnings: Warnings): Promise<TiffLabels> {
  const { name } = source;
  const file = await readTiff(source);
  const one = pickPage(file, page);
  const others = file.pages.filter((other) => other !== one && !other.reduced && other.width === one.width && other.height === one.height);
  if (page === undefined && others.length > 0) {
    warnings.add(
      'more_pages',
      `${name}: it holds ${others.length + 1} pages of the same size and the first is read; the option page names another`,
    );
  }
  refuseColours(name, one);
  const readable = readablePage(file, one);
  if (one.photometric === WHITE_IS_ZERO) {
    warnings.add('white_is_zero', `${name}: the file says that its values are inverted (0 is white); they were taken as stored`);
  }
  return {
    width: one.width,
    height: one.height,
    async read(region, signal) {
      const { data } = await readTiffRegion(readable, region, 0, signal);
      return {
        ...{ name, width: region.width, height: region.height },
        data: one.samples === 3 ? equalChannels(name, data, warnings) : data,
        ...(readable.type === 'float16' && { exactTo: 2048 }),
      };
    },
  };
}

/** The labels of a TIFF page, all of them. */
export async function tiffLabels(
  source: ByteSource,
  page: number | undefined,
  maxPixels: number,
  warnings: Warnings,
  signal?: AbortSignal,
): Promise<StoredLabels> {
  const { width, height, read } = await openTiffLabels(source, page, warnings);
  refuseHuge(source.name, width, height, maxPixels);
  return read({ x: 0, y: 0, width, height }, signal);
}

function refuseColours(name: string, page: TiffPage): void {
  if (page.compression === JPEG) throw dataError(name, `this TIFF is compressed with JPEG, which changes the ids; ${EXPORT}`);
  if (page.photometric === PALETTE)
    throw dataError(name, `this TIFF has a colour palette, so its colours and not its values mean something; ${EXPORT}`);
  if (page.samples !== 1 && page.samples !== 3)
    throw dataError(name, `this TIFF has ${page.samples} channels, a label mask has one; ${EXPORT}`);
}
