import { UamError } from '../errors.js';

/**
 * What a model says about labelled cells or expert points, and what is true. A row of NaN is a point without an answer (an expert's
 * point on no nucleus): it counts as an error. A truth of -1 is a cell without a label: it counts nowhere.
 */
export interface TestedPoints {
  /** Names of the C classes. */
  classes: readonly string[];
  /** `[n]`: the true class of each point, 0 to C - 1; -1 for none. */
  truth: ArrayLike<number>;
  /** `[n, C]`: a probability per class, rows of sum 1; a row of NaN where the model has no answer. */
  probabilities: Float32Array | Float64Array;
  /** `[n]`: the patient (else the slide) of each point. Intervals and splits keep the points of one together. */
  patients?: readonly string[] | undefined;
}

/** TestedPoints without the points that have no label, in the types that the loops want. */
export interface Scored {
  classes: readonly string[];
  count: number;
  truth: Int32Array;
  probabilities: Float64Array;
  /** The class of the greatest probability, the first of equals; -1 without an answer. */
  predicted: Int32Array;
  patients: readonly string[] | undefined;
}

/** The first of the greatest values of row `i`; -1 where the row is NaN. */
export function argmaxRow(values: ArrayLike<number>, width: number, i: number): number {
  let best = -1;
  let top = Number.NEGATIVE_INFINITY;
  for (let c = 0; c < width; c++) {
    const value = values[i * width + c] as number;
    if (value > top) {
      top = value;
      best = c;
    }
  }
  return best;
}

function refuse(code: 'UAM_SHAPE' | 'UAM_DATA' | 'UAM_ARGUMENT', text: string): never {
  throw new UamError(code, `predictions: ${text}`);
}

/** Throws unless row `i` is a distribution (its sum may be off by what float32 leaves) or all NaN. */
function checkRow(probabilities: ArrayLike<number>, width: number, i: number): void {
  let sum = 0;
  let missing = 0;
  for (let c = 0; c < width; c++) {
    const p = probabilities[i * width + c] as number;
    if (Number.isNaN(p)) missing++;
    else if (!(p >= 0 && p <= 1 + 1e-6))
      refuse('UAM_DATA', `probabilities must lie in [0, 1], row ${i} has ${p}; give the softmax of logits`);
    sum += p;
  }
  if (missing === width) return;
  if (missing > 0)
    refuse('UAM_DATA', `row ${i} has ${missing} NaN among its ${width} probabilities; only a whole row may be NaN (no answer)`);
  if (!(Math.abs(sum - 1) <= 1e-3)) refuse('UAM_DATA', `the probabilities of row ${i} must have the sum 1, they have ${sum}`);
}

/**
 * Checks predictions and leaves out what has no label.
 *
 * @throws UamError `UAM_ARGUMENT`, `UAM_SHAPE` for lengths that differ, `UAM_DATA` for rows that are no distributions, for a truth
 *   that is no class, and where nothing is labelled
 */
export function scored({ classes, truth, probabilities, patients }: TestedPoints): Scored {
  const width = classes.length;
  const rows = truth.length;
  if (width < 2) refuse('UAM_ARGUMENT', `there must be at least two classes, received ${width}`);
  if (new Set(classes).size !== width) refuse('UAM_ARGUMENT', `two classes have one name: ${classes.join(', ')}`);
  if (probabilities.length !== rows * width) {
    refuse('UAM_SHAPE', `probabilities must have ${rows} x ${width} values for ${rows} points, received ${probabilities.length}`);
  }
  if (patients && patients.length !== rows)
    refuse('UAM_SHAPE', `patients must have one entry per point, ${rows}, received ${patients.length}`);
  const kept: number[] = [];
  for (let i = 0; i < rows; i++) {
    const y = truth[i] as number;
    if (!Number.isInteger(y) || y < -1 || y >= width)
      refuse('UAM_DATA', `the truth of point ${i} must be 0 to ${width - 1}, or -1, received ${y}`);
    if (y === -1) continue;
    checkRow(probabilities, width, i);
    kept.push(i);
  }
  if (kept.length === 0) refuse('UAM_DATA', 'no point has a label, so there is nothing to score');
  const result = {
    classes,
    count: kept.length,
    truth: Int32Array.from(kept, (i) => truth[i] as number),
    probabilities: new Float64Array(kept.length * width),
    predicted: Int32Array.from(kept, (i) => argmaxRow(probabilities, width, i)),
    patients: patients && kept.map((i) => patients[i] as string),
  };
  kept.forEach((from, to) => {
    result.probabilities.set(probabilities.subarray(from * width, (from + 1) * width), to * width);
  });
  return result;
}
