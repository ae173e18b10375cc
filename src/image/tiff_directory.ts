// The directories of a TIFF or BigTIFF: read and checked here before any pixel is touched, so that loops, absurd counts and sizes
// end as errors. Tags are those of TIFF 6.0 and its supplements.
import type { ByteSource } from './byte_source.js';
import { formatError } from './failure.js';

export interface TiffFile {
  source: ByteSource;
  little: boolean;
  big: boolean;
  /** The pages in file order. */
  pages: TiffPage[];
}

/** One image of a TIFF. */
export interface TiffPage {
  index: number;
  width: number;
  height: number;
  samples: number;
  /** Bits of every sample. */
  bits: number;
  format: 'uint' | 'int' | 'float';
  photometric: number;
  compression: number;
  /** The samples lie in separate planes. */
  planar: boolean;
  predictor: number;
  tiled: boolean;
  /** Size of a tile; of a strip, which is as wide as the image. */
  tileWidth: number;
  tileHeight: number;
  /** Tiles per row and column of tiles. */
  across: number;
  down: number;
  /** What the samples beyond the colour are: 0 unknown, 1 premultiplied alpha, 2 alpha. */
  extraSamples: number[];
  fillOrder: number;
  orientation: number;
  subsampling: number[];
  /** A smaller copy of another page. */
  reduced: boolean;
  description: string;
  /** Pixels per unit; the unit is 1 none, 2 inch, 3 centimetre. */
  resolution?: { x: number; y: number; unit: number };
  subPages: number[];
  tags: Map<number, Entry>;
}

export interface Entry {
  type: number;
  count: number;
  /** Where the values lie in the file. */
  at: number;
  /** The values themselves, where they are short enough to stand in the directory. */
  inline?: Uint8Array;
}

const TAG = {
  subfile: 254,
  width: 256,
  height: 257,
  bits: 258,
  compression: 259,
  photometric: 262,
  fillOrder: 266,
  description: 270,
  stripOffsets: 273,
  orientation: 274,
  samples: 277,
  rowsPerStrip: 278,
  stripCounts: 279,
  resolutionX: 282,
  resolutionY: 283,
  planar: 284,
  resolutionUnit: 296,
  predictor: 317,
  colorMap: 320,
  tileWidth: 322,
  tileHeight: 323,
  tileOffsets: 324,
  tileCounts: 325,
  subPages: 330,
  extraSamples: 338,
  sampleFormat: 339,
  jpegTables: 347,
  subsampling: 530,
} as const;

/** Bytes per value of a field type; 0 for types that do not exist. */
const typeSize = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8];

const MOST_PAGES = 10_000;
const MOST_ENTRIES = 4096;
/** OME-XML of a large experiment runs to megabytes; more than this is not read. */
const MOST_TEXT = 16 << 20;

const safe = (value: bigint): number => (value <= 2n ** 53n ? Number(value) : Number.POSITIVE_INFINITY);

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** Follows the chain of directories from the header. */
export async function readTiff(source: ByteSource): Promise<TiffFile> {
  const head = await source.read(0, Math.min(16, source.size));
  if (head.length < 8) throw formatError(source.name, 'this TIFF ends inside its header');
  const view = viewOf(head);
  const little = head[0] === 0x49;
  const big = view.getUint16(2, little) === 43;
  if (big && (head.length < 16 || view.getUint16(4, little) !== 8)) throw formatError(source.name, 'this BigTIFF has a broken header');
  const file: TiffFile = { source, little, big, pages: [] };
  const seen = new Set<number>();
  let at = big ? safe(view.getBigUint64(8, little)) : view.getUint32(4, little);
  while (at !== 0) {
    if (seen.has(at)) throw formatError(source.name, 'the pages of this TIFF lead back to an earlier one: the file is damaged');
    seen.add(at);
    if (file.pages.length === MOST_PAGES) throw formatError(source.name, `this TIFF has more than ${MOST_PAGES} pages`);
    const { tags, next } = await readEntries(file, at);
    file.pages.push(await readPage(file, tags, file.pages.length));
    at = next;
  }
  if (file.pages.length === 0) throw formatError(source.name, 'this TIFF has no image');
  return file;
}

/** A page that another one refers to by its offset: a level of an OME pyramid. */
export async function readSubPage(file: TiffFile, offset: number, index: number): Promise<TiffPage> {
  const { tags } = await readEntries(file, offset);
  return readPage(file, tags, index);
}

async function readEntries(file: TiffFile, at: number): Promise<{ tags: Map<number, Entry>; next: number }> {
  const { source, little, big } = file;
  const countSize = big ? 8 : 2;
  const entrySize = big ? 20 : 12;
  const countView = viewOf(await source.read(at, countSize));
  const count = big ? safe(countView.getBigUint64(0, little)) : countView.getUint16(0, little);
  if (count === 0 || count > MOST_ENTRIES)
    throw formatError(source.name, `a page of this TIFF claims ${count} fields: the file is damaged`);
  const start = at + countSize;
  const entries = await source.read(start, count * entrySize);
  const view = viewOf(entries);
  const tags = new Map<number, Entry>();
  for (let i = 0; i < count; i++) {
    const p = i * entrySize;
    const type = view.getUint16(p + 2, little);
    const values = big ? safe(view.getBigUint64(p + 4, little)) : view.getUint32(p + 4, little);
    const bytes = (typeSize[type] ?? 0) * values;
    const inline = bytes <= (big ? 8 : 4);
    const pointer = p + (big ? 12 : 8);
    const offset = big ? safe(view.getBigUint64(pointer, little)) : view.getUint32(pointer, little);
    tags.set(view.getUint16(p, little), {
      type,
      count: values,
      at: inline ? start + pointer : offset,
      ...(inline && { inline: entries.subarray(pointer, pointer + bytes) }),
    });
  }
  // Some writers end the file without the pointer to the next page, which then is none.
  const after = start + count * entrySize;
  if (after + (big ? 8 : 4) > source.size) return { tags, next: 0 };
  const nextView = viewOf(await source.read(after, big ? 8 : 4));
  return { tags, next: big ? safe(nextView.getBigUint64(0, little)) : nextView.getUint32(0, little) };
}

/** Numbers of a field: at most `most` of them are read; none where the field is absent. Rationals come as quotients. */
export async function readNumbers(file: TiffFile, entry: Entry | undefined, most: number): Promise<number[]> {
  if (!entry) return [];
  const { source, little } = file;
  const size = typeSize[entry.type] ?? 0;
  if (size === 0) throw formatError(source.name, `this TIFF has a field of the unknown type ${entry.type}: the file is damaged`);
  const count = Math.min(entry.count, most);
  const view = viewOf(entry.inline ?? (await source.read(entry.at, count * size)));
  return Array.from({ length: count }, (_, i) => readNumber(view, i * size, entry.type, little));
}

function readNumber(view: DataView, at: number, type: number, little: boolean): number {
  switch (type) {
    case 3:
      return view.getUint16(at, little);
    case 4:
    case 13:
      return view.getUint32(at, little);
    case 5:
      return view.getUint32(at, little) / view.getUint32(at + 4, little);
    case 6:
      return view.getInt8(at);
    case 8:
      return view.getInt16(at, little);
    case 9:
      return view.getInt32(at, little);
    case 10:
      return view.getInt32(at, little) / view.getInt32(at + 4, little);
    case 11:
      return view.getFloat32(at, little);
    case 12:
      return view.getFloat64(at, little);
    case 16:
    case 18:
      return safe(view.getBigUint64(at, little));
    case 17:
      return Number(view.getBigInt64(at, little));
    default:
      return view.getUint8(at);
  }
}

/** Bytes of a field of bytes (JPEG tables). */
export async function readBytes(file: TiffFile, entry: Entry | undefined): Promise<Uint8Array | undefined> {
  if (!entry || (typeSize[entry.type] ?? 0) !== 1) return undefined;
  return file.source.read(entry.at, entry.count);
}

async function readText(file: TiffFile, entry: Entry | undefined): Promise<string> {
  if (entry?.type !== 2) return '';
  const bytes = await file.source.read(entry.at, Math.min(entry.count, MOST_TEXT));
  return new TextDecoder('utf-8').decode(bytes).replace(/\0+$/, '');
}

const formats = ['uint', 'uint', 'int', 'float', 'uint'] as const;

async function readPage(file: TiffFile, tags: Map<number, Entry>, index: number): Promise<TiffPage> {
  const { name } = file.source;
  const numbers = (tag: number, most: number) => readNumbers(file, tags.get(tag), most);
  const one = async (tag: number, otherwise: number) => (await numbers(tag, 1))[0] ?? otherwise;
  const broken = (text: string) => formatError(name, `page ${index} of this TIFF ${text}`);

  const width = await one(TAG.width, 0);
  const height = await one(TAG.height, 0);
  if (!isSize(width) || !isSize(height)) throw broken(`claims an impossible size, ${width} x ${height}`);
  const samples = await one(TAG.samples, 1);
  if (!(samples >= 1 && samples <= 65535)) throw broken(`claims ${samples} samples per pixel`);
  const allBits = tags.has(TAG.bits) ? await numbers(TAG.bits, samples) : [1];
  const bits = allBits[0] ?? 1;
  if (allBits.some((value) => value !== bits))
    throw broken(`has samples of different depths (${allBits.join(', ')} bits), which is not supported`);
  const allFormats = await numbers(TAG.sampleFormat, samples);
  const format = formats[allFormats[0] ?? 1];
  if (!format || allFormats.some((value) => value !== allFormats[0])) throw broken('has complex samples, or samples of different kinds');

  const tiled = tags.has(TAG.tileOffsets) || (tags.has(TAG.tileWidth) && !tags.has(TAG.stripOffsets));
  const tileWidth = tiled ? await one(TAG.tileWidth, 0) : width;
  const tileHeight = tiled ? await one(TAG.tileHeight, 0) : Math.min(height, (await one(TAG.rowsPerStrip, height)) || height);
  if (!isSize(tileWidth) || !isSize(tileHeight)) throw broken(`has tiles of an impossible size, ${tileWidth} x ${tileHeight}`);
  const x = await one(TAG.resolutionX, Number.NaN);
  const y = await one(TAG.resolutionY, Number.NaN);
  const subfile = await one(TAG.subfile, 0);
  return {
    index,
    width,
    height,
    samples,
    bits,
    format,
    photometric: await one(TAG.photometric, samples >= 3 ? 2 : 1),
    compression: await one(TAG.compression, 1),
    planar: samples > 1 && (await one(TAG.planar, 1)) === 2,
    predictor: await one(TAG.predictor, 1),
    tiled,
    tileWidth,
    tileHeight,
    across: Math.ceil(width / tileWidth),
    down: Math.ceil(height / tileHeight),
    extraSamples: await numbers(TAG.extraSamples, 64),
    fillOrder: await one(TAG.fillOrder, 1),
    orientation: await one(TAG.orientation, 1),
    subsampling: await numbers(TAG.subsampling, 2),
    reduced: (subfile & 1) === 1,
    description: await readText(file, tags.get(TAG.description)),
    ...(x > 0 && y > 0 && { resolution: { x, y, unit: await one(TAG.resolutionUnit, 2) } }),
    subPages: await numbers(TAG.subPages, 64),
    tags,
  };
}

const isSize = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= 0x7fffffff;

/** Where the tiles or strips of a page lie. A size of 0 marks a tile that was never written. */
export interface TileTable {
  offsets: number[];
  sizes: number[];
}

/** Reads where a page's tiles lie, and checks that all of them can be in the file. */
export async function readTileTable(file: TiffFile, page: TiffPage): Promise<TileTable> {
  const { source } = file;
  const expected = page.across * page.down * (page.planar ? page.samples : 1);
  const entry = page.tags.get(page.tiled ? TAG.tileOffsets : TAG.stripOffsets);
  const what = page.tiled ? 'tiles' : 'strips';
  if (!entry || entry.count < expected) {
    throw formatError(
      source.name,
      `page ${page.index} of this TIFF names ${entry?.count ?? 0} of its ${expected} ${what}: the file is damaged`,
    );
  }
  const offsets = await readNumbers(file, entry, expected);
  const sizesEntry = page.tags.get(page.tiled ? TAG.tileCounts : TAG.stripCounts);
  // Some writers leave the sizes out: the size of an uncompressed tile is known, that of a single strip is what remains.
  const sizes = sizesEntry ? await readNumbers(file, sizesEntry, expected) : offsets.map((at) => impliedSize(page, source.size - at));
  if (sizes.length < expected) throw formatError(source.name, `page ${page.index} of this TIFF does not say how large its ${what} are`);
  return { offsets, sizes };
}

function impliedSize(page: TiffPage, rest: number): number {
  if (page.compression !== 1) return Math.max(0, rest);
  return Math.max(0, Math.min(rest, rowBytes(page) * page.tileHeight));
}

/** Samples that lie side by side in a tile. */
export const samplesPerTile = (page: TiffPage): number => (page.planar ? 1 : page.samples);

/** Bytes of a row of a tile, unpacked. */
export const rowBytes = (page: TiffPage): number => Math.ceil((page.tileWidth * samplesPerTile(page) * page.bits) / 8);

/** The red, green and blue of a palette page: three runs of `2^bits` 16-bit values. */
export const readColorMap = (file: TiffFile, page: TiffPage): Promise<number[]> => readNumbers(file, page.tags.get(TAG.colorMap), 3 << 16);

/** What the JPEG tiles of a page share. */
export const readJpegTables = (file: TiffFile, page: TiffPage): Promise<Uint8Array | undefined> =>
  readBytes(file, page.tags.get(TAG.jpegTables));
