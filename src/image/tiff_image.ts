// What the pages of a TIFF mean as one image: pyramid levels, channels on pages of their own (OME), pixel size.
import type { ByteSource } from './byte_source.js';
import { argumentError, formatError } from './failure.js';
import type { RasterImage } from './image.js';
import type { NumericArray } from './numeric_array.js';
import { aperioMpp, imageJUnit, type Mpp, type OmePixels, omePixels, plausibleMpp } from './pixel_size.js';
import { type StoredImage, toPixels } from './raster.js';
import { readColorMap, readSubPage, readTiff, type TiffFile, type TiffPage } from './tiff_directory.js';
import { type ReadablePage, type Region, readablePage, readTiffRegion } from './tiff_read.js';
import type { Warnings } from './warnings.js';

/** One resolution: a page, or a page per channel. */
type Level = readonly TiffPage[];

export interface TiffImage {
  levels: { width: number; height: number }[];
  channels: 1 | 3;
  mpp?: Mpp | undefined;
  read(level: number, region: Region, warnings: Warnings, signal?: AbortSignal): Promise<{ channels: 1 | 3; data: RasterImage['data'] }>;
}

const RGB = 2;
const PALETTE = 3;
const YCBCR = 6;

/** Reads the directories and decides what they mean. `page` names the image; its smaller copies are its levels. */
export async function openTiffImage(
  source: ByteSource,
  page: number | undefined,
  wantsMpp: boolean,
  warnings: Warnings,
): Promise<TiffImage> {
  const file = await readTiff(source);
  const base = pickPage(file, page);
  const ome = omePixels(file.pages[0]!.description);
  const planes = ome && page === undefined ? omeRgbPages(file, ome) : undefined;
  if (planes)
    warnings.add('ome_planes_as_rgb', `${source.name}: its three channels lie on three pages and are taken as red, green and blue`);
  const first: Level = planes ?? [base];
  const levels = await levelsOf(file, first);
  warnAboutPages(file, first, page, warnings);
  if (base.orientation > 1 && base.orientation <= 8) {
    warnings.add(
      'orientation_ignored',
      `${source.name}: the file asks to be shown turned (orientation ${base.orientation}); its pixels are taken as they are stored`,
    );
  }
  const readable = new Map<TiffPage, ReadablePage>();
  const pageOf = (one: TiffPage): ReadablePage => {
    const known = readable.get(one) ?? readablePage(file, one);
    readable.set(one, known);
    return known;
  };
  for (const one of first) {
    pageOf(one);
    layoutOf(source.name, one);
  }
  const mpp = wantsMpp ? pixelSize(base, ome, source.name, warnings) : undefined;
  return {
    levels: levels.map(([one]) => ({ width: one!.width, height: one!.height })),
    channels: planes || layoutOf(source.name, base).colour !== 'grey' ? 3 : 1,
    mpp,
    async read(level, region, into, signal) {
      const pages = levels[level] as Level;
      const stored: StoredImage[] = [];
      for (const one of pages) stored.push(await readStored(pageOf(one), region, into, signal));
      const parts = stored.map((part) => toPixels(part, into));
      return parts.length === 1 ? parts[0]! : { channels: 3, data: interleave(parts.map((part) => part.data)) };
    },
  };
}

/** The page that a caller names by its place in the file, or the first one. */
export function pickPage(file: TiffFile, page = 0): TiffPage {
  const found = file.pages[page];
  if (!found) throw argumentError(`page must be 0 to ${file.pages.length - 1}, the pages of ${file.source.name}, received ${page}`);
  return found;
}

const alike = (a: TiffPage, b: TiffPage): boolean => a.samples === b.samples && a.bits === b.bits && a.format === b.format;
const sameSize = (a: TiffPage, b: TiffPage): boolean => a.width === b.width && a.height === b.height;

/** OME-TIFF may hold red, green and blue as three grey pages. */
function omeRgbPages(file: TiffFile, ome: OmePixels): Level | undefined {
  const [a, b, c] = file.pages;
  if (ome.sizeC !== 3 || ome.sizeZ !== 1 || ome.sizeT !== 1 || !a || !b || !c || a.samples !== 1) return undefined;
  return [b, c].every((page) => alike(a, page) && sameSize(a, page)) ? [a, b, c] : undefined;
}

/** Smaller copies of the same view: sub-pages (OME), or later pages marked as reduced or tiled as the first is (SVS). */
async function levelsOf(file: TiffFile, first: Level): Promise<Level[]> {
  const base = first[0]!;
  const candidates: Level[] = [];
  if (base.subPages.length > 0) {
    const depth = Math.min(...first.map((page) => page.subPages.length));
    for (let i = 0; i < depth; i++) {
      candidates.push(await Promise.all(first.map((page) => readSubPage(file, page.subPages[i]!, page.index))));
    }
  } else if (first.length === 1) {
    candidates.push(
      ...file.pages.slice(base.index + 1).flatMap((page) => (page.tiled === base.tiled && (page.reduced || page.tiled) ? [[page]] : [])),
    );
  }
  const levels: Level[] = [first];
  for (const level of candidates) {
    const above = levels[levels.length - 1]![0]!;
    const [page] = level;
    // A width rounded by a pixel changes the height that fits it by `slope`.
    const slope = base.height / base.width;
    const fits = Math.abs(page!.width * slope - page!.height) <= 2 + slope + 0.01 * page!.height;
    const smaller = page!.width <= above.width && page!.height <= above.height && !sameSize(page!, above);
    if (fits && smaller && level.every((one) => alike(one, base) && sameSize(one, page!))) levels.push(level);
  }
  return levels;
}

function warnAboutPages(file: TiffFile, first: Level, page: number | undefined, warnings: Warnings): void {
  const base = first[0]!;
  const others = file.pages.filter((other) => !first.includes(other) && !other.reduced && sameSize(other, base));
  if (others.length > 0 && page === undefined) {
    warnings.add(
      'more_pages',
      `${file.source.name}: it holds ${others.length + first.length} pages of the same size and the first is read; the option page names another`,
    );
  }
}

/** What the samples of a page are. */
function layoutOf(name: string, page: TiffPage): Pick<StoredImage, 'colour' | 'extra' | 'inverted'> {
  const { photometric, samples } = page;
  const refuse = (text: string) => formatError(name, `page ${page.index} of this TIFF ${text}`);
  if (photometric === PALETTE) {
    if (samples !== 1 || page.format !== 'uint' || page.bits > 16) throw refuse('has a palette that cannot be read');
    return { colour: 'palette' };
  }
  if (photometric > 1 && photometric !== RGB && photometric !== YCBCR) {
    const kind =
      { 4: 'a transparency mask', 5: 'CMYK', 8: 'CIE Lab', 9: 'ICC Lab', 32803: 'raw sensor data' }[photometric] ?? `kind ${photometric}`;
    throw refuse(`holds colours as ${kind}; convert it to RGB`);
  }
  // Three channels that are not called RGB (scientific writers) are taken as such all the same.
  const colour = photometric > 1 || samples === 3 ? 'rgb' : 'grey';
  const extra = samples - (colour === 'rgb' ? 3 : 1);
  if (extra < 0 || extra > 1) throw refuse(`holds ${samples} channels; an image needs 1 (grey) or 3 (red, green, blue)`);
  const kind = ({ 1: 'premultiplied', 2: 'alpha' } as const)[page.extraSamples[0] ?? 0] ?? 'unknown';
  return { colour, extra: extra ? kind : undefined, inverted: photometric === 0 && colour === 'grey' };
}

async function readStored(readable: ReadablePage, region: Region, warnings: Warnings, signal?: AbortSignal): Promise<StoredImage> {
  const { file, page, type } = readable;
  const { name } = file.source;
  const layout = layoutOf(name, page);
  const white = layout.colour === 'rgb' && type === 'uint8' ? 255 : 0;
  const { data, missing } = await readTiffRegion(readable, region, white, signal);
  if (missing > 0) {
    warnings.add('missing_tiles', `${name}: ${missing} tiles were never written; they are filled with ${white ? 'white' : 'zeros'}`);
  }
  const palette = layout.colour === 'palette' ? await readPalette(file, page) : undefined;
  const { samples, bits } = page;
  return {
    name,
    width: region.width,
    height: region.height,
    samples,
    bits,
    data: data as NumericArray,
    ...layout,
    ...(palette && { palette }),
  };
}

/** The palette as RGB triples of 8 bits. Some writers fill the 16-bit fields with 8-bit values. */
async function readPalette(file: TiffFile, page: TiffPage): Promise<Uint8Array> {
  const map = await readColorMap(file, page);
  const count = 2 ** page.bits;
  if (map.length !== 3 * count) throw formatError(file.source.name, `page ${page.index} of this TIFF has no palette, or a broken one`);
  const shift = map.every((value) => value < 256) ? 0 : 8;
  return Uint8Array.from({ length: 3 * count }, (_, i) => map[(i % 3) * count + Math.floor(i / 3)]! >> shift);
}

function interleave(planes: RasterImage['data'][]): RasterImage['data'] {
  const first = planes[0]!;
  const out = new (first.constructor as new (length: number) => RasterImage['data'])(first.length * planes.length);
  for (const [c, plane] of planes.entries()) for (let i = 0; i < plane.length; i++) out[i * planes.length + c] = plane[i]!;
  return out;
}

/** Pixel size as the file states it: OME-XML, Aperio, ImageJ, then the resolution tags. */
function pixelSize(page: TiffPage, ome: OmePixels | undefined, name: string, warnings: Warnings): Mpp | undefined {
  const { description, resolution } = page;
  if (ome?.mpp) return plausibleMpp(...ome.mpp, `OME pixel size of ${name}`, warnings);
  const aperio = aperioMpp(description);
  if (aperio !== undefined) return plausibleMpp(aperio, aperio, `MPP of ${name}`, warnings);
  if (!resolution) return undefined;
  const unit = imageJUnit(description) ?? { 2: 25400, 3: 10000 }[resolution.unit];
  return unit === undefined ? undefined : plausibleMpp(unit / resolution.x, unit / resolution.y, `resolution of ${name}`, warnings);
}
