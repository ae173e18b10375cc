// Label masks in files that hold named arrays: NPY, NPZ and MATLAB.
import { dataError, formatError, refuseHuge } from './failure.js';
import type { StoredLabels } from './labels.js';
import { matVariables } from './mat.js';
import { fromFortran, type NpyArray, readNpy, readNpyHeader } from './npy.js';
import { readZipEntry, type ZipEntry, zipEntries } from './zip.js';

/** Names that masks go by, the likeliest first. */
const USUAL = ['inst_map', 'labels', 'label', 'mask', 'masks', 'instance_map', 'inst'] as const;

/** Rows and columns of an array: two axes, or three of which the first or last has length 1. */
function gridShape(shape: readonly number[]): [height: number, width: number] | undefined {
  let axes = [...shape];
  if (axes.length === 3) axes = axes[2] === 1 ? axes.slice(0, 2) : axes[0] === 1 ? axes.slice(1) : axes;
  return axes.length === 2 && axes[0]! > 0 && axes[1]! > 0 ? (axes as [number, number]) : undefined;
}

const inWords = (shape: readonly number[]): string => (shape.length ? `[${shape.join(', ')}]` : 'a single number');

/** The labels of a .npy file. */
export function npyLabels(name: string, bytes: Uint8Array, maxPixels: number): StoredLabels {
  refuseShape(name, readNpyHeader(bytes, name).shape, maxPixels);
  return gridOf(name, readNpy(bytes, name));
}

function refuseShape(name: string, shape: readonly number[], maxPixels: number): void {
  const grid = gridShape(shape);
  if (grid) refuseHuge(name, grid[1], grid[0], maxPixels);
  else {
    throw dataError(
      name,
      `holds an array of shape ${inWords(shape)}; a mask has two axes, rows and columns` +
        (shape.length > 2 ? ' (several masks or channels in one array must be taken apart first)' : ''),
    );
  }
}

function gridOf(name: string, { data, shape, dtype }: NpyArray): StoredLabels {
  const [height, width] = gridShape(shape)!;
  return { name, width, height, data, ...(dtype === 'float16' && { exactTo: 2048 }) };
}

/** Says which of several arrays is the mask: the one asked for, one of a usual name, or the only one that can be. */
function choose<T extends { name: string }>(file: string, all: T[], fits: (one: T) => boolean, key: string | undefined): T {
  const listed = all.map(({ name }) => name).join(', ') || 'nothing';
  if (key !== undefined) {
    const found = all.find(({ name }) => name === key);
    if (!found) throw dataError(file, `holds no '${key}'; it holds ${listed}`);
    return found;
  }
  for (const usual of USUAL) {
    const found = all.find((one) => one.name === usual && fits(one));
    if (found) return found;
  }
  const fitting = all.filter(fits);
  if (fitting.length === 1) return fitting[0]!;
  throw dataError(
    file,
    `${fitting.length ? 'holds several arrays that could be the mask' : 'holds no array that could be a mask'} (it holds ${listed}); name it with the option key`,
  );
}

/** The labels of an .npz file, a ZIP archive of .npy files. */
export async function npzLabels(name: string, bytes: Uint8Array, key: string | undefined, maxPixels: number): Promise<StoredLabels> {
  const arrays: { name: string; entry: ZipEntry; shape?: number[] }[] = zipEntries(name, bytes)
    .filter((entry) => entry.name.endsWith('.npy'))
    .map((entry) => ({ name: entry.name.slice(0, -4), entry }));
  if (arrays.length === 0) throw formatError(name, 'this ZIP archive holds no NumPy array (.npy)');
  const unpack = (entry: ZipEntry) => readZipEntry(name, bytes, entry);
  const named = key !== undefined || arrays.some((array) => (USUAL as readonly string[]).includes(array.name));
  // Without a telling name every array must be opened to see its shape; one at a time, none is kept.
  if (!named && arrays.length > 1) {
    for (const array of arrays) array.shape = readNpyHeader(await unpack(array.entry), name).shape;
  }
  const chosen = choose(name, arrays, (array) => array.shape === undefined || gridShape(array.shape) !== undefined, key);
  return npyLabels(`${name}:${chosen.name}`, await unpack(chosen.entry), maxPixels);
}

/** The labels of a MATLAB file: `inst_map`, the variable that `key` names, or the only matrix. */
export async function matLabels(name: string, bytes: Uint8Array, key: string | undefined, maxPixels: number): Promise<StoredLabels> {
  const variables = await matVariables(name, bytes);
  const isGrid = (shape: readonly number[]) => gridShape(shape) !== undefined && Math.min(...shape) > 1;
  const chosen = choose(
    name,
    variables,
    (one) => one.numeric && (isGrid(one.shape) || (USUAL as readonly string[]).includes(one.name)),
    key,
  );
  const called = `${name}:${chosen.name}`;
  if (!chosen.numeric) throw dataError(called, `is of class ${chosen.kind}; a mask is a matrix of real numbers`);
  if (chosen.shape.some((size) => size < 0)) throw formatError(called, 'has a broken size: the file is damaged');
  refuseShape(called, chosen.shape, maxPixels);
  const [height, width] = gridShape(chosen.shape)!;
  const values = await chosen.load();
  return { name: called, width, height, data: fromFortran(values, [height, width]), floatsAreUsual: true };
}
