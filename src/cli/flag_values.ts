// The texts of flags as numbers, words and lists.
import { UamError } from '../errors.js';

/** A flag's text as a number. */
export function numberFlag(flag: string, text: string | undefined, kind: 'whole' | 'above 0'): number | undefined {
  if (text === undefined) return undefined;
  const value = text.trim() === '' ? Number.NaN : Number(text);
  const good = kind === 'whole' ? Number.isSafeInteger(value) && value >= 1 : Number.isFinite(value) && value > 0;
  if (good) return value;
  throw new UamError(
    'UAM_ARGUMENT',
    `--${flag} must be ${kind === 'whole' ? 'a whole number of at least 1' : 'a number above 0'}, received '${text}'`,
  );
}

const UNITS = Object.freeze({ '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 });

/** A flag's text as bytes: `4G`, `800M`, `1.5GiB`; without a unit they are bytes. */
export function bytesFlag(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const [, number = '', unit = ''] = /^\s*(\d+(?:\.\d+)?)\s*(k|m|g|t|)(?:i?b)?\s*$/i.exec(text) ?? [];
  const bytes = Math.floor(Number(number) * UNITS[unit.toLowerCase() as keyof typeof UNITS]);
  if (number !== '' && bytes >= 1) return bytes;
  throw new UamError('UAM_ARGUMENT', `--${flag} must be a size such as 4G or 800M, received '${text}'`);
}

/** A flag's text as a share, 0 to 1. */
export function shareFlag(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (value >= 0 && value <= 1) return value;
  throw new UamError('UAM_ARGUMENT', `--${flag} must be a number from 0 to 1, received '${text}'`);
}

/** For commander: a flag that may be given several times. */
export const collect = (text: string, before: string[] = []): string[] => [...before, text];

/** A flag that takes one of a few words. */
export function wordFlag<T extends string>(flag: string, text: string | undefined, words: readonly T[]): T | undefined {
  if (text === undefined || (words as readonly string[]).includes(text)) return text as T | undefined;
  throw new UamError('UAM_ARGUMENT', `--${flag} must be ${words.join(' or ')}, received '${text}'`);
}

/** A list with commas between. */
export const items = (text: string): string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
