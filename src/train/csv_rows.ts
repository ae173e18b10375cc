// Small tables beside images: manifests, points, classes. Large ones are read row by row: `table_rows.ts`.
import { readFile } from 'node:fs/promises';
import { mismatch, UamError } from '../errors.js';
import type { Split } from './dataset.js';

/** The fields of a line, by the names in the header. */
export type Row = Record<string, string>;

/**
 * All rows of a CSV or TSV file with a header.
 *
 * @param needed columns that must be there
 * @throws UamError `UAM_INPUT`, `UAM_FORMAT`; `UAM_DATA` where a column is missing
 */
export async function readCsv(path: string, needed: readonly string[]): Promise<Row[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new UamError('UAM_INPUT', `cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
  const { parse } = await import('csv-parse/sync');
  let header: string[] = [];
  const columns = (names: string[]) => {
    header = names;
    return names;
  };
  let rows: Row[];
  try {
    rows = parse(text, { bom: true, columns, delimiter: /\.tsv$/i.test(path) ? '\t' : ',', skip_empty_lines: true, trim: true });
  } catch (error) {
    throw new UamError('UAM_FORMAT', `${path} is not a valid table: ${(error as Error).message}`, { cause: error });
  }
  const lacks = needed.find((name) => !header.includes(name));
  if (lacks !== undefined) throw mismatch('UAM_DATA', `${path}: its columns`, `${needed.join(', ')} and perhaps others`, header.join(', '));
  return rows;
}

/** A number from a field of a table. */
export function numberIn(row: Row, name: string, where: string): number {
  const value = row[name] === '' ? Number.NaN : Number(row[name]);
  if (Number.isFinite(value)) return value;
  throw mismatch('UAM_DATA', `${where}: ${name}`, 'a number', `'${row[name]}'`);
}

const SPLITS: Readonly<Record<string, Split | undefined>> = Object.freeze({
  ...{ '': undefined, train: 'train', training: 'train', val: 'validation', valid: 'validation', validation: 'validation', test: 'test' },
} as const);

export function splitOf(text: string, where: string): Split | undefined {
  if (Object.hasOwn(SPLITS, text)) return SPLITS[text];
  throw mismatch('UAM_DATA', `${where}: split`, 'train, validation or test', `'${text}'`);
}
