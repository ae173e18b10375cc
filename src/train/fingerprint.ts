import { createHash, type Hash } from 'node:crypto';
import type { CellDataset } from './dataset.js';
import type { JointTiles } from './joint_tiles.js';
import type { Pace } from './pace.js';
import { type PackedCells, unpackRow } from './packed_cells.js';

/** Bytes hashed at a time: some milliseconds. */
const BLOCK = 4 << 20;

/** A hash of what decides the outcome of a run: settings, and cells as the model sees them. */
export async function fingerprintOf(settings: unknown, packs: readonly (PackedCells | undefined)[], pace: Pace): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(settings));
  for (const packed of packs) {
    hash.update(JSON.stringify(packed ? [packed.cells, packed.width] : null));
    if (!packed) continue;
    await hashFeatures(hash, packed, pace);
    const { positions, tiles, labelStarts, labels, unmatched } = packed;
    for (const array of [positions, tiles, labelStarts, labels, unmatched]) await hashBytes(hash, array, pace);
  }
  return hash.digest('hex');
}

/** As `fingerprintOf`, of tiles with images and regions. */
export async function fingerprintOfTiles(settings: unknown, parts: readonly (JointTiles | undefined)[], pace: Pace): Promise<string> {
  const hash = createHash('sha256').update(
    await fingerprintOf(
      settings,
      parts.map((part) => part?.cells),
      pace,
    ),
  );
  for (const part of parts) {
    hash.update(JSON.stringify(part ? [part.kinds, part.mpp, part.tiles.length] : null));
    if (!part) continue;
    await hashBytes(hash, part.boxes, pace);
    for (const { image, maps, region } of part.tiles) {
      hash.update(JSON.stringify([image?.width, image?.height, image?.origin, maps, region?.length]));
      if (image) await hashBytes(hash, image.data, pace);
      if (region) await hashBytes(hash, region, pace);
    }
  }
  return hash.digest('hex');
}

/** Adds the bytes of an array to a hash, without holding the event loop. */
export async function hashBytes(hash: Hash, { buffer, byteOffset, byteLength }: ArrayBufferView, pace: Pace): Promise<void> {
  for (let at = 0; at < byteLength; at += BLOCK) {
    hash.update(new Uint8Array(buffer, byteOffset + at, Math.min(BLOCK, byteLength - at)));
    await pace.rest();
  }
}

async function hashFeatures(hash: Hash, packed: PackedCells, pace: Pace): Promise<void> {
  const { cells, width } = packed;
  const step = Math.max(1, Math.floor(BLOCK / (5 * width)));
  const [values, missing] = [new Float32Array(step * width), new Uint8Array(step * width)];
  for (let from = 0; from < cells; from += step) {
    const rows = Math.min(step, cells - from);
    for (let i = 0; i < rows; i++) unpackRow(packed, from + i, values, missing, i * width);
    hash.update(new Uint8Array(values.buffer, 0, 4 * rows * width)).update(missing.subarray(0, rows * width));
    await pace.rest();
  }
}

/** A hash of the names, patients and sizes of the training samples: kept in the model's file. */
export function listHash({ samples }: CellDataset): string {
  const list = samples.map(({ name, patient, table, truth }) => [name, patient, table.length, truth.cells.length]);
  return createHash('sha256').update(JSON.stringify(list)).digest('hex');
}
