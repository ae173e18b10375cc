// What the demo draws and learns: enough to be good at it, little enough for a minute on two cores.

import type { Split } from '../train/dataset.js';
import { type DemoTile, demoTileAsync } from '../train/demo_tile.js';
import type { FitOptions } from '../train/fit_options.js';
import { scramble } from '../train/seeded.js';
import type { UamOptions } from '../train/uam.js';

export interface DemoPlan {
  /** Tiles of each part; each tile is of a patient of its own. */
  tiles: Readonly<Record<Split, number>>;
  /** Side of a tile in micrometres ... */
  side: number;
  /** ... and of the one that is shown. */
  shownSide: number;
  model: UamOptions;
  training: FitOptions;
  /** Draws of the bootstrap. */
  resamples: number;
}

export const DEMO_PLAN: DemoPlan = Object.freeze({
  tiles: Object.freeze({ train: 8, validation: 2, test: 4 }),
  side: 256,
  shownSide: 448,
  model: Object.freeze({ width: 64, depth: 2, heads: 4, state: 16, ffn: 192, tokens: 'cell' }),
  training: Object.freeze({ epochs: 12, batch: 2, learningRate: 2e-3 }),
  resamples: 1000,
} as const);

/** Micrometres per pixel of the tiles where no picture says otherwise: 20x. */
export const DEMO_MPP = 0.5;

/** A tile of the demo, before it is drawn. */
export interface PlannedTile {
  /** Its file without the ending. */
  name: string;
  patient: string;
  split: Split;
  /** Of the generator. */
  seed: number;
  /** In pixels. */
  side: number;
}

/** Sides of the tile that is shown and of the others, so that drawing stays quick: at 40x tiles show less tissue. */
const mostPixels = 896;
const mostPixelsBehind = 640;

const NAMES: Readonly<Record<Split, string>> = Object.freeze({ train: 'training', validation: 'validation', test: 'unseen' });

/** The name of the tile that is shown. */
export const SHOWN = 'tile';

/**
 * The tiles of a demo in the order in which they are drawn.
 *
 * @param shown whether one of the unseen tiles, the first, is larger than the others and lies in front
 */
export function plannedTiles(plan: DemoPlan, seed: number, mpp: number, shown: boolean): PlannedTile[] {
  const pixels = (um: number) => Math.min(mostPixels, Math.max(128, Math.round(um / mpp)));
  const tiles: PlannedTile[] = [];
  for (const split of ['train', 'validation', 'test'] as const) {
    for (let i = 1; i <= plan.tiles[split]; i++) {
      const front = shown && split === 'test' && i === 1;
      const number = tiles.length + 1;
      tiles.push({
        name: front ? SHOWN : `tiles/${NAMES[split]}_${String(i).padStart(2, '0')}`,
        patient: `drawn patient ${number}`,
        split,
        seed: scramble(scramble(seed) + number),
        side: front ? pixels(plan.shownSide) : Math.min(mostPixelsBehind, pixels(plan.side)),
      });
    }
  }
  return tiles;
}

export const drawTile = ({ seed, side }: PlannedTile, mpp: number, signal: AbortSignal): Promise<DemoTile> =>
  demoTileAsync({ seed, width: side, height: side, mpp }, { signal });
