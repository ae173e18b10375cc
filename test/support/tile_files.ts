// Small tiles on disk: coloured squares as nuclei, in whichever files a layout wants.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { encode } from 'fast-png';
import type { Test } from 'tap';
import type { LabelMask } from '../../src/image/image.js';
import { uniform } from './random.js';

/** A folder that is gone after the tests. */
export class TestFolder {
  readonly path: string;

  constructor(t: Test) {
    this.path = mkdtempSync(join(tmpdir(), 'uam-tiles-'));
    t.teardown(() => rmSync(this.path, { recursive: true, force: true }));
  }

  at(...names: string[]): string {
    return join(this.path, ...names);
  }

  /** Writes a file, making the folders that it lies in. */
  write(name: string, content: string | Uint8Array): string {
    const path = this.at(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  }
}

/** A PNG of 8 or 16 bits. */
export const png = (width: number, height: number, data: Uint8Array | Uint16Array): Uint8Array =>
  encode({ width, height, channels: (data.length / (width * height)) as 1 | 3, depth: data instanceof Uint16Array ? 16 : 8, data });

/** A tile of `SIDE` pixels with four square nuclei of five pixels. */
export const SIDE = 24;
/** Left upper corners of the nuclei. */
export const CORNERS = Object.freeze([
  [2, 3],
  [14, 2],
  [3, 15],
  [15, 14],
] as const);
/** Their ids: neither consecutive nor in the order of reading. */
export const IDS = Object.freeze([70, 3, 9, 41] as const);

export interface DrawnTile {
  /** `[SIDE, SIDE, 3]` */
  rgb: Uint8Array;
  mask: LabelMask;
}

/** Nuclei darker than what surrounds them; each is a little different. */
export function drawTile(seed = 1): DrawnTile {
  const next = uniform(seed);
  const rgb = Uint8Array.from({ length: 3 * SIDE * SIDE }, () => 200 + 20 * next());
  const mask = new Uint32Array(SIDE * SIDE);
  CORNERS.forEach(([x, y], i) => {
    for (let v = y; v < y + 5; v++) {
      for (let u = x; u < x + 5; u++) {
        mask[v * SIDE + u] = IDS[i] as number;
        for (let c = 0; c < 3; c++) rgb[3 * (v * SIDE + u) + c] = 20 + 30 * i + 10 * c + 10 * next();
      }
    }
  });
  return { rgb, mask: { width: SIDE, height: SIDE, data: mask } };
}

/** Each pixel as a square of `times` pixels. */
export function enlarged(data: Uint8Array, width: number, times: number): Uint8Array {
  const channels = data.length / (width * width);
  const out = new Uint8Array(data.length * times * times);
  for (let y = 0; y < width * times; y++) {
    for (let x = 0; x < width * times; x++) {
      const from = channels * (Math.floor(y / times) * width + Math.floor(x / times));
      for (let c = 0; c < channels; c++) out[channels * (y * width * times + x) + c] = data[from + c] as number;
    }
  }
  return out;
}
