// Items to what a model takes in: as they are, or disturbed as training wants it.
import type { CellClassifier } from '../heads/cell_classifier.js';
import { randomNormal, randomUniform } from '../ops/random.js';
import { Tensor } from '../tensor/tensor.js';
import type { CellBatch } from '../tokens/cell_batch.js';
import { type Item, STREAMS } from './epoch_plan.js';
import type { Augmentation } from './fit_options.js';
import { type PackedCells, unpackRow } from './packed_cells.js';
import { turnPlaces } from './tile_turn.js';

/** What the random numbers of a batch follow from. */
export interface Draw {
  seed: number;
  step: number;
}

export interface LabelledBatch {
  batch: CellBatch;
  /** The packed row of each cell. */
  rows: Int32Array;
  /** Which cell of the batch each label speaks of. */
  labelled: Int32Array;
  labels: Int32Array;
}

/** The cells of an item; some are left out where training wants it, but never all. */
function cellsOf({ from, to, index }: Item, share: number, at: Draw | undefined): number[] {
  const rows = Array.from({ length: to - from }, (_, i) => from + i);
  if (!at || share === 0 || rows.length === 1) return rows;
  const numbers = randomUniform([rows.length], { ...at, stream: STREAMS.drop + index });
  const kept = rows.filter((_, i) => (numbers.data[i] as number) >= share);
  numbers.dispose();
  return kept.length > 0 ? kept : rows;
}

/** The greatest x and y of places that count from 0. */
export function farOf(places: Float64Array): [number, number] {
  const far: [number, number] = [0, 0];
  places.forEach((at, i) => {
    far[(i & 1) as 0 | 1] = Math.max(far[(i & 1) as 0 | 1], at);
  });
  return far;
}

/** Noise on the features of an item's cells, and features that are hidden. */
export function disturb(features: Float32Array, missing: Uint8Array, { noise, hide }: Augmentation, at: Draw, index: number): void {
  const n = features.length;
  if (noise > 0) {
    const normal = randomNormal([n], { ...at, stream: STREAMS.noise + index });
    for (let i = 0; i < n; i++) if (missing[i] === 0) features[i] = (features[i] as number) + noise * (normal.data[i] as number);
    normal.dispose();
  }
  if (hide > 0) {
    const uniform = randomUniform([n], { ...at, stream: STREAMS.hide + index });
    for (let i = 0; i < n; i++) {
      if ((uniform.data[i] as number) >= hide) continue;
      features[i] = 0;
      missing[i] = 1;
    }
    uniform.dispose();
  }
}

/** Labels of the rows, by their place in the batch. */
function labelsOf({ labelStarts, labels }: PackedCells, rows: Int32Array): Pick<LabelledBatch, 'labelled' | 'labels'> {
  const [labelled, found]: [number[], number[]] = [[], []];
  rows.forEach((row, place) => {
    for (let at = labelStarts[row] as number; at < (labelStarts[row + 1] as number); at++) {
      labelled.push(place);
      found.push(labels[at] as number);
    }
  });
  return { labelled: Int32Array.from(labelled), labels: Int32Array.from(found) };
}

/**
 * Items as a batch.
 *
 * @param disturbance how to change the cells, and what the random numbers follow from; absent: cells as they are
 */
export function batchOf(
  model: CellClassifier,
  packed: PackedCells,
  items: readonly Item[],
  disturbance?: { augment: Augmentation; at: Draw },
): LabelledBatch {
  const { width } = packed;
  const { augment, at } = disturbance ?? {};
  const chosen = items.map((item) => cellsOf(item, augment?.dropCells ?? 0, at));
  const rows = Int32Array.from(chosen.flat());
  const features = Tensor.empty([rows.length, width]);
  const missing = Tensor.empty([rows.length, width], 'uint8');
  const [values, marks] = [features.data as Float32Array, missing.data as Uint8Array];
  rows.forEach((row, i) => unpackRow(packed, row, values, marks, i * width));
  const places = packed.positions.length > 0 ? new Float64Array(2 * rows.length) : undefined;
  places?.forEach((_, i) => {
    places[i] = packed.positions[2 * (rows[i >> 1] as number) + (i & 1)] as number;
  });
  const ends = [0];
  items.forEach(({ index }, i) => {
    const first = ends[i] as number;
    const end = first + (chosen[i] as number[]).length;
    ends.push(end);
    if (!augment || !at) return;
    disturb(values.subarray(first * width, end * width), marks.subarray(first * width, end * width), augment, at, index);
    if (!places || !augment.turn) return;
    const own = places.subarray(2 * first, 2 * end);
    turnPlaces(own, farOf(own), wayOf(at, index));
  });
  const arrangement = places && model.arrange(places, Int32Array.from(ends));
  return { batch: { features, missing: marks.includes(1) ? missing : undefined, arrangement }, rows, ...labelsOf(packed, rows) };
}

/** One of eight ways, drawn for an item. */
export function wayOf(at: Draw, index: number): number {
  const number = randomUniform([1], { ...at, stream: STREAMS.turn + index });
  const way = Math.floor(8 * number.item());
  number.dispose();
  return way;
}

/** Tokens that one cell costs. */
export function tokensPerCell({ config }: CellClassifier): number {
  const { features, tokens } = config;
  if (tokens.kind === 'feature') return features + 1;
  return tokens.kind === 'chunk' ? Math.max(8, Math.ceil(features / 16)) + 1 : 1;
}
