// A manifest: a CSV file with a line per image.
import { readFile } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { UamError } from '../errors.js';
import { CELL_COLUMNS } from '../radiomics/table_columns.js';
import type { InputPair, Inputs } from './inputs.js';

export const isManifest = (path: string): boolean => /\.(csv|tsv)$/i.test(path);

/**
 * Reads a manifest: a header with `image`, `mask` (unless the nuclei are segmented), perhaps `mpp`, and any further columns, which
 * go into the rows of the image's cells. Paths are relative to the manifest.
 *
 * @throws UamError `UAM_INPUT`, `UAM_FORMAT`, `UAM_DATA`
 */
export async function readManifest(path: string, segment: boolean): Promise<Inputs> {
  const rows = await readRows(path);
  const [first] = rows;
  if (!first) throw new UamError('UAM_DATA', `${path}: the manifest names no image`);
  const names = Object.keys(first);
  const fail = (message: string): never => {
    throw new UamError('UAM_DATA', `${path}: ${message}`);
  };
  if (!names.includes('image')) fail(`the manifest must have a column image; its columns are ${names.join(', ')}`);
  if (!segment && !names.includes('mask'))
    fail(`the manifest must have a column mask (or say --segment); its columns are ${names.join(', ')}`);
  const carried = names.filter((name) => name !== 'image' && name !== 'mask');
  const taken = carried.filter((name) => name === '' || (CELL_COLUMNS as readonly string[]).includes(name));
  if (taken.length > 0) {
    fail(`the column ${taken.map((name) => `'${name}'`).join(', ')} must have another name: the table of cells has one of that name`);
  }
  const from = (file: string): string => (isAbsolute(file) ? file : join(dirname(path), file));
  const pairs = rows.map((row, i): InputPair => {
    const line = `line ${i + 2}`;
    const { image = '', mask = '', mpp = '' } = row;
    if (image === '') fail(`${line} names no image`);
    if (mask === '' && !segment) fail(`${line} names no mask for ${image} (or say --segment)`);
    if (mpp !== '' && !(Number(mpp) > 0 && Number.isFinite(Number(mpp)))) fail(`${line}: mpp must be a number above 0, received '${mpp}'`);
    return {
      image: from(image),
      mask: segment ? undefined : from(mask),
      mpp: mpp === '' ? undefined : Number(mpp),
      labels: [image, ...carried.map((name) => row[name] ?? '')],
    };
  });
  return { pairs, columns: ['image', ...carried], notes: repeated(path, pairs) };
}

async function readRows(path: string): Promise<Record<string, string>[]> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new UamError('UAM_INPUT', `cannot read the manifest ${path}: ${(error as Error).message}`, { cause: error });
  }
  const { parse } = await import('csv-parse/sync');
  try {
    return parse(text, {
      bom: true,
      columns: (header: string[]) => {
        const twice = header.find((name, i) => header.indexOf(name) !== i);
        if (twice !== undefined) throw new Error(`two columns are named '${twice}'`);
        return header;
      },
      delimiter: /\.tsv$/i.test(path) ? '\t' : ',',
      skip_empty_lines: true,
      trim: true,
    }) as Record<string, string>[];
  } catch (error) {
    throw new UamError('UAM_FORMAT', `${path} is not a valid manifest: ${(error as Error).message}`, { cause: error });
  }
}

/** An image that is listed twice gives its cells twice: allowed, but seldom meant. */
function repeated(path: string, pairs: readonly InputPair[]): string[] {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const { image, mask } of pairs) {
    const key = JSON.stringify([image, mask]);
    if (seen.has(key)) twice.add(image);
    seen.add(key);
  }
  return twice.size === 0 ? [] : [`${path}: listed more than once: ${[...twice].slice(0, 5).join(', ')}; their cells will be, too`];
}
