// Small JSON files by hand of others: the sidecar of feature maps, the description of an ONNX encoder. Every entry is checked.
import { readFile } from 'node:fs/promises';
import { isAbsolute, normalize } from 'node:path';
import { UamError } from '../errors.js';
import { checkLevels, type LevelShape } from './image_features.js';

/** The longest such file that is read. */
const LONGEST = 2 ** 20;

/** A JSON object from a file, whose entries are asked for by name; an entry that nobody asks for is a mistake. */
export class Description {
  readonly #asked = new Set<string>();

  private constructor(
    /** The file and the place in it, for errors. */
    readonly where: string,
    private readonly value: Readonly<Record<string, unknown>>,
  ) {}

  /** @throws UamError `UAM_INPUT` where the file cannot be read, `UAM_FORMAT` where it is no JSON object */
  static async read(path: string): Promise<Description> {
    let text: Buffer;
    try {
      text = await readFile(path);
    } catch (error) {
      throw new UamError('UAM_INPUT', `${path}: cannot be read: ${(error as Error).message}`, { cause: error });
    }
    if (text.length > LONGEST) throw new UamError('UAM_FORMAT', `${path}: a description of ${text.length} bytes is too long`);
    try {
      return Description.of(path, JSON.parse(text.toString('utf8').replace(/^\uFEFF/, '')));
    } catch (error) {
      if (error instanceof UamError) throw error;
      throw new UamError('UAM_FORMAT', `${path}: is not JSON: ${(error as Error).message}`, { cause: error });
    }
  }

  private static of(where: string, value: unknown): Description {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new UamError('UAM_FORMAT', `${where}: must be a JSON object`);
    return new Description(where, value as Record<string, unknown>);
  }

  #at(key: string): unknown {
    this.#asked.add(key);
    return Object.hasOwn(this.value, key) ? this.value[key] : undefined;
  }

  fail(key: string, expected: string): never {
    const received = JSON.stringify(this.#at(key)) ?? 'nothing';
    throw new UamError('UAM_FORMAT', `${this.where}: "${key}" must be ${expected}, received ${received.slice(0, 80)}`);
  }

  has(key: string): boolean {
    return this.#at(key) !== undefined;
  }

  text(key: string): string {
    const value = this.#at(key);
    return typeof value === 'string' && value !== '' && value.length <= 1024 ? value : this.fail(key, 'text');
  }

  /** A number above `above` (default 0), at most `most`. */
  number(key: string, { whole = false, most = 1e9 }: { whole?: boolean; most?: number } = {}): number {
    const value = this.#at(key);
    const fits = typeof value === 'number' && value > 0 && value <= most && (!whole || Number.isInteger(value));
    return fits ? value : this.fail(key, `${whole ? 'a whole number' : 'a number'} above 0, at most ${most}`);
  }

  numbers(key: string, count: number): number[] {
    const value = this.#at(key);
    const fits = Array.isArray(value) && value.length === count && value.every((n) => Number.isFinite(n) && Math.abs(n) < 1e9);
    return fits ? (value as number[]) : this.fail(key, `${count} numbers`);
  }

  /** SHA-256 in hexadecimal digits. */
  hash(key: string): string {
    const value = this.text(key);
    return /^[0-9a-fA-F]{64}$/.test(value) ? value.toLowerCase() : this.fail(key, 'a SHA-256 of 64 hexadecimal digits');
  }

  /** The name of a file beside this one, or below. */
  file(key: string): string {
    const name = normalize(this.text(key));
    return isAbsolute(name) || name.split(/[\\/]/).includes('..') ? this.fail(key, 'the name of a file beside this one') : name;
  }

  part(key: string): Description {
    return Description.of(`${this.where}: "${key}"`, this.#at(key));
  }

  parts(key: string): Description[] {
    const value = this.#at(key);
    if (!Array.isArray(value) || value.length === 0 || value.length > 64) return this.fail(key, 'a list of 1 to 64 objects');
    return value.map((item, i) => Description.of(`${this.where}: "${key}"[${i}]`, item));
  }

  /** Refuses entries that nobody asked for: they may be misspelt. */
  done(): void {
    const unknown = Object.keys(this.value).find((key) => !this.#asked.has(key));
    if (unknown === undefined) return;
    throw new UamError('UAM_FORMAT', `${this.where}: unknown entry "${unknown}"; known are ${[...this.#asked].join(', ')}`);
  }
}

/** Name, stride and channels of an entry of a list of levels. */
export const levelOf = (entry: Description): LevelShape => ({
  name: entry.text('name'),
  stride: entry.number('stride', { whole: true, most: 4096 }),
  channels: entry.number('channels', { whole: true, most: 65536 }),
});

/** Refuses levels that do not go together, in the name of their file. */
export function checkDescribed(levels: readonly LevelShape[], path: string): void {
  try {
    checkLevels(levels, path);
  } catch (error) {
    throw new UamError('UAM_FORMAT', (error as Error).message, { cause: error });
  }
}
