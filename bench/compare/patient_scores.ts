// Scores of resampled patients from what is counted once per patient and pair of patients: a resample costs patients^2, not points.
import { type Scored, scored, type TestedPoints } from '../../src/train/tested_points.js';

const meanKnown = (values: readonly number[]): number => {
  const known = values.filter((value) => !Number.isNaN(value));
  return known.reduce((sum, value) => sum + value, 0) / known.length;
};

/** Points of one class against the rest, patient by patient. */
interface Pairs {
  /** `[patients, patients]`: pairs of a point of the class in the first patient and another in the second that are in the right order; ties count half. */
  right: Float64Array;
  own: Float64Array;
  rest: Float64Array;
}

function pairsOf({ truth, probabilities, classes, count }: Scored, patient: Int32Array, patients: number, c: number): Pairs {
  const scoreOf = (i: number) => probabilities[i * classes.length + c] || 0; // no answer is the least of all
  const order = Uint32Array.from({ length: count }, (_, i) => i).sort((a, b) => scoreOf(a) - scoreOf(b));
  const right = new Float64Array(patients * patients);
  const [own, rest] = [new Float64Array(patients), new Float64Array(patients)];
  const below = rest; // of the rest, all that have been passed
  for (let at = 0; at < count; ) {
    let end = at;
    while (end < count && scoreOf(order[end] as number) === scoreOf(order[at] as number)) end++;
    const group = order.subarray(at, end);
    const ties = group.filter((i) => truth[i] !== c);
    for (const i of group) {
      if (truth[i] !== c) continue;
      const first = (patient[i] as number) * patients;
      for (let q = 0; q < patients; q++) right[first + q]! += below[q] as number;
      for (const j of ties) right[first + (patient[j] as number)]! += 0.5;
      own[patient[i] as number]! += 1;
    }
    for (const j of ties) rest[patient[j] as number]! += 1;
    at = end;
  }
  return { right, own, rest };
}

/** The scores of a run for any number of copies of each patient. */
export class PatientScores {
  readonly patients: number;
  readonly #classes: readonly string[];
  /** `[patients, classes, classes + 1]`: truth by call; the last is no call. */
  readonly #confusion: Float64Array;
  readonly #pairs: Pairs[];

  constructor(points: TestedPoints) {
    const data = scored(points);
    const { classes, count, truth, predicted } = data;
    const index = new Map<string, number>();
    const patient = Int32Array.from({ length: count }, (_, i) => {
      const name = data.patients ? (data.patients[i] as string) : String(i);
      const known = index.get(name) ?? index.size;
      index.set(name, known);
      return known;
    });
    this.patients = index.size;
    this.#classes = classes;
    const width = classes.length;
    this.#confusion = new Float64Array(this.patients * width * (width + 1));
    for (let i = 0; i < count; i++) {
      const call = predicted[i] as number;
      this.#confusion[((patient[i] as number) * width + (truth[i] as number)) * (width + 1) + (call < 0 ? width : call)]! += 1;
    }
    this.#pairs = classes.map((_, c) => pairsOf(data, patient, this.patients, c));
  }

  #auroc({ right, own, rest }: Pairs, times: Float64Array): number {
    let [sum, owned, others] = [0, 0, 0];
    for (let p = 0; p < this.patients; p++) {
      const copies = times[p] as number;
      others += copies * (rest[p] as number);
      const weight = copies * (own[p] as number);
      if (weight === 0) continue;
      owned += weight;
      for (let q = 0; q < this.patients; q++) sum += copies * (times[q] as number) * (right[p * this.patients + q] as number);
    }
    return sum / (owned * others);
  }

  /** By the names that `bootstrapIntervals` uses: accuracy, balancedAccuracy, macroF1, macroAuroc, and `f1:`, `auroc:` per class. */
  scores(times: Float64Array): Map<string, number> {
    const width = this.#classes.length;
    const cells = width * (width + 1);
    const confusion = new Float64Array(cells);
    for (let p = 0; p < this.patients; p++) {
      const copies = times[p] as number;
      if (copies > 0) for (let i = 0; i < cells; i++) confusion[i]! += copies * (this.#confusion[p * cells + i] as number);
    }
    const at = (c: number, call: number) => confusion[c * (width + 1) + call] as number;
    const each = this.#classes.map((name, c) => {
      let [support, calls] = [at(c, width), 0];
      for (let other = 0; other < width; other++) {
        support += at(c, other);
        calls += at(other, c);
      }
      const hits = at(c, c);
      const auroc = this.#auroc(this.#pairs[c] as Pairs, times);
      return { name, hits, support, f1: (2 * hits) / (support + calls), recall: hits / support, auroc };
    });
    const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0);
    return new Map([
      ['accuracy', sum(each.map(({ hits }) => hits)) / sum(each.map(({ support }) => support))],
      ['balancedAccuracy', meanKnown(each.map(({ recall }) => recall))],
      ['macroF1', meanKnown(each.map(({ f1 }) => f1))],
      ['macroAuroc', meanKnown(each.map(({ auroc }) => auroc))],
      ...each.map(({ name, f1 }) => [`f1:${name}`, f1] as const),
      ...each.map(({ name, auroc }) => [`auroc:${name}`, auroc] as const),
    ]);
  }
}
