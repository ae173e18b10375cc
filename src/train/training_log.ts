import { appendFile, readFile } from 'node:fs/promises';
import { UamError } from '../errors.js';
import { writeWhole } from '../files/write_whole.js';

/**
 * A file of JSON lines. It holds nothing that differs between two equal runs (no times), and a run that goes on from a checkpoint first
 * takes out the lines that came after it: in the end the file is that of a run without a break.
 */
export class TrainingLog {
  #waiting = '';

  constructor(private readonly path: string | undefined) {}

  /** Begins a new file, or one that goes on after so many steps. */
  async begin(step: number): Promise<void> {
    if (this.path === undefined) return;
    const text = step === 0 ? '' : await readFile(this.path, 'utf8').catch(() => '');
    const kept = text.split('\n').filter((line) => stepOf(line) <= step);
    await writeWhole(this.path, [Buffer.from(kept.map((line) => `${line}\n`).join(''))]);
  }

  add(record: Readonly<Record<string, unknown>>): void {
    if (this.path !== undefined) this.#waiting += `${JSON.stringify(record)}\n`;
  }

  /** @throws UamError `UAM_IO` */
  async flush(): Promise<void> {
    const text = this.#waiting;
    this.#waiting = '';
    if (text === '' || this.path === undefined) return;
    try {
      await appendFile(this.path, text);
    } catch (error) {
      throw new UamError('UAM_IO', `cannot write the log ${this.path}: ${(error as Error).message}`, { cause: error });
    }
  }
}

/** The step that a line speaks of; beyond every step where it is no whole line. */
function stepOf(line: string): number {
  try {
    const { step } = JSON.parse(line) as { step: number };
    return typeof step === 'number' ? step : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
