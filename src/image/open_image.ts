import { type ByteSource, type FileInput, openSource, readAll, recognise } from './byte_source.js';
import { readExif } from './exif.js';
import { argumentError, formatError, pixelLimit, refuseAborted, refuseHuge, withinMemory } from './failure.js';
import type { ImageWarning, RasterImage } from './image.js';
import { checkJpegHeader, decodeJpeg, readJpegHeader } from './jpeg.js';
import { givenMpp, type Mpp, plausibleMpp } from './pixel_size.js';
import { decodePng, PNG_PALETTE, type Png, readPngChunks } from './png.js';
import { crop, type StoredImage, toPixels } from './raster.js';
import { openTiffImage } from './tiff_image.js';
import type { Region } from './tiff_read.js';
import { Warnings } from './warnings.js';

/** How an image is opened. */
export interface OpenImageOptions {
  /** Micrometres per pixel of the full resolution, one number or [x, y]; wins over what the file says. */
  mpp?: number | readonly [x: number, y: number];
  /** The page of a TIFF, from 0; by default the first. */
  page?: number;
  /** The most pixels held in memory at once; 1e9 by default. */
  maxPixels?: number;
  /** What messages call bytes that have no path. */
  name?: string;
}

/** What is read from an opened image. Coordinates are pixels of the level. */
export interface ReadRegion extends Partial<Region> {
  /** The level of the pyramid: 0, the default, is the full resolution. */
  level?: number;
  signal?: AbortSignal;
}

/** One resolution of an image. */
export interface ImageLevel {
  width: number;
  height: number;
  /** How many pixels of the full resolution one pixel of this level stands for, along x. */
  downsample: number;
}

/** An image that is opened but not held: regions of it are read when they are asked for. */
export interface OpenedImage {
  width: number;
  height: number;
  channels: 1 | 3;
  /** Micrometres per pixel at full resolution; absent where neither the file nor the user gave it. */
  mpp?: Mpp | undefined;
  levels: readonly ImageLevel[];
  /** What a user should know; reading may add to it. */
  warnings: readonly ImageWarning[];
  name: string;
  /** Reads a region, by default all, of a level, by default the full resolution. */
  read(region?: ReadRegion): Promise<RasterImage>;
  /** Closes the file. */
  close(): Promise<void>;
}

/** What a kind of file provides. */
interface Content {
  levels: { width: number; height: number }[];
  channels: 1 | 3;
  mpp?: Mpp | undefined;
  read(level: number, region: Region, warnings: Warnings, signal?: AbortSignal): Promise<{ channels: 1 | 3; data: RasterImage['data'] }>;
}

/**
 * Opens a PNG, JPEG or TIFF (tiled, pyramidal, OME-TIFF, SVS with JPEG tiles) for reading by regions, so that a slide is never held
 * whole: a TIFF is read tile by tile; PNG and JPEG are decoded whole at the first `read`. The kind is told by the file's first bytes.
 *
 * Samples stay as stored: 16 bits stay 16, colour profiles are ignored, nothing is turned. Transparent pixels are put over white,
 * with a warning. See `readImage` for files that fit in memory.
 *
 * @throws `UAM_INPUT` where the file cannot be read, `UAM_FORMAT` where it is broken or of an unsupported kind
 * @example
 * const png = await encodeMask({ width: 3, height: 2, data: Uint32Array.of(1, 2, 3, 4, 5, 6) });
 * const image = await openImage(png, { mpp: 0.25 });
 * const corner = await image.read({ x: 1, y: 1, width: 2, height: 1 });
 * console.log(image.width, image.levels.length, corner.data); // 3, 1, [5, 6]
 * await image.close();
 */
export async function openImage(input: FileInput, options: OpenImageOptions = {}): Promise<OpenedImage> {
  const mpp = givenMpp(options.mpp);
  const maxPixels = pixelLimit(options.maxPixels);
  const source = await openSource(input, options.name);
  const warnings = new Warnings();
  try {
    const content = await openContent(source, options, mpp === undefined, maxPixels, warnings);
    return opened(source, content, mpp ?? content.mpp, maxPixels, warnings);
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function openContent(
  source: ByteSource,
  { page }: OpenImageOptions,
  wantsMpp: boolean,
  maxPixels: number,
  warnings: Warnings,
): Promise<Content> {
  const { kind, words } = await recognise(source);
  if (kind === 'tiff') return openTiffImage(source, page, wantsMpp, warnings);
  if (page !== undefined && page !== 0) throw argumentError(`page ${page} was asked for, but ${source.name} is ${words} and has one`);
  if (kind === 'png') return openPng(source, maxPixels, wantsMpp, warnings);
  if (kind === 'jpeg') return openJpeg(source, maxPixels, wantsMpp, warnings);
  throw formatError(source.name, `this file is ${words}; images are read from PNG, JPEG and TIFF (also OME-TIFF and SVS)`);
}

function opened(source: ByteSource, content: Content, mpp: Mpp | undefined, maxPixels: number, warnings: Warnings): OpenedImage {
  const { name } = source;
  const [full] = content.levels as [{ width: number; height: number }];
  const levels = content.levels.map((level) => ({ ...level, downsample: full.width / level.width }));
  return {
    width: full.width,
    height: full.height,
    channels: content.channels,
    mpp,
    levels,
    warnings: warnings.list,
    name,
    async read({ level = 0, signal, ...wanted } = {}) {
      refuseAborted(name, signal);
      const size = levels[level];
      if (!size) throw argumentError(`level must be 0 to ${levels.length - 1}, the levels of ${name}, received ${level}`);
      const region = checkRegion(name, wanted, size);
      refuseHuge(name, region.width, region.height, maxPixels);
      const { channels, data } = await withinMemory(name, () => content.read(level, region, warnings, signal));
      refuseAborted(name, signal);
      const scaled = mpp && ([(mpp[0] * full.width) / size.width, (mpp[1] * full.height) / size.height] as const);
      return { width: region.width, height: region.height, channels, data, mpp: level === 0 ? mpp : scaled, name };
    },
    close: () => source.close(),
  };
}

/** A region must lie inside its level: what lies outside would have to be invented. */
function checkRegion(name: string, wanted: Partial<Region>, size: { width: number; height: number }): Region {
  const x = wanted.x ?? 0;
  const y = wanted.y ?? 0;
  const region = { x, y, width: wanted.width ?? size.width - x, height: wanted.height ?? size.height - y };
  const { width, height } = region;
  const fits = Object.values(region).every(Number.isInteger) && x >= 0 && y >= 0 && width > 0 && height > 0;
  if (!fits || x + width > size.width || y + height > size.height) {
    throw argumentError(
      `a region of ${name} must be whole pixels inside ${size.width} x ${size.height}, ` +
        `received x ${x}, y ${y}, width ${width}, height ${height}`,
    );
  }
  return region;
}

/** An image that is decoded whole, at the first read, and kept for further regions. */
function whole(
  width: number,
  height: number,
  channels: 1 | 3,
  decode: (warnings: Warnings) => Promise<{ data: RasterImage['data'] }>,
): Omit<Content, 'mpp'> {
  let decoded: Promise<{ data: RasterImage['data'] }> | undefined;
  return {
    levels: [{ width, height }],
    channels,
    async read(_level, region, warnings) {
      const { data } = await (decoded ??= decode(warnings));
      if (region.width < width || region.height < height) return { channels, data: crop({ width, channels, data }, region) };
      decoded = undefined; // who asks for all of it gets it, not a copy
      return { channels, data };
    },
  };
}

function warnTurned(name: string, exif: Uint8Array | undefined, warnings: Warnings): void {
  const { orientation } = readExif(exif);
  if (orientation > 1 && orientation <= 8) {
    warnings.add(
      'orientation_ignored',
      `${name}: the file asks to be shown turned (orientation ${orientation}); its pixels are taken as they are stored`,
    );
  }
}

async function openPng(source: ByteSource, maxPixels: number, wantsMpp: boolean, warnings: Warnings): Promise<Content> {
  const { name } = source;
  const chunks = readPngChunks(name, await readAll(source));
  const { width, height, colour, samples } = chunks.header;
  warnTurned(name, chunks.exif, warnings);
  const [x, y] = chunks.perMetre ?? [0, 0];
  const mpp = wantsMpp && chunks.perMetre ? plausibleMpp(1e6 / x, 1e6 / y, `resolution of ${name}`, warnings) : undefined;
  const channels = colour === PNG_PALETTE || samples >= 3 ? 3 : 1;
  const decode = async (into: Warnings) => toPixels(storedPng(name, await decodePng(name, chunks, maxPixels)), into);
  return { ...whole(width, height, channels, decode), mpp };
}

/** What the samples of a PNG are. */
function storedPng(name: string, png: Png): StoredImage {
  const { width, height, samples, depth, data, palette, transparency } = png;
  const base = { name, width, height, samples, bits: depth, data };
  if (palette) return { ...base, colour: 'palette', palette, ...(transparency && { paletteAlpha: transparency }) };
  const transparent =
    transparency && Array.from({ length: transparency.length >> 1 }, (_, i) => (transparency[2 * i]! << 8) | transparency[2 * i + 1]!);
  return {
    ...base,
    colour: samples >= 3 ? 'rgb' : 'grey',
    extra: samples % 2 === 0 ? 'alpha' : undefined,
    ...(transparent && { transparent }),
  };
}

async function openJpeg(source: ByteSource, maxPixels: number, wantsMpp: boolean, warnings: Warnings): Promise<Content> {
  const { name } = source;
  const bytes = await readAll(source);
  const header = readJpegHeader(name, bytes);
  checkJpegHeader(name, header, bytes.length);
  warnTurned(name, header.exif, warnings);
  const perInch = header.perInch ?? readExif(header.exif).perInch;
  const [x, y] = perInch ?? [0, 0];
  const mpp = wantsMpp && perInch ? plausibleMpp(25400 / x, 25400 / y, `resolution of ${name}`, warnings) : undefined;
  const channels = header.components === 1 ? 1 : 3;
  return { ...whole(header.width, header.height, channels, () => decodeJpeg(name, bytes, header, maxPixels)), mpp };
}
