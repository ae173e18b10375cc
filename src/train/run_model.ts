// Cells through a model that learns nothing: logits and embeddings.
import type { CellClassifier, ClassifierConfig } from '../heads/cell_classifier.js';
import { noGrad } from '../tensor/context.js';
import { scope } from '../tensor/scope.js';
import { batchOf, tokensPerCell } from './batch_of.js';
import { allItems, groupsOf, type Item } from './epoch_plan.js';
import type { Pace } from './pace.js';
import type { PackedCells } from './packed_cells.js';

export interface ModelAnswers {
  /** `[cells, classes]`, a row per packed cell; NaN for cells that were not asked for. */
  logits: Float32Array;
  /** `[cells, width]`; empty where not asked for. */
  embeddings: Float32Array;
}

/** Memory that threads share: an answer crosses from one to the other without a copy. */
const shared = (length: number) => new Float32Array(new SharedArrayBuffer(4 * length));

/** Room for what a model says of packed cells. */
export function roomForAnswers({ classes, backbone }: ClassifierConfig, cells: number, embeddings: boolean): ModelAnswers {
  return { logits: shared(cells * classes).fill(Number.NaN), embeddings: shared(embeddings ? cells * backbone.width : 0) };
}

/** Threads that do one run together: each takes the next group of tiles that nobody has, and writes its part of the answers. */
export interface Sharing {
  answers: ModelAnswers;
  /** In shared memory: groups taken, cells done. */
  counts: Int32Array;
}

/** How `runModel` works. */
export interface RunOptions {
  tokenBudget: number;
  pace: Pace;
  /** Default: every tile. */
  items?: readonly Item[];
  embeddings?: boolean;
  /** With whom the work is shared. Default: nobody. */
  sharing?: Sharing | undefined;
  onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Runs a model, in evaluation mode, over packed cells. */
export async function runModel(
  model: CellClassifier,
  packed: PackedCells,
  { tokenBudget, pace, items = allItems(packed), embeddings = false, sharing, onProgress }: RunOptions,
): Promise<ModelAnswers> {
  const { classes, backbone } = model.config;
  const { answers, counts } = sharing ?? {
    answers: roomForAnswers(model.config, packed.cells, embeddings),
    counts: new Int32Array(2),
  };
  // The groups are the same whoever takes them: what a cell gets does not depend on the threads.
  const groups = groupsOf(items, Math.max(1, Math.floor(tokenBudget / tokensPerCell(model))));
  for (let group = groups[Atomics.add(counts, 0, 1)]; group; group = groups[Atomics.add(counts, 0, 1)]) {
    const taken = group;
    const { rows, output } = scope(() =>
      noGrad(() => {
        const { batch, rows } = batchOf(model, packed, taken);
        const { logits, embeddings: states } = model.forward(batch);
        return { rows, output: embeddings ? [logits, states] : [logits] };
      }),
    );
    const places = [
      { to: answers.logits, width: classes },
      { to: answers.embeddings, width: backbone.width },
    ];
    for (const [i, tensor] of output.entries()) {
      const { to, width } = places[i] as (typeof places)[number];
      const { data } = tensor.device === 'cpu' ? tensor : await tensor.toAsync('cpu');
      rows.forEach((row, at) => to.set((data as Float32Array).subarray(at * width, (at + 1) * width), row * width));
      tensor.dispose();
    }
    onProgress?.(Atomics.add(counts, 1, rows.length) + rows.length, packed.cells);
    await pace.rest();
  }
  return answers;
}

/** The class of the greatest number of each row; of equal ones, the first. */
export function highestOf(rows: Float32Array, classes: number): Int32Array {
  const found = new Int32Array(rows.length / classes);
  for (let row = 0; row < found.length; row++) {
    const first = row * classes;
    let best = 0;
    for (let c = 1; c < classes; c++) if ((rows[first + c] as number) > (rows[first + best] as number)) best = c;
    found[row] = best;
  }
  return found;
}
