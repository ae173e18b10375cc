// From the unpacked bytes of a tile to its samples: byte order, predictors, and samples shorter than a byte.
import { halfToNumber, hostIsLittle, type NumericArray, swapBytes } from './numeric_array.js';
import type { TiffPage } from './tiff_directory.js';
import { rowBytes, samplesPerTile } from './tiff_directory.js';

type SamplesConstructor = (new (
  length: number,
) => NumericArray) &
  (new (
    buffer: ArrayBufferLike,
    at: number,
    length: number,
  ) => NumericArray);

const arrays: Record<string, SamplesConstructor> = {
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
  uint64: BigUint64Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  int64: BigInt64Array,
  float16: Uint16Array, // half floats are widened once the predictor is undone
  float32: Float32Array,
  float64: Float64Array,
} as Record<string, SamplesConstructor>;

/** `uint8`, `float32` ...: how a page's samples are stored; samples of 1, 2 and 4 bits become `uint8`. */
export function sampleType(page: TiffPage): string | undefined {
  const type = `${page.format}${[1, 2, 4].includes(page.bits) && page.format === 'uint' ? 8 : page.bits}`;
  return type in arrays ? type : undefined;
}

/** An array for `length` samples of a type. */
export function samplesOf(type: string, length: number): NumericArray {
  return new (type === 'float16' ? Float32Array : arrays[type]!)(length);
}

/** The samples of a tile of `rows` rows. `bytes` must hold all of them; they are used up. */
export function samplesOfTile(page: TiffPage, type: string, bytes: Uint8Array, rows: number, little: boolean): NumericArray {
  const perRow = page.tileWidth * samplesPerTile(page);
  if (page.bits < 8) return unpackFields(page, bytes, perRow, rows);
  const size = page.bits / 8;
  const length = rowBytes(page) * rows;
  const own = new Uint8Array(length); // aligned, and never a view of the caller's file
  own.set(bytes.subarray(0, length));
  if (page.predictor === 3) {
    for (let y = 0; y < rows; y++) undoFloatPredictor(own.subarray(y * perRow * size, (y + 1) * perRow * size), size, samplesPerTile(page));
  } else if (size > 1 && little !== hostIsLittle) {
    swapBytes(own, size);
  }
  const samples = new arrays[type]!(own.buffer, 0, perRow * rows);
  if (page.predictor === 2) {
    for (let y = 0; y < rows; y++) undoDifferences(samples, y * perRow, perRow, samplesPerTile(page));
  }
  return type === 'float16' ? Float32Array.from(samples as Uint16Array, halfToNumber) : samples;
}

/** Predictor 2: each sample was stored as its difference to the pixel before. Typed arrays wrap round as the format wants. */
function undoDifferences(samples: NumericArray, start: number, length: number, step: number): void {
  if (samples instanceof BigInt64Array || samples instanceof BigUint64Array) {
    for (let i = start + step; i < start + length; i++) samples[i]! += samples[i - step]!;
  } else {
    for (let i = start + step; i < start + length; i++) samples[i]! += samples[i - step]!;
  }
}

/** Predictor 3 (Adobe Photoshop TIFF technical note 3): bytes by significance, highest first, then differences of bytes. */
function undoFloatPredictor(row: Uint8Array, size: number, step: number): void {
  for (let i = step; i < row.length; i++) row[i]! += row[i - step]!;
  const planes = row.slice();
  const count = row.length / size;
  for (let i = 0; i < count; i++) {
    for (let b = 0; b < size; b++) row[i * size + (hostIsLittle ? size - 1 - b : b)] = planes[b * count + i]!;
  }
}

/** NumericArray of 1, 2 or 4 bits, from the highest bit of a byte down; rows begin at a byte. */
function unpackFields(page: TiffPage, bytes: Uint8Array, perRow: number, rows: number): Uint8Array {
  const { bits } = page;
  const out = new Uint8Array(perRow * rows);
  const perByte = 8 / bits;
  const mask = (1 << bits) - 1;
  const stride = rowBytes(page);
  for (let y = 0; y < rows; y++) {
    for (let i = 0; i < perRow; i++) {
      out[y * perRow + i] = (bytes[y * stride + Math.floor(i / perByte)]! >> (8 - bits * ((i % perByte) + 1))) & mask;
    }
  }
  return out;
}
