// Inputs for tests of whole extractions, and what their tables are compared by.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LabelMask, RasterImage } from '../../src/image/image.js';
import type { FeatureTable } from '../../src/radiomics/table.js';
import { manyCells } from './masks.js';
import { parseNpy } from './npy.js';
import { uniform } from './random.js';

/** The 200 cells of shared/vectors/radiomics as an image and its mask. */
export function composedInput(folder: string): { image: RasterImage; mask: LabelMask } {
  const pixels = parseNpy(readFileSync(join(folder, 'composed512_image.npy')));
  const labels = parseNpy(readFileSync(join(folder, 'composed512_labels.npy')));
  const [height = 0, width = 0] = labels.shape;
  return {
    image: { width, height, channels: 1, data: Float32Array.from(pixels.data) },
    mask: { width, height, data: Uint32Array.from(labels.data) },
  };
}

/** Crowded round cells on an RGB image with waves and noise: violet where a cell is, pink elsewhere. */
export function tissue(width: number, height: number, seed = 1): { image: RasterImage; mask: LabelMask } {
  const mask = manyCells(width, height, 8, seed);
  const next = uniform(seed);
  const data = new Uint8Array(width * height * 3);
  mask.data.forEach((id, at) => {
    const wave = 25 * Math.sin((at % width) / 3) * Math.cos(Math.floor(at / width) / 4);
    const colour = id > 0 ? [95, 60, 140] : [225, 170, 205];
    colour.forEach((value, channel) => {
      data[3 * at + channel] = Math.min(Math.max(value + wave + 60 * (next() - 0.5), 0), 255);
    });
  });
  return { image: { width, height, channels: 3, data }, mask };
}

/** A grey image for a mask: whole numbers from 0 to 250, of no pattern. */
export function greyFor({ width, height }: LabelMask, seed = 1): RasterImage {
  const next = uniform(seed);
  return { width, height, channels: 1, data: Uint8Array.from({ length: width * height }, () => Math.floor(next() * 251)) };
}

const bytes = ({ buffer, byteOffset, byteLength }: Uint8Array | Uint32Array | Float64Array) =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** What differs between two tables that must hold the same bits. */
export function differentBits(a: FeatureTable, b: FeatureTable): string[] {
  const found: string[] = [];
  if (a.names.join() !== b.names.join()) return ['names'];
  for (const key of ['ids', 'centroids', 'touchesBorder', 'status'] as const)
    if (Buffer.compare(bytes(a[key]), bytes(b[key])) !== 0) found.push(key);
  a.columns.forEach(({ name, data }, at) => {
    if (Buffer.compare(bytes(data), bytes((b.columns[at] as { data: Float64Array }).data)) !== 0) found.push(name);
  });
  return found;
}

/** The values of the same features in two rows, where they are further apart than `allowed` says. */
export function differentValues(
  expected: Readonly<Record<string, unknown>>,
  received: Readonly<Record<string, unknown>>,
  allowed: (name: string, value: number) => number,
): string[] {
  return Object.entries(expected).flatMap(([name, value]) => {
    const [a, b] = [value, received[name]];
    if (Object.is(a, b)) return [];
    const near = typeof a === 'number' && typeof b === 'number' && Math.abs(a - b) <= allowed(name, a);
    return near ? [] : [`${name}: ${a} and ${b}`];
  });
}
