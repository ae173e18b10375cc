// What a training run learns from, in which order, and in which pieces.
import { randomUniform } from '../ops/random.js';
import type { PackedCells } from './packed_cells.js';

/** Streams of random numbers beside those of the model's layers (below 2^28) and its head (2^28). */
export const STREAMS = Object.freeze({
  ...{ order: 0x20000000, noise: 0x40000000, hide: 0x60000000, drop: 0x80000000, turn: 0xa0000000 },
  ...{ crop: 0xd0000000, stain: 0xe0000000 },
});

/** Rows of cells that belong together: a tile, or a cell where cells are alone. */
export interface Item {
  from: number;
  to: number;
  /** Which of all items it is: names its random numbers. */
  index: number;
}

/** Everything with a label to learn from. */
export function labelledItems({ tiles, labelStarts }: PackedCells): Item[] {
  const items: Item[] = [];
  for (let tile = 0; tile + 1 < tiles.length; tile++) {
    const [from, to] = [tiles[tile] as number, tiles[tile + 1] as number];
    if ((labelStarts[to] as number) > (labelStarts[from] as number)) items.push({ from, to, index: items.length });
  }
  return items;
}

/** Every tile, for prediction. */
export const allItems = ({ tiles }: PackedCells): Item[] =>
  Array.from({ length: tiles.length - 1 }, (_, index) => ({ from: tiles[index] as number, to: tiles[index + 1] as number, index }));

/** Labels per class. */
export function countLabels(labels: Int32Array, classes: number): number[] {
  const counts = new Array<number>(classes).fill(0);
  for (const label of labels) counts[label]! += 1;
  return counts;
}

/** Weights (n / (C n_c))^1/2 of the classes in the loss, scaled to a mean of 1 over those that occur; 0 for those that do not. */
export function classWeights(counts: readonly number[]): number[] {
  const total = counts.reduce((sum, count) => sum + count, 0);
  const roots = counts.map((count) => (count > 0 ? Math.sqrt(total / (counts.length * count)) : 0));
  const present = roots.filter((root) => root > 0);
  const mean = present.reduce((sum, root) => sum + root, 0) / present.length;
  return roots.map((root) => root / mean);
}

/** How often each item is to be drawn, relative to the others, so that classes count alike. */
export function labelWeights(items: readonly Item[], { labels, labelStarts }: PackedCells, counts: readonly number[]): number[] {
  return items.map(({ from, to }) => {
    const own = labels.subarray(labelStarts[from], labelStarts[to]);
    return own.reduce((sum, label) => sum + 1 / (counts[label] as number), 0) / own.length;
  });
}

/** Positions drawn with shares of their weights, as evenly as can be: what is due k times comes floor(k) or ceil(k) times. */
function drawn(weights: readonly number[], start: number): number[] {
  const step = weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
  const picks: number[] = [];
  let reached = 0;
  weights.forEach((weight, i) => {
    reached += weight;
    while (picks.length < weights.length && (picks.length + start) * step < reached) picks.push(i);
  });
  while (picks.length < weights.length) picks.push(weights.length - 1);
  return picks;
}

/**
 * The items of one epoch, in its order: all of them once, or as many drawn with shares of their weights.
 *
 * @param plan `seed` and `epoch` decide the order, nothing else
 */
export function epochOrder(
  items: readonly Item[],
  { seed, epoch, weights }: { seed: number; epoch: number; weights: readonly number[] | undefined },
): Item[] {
  const numbers = randomUniform([items.length + 1], { seed, step: epoch, stream: STREAMS.order });
  const keys = numbers.data.slice();
  numbers.dispose();
  const picks = weights ? drawn(weights, keys[items.length] as number) : items.map((_, i) => i);
  const places = picks.map((_, i) => i).sort((a, b) => (keys[a] as number) - (keys[b] as number) || a - b);
  // An item that comes twice in an epoch is disturbed differently each time.
  return places.map((place) => ({ ...(items[picks[place] as number] as Item), index: place }));
}

/** Cuts items into groups of at most `most` cells, or of one item where that has more. */
export function groupsOf(items: readonly Item[], most: number): Item[][] {
  const groups: Item[][] = [];
  let held = Number.POSITIVE_INFINITY;
  for (const item of items) {
    const size = item.to - item.from;
    if (held + size > most) {
      groups.push([]);
      held = 0;
    }
    groups.at(-1)?.push(item);
    held += size;
  }
  return groups;
}
