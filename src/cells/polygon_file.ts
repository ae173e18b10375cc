// What the readers of polygon files have in common: their result, and their warnings.
import type { ImageWarning } from '../image/image.js';
import type { Polygons } from './polygons.js';

/** Cells as a file describes them, in its order. Entry `i` of each list speaks of the same cell. */
export interface CellPolygons {
  format: 'geojson' | 'hovernet';
  polygons: Polygons;
  /** Numbers for a label image: 1, 2, ... in file order, or the file's own where it has whole numbers. */
  ids: Uint32Array;
  /** What the file calls them. */
  names: (string | undefined)[];
  classes: (string | undefined)[];
  /** QuPath's kind of object ("cell", "detection", "annotation", ...), where the file tells. */
  objectTypes: (string | undefined)[];
  /** Magnification that the coordinates belong to, where the file tells. */
  magnification: number | undefined;
  warnings: ImageWarning[];
}

/** Counts what is odd about a file, and says each thing once. */
export class Oddities {
  private readonly seen = new Map<string, { count: number; first: string; text: string }>();

  /** `text` follows "n items, the first of them <where>: ". */
  note(code: string, where: string, text: string): void {
    const known = this.seen.get(code);
    if (known) known.count++;
    else this.seen.set(code, { count: 1, first: where, text });
  }

  warnings(path: string): ImageWarning[] {
    return [...this.seen].map(([code, { count, first, text }]) => ({
      code,
      message: `${path}: ${count === 1 ? first : `${count} times, first ${first}`}: ${text}`,
    }));
  }
}

/** A position of a file: two finite numbers. */
export function isPosition(value: unknown): value is [number, number] {
  return Array.isArray(value) && value.length >= 2 && Number.isFinite(value[0]) && Number.isFinite(value[1]);
}
