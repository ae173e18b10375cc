// Tiled TIFFs with smaller copies of themselves, written as their rows come: what viewers open of images larger than memory.
import { setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import { UamError } from '../errors.js';
import { type FileOutput, openFile } from '../files/output_file.js';
import { argumentError, withinMemory } from './failure.js';
import { halveRows, type Reduction } from './halve_rows.js';
import { givenMpp, type Mpp } from './pixel_size.js';
import { rationalOf, type TiffField, tiffDirectories, tiffHeader } from './tiff_write.js';

export interface PyramidTiffOptions {
  /** Pixels of the full resolution. */
  width: number;
  height: number;
  /** 1 for masks and grey images, 3 for RGB; 8 bits each. */
  channels: 1 | 3;
  /** The side of a tile in pixels, a multiple of 16; default 256. */
  tile?: number | undefined;
  /** Micrometres per pixel of the full resolution, one number or [x, y]; without it the file does not tell. */
  mpp?: number | readonly [x: number, y: number] | undefined;
  /** The text of the tag ImageDescription. */
  description?: string | undefined;
  /**
   * How a smaller level is made of the one above. `'majority'`, the default for one channel: of two by two pixels the value that occurs
   * most often, of equals the first, so that a mask keeps its values. `'mean'`, the default for RGB.
   */
  reduction?: Reduction | undefined;
  /** `'deflate'`, the default, loses nothing; `'jpeg'` (RGB only, quality 90) is what scanners write. */
  compression?: 'deflate' | 'jpeg' | undefined;
}

/** An image that is written row by row. */
export interface PyramidTiff {
  /** The size of each level, the full resolution first. */
  readonly levels: readonly { readonly width: number; readonly height: number }[];
  /** The unfinished file; absent where the target is written directly. */
  readonly temporary?: string | undefined;
  /**
   * Takes the next rows, any number of them, from the top. Wait for it before the next call, and leave the rows alone until then.
   *
   * @throws UamError `UAM_SHAPE` where they are not whole rows, or more than the image has; `UAM_IO`
   */
  writeRows(rows: Uint8Array): Promise<void>;
  /**
   * Ends the file and gives it its name.
   *
   * @throws UamError `UAM_SHAPE` where rows are missing (then nothing is left of the file); `UAM_IO`
   */
  close(): Promise<void>;
  /** Gives up: nothing is left of the file. */
  abort(): Promise<void>;
}

const deflated = promisify(deflate);

/** Always the same one, so that the same pixels make the same bytes. */
const DEFLATE_LEVEL = 6;
const JPEG_QUALITY = 90;

/** Tiles packed at the same time, on the threads of libuv's pool. */
const AT_ONCE = 8;

/** How long rows may be worked on before others get their turn, in milliseconds. */
const SLICE = 10;

/** The most bytes that offsets of 32 bits reach, less a margin. */
const CLASSIC_LIMIT = 0xfff00000;

interface Settings {
  width: number;
  height: number;
  channels: 1 | 3;
  tile: number;
  mpp: Mpp | undefined;
  description: string | undefined;
  reduction: Reduction;
  compression: 'deflate' | 'jpeg';
}

function complete(options: PyramidTiffOptions): Settings {
  const { width, height, channels, tile = 256, description, compression = 'deflate' } = options;
  for (const [name, value] of Object.entries({ width, height })) {
    if (!(Number.isInteger(value) && value >= 1 && value <= 0x7fffffff)) {
      throw argumentError(`openPyramidTiff: ${name} must be a whole number from 1 to 2147483647, received ${value}`);
    }
  }
  if (channels !== 1 && channels !== 3) throw argumentError(`openPyramidTiff: channels must be 1 or 3, received ${channels}`);
  if (!(Number.isInteger(tile) && tile >= 16 && tile <= 4096 && tile % 16 === 0)) {
    throw argumentError(`openPyramidTiff: tile must be a multiple of 16 from 16 to 4096, received ${tile}`);
  }
  if (compression !== 'deflate' && !(compression === 'jpeg' && channels === 3)) {
    throw argumentError(`openPyramidTiff: compression must be 'deflate', or 'jpeg' for 3 channels, received '${compression}'`);
  }
  const reduction = options.reduction ?? (channels === 1 ? 'majority' : 'mean');
  if (reduction !== 'majority' && reduction !== 'mean') {
    throw argumentError(`openPyramidTiff: reduction must be 'majority' or 'mean', received '${reduction}'`);
  }
  return { width, height, channels, tile, mpp: givenMpp(options.mpp), description, reduction, compression };
}

/** One resolution: the strip of tiles that is being filled, and where its tiles went. */
class Level {
  readonly strip: Uint8Array;
  readonly across: number;
  readonly offsets: number[] = [];
  readonly sizes: number[] = [];
  /** Rows taken so far, and how many of them wait in the strip. */
  rows = 0;
  waiting = 0;

  constructor(
    readonly width: number,
    readonly height: number,
    readonly channels: number,
    readonly tile: number,
  ) {
    this.across = Math.ceil(width / tile);
    this.strip = new Uint8Array(Math.min(tile, height) * width * channels);
  }

  get rowLength(): number {
    return this.width * this.channels;
  }

  get whole(): boolean {
    return this.rows === this.height;
  }

  get full(): boolean {
    return this.waiting === this.tile || (this.whole && this.waiting > 0);
  }

  /** Tile `column` of the strip. Beyond the image its last column and row go on: an edge there would ring through a JPEG. */
  cut(column: number): Uint8Array {
    const { tile, channels, rowLength, waiting } = this;
    const row = tile * channels;
    const out = new Uint8Array(tile * row);
    const from = column * row;
    const length = Math.min(row, rowLength - from);
    for (let y = 0; y < waiting; y++) {
      out.set(this.strip.subarray(y * rowLength + from, y * rowLength + from + length), y * row);
      for (let x = length; x < row; x++) out[y * row + x] = out[y * row + x - channels]!;
    }
    for (let y = waiting; y < tile; y++) out.copyWithin(y * row, (y - 1) * row, y * row);
    return out;
  }
}

/** Sizes from the full resolution to the first that fits one tile. */
function levelsOf({ width, height, channels, tile }: Settings): Level[] {
  const levels = [new Level(width, height, channels, tile)];
  for (let [w, h] = [width, height]; w > tile || h > tile; ) {
    [w, h] = [Math.ceil(w / 2), Math.ceil(h / 2)];
    levels.push(new Level(w, h, channels, tile));
  }
  return levels;
}

/** Whether tiles that do not shrink at all could go beyond 4 GB: known before the first, so the kind depends on the size alone. */
function mayBeBig(levels: readonly Level[], { tile, channels }: Settings): boolean {
  const mostPerTile = tile * tile * channels * 1.01 + 1024;
  return levels.reduce((sum, { across, height }) => sum + across * Math.ceil(height / tile) * mostPerTile, 1e6) > CLASSIC_LIMIT;
}

class Writer implements PyramidTiff {
  readonly #path: string;
  readonly #settings: Settings;
  readonly #levels: Level[];
  readonly #big: boolean;
  readonly #file: FileOutput;
  #at = 0;
  #busy = false;

  constructor(path: string, settings: Settings, levels: Level[], file: FileOutput) {
    this.#path = path;
    this.#settings = settings;
    this.#levels = levels;
    this.#file = file;
    this.#big = mayBeBig(levels, settings);
  }

  get levels(): readonly { width: number; height: number }[] {
    return this.#levels.map(({ width, height }) => ({ width, height }));
  }

  get temporary(): string | undefined {
    return this.#file.temporary;
  }

  /** Where the first directory lies is told at the end. */
  async begin(): Promise<void> {
    await this.#append(tiffHeader(this.#big, 0));
  }

  async writeRows(rows: Uint8Array): Promise<void> {
    const [full] = this.#levels as [Level];
    const count = rows.length / full.rowLength;
    if (!Number.isInteger(count) || full.rows + count > full.height) {
      throw new UamError(
        'UAM_SHAPE',
        `${this.#path}: writeRows takes whole rows of ${full.width} x ${full.channels} values, ${full.height} in all; ` +
          `received ${rows.length} values after ${full.rows} rows`,
      );
    }
    if (this.#busy) throw argumentError(`${this.#path}: writeRows was called again before it had settled; await each call`);
    this.#busy = true;
    try {
      await this.#take(rows);
    } finally {
      this.#busy = false;
    }
  }

  async #take(rows: Uint8Array): Promise<void> {
    const [full] = this.#levels as [Level];
    const length = full.rowLength;
    let since = performance.now();
    for (let at = 0; at < rows.length; ) {
      // A few rows at a time: wide slides have long rows.
      const most = Math.max(1, Math.floor((1 << 20) / length));
      const count = Math.min(full.tile - full.waiting, (rows.length - at) / length, most);
      full.strip.set(rows.subarray(at, at + count * length), full.waiting * length);
      for (let i = 0; i < count; i++) this.#added(0);
      at += count * length;
      // Smaller strips are full only where the largest is.
      if (full.full) for (const level of this.#levels) if (level.full) await this.#flush(level);
      if (performance.now() - since > SLICE) {
        await turn();
        since = performance.now();
      }
    }
  }

  /** A row has come to a level: with its partner, or as the last one without, it makes a row of the next. */
  #added(index: number): void {
    const level = this.#levels[index] as Level;
    level.rows++;
    level.waiting++;
    const next = this.#levels[index + 1];
    const paired = level.rows % 2 === 0;
    if (!next || !(paired || level.whole)) return;
    const { rowLength, width, channels } = level;
    const lower = (level.waiting - 1) * rowLength;
    const upper = paired ? lower - rowLength : lower;
    halveRows(level.strip, upper, lower, width, channels, this.#settings.reduction, next.strip, next.waiting * next.rowLength);
    this.#added(index + 1);
  }

  async #flush(level: Level): Promise<void> {
    for (let column = 0; column < level.across; column += AT_ONCE) {
      const count = Math.min(AT_ONCE, level.across - column);
      const packed = await Promise.all(Array.from({ length: count }, (_, i) => this.#pack(level.cut(column + i))));
      for (const bytes of packed) {
        level.offsets.push(this.#at);
        level.sizes.push(bytes.length);
        await this.#append(bytes);
      }
    }
    level.waiting = 0;
  }

  async #pack(pixels: Uint8Array): Promise<Uint8Array> {
    const { tile, compression } = this.#settings;
    if (compression === 'deflate') return deflated(pixels, { level: DEFLATE_LEVEL });
    const { default: sharp } = await import('sharp');
    return sharp(pixels, { raw: { width: tile, height: tile, channels: 3 } })
      .jpeg({ quality: JPEG_QUALITY, chromaSubsampling: '4:2:0' })
      .toBuffer();
  }

  async #append(bytes: Uint8Array): Promise<void> {
    await this.#file.write(bytes);
    this.#at += bytes.length;
  }

  async close(): Promise<void> {
    const [full] = this.#levels as [Level];
    try {
      if (!full.whole) {
        throw new UamError('UAM_SHAPE', `${this.#path}: the image has ${full.height} rows, but only ${full.rows} were written`);
      }
      await this.#append(new Uint8Array((8 - (this.#at % 8)) % 8)); // directories begin at even places
      const directory = this.#at;
      const pages = this.#levels.map((level, i) => this.#fields(level, i > 0));
      await this.#append(tiffDirectories(pages, directory, this.#big));
      await this.#file.overwrite(0, tiffHeader(this.#big, directory));
    } catch (error) {
      await this.abort();
      throw error;
    }
    await this.#file.close();
  }

  #fields({ width, height, channels, offsets, sizes }: Level, reduced: boolean): TiffField[] {
    const { tile, compression, description, mpp } = this.#settings;
    const short = (tag: number, ...values: number[]): TiffField => ({ tag, type: 'short', values });
    const long = (tag: number, ...values: number[]): TiffField => ({ tag, type: 'long', values });
    const [full] = this.#levels as [Level];
    const perCentimetre = (um: number, scale: number) => rationalOf(10000 / (um * scale));
    return [
      long(254, reduced ? 1 : 0), // a smaller copy of another page
      long(256, width),
      long(257, height),
      short(258, ...Array.from({ length: channels }, () => 8)),
      short(259, compression === 'jpeg' ? 7 : 8),
      short(262, compression === 'jpeg' ? 6 : channels === 3 ? 2 : 1),
      ...(description !== undefined && !reduced ? [{ tag: 270, type: 'text', values: description } as const] : []),
      short(277, channels),
      ...(mpp
        ? ([
            { tag: 282, type: 'rational', values: perCentimetre(mpp[0], full.width / width) },
            { tag: 283, type: 'rational', values: perCentimetre(mpp[1], full.height / height) },
            short(296, 3),
          ] as const)
        : []),
      short(284, 1), // the samples of a pixel lie side by side
      long(322, tile),
      long(323, tile),
      { tag: 324, type: 'offset', values: offsets },
      long(325, ...sizes),
      ...(compression === 'jpeg' ? [short(530, 2, 2)] : []),
    ];
  }

  async abort(): Promise<void> {
    await this.#file.abort();
  }
}

/**
 * Opens a tiled pyramid TIFF for writing: an 8-bit mask or RGB image whose rows come one after the other, with levels each half as wide
 * and high as the one above, until one fits a tile. Levels are pages of their own, marked as reduced, as libvips writes and as QuPath,
 * OpenSlide, geotiff and `openImage` read them. Memory holds one strip of tiles per level, about `2 * width * tile * channels` bytes in
 * all, never the image. The file appears under its name when it is closed. It is a BigTIFF where it could exceed 4 GB without compression.
 *
 * The same rows make the same bytes, however they are cut into calls, wherever zlib (for JPEG, libvips) is the same.
 *
 * @param path where to; an existing file is replaced
 * @throws UamError `UAM_ARGUMENT` for sizes or options that cannot be; `UAM_IO` where the file cannot be written
 * @example
 * const { rm } = await import('node:fs/promises');
 * const tiff = await openPyramidTiff('mask.tif', { width: 600, height: 2, channels: 1, mpp: 0.5 });
 * await tiff.writeRows(new Uint8Array(600).fill(1)); // in as many calls as you like
 * await tiff.writeRows(new Uint8Array(600));
 * await tiff.close();
 * const image = await openImage('mask.tif');
 * console.log(image.levels.length, image.mpp); // 3 [0.5, 0.5]
 * await image.close();
 * await rm('mask.tif');
 */
export async function openPyramidTiff(path: string, options: PyramidTiffOptions): Promise<PyramidTiff> {
  const settings = complete(options);
  const levels = await withinMemory(path, async () => levelsOf(settings));
  const writer = new Writer(path, settings, levels, await openFile(path));
  try {
    await writer.begin();
  } catch (error) {
    await writer.abort();
    throw error;
  }
  return writer;
}
