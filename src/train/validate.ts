import type { CellClassifier } from '../heads/cell_classifier.js';
import { labelledItems } from './epoch_plan.js';
import { macroF1 } from './f1.js';
import type { Pace } from './pace.js';
import type { PackedCells } from './packed_cells.js';
import { highestOf, runModel } from './run_model.js';
import { fitTemperature, toProbabilities } from './temperature.js';

export interface Validation {
  /** Points on no cell count as errors. */
  macroF1: number;
  /** Mean cross entropy of the labels on cells. */
  loss: number;
  temperature: number;
}

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
  const { logits } = await runModel(model, packed, { tokenBudget, pace, items: labelledItems(packed) });
  const ofLabels = new Float32Array(labels.length * classes);
  for (let row = 0; row < packed.cells; row++) {
    for (let at = labelStarts[row] as number; at < (labelStarts[row + 1] as number); at++) {
      ofLabels.set(logits.subarray(row * classes, (row + 1) * classes), at * classes);
    }
  }
  const temperature = fitTemperature(ofLabels, labels, classes);
  const answers = [...highestOf(ofLabels, classes), ...unmatched.map(() => -1)];
  const f1 = macroF1([...labels, ...unmatched], answers, classes);
  const probabilities = toProbabilities(ofLabels, classes, 1);
  let loss = 0;
  labels.forEach((label, i) => {
    loss -= Math.log(Math.max(probabilities[i * classes + label] as number, 1e-30));
  });
  return { macroF1: f1, loss: loss / Math.max(1, labels.length), temperature };
}
