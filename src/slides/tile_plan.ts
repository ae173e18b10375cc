// How a slide is cut: tiles that a model sees, patches in which their answers are blended, blocks in which cells are looked for.
import type { Region } from '../image/tiff_read.js';
import { startsOf } from '../train/overlap.js';

/** Numbers that decide how a slide is cut, in pixels of the model. */
export interface PlanSizes {
  width: number;
  height: number;
  /** Side of a tile, and how far the next one begins; docs: 1024 and 768. */
  tile: number;
  stride: number;
  /** Side of a block of cells, and how much around it is read, too. */
  block: number;
  margin: number;
}

const meets = (a: Region, b: Region): boolean => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

/** Pieces of a slide that lie in rows and columns. */
class Lattice {
  constructor(
    readonly columns: readonly (readonly [start: number, end: number])[],
    readonly rows: readonly (readonly [start: number, end: number])[],
  ) {}

  get count(): number {
    return this.columns.length * this.rows.length;
  }

  region(index: number): Region {
    const [x, right] = this.columns[index % this.columns.length] as readonly [number, number];
    const [y, bottom] = this.rows[Math.floor(index / this.columns.length)] as readonly [number, number];
    return { x, y, width: right - x, height: bottom - y };
  }

  /** Which pieces a region meets, rising. */
  meeting(region: Region): number[] {
    const between = (pieces: readonly (readonly [number, number])[], from: number, to: number) =>
      pieces.flatMap(([start, end], i) => (start < to && from < end ? [i] : []));
    const columns = between(this.columns, region.x, region.x + region.width);
    return between(this.rows, region.y, region.y + region.height).flatMap((row) => columns.map((c) => row * this.columns.length + c));
  }
}

const pairs = (starts: readonly number[], end: (i: number) => number) => starts.map((start, i) => [start, end(i)] as const);

/**
 * The cuts of a slide. Tiles lie over each other. Patches do not: each lies between the beginnings of neighbouring tiles, so that few tiles
 * cover it, and one after the other, row by row, they are the slide. Blocks do not, either; they are read with a margin.
 */
export class TilePlan {
  readonly tiles: Lattice;
  readonly patches: Lattice;
  readonly blocks: Lattice;

  constructor(readonly sizes: PlanSizes) {
    const { width, height, tile, stride, block } = sizes;
    const [xs, ys] = [startsOf(width, tile, stride), startsOf(height, tile, stride)];
    const tileEnds = (starts: number[], length: number) => pairs(starts, (i) => Math.min((starts[i] as number) + tile, length));
    const between = (starts: number[], length: number) => pairs(starts, (i) => starts[i + 1] ?? length);
    const cut = (length: number) => Array.from({ length: Math.ceil(length / block) }, (_, i) => i * block);
    this.tiles = new Lattice(tileEnds(xs, width), tileEnds(ys, height));
    this.patches = new Lattice(between(xs, width), between(ys, height));
    this.blocks = new Lattice(between(cut(width), width), between(cut(height), height));
  }

  /** A block with its margin, inside the slide. */
  padded(block: number): Region {
    const { width, height, margin } = this.sizes;
    const { x, y, width: w, height: h } = this.blocks.region(block);
    const [left, top] = [Math.max(0, x - margin), Math.max(0, y - margin)];
    return { x: left, y: top, width: Math.min(width, x + w + margin) - left, height: Math.min(height, y + h + margin) - top };
  }

  /** Blocks whose padded region a box meets. */
  paddedMeeting({ x, y, width, height }: Region): number[] {
    const { margin } = this.sizes;
    return this.blocks
      .meeting({ x: x - margin, y: y - margin, width: width + 2 * margin, height: height + 2 * margin })
      .filter((block) => meets(this.padded(block), { x, y, width, height }));
  }
}

/** Whether a place (from the upper left corner of the slide) lies in a region. */
export const holds = ({ x, y, width, height }: Region, px: number, py: number): boolean =>
  px >= x && py >= y && px < x + width && py < y + height;
