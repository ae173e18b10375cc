// Regions of a slide as annotations for QuPath, written as the rows of their mask come.
import { setImmediate as turn } from 'node:timers/promises';
import { UamError } from '../errors.js';
import { gzipped } from '../files/gzipped.js';
import { type Output, openFile } from '../files/output_file.js';
import { PALETTE, type Rgb } from './palette.js';
import { checkOutlineOptions, type RegionOutline, shownOutline } from './region_outlines.js';
import type { Pieces } from './simplify_rings.js';
import { RegionTracer, type TracedRegion } from './trace_regions.js';

export interface RegionGeoJsonOptions {
  /** Pixels per row of the mask. */
  width: number;
  /** The name of the region that each value stands for: value 1 is the first. 0 is no region. */
  regions: readonly string[];
  /** Pixels of the slide's full resolution per pixel of the mask, one number or [x, y]: outlines are written in the former. Default 1. */
  scale?: number | readonly [x: number, y: number] | undefined;
  /** Micrometres per pixel of the mask, one number or [x, y]; with it each region says its area. */
  mpp?: number | readonly [x: number, y: number] | undefined;
  /** Regions of less are left out and holes of less are filled, in square micrometres; default 0. Needs `mpp`. */
  minArea?: number | undefined;
  /** How far outlines may move to have fewer points, in pixels of the mask; default 1. 0 keeps the edges of pixels exactly. */
  tolerance?: number | undefined;
  /** The colour of each region, 0 to 255; others get one from a fixed list, in the order of `regions`. */
  colors?: Readonly<Record<string, Rgb>> | undefined;
  /** Ends the work: what waits then rejects with `UAM_ABORTED`. */
  signal?: AbortSignal | undefined;
}

/** Regions on their way to a file. */
export interface RegionGeoJson {
  /** The unfinished file; absent where the target is written directly. */
  readonly temporary?: string | undefined;
  /**
   * Takes the next rows of the mask, any number of them, from the top. Wait for it before the next call.
   *
   * @throws UamError `UAM_SHAPE` where they are not whole rows; `UAM_DATA` for a value that no region has; `UAM_IO`; `UAM_ABORTED`
   */
  writeRows(rows: Uint8Array): Promise<void>;
  /** Ends the file and gives it its name; returns how many regions it holds. */
  close(): Promise<number>;
  /** Gives up: nothing is left of the file. */
  abort(): Promise<void>;
}

/** Characters gathered before they are written: some milliseconds' work. */
const CHUNK = 1 << 16;

/** How long rows may be worked on before others get their turn, in milliseconds. */
const SLICE = 10;

const rounded = (value: number): number => Math.round(value * 100) / 100;

const pairOf = (value: number | readonly [number, number]): readonly [number, number] =>
  typeof value === 'number' ? [value, value] : value;

class Writer implements RegionGeoJson {
  readonly #tracer: RegionTracer;
  readonly #outlines: { tolerance: number; minPixels: number };
  readonly #scale: readonly [number, number];
  /** Square micrometres of a pixel. */
  readonly #pixelArea: number | undefined;
  readonly #colors: readonly Rgb[];
  #text = '{"type":"FeatureCollection","features":[';
  #written = 0;
  #since = performance.now();

  constructor(
    private readonly path: string,
    private readonly out: Output,
    private readonly options: RegionGeoJsonOptions,
  ) {
    const { width, regions, colors = {}, scale = 1, mpp, minArea = 0, tolerance } = options;
    this.#scale = pairOf(scale);
    const [x, y] = mpp === undefined ? [] : pairOf(mpp);
    this.#pixelArea = x === undefined || y === undefined ? undefined : x * y;
    this.#outlines = checkOutlineOptions('openRegionGeoJson', { tolerance, minPixels: minArea / (this.#pixelArea ?? 1) });
    this.#colors = regions.map((name, i) => (Object.hasOwn(colors, name) ? (colors[name] as Rgb) : (PALETTE[i % PALETTE.length] as Rgb)));
    this.#tracer = new RegionTracer(width);
  }

  get temporary(): string | undefined {
    return this.out.temporary;
  }

  async writeRows(rows: Uint8Array): Promise<void> {
    const { width } = this.options;
    if (rows.length % width !== 0) {
      throw new UamError('UAM_SHAPE', `${this.path}: writeRows takes whole rows of ${width} values, received ${rows.length} values`);
    }
    for (let at = 0; at < rows.length; at += width) {
      await this.#take(this.#tracer.row(rows.subarray(at, at + width)));
      await this.#rest();
    }
  }

  async #take(ended: readonly TracedRegion[]): Promise<void> {
    for (const region of ended) {
      const outline = await this.#paced(shownOutline(region, this.#outlines));
      if (outline) await this.#feature(outline);
    }
  }

  async #feature({ value, pixels, rings }: RegionOutline): Promise<void> {
    const name = this.options.regions[value - 1];
    if (name === undefined) {
      throw new UamError(
        'UAM_DATA',
        `${this.path}: the mask holds the value ${value}, but only ${this.options.regions.length} regions have names`,
      );
    }
    await this.#put(`${this.#written++ > 0 ? ',' : ''}\n{"type":"Feature","geometry":{"type":"Polygon","coordinates":[`);
    for (const [i, ring] of rings.entries()) {
      await this.#put(i > 0 ? ',[' : '[');
      for (let k = 0; k <= ring.length; k += 2) {
        const at = k % ring.length; // the first point again, to close it
        const [x, y] = [(ring[at] as number) * this.#scale[0], (ring[at + 1] as number) * this.#scale[1]];
        const full = this.#put(`${k > 0 ? ',' : ''}[${rounded(x)},${rounded(y)}]`);
        if (full) await full;
      }
      await this.#put(']');
    }
    const properties = {
      objectType: 'annotation',
      classification: { name, color: this.#colors[value - 1] },
      ...(this.#pixelArea === undefined ? {} : { measurements: { 'Region area um^2': rounded(pixels * this.#pixelArea) } }),
    };
    await this.#put(`]},"properties":${JSON.stringify(properties)}}`);
  }

  /** Gathers text and writes it now and then. */
  #put(text: string): Promise<void> | undefined {
    this.#text += text;
    return this.#text.length >= CHUNK ? this.#flush() : undefined;
  }

  async #flush(): Promise<void> {
    const bytes = Buffer.from(this.#text);
    this.#text = '';
    await this.out.write(bytes);
    await this.#rest();
  }

  async #paced<T>(pieces: Pieces<T>): Promise<T> {
    for (;;) {
      const { done, value } = pieces.next();
      if (done) return value;
      await this.#rest();
    }
  }

  async #rest(): Promise<void> {
    if (this.options.signal?.aborted) {
      throw new UamError('UAM_ABORTED', `writing ${this.path} was ended by its signal`, { cause: this.options.signal.reason });
    }
    if (performance.now() - this.#since < SLICE) return;
    await turn();
    this.#since = performance.now();
  }

  async close(): Promise<number> {
    try {
      await this.#take(this.#tracer.finish());
      this.#text += '\n]}\n';
      await this.#flush();
    } catch (error) {
      await this.abort();
      throw error;
    }
    await this.out.close();
    return this.#written;
  }

  async abort(): Promise<void> {
    await this.out.abort();
  }
}

function check({ width, regions, scale = 1, mpp, minArea = 0 }: RegionGeoJsonOptions): void {
  const refuse = (text: string) => new UamError('UAM_ARGUMENT', `openRegionGeoJson: ${text}`);
  if (!(Number.isInteger(width) && width >= 1 && width <= 2 ** 26)) {
    throw refuse(`width must be a whole number of pixels from 1 to ${2 ** 26}, received ${width}`);
  }
  if (regions.length === 0 || regions.length > 255) throw refuse(`regions must be 1 to 255 names, received ${regions.length}`);
  for (const [name, value] of Object.entries({ scale, mpp: mpp ?? 1 })) {
    if (!pairOf(value).every((one) => one > 0 && Number.isFinite(one))) throw refuse(`${name} must be positive, received ${value}`);
  }
  if (!(minArea >= 0)) throw refuse(`minArea must be 0 square micrometres or more, received ${minArea}`);
  if (minArea > 0 && mpp === undefined) throw refuse('minArea is in square micrometres: give mpp, the pixel size of the mask');
}

/**
 * Opens a GeoJSON file for the regions of a mask whose rows come one after the other, annotations that QuPath opens by dragging the file
 * in: per region (pixels of one value that hang together over their sides) one polygon with its holes, class, colour and area, closed
 * rings, two decimals, one feature per line, in the order in which regions end from top to bottom. Outlines follow the edges of pixels;
 * by default they are then simplified by at most one pixel of the mask, each polygon so that its rings do not cross (two polygons may by
 * less than two pixels). Memory holds the outlines that are still open, never the mask. The file appears under its name when it is
 * closed; a name that ends in `.gz` is packed. The same mask makes the same bytes, however its rows are cut into calls.
 *
 * @param path where to; an existing file is replaced
 * @throws UamError `UAM_ARGUMENT` for options that cannot be; `UAM_IO` where the file cannot be written
 * @example
 * const { rm } = await import('node:fs/promises');
 * const file = await openRegionGeoJson('regions.geojson', { width: 4, regions: ['tumour'], scale: 8, mpp: 4 });
 * await file.writeRows(Uint8Array.of(0, 1, 1, 0, 0, 1, 1, 0)); // two rows; in as many calls as you like
 * console.log(await file.close()); // 1
 * await rm('regions.geojson');
 */
export async function openRegionGeoJson(path: string, options: RegionGeoJsonOptions): Promise<RegionGeoJson> {
  check(options);
  checkOutlineOptions('openRegionGeoJson', { tolerance: options.tolerance });
  const file = await openFile(path);
  return new Writer(path, path.endsWith('.gz') ? gzipped(file) : file, options);
}
