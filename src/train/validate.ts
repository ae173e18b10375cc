import { UamError } from '../errors.js';
import type { CellClassifier } from '../heads/cell_classifier.js';
import { batchOf } from './batch_of.js';
import { type Item, labelledItems } from './epoch_plan.js';
import { macroF1 } from './f1.js';
import type { Validation } from './learner.js';
import { firstNonFinite } from './nonfinite.js';
import type { Pace } from './pace.js';
import type { PackedCells } from './packed_cells.js';
import { highestOf, runModel } from './run_model.js';
import { fitTemperature, softmaxAt } from './temperature.js';

/** How well a model, in evaluation mode, does on cells that it has not learned from; undefined where there are none. */
export async function validate(
  model: CellClassifier,
  packed: PackedCells | undefined,
  tokenBudget: number,
  pace: Pace,
): Promise<Validation | undefined> {
  if (!packed || packed.labels.length + packed.unmatched.length === 0) return undefined;
  const { classes } = model.config;
  const { labelStarts, labels, unmatched } = packed;
  const items = labelledItems(packed);
  const { logits } = await runModel(model, packed, { tokenBudget, pace, items });
  refuseNonFinite(model, packed, items, logits);
  const ofLabels = new Float32Array(labels.length * classes);
  for (let row = 0; row < packed.cells; row++) {
    for (let at = labelStarts[row] as number; at < (labelStarts[row + 1] as number); at++) {
      ofLabels.set(logits.subarray(row * classes, (row + 1) * classes), at * classes);
    }
  }
  // One class, or none, leaves nothing to be unsure of.
  const temperature = labels.length > 0 && classes > 1 ? fitTemperature(ofLabels, labels) : 1;
  const answers = [...highestOf(ofLabels, classes), ...unmatched.map(() => -1)];
  const f1 = macroF1([...labels, ...unmatched], answers, classes);
  const probabilities = softmaxAt(ofLabels, classes, 1);
  let loss = 0;
  labels.forEach((label, i) => {
    loss -= Math.log(Math.max(probabilities[i * classes + label] as number, 1e-30));
  });
  return { macroF1: f1, loss: loss / Math.max(1, labels.length), temperature };
}

/** A model whose numbers have grown out of hand may still finish its last step: here it would be noticed by nobody. */
function refuseNonFinite(model: CellClassifier, packed: PackedCells, items: readonly Item[], logits: Float32Array): void {
  const { classes } = model.config;
  const bad = items.find(({ from, to }) => !logits.subarray(from * classes, to * classes).every(Number.isFinite));
  if (!bad) return;
  const where = firstNonFinite(model, batchOf(model, packed, [bad]).batch);
  throw new UamError(
    'UAM_NONFINITE',
    `fit: answers on validation are not finite; the first numbers that are not are in ${where}; a lower learningRate may help`,
  );
}
