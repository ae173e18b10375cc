// NumPy's .npy files, format versions 1 to 3: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
import { UamError } from '../errors.js';
import { writeWhole } from '../files/write_whole.js';
import { dataError, formatError } from './failure.js';
import { halfToNumber, hostIsLittle, type NumericArray, swapBytes } from './numeric_array.js';

/** An array of a .npy file, in C order whatever the order in the file. */
export interface NpyArray {
  data: NumericArray;
  shape: number[];
  /** NumPy's name of the element type: `int32`, `bool`, `float16` (whose values come as float32) ... */
  dtype: string;
}

/** How the elements of an array are stored. */
export interface NpyKind {
  dtype: string;
  size: number;
  from(buffer: ArrayBuffer): NumericArray;
}

const kinds: Record<string, NpyKind> = {
  b1: { dtype: 'bool', size: 1, from: (buffer) => new Uint8Array(buffer).map((value) => Number(value !== 0)) },
  i1: { dtype: 'int8', size: 1, from: (buffer) => new Int8Array(buffer) },
  u1: { dtype: 'uint8', size: 1, from: (buffer) => new Uint8Array(buffer) },
  i2: { dtype: 'int16', size: 2, from: (buffer) => new Int16Array(buffer) },
  u2: { dtype: 'uint16', size: 2, from: (buffer) => new Uint16Array(buffer) },
  i4: { dtype: 'int32', size: 4, from: (buffer) => new Int32Array(buffer) },
  u4: { dtype: 'uint32', size: 4, from: (buffer) => new Uint32Array(buffer) },
  i8: { dtype: 'int64', size: 8, from: (buffer) => new BigInt64Array(buffer) },
  u8: { dtype: 'uint64', size: 8, from: (buffer) => new BigUint64Array(buffer) },
  f2: { dtype: 'float16', size: 2, from: (buffer) => Float32Array.from(new Uint16Array(buffer), halfToNumber) },
  f4: { dtype: 'float32', size: 4, from: (buffer) => new Float32Array(buffer) },
  f8: { dtype: 'float64', size: 8, from: (buffer) => new Float64Array(buffer) },
};

/** What a .npy file says before its numbers. */
export interface NpyHeader {
  descr: string;
  fortran: boolean;
  shape: number[];
  /** Where the numbers begin. */
  start: number;
}

/** Reads the header of a .npy file; `bytes` may be its beginning only. */
export function readNpyHeader(bytes: Uint8Array, name: string): NpyHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12 || String.fromCharCode(...bytes.subarray(0, 6)) !== '\x93NUMPY')
    throw formatError(name, 'this is not a NumPy array');
  const version = bytes[6]!;
  if (version < 1 || version > 3) throw formatError(name, `NumPy format version ${version} is not known`);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const at = version === 1 ? 10 : 12;
  if (length > bytes.length - at) throw formatError(name, 'this NumPy file ends inside its header; is it truncated?');
  const header = Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString('latin1');
  const descr = /'descr'\s*:\s*(?:'([^']*)'|(\[))/.exec(header);
  const fortran = /'fortran_order'\s*:\s*(True|False)/.exec(header)?.[1];
  const shape = /'shape'\s*:\s*\(([\d\sL,]*)\)/.exec(header)?.[1];
  if (descr?.[2]) throw formatError(name, 'this NumPy file holds records; save a plain array of labels');
  if (descr?.[1] === undefined || fortran === undefined || shape === undefined)
    throw formatError(name, 'this NumPy file has a broken header');
  const sizes = shape.split(',').flatMap((part) => (part.trim() ? [Number.parseInt(part, 10)] : []));
  if (sizes.some((size) => !Number.isSafeInteger(size))) throw formatError(name, 'this NumPy file has a broken shape');
  return { descr: descr[1], fortran: fortran === 'True', shape: sizes, start: at + length };
}

/**
 * Reads the bytes of a .npy file: booleans, integers of 8 to 64 bits, floats of 16 to 64 bits, of either byte order, in C or
 * Fortran order. 64-bit integers come as big integers.
 *
 * @param name what messages call the bytes
 * @throws `UAM_FORMAT` where the file is broken, `UAM_DATA` where it holds something other than numbers
 * @example
 * const { data, shape } = readNpy(encodeNpy(Int32Array.of(1, 2, 3, 4, 5, 6), [2, 3]));
 * console.log(shape, data); // [2, 3] Int32Array [1, 2, 3, 4, 5, 6]
 */
export function readNpy(bytes: Uint8Array, name = 'bytes'): NpyArray {
  const header = readNpyHeader(bytes, name);
  const { fortran, shape, start } = header;
  const kind = npyKind(header, name);
  const length = npyBytes(header, kind);
  if (!(length <= bytes.length - start)) throw tooShort(header, kind, bytes.length - start, name);
  const data = npyValues(bytes.subarray(start, start + length), header, kind);
  return { data: fortran ? fromFortran(data, shape) : data, shape, dtype: kind.dtype };
}

/** How the values of a file are stored, where they are numbers. */
export function npyKind({ descr }: NpyHeader, name: string): NpyKind {
  const kind = kinds[descr.slice(1)];
  if (kind && '<>|='.includes(descr[0]!)) return kind;
  const pickled = descr.endsWith('O')
    ? ' (pickled Python objects, as in cellpose _seg.npy files: save the masks alone with numpy.save)'
    : '';
  throw dataError(name, `holds elements of type '${descr}'${pickled}; booleans, integers and floats are read`);
}

/** How many bytes the values take. */
export const npyBytes = ({ shape }: NpyHeader, { size }: Pick<NpyKind, 'size'>): number =>
  shape.reduce((product, length) => product * length, size);

/** The error of a file that ends before its last value. */
export function tooShort(header: NpyHeader, { dtype, size }: Pick<NpyKind, 'dtype' | 'size'>, bytes: number, name: string): UamError {
  const array = `${header.shape.join(' x ')} ${dtype}`;
  return formatError(name, `an array of ${array} needs ${npyBytes(header, { size })} bytes, the file has ${bytes}; is it truncated?`);
}

/** Values from the bytes of a file, which are copied: even those of a Buffer, whose slice() is a view. */
export function npyValues(bytes: Uint8Array, { descr }: NpyHeader, kind: NpyKind): NumericArray {
  const own = new Uint8Array(bytes);
  const little = descr[0] !== '>';
  if (kind.size > 1 && little !== hostIsLittle) swapBytes(own, kind.size);
  return kind.from(own.buffer as ArrayBuffer);
}

/** An array whose first index runs fastest, put in the order whose last index does. */
export function fromFortran(data: NumericArray, shape: readonly number[]): NumericArray {
  if (shape.length < 2) return data;
  const out = data.slice();
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((product, size) => product * size, 1));
  const index = new Array<number>(shape.length).fill(0);
  for (let to = 0, from = 0; to < data.length; to++) {
    out[to] = data[from]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return out;
}

/** The type names of arrays in .npy files. */
function descrOf(data: NumericArray): string {
  const order = data.BYTES_PER_ELEMENT === 1 ? '|' : hostIsLittle ? '<' : '>';
  const kind = data instanceof Float32Array || data instanceof Float64Array ? 'f' : /^(Big)?Uint/.test(data.constructor.name) ? 'u' : 'i';
  return `${order}${kind}${data.BYTES_PER_ELEMENT}`;
}

/**
 * The bytes of a .npy file (format version 1) with an array in C order.
 *
 * @throws `UAM_SHAPE` where the shape does not fit the number of values
 * @example
 * const bytes = encodeNpy(new Float32Array(6), [2, 3]);
 * console.log(bytes.length); // 152: a header of 128 bytes and 24 bytes of numbers
 */
export function encodeNpy(data: NumericArray, shape: readonly number[]): Uint8Array {
  const header = npyHeader(data, shape);
  const bytes = new Uint8Array(header.length + data.byteLength);
  bytes.set(header);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), header.length);
  return bytes;
}

/** The part of a .npy file before its numbers, filled up to a multiple of 64 bytes. */
export function npyHeader(data: NumericArray, shape: readonly number[]): Uint8Array {
  const count = shape.reduce((product, size) => product * size, 1);
  if (count !== data.length) {
    throw new UamError('UAM_SHAPE', `encodeNpy: the shape [${shape.join(', ')}] has ${count} elements, received ${data.length}`);
  }
  const dict = `{'descr': '${descrOf(data)}', 'fortran_order': False, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`;
  const length = Math.ceil((10 + dict.length + 1) / 64) * 64;
  const text = `${dict.padEnd(length - 11)}\n`;
  return Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00', 'latin1'),
    Buffer.of((length - 10) & 255, (length - 10) >> 8),
    Buffer.from(text, 'latin1'),
  ]);
}

/**
 * Writes an array in C order as a .npy file, which appears whole or not at all.
 *
 * @throws `UAM_IO` where it cannot be written, `UAM_SHAPE` where the shape does not fit the number of values
 * @example
 * const { tmpdir } = await import('node:os');
 * await writeNpy(`${tmpdir()}/uam_values.npy`, Int32Array.of(1, 2, 3, 4), [2, 2]);
 */
export async function writeNpy(path: string, data: NumericArray, shape: readonly number[]): Promise<void> {
  await writeWhole(path, [npyHeader(data, shape), new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]);
}
