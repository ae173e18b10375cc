// A large slide of made-up tissue, for measuring what costs grow with: pieces of a few demo tiles, turned and put together along uneven
// seams, on white. Written as it goes; a slide of any size takes the memory of a band of it.

import { type Cells, findCells } from '../src/cells/index.js';
import { openPyramidTiff, type PyramidTiff } from '../src/image/index.js';
import { noise } from '../src/train/demo_noise.js';
import { type DemoTile, demoTileAsync } from '../src/train/demo_tile.js';

export interface SyntheticSlideOptions {
  /** Where the slide goes, a pyramid TIFF with JPEG tiles. */
  out: string;
  /** Pixels of a side, at 0.5 um. */
  side: number;
  /** Where the mask of tumour nests goes, a pyramid TIFF of 0 and 1; default nowhere. */
  region?: string | undefined;
  /** Other slides; default 0. */
  seed?: number | undefined;
  /** The part of the slide that is tissue, 0 to 1; default 0.4, which makes about 300,000 nuclei on 20,000 x 20,000 pixels. */
  tissue?: number | undefined;
  /** How many tiles are made; more look less alike, and take a second each. Default 12. */
  kinds?: number | undefined;
  /** Pixels from seam to seam; default 1024. */
  pitch?: number | undefined;
  onProgress?: ((done: number, total: number) => void) | undefined;
}

export interface SyntheticNucleus {
  /** Pixels of the slide. */
  x: number;
  y: number;
  /** Index into the demo's class names. */
  kind: number;
}

export interface SyntheticSlide {
  /** Every nucleus whose centre is to be seen. */
  nuclei: SyntheticNucleus[];
  classNames: readonly string[];
  /** Pixels of tissue, and of tumour nests. */
  tissuePixels: number;
  tumourPixels: number;
}

const MPP = 0.5;
/** How far seams wander, and how much larger than the pitch tiles are made for it. */
const WANDER = 40;
const MARGIN = 48;
/** Rows made at once. */
const BAND = 256;
/** The tissue's border is worked out at every so many pixels, and blurred over a few. */
const GRID = 16;
const FEATHER = 4;
const WHITE = 244;

const hash = (...numbers: readonly number[]): number => {
  let state = 0x811c9dc5;
  for (const number of numbers) {
    state = Math.imul(state ^ number, 0x01000193);
    state = Math.imul(state ^ (state >>> 15), 0x85ebca6b);
  }
  return (state ^ (state >>> 13)) >>> 0;
};

/** From a place of a tile turned and mirrored in one of eight ways to that of the tile. */
function place(way: number, side: number, x: number, y: number): readonly [number, number] {
  const [a, b] = way & 4 ? [y, x] : [x, y];
  return [way & 1 ? side - 1 - a : a, way & 2 ? side - 1 - b : b];
}

/** From a place of the tile to that of the turned tile. */
function placeBack(way: number, side: number, x: number, y: number): readonly [number, number] {
  const [a, b] = [way & 1 ? side - 1 - x : x, way & 2 ? side - 1 - y : y];
  return way & 4 ? [b, a] : [a, b];
}

/** Where the slide is tissue: positive inside, in pixels from the border, about. */
class Tissue {
  readonly #across: number;
  readonly #level: Float32Array;
  readonly #threshold: number;

  constructor(side: number, share: number, seed: number) {
    this.#across = Math.ceil(side / GRID) + 2;
    const field = (u: number, v: number): number =>
      1.05 - 1.5 * Math.hypot(u - 0.5, v - 0.5) + 0.55 * noise(seed + 11, 2.4 * u, 2.4 * v) + 0.12 * noise(seed + 12, 9 * u, 9 * v);
    this.#level = Float32Array.from({ length: this.#across ** 2 }, (_, i) =>
      field(((i % this.#across) * GRID) / side, (Math.floor(i / this.#across) * GRID) / side),
    );
    const sorted = Float32Array.from(this.#level).sort();
    this.#threshold = share >= 1 ? Number.NEGATIVE_INFINITY : (sorted[Math.floor((1 - share) * (sorted.length - 1))] as number);
    const slope = 1.5 / side; // of the level per pixel, about
    for (let i = 0; i < this.#level.length; i++) this.#level[i] = ((this.#level[i] as number) - this.#threshold) / slope;
  }

  at(x: number, y: number): number {
    const [gx, gy] = [Math.floor(x / GRID), Math.floor(y / GRID)];
    const [u, v] = [x / GRID - gx, y / GRID - gy];
    const i = gy * this.#across + gx;
    const level = this.#level;
    const top = (level[i] as number) * (1 - u) + (level[i + 1] as number) * u;
    return top * (1 - v) + ((level[i + this.#across] as number) * (1 - u) + (level[i + this.#across + 1] as number) * u) * v;
  }
}

class Mosaic {
  readonly tissue: Tissue;
  readonly #edge: number;
  /** The seam above each row of pieces, by its number: y at each x. */
  readonly #seams = new Map<number, Float32Array>();

  constructor(
    private readonly tiles: readonly DemoTile[],
    private readonly side: number,
    private readonly pitch: number,
    share: number,
    private readonly seed: number,
  ) {
    this.tissue = new Tissue(side, share, seed);
    this.#edge = pitch + 2 * MARGIN;
  }

  /** Where seam `number` of an axis lies, at a place along it. */
  #seam(axis: 0 | 1, number: number, along: number): number {
    const swing = noise(hash(this.seed, axis, number) & 0xffffff, along / 90, 0.37);
    return number * this.pitch + WANDER * Math.max(-1, Math.min(1, swing));
  }

  #seamAbove(row: number): Float32Array {
    const known = this.#seams.get(row) ?? Float32Array.from({ length: this.side }, (_, x) => this.#seam(1, row, x));
    this.#seams.set(row, known);
    this.#seams.delete(row - 2);
    return known;
  }

  #turned(column: number, row: number): { tile: DemoTile; way: number } {
    const number = hash(this.seed, column, row);
    return { tile: this.tiles[number % this.tiles.length] as DemoTile, way: (number >>> 16) & 7 };
  }

  /** Fills rows of the slide and of its mask of nests; returns how many pixels are tissue and tumour. */
  paint(top: number, rows: number, image: Uint8Array, region: Uint8Array): readonly [tissue: number, tumour: number] {
    const { side, pitch, tissue } = this;
    const edge = this.#edge;
    const columns = Math.ceil(side / pitch) + 1;
    let [tissuePixels, tumourPixels] = [0, 0];
    image.fill(WHITE);
    region.fill(0);
    for (let y = top; y < top + rows; y++) {
      const seams = Array.from({ length: columns }, (_, k) => this.#seam(0, k, y));
      const nearest = Math.round(y / pitch);
      const seam = this.#seamAbove(nearest);
      let [column, row] = [-1, Number.NaN];
      let [tile, way] = [this.tiles[0] as DemoTile, 0];
      for (let x = 0; x < side; x++) {
        let moved = false;
        while (column + 1 < columns && x >= (seams[column + 1] as number)) [column, moved] = [column + 1, true];
        const inside = tissue.at(x, y);
        if (inside <= -FEATHER && !moved) continue;
        const here = y >= (seam[x] as number) ? nearest : nearest - 1;
        if (moved || here !== row) {
          row = here;
          ({ tile, way } = this.#turned(column, row));
        }
        if (inside <= -FEATHER) continue;
        const [tx, ty] = place(way, edge, x - column * pitch + MARGIN, y - row * pitch + MARGIN);
        const from = ty * edge + tx;
        const to = (y - top) * side + x;
        const share = Math.min(1, (inside + FEATHER) / (2 * FEATHER));
        for (let c = 0; c < 3; c++) image[to * 3 + c] = Math.round(WHITE + ((tile.image.data[from * 3 + c] as number) - WHITE) * share);
        if (inside <= 0) continue;
        tissuePixels++;
        if (tile.region[from] !== 255) continue;
        region[to] = 1;
        tumourPixels++;
      }
    }
    return [tissuePixels, tumourPixels];
  }

  /** The nuclei whose centres are seen, piece by piece. */
  nuclei(): SyntheticNucleus[] {
    const { side, pitch } = this;
    const found: SyntheticNucleus[] = [];
    const centres = new Map(this.tiles.map((tile) => [tile, findCells(tile.mask)]));
    for (let row = -1; row <= Math.ceil(side / pitch); row++) {
      for (let column = -1; column <= Math.ceil(side / pitch); column++) {
        const { tile, way } = this.#turned(column, row);
        const { ids, centroids } = centres.get(tile) as Cells;
        ids.forEach((id, i) => {
          const [tx, ty] = placeBack(way, this.#edge, Math.floor(centroids[2 * i] as number), Math.floor(centroids[2 * i + 1] as number));
          const [x, y] = [tx + column * pitch - MARGIN, ty + row * pitch - MARGIN];
          if (x < 0 || y < 0 || x >= side || y >= side || this.tissue.at(x, y) <= 0) return;
          const within = (axis: 0 | 1, number: number, at: number, along: number) =>
            at >= this.#seam(axis, number, along) && at < this.#seam(axis, number + 1, along);
          if (within(0, column, x, y) && within(1, row, y, x)) found.push({ x, y, kind: tile.classes[id - 1] as number });
        });
      }
    }
    return found;
  }
}

/** Makes the slide. The same options make the same slide. */
export async function syntheticSlide(options: SyntheticSlideOptions): Promise<SyntheticSlide> {
  const { out, side, region, seed = 0, tissue = 0.4, kinds = 12, pitch = 1024, onProgress } = options;
  const tiles: DemoTile[] = [];
  for (let kind = 0; kind < kinds; kind++) {
    const edge = pitch + 2 * MARGIN;
    tiles.push(await demoTileAsync({ seed: 1000 * (seed + 1) + kind, patient: seed, width: edge, height: edge, mpp: MPP }));
    onProgress?.(0, side);
  }
  const mosaic = new Mosaic(tiles, side, pitch, tissue, seed);
  const files: PyramidTiff[] = [];
  let [tissuePixels, tumourPixels] = [0, 0];
  try {
    files.push(await openPyramidTiff(out, { width: side, height: side, channels: 3, mpp: MPP, compression: 'jpeg' }));
    if (region) files.push(await openPyramidTiff(region, { width: side, height: side, channels: 1, mpp: MPP }));
    const [image, mask] = [new Uint8Array(BAND * side * 3), new Uint8Array(BAND * side)];
    for (let y = 0; y < side; y += BAND) {
      const rows = Math.min(BAND, side - y);
      const [t, u] = mosaic.paint(y, rows, image, mask);
      tissuePixels += t;
      tumourPixels += u;
      await files[0]?.writeRows(image.subarray(0, rows * side * 3));
      await files[1]?.writeRows(mask.subarray(0, rows * side));
      onProgress?.(y + rows, side);
    }
    for (const file of files) await file.close();
  } catch (error) {
    for (const file of files) await file.abort();
    throw error;
  }
  return { nuclei: mosaic.nuclei(), classNames: (tiles[0] as DemoTile).classNames, tissuePixels, tumourPixels };
}
