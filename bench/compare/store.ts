// Results of jobs as files: one each, whole or not there, so that a run which was killed goes on where it was.
import { mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeWhole } from '../../src/files/write_whole.js';
import { fileOf, type Job } from './jobs.js';

/** What a job found. */
export interface Result {
  /** Everything that the result depends on, as text: a result of another setting is no result. */
  setting: string;
  /** Macro-F1 on the fold's validation patients; absent where the training failed. */
  macroF1?: number;
  /** Why it failed. */
  failed?: string;
  /** Fitted on the validation patients. */
  temperature: number;
  /** `[points, classes]` float32 in base64: logits of the fold's test points, NaN for a point on no nucleus. */
  logits: string;
  /** Processor seconds of training on one thread, reading and scaling left out. */
  seconds: number;
  parameters?: number;
  /** Width and depth. */
  shape?: string;
  features: number;
  trainingPoints: number;
  epochs?: number;
}

export const encodeNumbers = (numbers: Float32Array): string =>
  Buffer.from(numbers.buffer, numbers.byteOffset, numbers.byteLength).toString('base64');

export function decodeNumbers(text: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(text, 'base64'));
  return new Float32Array(bytes.buffer);
}

export class Store<R extends { setting: string } = Result> {
  constructor(readonly folder: string) {}

  async write(job: Job, result: R): Promise<void> {
    const path = join(this.folder, 'results', fileOf(job));
    mkdirSync(dirname(path), { recursive: true });
    await writeWhole(path, [Buffer.from(JSON.stringify(result))]);
  }

  /** The result of a job under this setting; undefined where it is yet to be found. */
  async read(job: Job, setting: string): Promise<R | undefined> {
    const text = await readFile(join(this.folder, 'results', fileOf(job)), 'utf8').catch(() => undefined);
    const result = text === undefined ? undefined : (JSON.parse(text) as R);
    return result?.setting === setting ? result : undefined;
  }
}
