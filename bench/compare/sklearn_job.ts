// A job of scikit-learn: the same folds, the same scaled features, through a Python process that reads arrays from files.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../src/native/load.js';
import { macroF1 } from '../../src/train/f1.js';
import { unpackRow } from '../../src/train/packed_cells.js';
import { highestOf } from '../../src/train/run_model.js';
import { fitTemperature } from '../../src/train/temperature.js';
import type { FoldData, PartName } from './fold_data.js';
import { encodeNumbers, type Result } from './store.js';

interface Answer {
  unavailable?: string;
  version?: string;
  seconds?: number;
  iterations?: number;
}

/** The most rounds of boosting. */
const ROUNDS = 150;

const script = () => join(packageRoot(), 'bench', 'peers', 'sklearn_model.py');

/** One call of the script; rejects where it ends without an answer. */
function call(python: string, request: object): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const one = { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1', MKL_NUM_THREADS: '1' };
    const child = spawn(python, [script()], { env: { ...process.env, ...one }, stdio: ['pipe', 'pipe', 'pipe'] });
    const heard = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) child[name].on('data', (text) => (heard[name] += String(text)));
    child.on('error', reject);
    child.stdin.on('error', () => {}); // it ended before it read: 'close' tells
    child.on('close', () => {
      try {
        resolve(JSON.parse(heard.stdout) as Answer);
      } catch {
        reject(new Error(`${python} ${script()}: ${heard.stderr.trim().split('\n').at(-1) || 'no answer'}`));
      }
    });
    child.stdin.end(JSON.stringify(request));
  });
}

/** A Python that has scikit-learn, and its version; or why there is none. */
export async function findSklearn(): Promise<{ python: string; version: string } | { missing: string }> {
  let missing = '';
  for (const python of ['python3', '/usr/bin/python3']) {
    try {
      const { version, unavailable } = await call(python, { probe: true });
      if (version) return { python, version };
      missing = unavailable ?? missing;
    } catch (error) {
      missing = (error as Error).message;
    }
  }
  return { missing };
}

/** Rows of the cells under a part's points, missing values as NaN; points on no cell have none. */
function matrix({ packed, rows, truth }: FoldData, part: PartName): { x: Float32Array; y: Int32Array; on: number[] } {
  const { width } = packed[part];
  const on = [...rows[part].keys()].filter((i) => (rows[part][i] as number) >= 0);
  const x = new Float32Array(on.length * width);
  const missing = new Uint8Array(x.length);
  on.forEach((point, i) => {
    unpackRow(packed[part], rows[part][point] as number, x, missing, i * width);
  });
  for (let i = 0; i < x.length; i++) if (missing[i] === 1) x[i] = Number.NaN;
  return { x, y: Int32Array.from(on, (i) => truth[part][i] as number), on };
}

/** Writes a fold's arrays once. */
async function arrays(folder: string, data: FoldData): Promise<void> {
  if (existsSync(folder)) return;
  const making = `${folder}.${process.pid}`;
  mkdirSync(making, { recursive: true });
  for (const part of ['training', 'validation', 'test'] as const) {
    const { x, y } = matrix(data, part);
    await writeFile(join(making, `${part}_x.f32`), x);
    if (part !== 'test') await writeFile(join(making, `${part}_y.i32`), y);
  }
  await rename(making, folder).catch(() => rm(making, { recursive: true })); // another process was first
}

/** Probabilities of points, from those of the ones on cells: NaN elsewhere. */
async function probabilitiesIn(file: string, { on }: { on: number[] }, points: number, classes: number): Promise<Float32Array> {
  const bytes = Uint8Array.from(await readFile(file));
  const given = new Float32Array(bytes.buffer);
  const out = new Float32Array(points * classes).fill(Number.NaN);
  on.forEach((point, i) => {
    out.set(given.subarray(i * classes, (i + 1) * classes), point * classes);
  });
  return out;
}

export async function sklearnJob(
  kind: 'logistic' | 'trees',
  python: string,
  data: FoldData,
  folder: string,
  { params, seed }: { params: object; seed: number },
): Promise<Omit<Result, 'setting'>> {
  await arrays(folder, data);
  const out = await mkdtemp(join(tmpdir(), 'uam-sklearn-'));
  const { features } = data;
  const classes = data.classes.length;
  try {
    const answer = await call(python, { folder, features, classes, model: kind, params, rounds: ROUNDS, seed, out });
    if (answer.seconds === undefined) throw new Error(answer.unavailable ?? 'no answer');
    const [held, tested] = (await Promise.all(
      (['validation', 'test'] as const).map((part) =>
        probabilitiesIn(join(out, `${part}_p.f32`), matrix(data, part), data.truth[part].length, classes),
      ),
    )) as [Float32Array, Float32Array];
    const logs = (p: Float32Array) => p.map((value) => Math.log(Math.max(value, 1e-30)));
    const calls = highestOf(held, classes).map((call, i) => (Number.isNaN(held[i * classes]) ? -1 : call));
    return {
      macroF1: macroF1(data.truth.validation, calls, classes),
      temperature: fitTemperature(logs(held), data.truth.validation),
      logits: encodeNumbers(logs(tested)),
      ...{ seconds: answer.seconds, features, trainingPoints: data.packed.training.labels.length },
      ...(answer.iterations === undefined ? {} : { epochs: answer.iterations }),
    };
  } finally {
    await rm(out, { recursive: true });
  }
}
