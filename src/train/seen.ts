// Whom a model has learned from, kept in its file as marks: enough to know a patient or a tile again, and no names. A mark is a hash
// with a salt of the model's own: somebody who has a list of patients can ask which of them are in it, but nobody can read them off.
import { createHash } from 'node:crypto';
import { UamError } from '../errors.js';
import type { CellDataset, CellSample } from './dataset.js';
import { Pace } from './pace.js';

type Part = 'training' | 'validation';

/** Marks of patients and of tiles, by what they were used for. */
export interface SeenMarks {
  /** Also what marks of another model differ by. */
  salt: string;
  patients: Record<Part, string[]>;
  tiles: Record<Part, string[]>;
}

/** A patient or a tile that a model has seen before. */
export interface SeenSample {
  /** Of the patient or, where it is the tile's cells that were recognised, of the tile. */
  name: string;
  by: 'patient' | 'cells';
  /** Whether the model learned from it, or was chosen and calibrated by it. */
  as: Part;
}

/** Columns that a tile is recognised by, and the fewest numbers that are enough. */
const COLUMNS = 16;

/** Beyond this the marks would fill the file: tables in which each cell is a patient of its own. */
const MOST = 20_000;

const markOf = (salt: string, kind: string, content: string | Uint8Array): string =>
  createHash('sha256').update(`${salt}\n${kind}\n`).update(content).digest('hex').slice(0, 16);

/** A tile by the values of its cells in float32, whatever it is called. Too few numbers may agree by chance: they give no mark. */
function tileMark(salt: string, { table }: CellSample, features: readonly string[]): string | undefined {
  const wanted = new Map(features.slice(0, COLUMNS).map((name, i) => [name, i]));
  const placeOf = ({ name }: { name: string }) => wanted.get(name) as number;
  const columns = table.columns.filter(({ name }) => wanted.has(name)).sort((a, b) => placeOf(a) - placeOf(b));
  if (columns.length * table.length < COLUMNS) return undefined;
  const values = new Float32Array(columns.length * table.length);
  columns.forEach(({ data }, c) => void values.set(data, c * table.length));
  return markOf(salt, 'cells', new Uint8Array(values.buffer));
}

/** A patient by name, where somebody gave it: `a.png` and `line 7` are other cells in every file. */
const patientMark = (salt: string, { patient, patientGiven }: CellSample): string | undefined =>
  patientGiven ? markOf(salt, 'patient', patient) : undefined;

type MarkOf = (sample: CellSample) => string | undefined;

async function marks(parts: Record<Part, CellDataset | undefined>, of: MarkOf, pace: Pace): Promise<Record<Part, string[]>> {
  const lists: Record<Part, Set<string>> = { training: new Set(), validation: new Set() };
  for (const part of ['training', 'validation'] as const) {
    for (const sample of parts[part]?.samples ?? []) {
      const mark = of(sample);
      if (mark !== undefined) lists[part].add(mark);
      await pace.rest();
    }
  }
  const list = (part: Part) => (lists[part].size > MOST ? [] : [...lists[part]].sort());
  return { training: list('training'), validation: list('validation') };
}

/**
 * @param features of the model, in its order
 * @param salt the hash of the training data
 */
export async function marksOf(
  parts: Record<Part, CellDataset | undefined>,
  features: readonly string[],
  salt: string,
  pace: Pace,
): Promise<SeenMarks> {
  const patients = await marks(parts, (sample) => patientMark(salt, sample), pace);
  return { salt, patients, tiles: await marks(parts, (sample) => tileMark(salt, sample, features), pace) };
}

/** The patients and tiles of a dataset that a model has seen. */
export async function seenIn(
  { salt, patients, tiles }: SeenMarks,
  dataset: CellDataset,
  features: readonly string[],
  signal?: AbortSignal,
): Promise<SeenSample[]> {
  const pace = new Pace('looking for training patients', signal);
  const lookUp = (marks: Record<Part, string[]>) =>
    new Map((['validation', 'training'] as const).flatMap((part) => marks[part].map((mark) => [mark, part])));
  const [byName, byCells] = [lookUp(patients), lookUp(tiles)];
  const found = new Map<string, SeenSample>();
  for (const sample of dataset.samples) {
    const asPatient = byName.get(patientMark(salt, sample) ?? '');
    const asTile = asPatient ? undefined : byCells.get(tileMark(salt, sample, features) ?? '');
    if (asPatient) found.set(`patient ${sample.patient}`, { name: sample.patient, by: 'patient', as: asPatient });
    else if (asTile) found.set(`cells ${sample.name}`, { name: sample.name, by: 'cells', as: asTile });
    await pace.rest();
  }
  return [...found.values()];
}

/** @throws UamError `UAM_DATA` that names whom the model has seen before */
export function refuseSeen(seen: readonly SeenSample[]): void {
  if (seen.length === 0) return;
  const named = seen.slice(0, 5).map(({ name, by, as }) => {
    const what = by === 'patient' ? `patient ${name}` : `${name} (the same cells, whatever their name)`;
    return `${what} ${as === 'training' ? 'was trained on' : 'chose the best epoch and the temperature'}`;
  });
  const more = seen.length > 5 ? `, and ${seen.length - 5} more` : '';
  throw new UamError(
    'UAM_DATA',
    `the model has seen ${seen.length} of those it is tested on: ${named.join('; ')}${more}. Scores on them mean nothing: test on other patients`,
  );
}

/** Marks from a model's file; undefined where it has none. */
export function marksFrom(text: string | undefined, where: string): SeenMarks | undefined {
  if (text === undefined) return undefined;
  const broken = (cause?: unknown) =>
    new UamError('UAM_FORMAT', `${where}: its marks of training patients are not as this version writes them`, { cause });
  let value: SeenMarks;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw broken(error);
  }
  const texts = (list: unknown) => Array.isArray(list) && list.every((mark) => typeof mark === 'string');
  const lists = [value?.patients, value?.tiles].every((marks) => texts(marks?.training) && texts(marks?.validation));
  if (!lists || typeof value.salt !== 'string') throw broken();
  return value;
}
