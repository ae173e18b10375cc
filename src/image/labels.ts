// From the numbers of a mask file to cell ids, and the doubts that those numbers raise.
import { dataError } from './failure.js';
import type { NumericArray } from './numeric_array.js';
import type { Warnings } from './warnings.js';

/** A grid of numbers read from a mask file. */
export interface StoredLabels {
  name: string;
  width: number;
  height: number;
  data: NumericArray;
  /** Floats stand for whole numbers as a matter of course (MATLAB's usual class): no warning. */
  floatsAreUsual?: boolean;
  /** Floats up to this bound hold every whole number: ids beyond it may have been merged. */
  exactTo?: number;
}

const MOST = 0xffffffff;

/**
 * The ids of a mask, checked: whole numbers from 0 to 2^32-1.
 *
 * @throws `UAM_DATA` where a value is negative, not a whole number, or too large
 */
export function toLabels(stored: StoredLabels, warnings: Warnings): Uint32Array {
  const { data } = stored;
  if (data instanceof Uint32Array) return data;
  if (data instanceof Uint8Array || data instanceof Uint16Array) return Uint32Array.from(data);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) return fromBig(stored, data);
  const labels = new Uint32Array(data.length);
  const isFloat = data instanceof Float32Array || data instanceof Float64Array;
  const most = isFloat ? Math.min(MOST, stored.exactTo ?? (data instanceof Float32Array ? 2 ** 24 : MOST)) : MOST;
  for (let i = 0; i < data.length; i++) {
    const value = data[i] as number;
    labels[i] = value;
    if (labels[i] !== value || value > most) refuseValue(stored, i, value, most);
  }
  if (isFloat && !stored.floatsAreUsual) {
    warnings.add('float_mask', `${stored.name}: the labels are stored as floats; all are whole numbers and were taken as ids`);
  }
  return labels;
}

function fromBig(stored: StoredLabels, data: BigInt64Array | BigUint64Array): Uint32Array {
  const labels = new Uint32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const value = data[i]!;
    if (value < 0n || value > 0xffffffffn) refuseValue(stored, i, Number(value), MOST);
    labels[i] = Number(value);
  }
  return labels;
}

function refuseValue({ name, width, data }: StoredLabels, at: number, value: number, most: number): never {
  const where = `at x ${at % width}, y ${Math.floor(at / width)}`;
  if (value < 0) {
    const count = (data as ArrayLike<number | bigint> & { filter(test: (value: number | bigint) => boolean): { length: number } }).filter(
      (v) => v < 0,
    ).length;
    throw dataError(
      name,
      `holds the negative id ${value} ${where} (${count} pixels in all); ids are whole numbers above 0, with 0 for no cell`,
    );
  }
  if (Number.isNaN(value)) throw dataError(name, `holds NaN ${where}; a mask holds whole numbers, with 0 for no cell`);
  if (!Number.isInteger(value) && Number.isFinite(value)) {
    throw dataError(
      name,
      `holds ${value} ${where}, which is not a whole number; is this an image or a probability map rather than a label mask?`,
    );
  }
  const why =
    most < MOST
      ? `beyond which floats of this size do not hold every whole number: save the mask as 32-bit integers`
      : `the largest id that is kept: renumber the cells`;
  throw dataError(name, `holds the id ${value} ${where}, more than ${most}, ${why}`);
}

/** How many different ids make it unlikely that a file's highest possible value is an id by chance. */
const MANY = 16;

/** Names the doubts that a mask raises although it can be used: no cell, one cell, ids cut off at the top of their type. */
export function warnAboutLabels(name: string, labels: Uint32Array, stored: NumericArray, warnings: Warnings): void {
  let highest = 0;
  for (let i = 0; i < labels.length; i++) if (labels[i]! > highest) highest = labels[i]!;
  if (highest === 0) {
    warnings.add('empty_mask', `${name}: the mask holds no cell`);
    return;
  }
  const seen = highest <= 65535 ? idsSeen(labels) : undefined;
  const count = seen?.reduce((sum, flag) => sum + flag, 0) ?? Number.POSITIVE_INFINITY;
  if (count === 1 && [1, 255, 65535].includes(highest)) {
    warnings.add(
      'binary_mask',
      `${name}: the mask holds 0 and ${highest} only, so it is one cell with the id ${highest}; if it shows many cells, ` +
        'give each its own id first (connected components)',
    );
    return;
  }
  const top = stored instanceof Uint8Array ? 255 : stored instanceof Uint16Array ? 65535 : undefined;
  if (highest === top && seen && (count >= MANY || seen[top - 1])) {
    warnings.add(
      'clipped_labels',
      `${name}: the highest of its ${count} ids is ${top}, the most that ${top === 255 ? 8 : 16} bits hold; cells beyond it may have been merged ` +
        'into one: export the mask with 32 bits (TIFF or NPY)',
    );
  }
}

/** A 1 for every id that occurs, for ids of 16 bits. */
function idsSeen(labels: Uint32Array): Uint8Array {
  const seen = new Uint8Array(65536);
  for (let i = 0; i < labels.length; i++) seen[labels[i]!] = 1;
  seen[0] = 0;
  return seen;
}
