// What is wrong with a parameter file, gathered so that a user sees all of it at once.
import { UamError } from '../errors.js';

/** Gathers problems, each with the key that it lies in. */
export class Problems {
  readonly #lines: string[] = [];
  readonly #supported = new Set<string>();

  constructor(private readonly name: string) {}

  /** @param supported a sentence to say once at the end */
  add(where: string, what: string, supported?: string): void {
    this.#lines.push(`${where}: ${what}`);
    if (supported) this.#supported.add(supported);
  }

  throwAny(): void {
    if (this.#lines.length === 0) return;
    const [only] = this.#lines;
    const text = this.#lines.length === 1 ? `: ${only}` : ` has ${this.#lines.length} problems:\n  ${this.#lines.join('\n  ')}`;
    const end = [...this.#supported].map((line) => `\n${line}`).join('');
    throw new UamError('UAM_ARGUMENT', `${this.name}${text}${end}`);
  }
}

export const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A value as a user would have written it. */
export const show = (value: unknown): string => JSON.stringify(value) ?? String(value);

/** "unknown; did you mean 'a'?" */
export const explain = (what: string, hint: string): string => (hint ? `${what}; ${hint}` : what);
