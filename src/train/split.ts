// Patients into parts: no patient in two of them, and each class spread as evenly as whole patients allow.
import { UamError } from '../errors.js';
import { seeded } from './seeded.js';

/** What is split: a patient (else the slide) and a class per cell; -1 for a cell without a class. */
export interface SplitSamples {
  /** `[n]`: the patient of each cell. */
  patients: readonly string[];
  /** `[n]`: the class of each cell, 0 and up; -1 counts for no class. Absent: parts are balanced by patients alone. */
  classes?: ArrayLike<number> | undefined;
}

/** A patient's cells, counted. The first count is 1: the number of patients is balanced like a class. */
interface Patient {
  name: string;
  counts: Float64Array;
}

function gather(where: string, { patients, classes }: SplitSamples): Patient[] {
  if (classes && classes.length !== patients.length) {
    throw new UamError('UAM_SHAPE', `${where}: classes must have one entry per cell, ${patients.length}, received ${classes.length}`);
  }
  let width = 0;
  for (let i = 0; i < (classes?.length ?? 0); i++) {
    const own = classes?.[i] as number;
    if (!Number.isInteger(own) || own < -1 || own > 1e6) {
      throw new UamError('UAM_DATA', `${where}: the class of cell ${i} must be a whole number from -1 on, received ${own}`);
    }
    width = Math.max(width, own + 1);
  }
  const known = new Map<string, Patient>();
  patients.forEach((name, i) => {
    if (typeof name !== 'string' || name === '') {
      throw new UamError('UAM_DATA', `${where}: cell ${i} has no patient; name its patient, or its slide where that is all that is known`);
    }
    let patient = known.get(name);
    if (!patient) known.set(name, (patient = { name, counts: new Float64Array(width + 1) }));
    patient.counts[0] = 1;
    const own = classes ? (classes[i] as number) : -1;
    if (own >= 0) patient.counts[own + 1] = (patient.counts[own + 1] as number) + 1;
  });
  return [...known.values()].sort((a, b) => (a.name < b.name ? -1 : 1)); // not the order of the files
}

/** Parts under construction: what each holds of every class, and how far that is from its share. */
class Parts {
  readonly of: Int32Array;
  readonly #held: Float64Array[];
  readonly #size: Int32Array;

  constructor(
    readonly patients: readonly Patient[],
    readonly shares: readonly number[],
    readonly totals: Float64Array,
  ) {
    this.of = new Int32Array(patients.length).fill(-1);
    this.#held = shares.map(() => new Float64Array(totals.length));
    this.#size = new Int32Array(shares.length);
  }

  /** Sum over classes of the squared distance of a part from its share of the class. */
  #distance(part: number, added?: Float64Array, taken?: Float64Array): number {
    const held = this.#held[part] as Float64Array;
    let sum = 0;
    for (let c = 0; c < held.length; c++) {
      const total = this.totals[c] as number;
      if (total === 0) continue;
      const count = (held[c] as number) + (added ? (added[c] as number) : 0) - (taken ? (taken[c] as number) : 0);
      sum += (count / total - (this.shares[part] as number)) ** 2;
    }
    return sum;
  }

  #move(i: number, to: number): void {
    const { counts } = this.patients[i] as Patient;
    const from = this.of[i] as number;
    for (let c = 0; c < counts.length; c++) {
      if (from >= 0) (this.#held[from] as Float64Array)[c] = (this.#held[from]?.[c] as number) - (counts[c] as number);
      (this.#held[to] as Float64Array)[c] = (this.#held[to]?.[c] as number) + (counts[c] as number);
    }
    if (from >= 0) this.#size[from] = (this.#size[from] as number) - 1;
    this.#size[to] = (this.#size[to] as number) + 1;
    this.of[i] = to;
  }

  /** Puts a patient where the distances grow least; empty parts first when no more patients are left than these. */
  place(i: number, left: number): void {
    const empty = [...this.shares.keys()].filter((part) => this.#size[part] === 0);
    const open = empty.length >= left ? empty : [...this.shares.keys()];
    const { counts } = this.patients[i] as Patient;
    const cost = open.map((part) => this.#distance(part, counts) - this.#distance(part));
    this.#move(i, open[cost.indexOf(Math.min(...cost))] as number);
  }

  /** Moves a patient, or exchanges two, wherever the parts come closer to their shares by it. Tells whether anything changed. */
  improve(order: readonly number[]): boolean {
    let changed = false;
    for (const i of order) {
      const from = this.of[i] as number;
      const own = (this.patients[i] as Patient).counts;
      for (let to = 0; to < this.shares.length; to++) {
        if (to === this.of[i] || (this.#size[from] as number) < 2 || this.of[i] !== from) continue;
        const gain = this.#distance(from) + this.#distance(to) - this.#distance(from, undefined, own) - this.#distance(to, own);
        if (gain > 1e-12) {
          this.#move(i, to);
          changed = true;
        }
      }
      if (order.length > mostForExchanges) continue;
      for (const j of order) {
        const [here, there] = [this.of[i] as number, this.of[j] as number];
        if (j <= i || here === there) continue;
        const other = (this.patients[j] as Patient).counts;
        const gain = this.#distance(here) + this.#distance(there) - this.#distance(here, other, own) - this.#distance(there, own, other);
        if (gain > 1e-12) {
          this.#move(i, there);
          this.#move(j, here);
          changed = true;
        }
      }
    }
    return changed;
  }
}

/** Exchanges look at every pair: beyond this many patients moves alone suffice, as parts are then even enough. */
const mostForExchanges = 600;
const mostRounds = 50;

/** The part of each patient (in the order of `gather`). */
function assign(where: string, patients: readonly Patient[], shares: readonly number[], seed: number): Int32Array {
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
    throw new UamError('UAM_ARGUMENT', `${where}: seed must be an integer from 0 to 4294967295, received ${seed}`);
  }
  if (patients.length < shares.length) {
    throw new UamError(
      'UAM_DATA',
      `${where}: ${patients.length} patients cannot fill ${shares.length} parts: no patient may be in two; ask for fewer, or add patients`,
    );
  }
  const totals = new Float64Array((patients[0] as Patient).counts.length);
  for (const { counts } of patients) counts.forEach((count, c) => (totals[c] = (totals[c] as number) + count));
  // The heaviest first, those of equal weight by chance: the light ones then fill what is left.
  const weight = patients.map(({ counts }) => counts.reduce((sum, count, c) => sum + count / Math.max(1, totals[c] as number), 0));
  const random = seeded(seed);
  const chance = patients.map(random);
  const order = patients.map((_, i) => i);
  order.sort((a, b) => (weight[b] as number) - (weight[a] as number) || (chance[a] as number) - (chance[b] as number) || a - b);
  // Some chance also among unequal ones, or every seed would give one split: neighbours in the order change places.
  for (let at = 0; at + 1 < order.length; at++) {
    if (random() < 0.5) [order[at], order[at + 1]] = [order[at + 1] as number, order[at] as number];
  }
  const parts = new Parts(patients, shares, totals);
  order.forEach((i, at) => parts.place(i, order.length - at));
  for (let round = 0; round < mostRounds && parts.improve(order); round++);
  return parts.of;
}

/** Parts of a data set by patient. */
export interface PatientSplit {
  /** `[n]`: the part of each cell. */
  part: Int32Array;
  /** The patients of each part, in the order of their names. */
  patients: string[][];
}

function splitInto(where: string, samples: SplitSamples, shares: readonly number[], seed: number): PatientSplit {
  const patients = gather(where, samples);
  const of = assign(where, patients, shares, seed);
  const partOf = new Map(patients.map(({ name }, i) => [name, of[i] as number]));
  return {
    part: Int32Array.from(samples.patients, (name) => partOf.get(name) as number),
    patients: shares.map((_, part) => patients.filter((_, i) => of[i] === part).map(({ name }) => name)),
  };
}

/**
 * Splits cells into parts by patient: no patient is in two, and of each class (and of the patients) each part gets its share as nearly
 * as whole patients allow. The order of the cells does not matter.
 *
 * @param samples the patient and the class of each cell
 * @param shares of each part, such as `[0.7, 0.15, 0.15]` for training, validation and test; they are scaled to the sum 1
 * @param seed the same seed gives the same split; default 0
 * @throws UamError `UAM_ARGUMENT`, `UAM_SHAPE`; `UAM_DATA` where there are fewer patients than parts, or a cell has no patient
 * @example
 * const { part, patients } = splitByPatient({ patients: ['a', 'a', 'b', 'c'], classes: [0, 1, 0, 1] }, [0.5, 0.5]);
 * checkLeakage({ train: patients[0], test: patients[1] });
 */
export function splitByPatient(samples: SplitSamples, shares: readonly number[], seed = 0): PatientSplit {
  const sum = shares.reduce((total, share) => total + share, 0);
  if (shares.length < 2 || !shares.every((share) => share > 0) || !Number.isFinite(sum)) {
    throw new UamError(
      'UAM_ARGUMENT',
      `splitByPatient: shares must be two or more numbers greater than 0, received [${shares.join(', ')}]`,
    );
  }
  return splitInto(
    'splitByPatient',
    samples,
    shares.map((share) => share / sum),
    seed,
  );
}

/** One fold: indices of cells. */
export interface Fold {
  train: Uint32Array;
  validation: Uint32Array;
  test: Uint32Array;
}

/**
 * Folds for cross-validation by patient: each patient is in the test part of one fold; from the others a validation part is taken, so
 * that nothing is chosen on tested patients.
 *
 * @param samples the patient and the class of each cell
 * @param folds how many; default 5
 * @param seed the same seed gives the same folds; default 0
 * @param validation the validation part's share of the patients that are not tested; default 0.15
 * @throws UamError `UAM_ARGUMENT`, `UAM_SHAPE`; `UAM_DATA` where there are too few patients, or a cell has no patient
 * @example
 * const samples = { patients: ['a', 'b', 'c', 'd', 'e', 'f'], classes: [0, 1, 0, 1, 0, 1] };
 * for (const { train, validation, test } of groupedFolds(samples, 3)) console.log(train, validation, test);
 */
export function groupedFolds(samples: SplitSamples, folds = 5, seed = 0, validation = 0.15): Fold[] {
  if (!Number.isInteger(folds) || folds < 2) {
    throw new UamError('UAM_ARGUMENT', `groupedFolds: folds must be a whole number from 2 on, received ${folds}`);
  }
  if (!(validation > 0 && validation < 1)) {
    throw new UamError('UAM_ARGUMENT', `groupedFolds: validation must lie between 0 and 1, received ${validation}`);
  }
  const { part } = splitInto('groupedFolds', samples, new Array<number>(folds).fill(1 / folds), seed);
  return Array.from({ length: folds }, (_, fold) => {
    const others = [...part.keys()].filter((i) => part[i] !== fold);
    const rest: SplitSamples = {
      patients: others.map((i) => samples.patients[i] as string),
      classes: samples.classes && others.map((i) => samples.classes?.[i] as number),
    };
    const inner = splitInto('groupedFolds', rest, [1 - validation, validation], seed).part;
    const result = {
      train: Uint32Array.from(others.filter((_, at) => inner[at] === 0)),
      validation: Uint32Array.from(others.filter((_, at) => inner[at] === 1)),
      test: Uint32Array.from([...part.keys()].filter((i) => part[i] === fold)),
    };
    checkLeakage(
      Object.fromEntries(Object.entries(result).map(([name, list]) => [name, Array.from(list, (i) => samples.patients[i] as string)])),
    );
    return result;
  });
}

/**
 * Refuses parts that share a patient: what was learned of one would be tested on the same one.
 *
 * @param parts the patients of each part (also per cell, with repetition), by the part's name
 * @throws UamError `UAM_DATA` that names the patients and the parts
 * @example
 * try {
 *   checkLeakage({ train: ['a', 'b'], test: ['b'] });
 * } catch (error) {
 *   console.log(error.message); // patient b is in train and in test; ...
 * }
 */
export function checkLeakage(parts: Readonly<Record<string, Iterable<string>>>): void {
  const first = new Map<string, string>();
  const leaks = new Map<string, string>();
  for (const [part, patients] of Object.entries(parts)) {
    for (const patient of patients) {
      const before = first.get(patient);
      if (before === undefined) first.set(patient, part);
      else if (before !== part) leaks.set(patient, `patient ${patient} is in ${before} and in ${part}`);
    }
  }
  if (leaks.size === 0) return;
  const named = [...leaks.values()];
  const more = named.length > 3 ? ` and ${named.length - 3} more patients are in two parts` : '';
  throw new UamError(
    'UAM_DATA',
    `${named.slice(0, 3).join('; ')}${more}; put all cells of a patient into one part, or scores mean nothing`,
  );
}
