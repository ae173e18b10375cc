// What a run over a slide is asked for, as plain data that goes to every thread, and where its work lies.
import { join } from 'node:path';
import type { Factors } from '../image/resample.js';
import type { ExtractionRecipe } from '../train/recipe.js';
import type { SlideGrid } from './slide_grid.js';
import type { PlanSizes } from './tile_plan.js';

/** Where the cells come from. */
export type CellOrigin =
  /** The model reads none. */
  | { kind: 'none' }
  /** The built-in segmentation looks for them. */
  | { kind: 'segmented' }
  /** A label image: a TIFF, or ids of 32 bits in rows of `raw.width`. `factors`: its pixels per pixel of the grid. */
  | { kind: 'mask'; path: string; raw: { width: number; height: number } | undefined; factors: Factors | undefined }
  /** GeoJSON in pixels of the full resolution. */
  | { kind: 'polygons'; path: string };

/** What the files of answers shall have. */
export interface OutputWishes {
  /** Features to write beside the probabilities. */
  measurements: readonly string[];
  /** Cells less sure than this get no class. */
  atLeast: number;
  /** Whether the cells' GeoJSON is packed. */
  packed: boolean;
  /** The form of the cells' table. */
  table: 'parquet' | 'csv';
  /** Regions of less get no outline, and holes of less are filled in outlines: square micrometres. */
  minRegion: number;
  overlay: boolean;
}

export interface SlideTask {
  /** What is opened: the slide, or what it was unpacked to. */
  image: string;
  /** What messages call it. */
  name: string;
  /** Micrometres per pixel of the full resolution. */
  mpp: readonly [x: number, y: number];
  grid: SlideGrid;
  /** A small picture of the slide. */
  small: SlideGrid;
  sizes: PlanSizes;
  origin: CellOrigin;
  /** The model's file, and what is to be known of it without loading it. */
  model: string;
  classes: readonly string[];
  regions: readonly string[];
  temperature: number;
  recipe: ExtractionRecipe;
  /** Features that are kept of each cell: those of the model, and those that the user wants to see. */
  features: readonly string[];
  output: OutputWishes;
  /** What can be read only from beginning to end, and is unpacked first: the slide, a label image. */
  unpack: { image: string | undefined; labels: string | undefined };
  /** The folder of what is done. */
  work: string;
}

/** One piece of work: a function of the task and of the files of other items, which writes files of its own. */
export interface SlideItem {
  kind: 'unpack' | 'labels' | 'scan' | 'settle' | 'split' | 'block' | 'tile' | 'patch' | 'calls' | 'cells' | 'regions' | 'overlay';
  index: number;
}

/** The name of an item. */
export const keyOf = ({ kind, index }: SlideItem): string => `${kind} ${index}`;

/** What an item tells of itself. */
export interface ItemReport {
  /** Seconds by stage. */
  seconds: Record<string, number>;
  /** Cells that it was about. */
  cells?: number;
  /** What else is to be known of it. */
  facts?: unknown;
}

const EXTENSIONS = Object.freeze({
  scan: 'scan',
  settle: 'settled',
  split: 'split',
  block: 'block',
  outlines: 'outlines',
  tile: 'tile',
  answer: 'answer',
  patch: 'patch',
  calls: 'calls',
  polygons: 'polygons',
});

/** The file of an item's answer (or of a part of it). An item is done when its file is there. */
export const workFile = (work: string, kind: keyof typeof EXTENSIONS, index: number): string =>
  join(work, `${String(index).padStart(6, '0')}.${EXTENSIONS[kind]}`);

/** Measures how long the stages of an item take. */
export class Stages {
  readonly seconds: Record<string, number> = {};

  async time<T>(stage: string, work: () => Promise<T> | T): Promise<T> {
    const start = performance.now();
    try {
      return await work();
    } finally {
      this.seconds[stage] = (this.seconds[stage] ?? 0) + (performance.now() - start) / 1000;
    }
  }
}
