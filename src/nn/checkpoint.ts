// Safetensors: 8 bytes that tell the length of a JSON header, the header, the numbers. Nothing in such a file is ever executed.
import { type FileHandle, open } from 'node:fs/promises';
import { mismatch, UamError } from '../errors.js';
import { writeWhole } from '../files/write_whole.js';
import type { DataArray } from '../tensor/arena.js';
import { checkShape, format, type Shape, sizeOf } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { type Header, type HeaderEntry, LONGEST_HEADER, parseHeader, type StoredType } from './safetensors_header.js';

/** Numbers with a shape, as they are written and read. Tensors are such, also those on a card. */
export interface StoredTensor {
  shape: Shape;
  data: DataArray;
}

/** What a file holds. */
export interface Checkpoint {
  /** By name, in the order of the file. float16 and bfloat16 come as Float32Array, BOOL as Uint8Array. */
  tensors: Map<string, StoredTensor>;
  metadata: Map<string, string>;
}

/** Where the data begin is a multiple of this, so that others may map the file into memory. */
const ALIGNMENT = 64;

const livesOnCard = (stored: StoredTensor): stored is Tensor => stored instanceof Tensor && stored.device !== 'cpu';

function storedType(data: DataArray): StoredType {
  if (data instanceof Float32Array) return 'F32';
  if (data instanceof Float64Array) return 'F64';
  return data instanceof Int32Array ? 'I32' : 'U8';
}

const bytesOf = (data: DataArray) => new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);

/**
 * The bytes of a safetensors file, in parts that share the tensors' memory. Larger elements come first, so that all are aligned.
 *
 * @param tensors by name; names must differ, and none may be `__metadata__`
 * @throws UamError `UAM_ARGUMENT` for names that cannot be, `UAM_SHAPE` where a shape does not fit its data
 * @example
 * const parts = encodeCheckpoint(new Map([['weight', Tensor.from([1, 2, 3, 4], [2, 2])]]), { made: 'today' });
 * decodeCheckpoint(Buffer.concat(parts)).tensors.get('weight')?.data;   // Float32Array [1, 2, 3, 4]
 */
export function encodeCheckpoint(
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array[] {
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') throw mismatch('UAM_ARGUMENT', `checkpoint: metadata ${key}`, 'text', typeof value);
  }
  const host = [...tensors].map(([name, tensor]) => [name, livesOnCard(tensor) ? tensor.to('cpu') : tensor] as const);
  const list = host.sort(([, a], [, b]) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT);
  const fields: [string, unknown][] = Object.keys(metadata).length > 0 ? [['__metadata__', metadata]] : [];
  let at = 0;
  for (const [name, { shape, data }] of list) {
    if (name === '__metadata__' || name === '__proto__')
      throw new UamError('UAM_ARGUMENT', `checkpoint: no tensor may be called '${name}'`);
    checkShape(`checkpoint: ${name}`, shape);
    if (sizeOf(shape) !== data.length) throw mismatch('UAM_SHAPE', `checkpoint: ${name}`, `of ${data.length} elements`, format(shape));
    fields.push([name, { dtype: storedType(data), shape, data_offsets: [at, at + data.byteLength] }]);
    at += data.byteLength;
  }
  const text = `{${fields.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(',')}}`;
  const length = Math.ceil((8 + Buffer.byteLength(text)) / ALIGNMENT) * ALIGNMENT;
  if (length - 8 > LONGEST_HEADER) throw new UamError('UAM_ARGUMENT', `checkpoint: its names and metadata exceed ${LONGEST_HEADER} bytes`);
  const head = Buffer.alloc(length, ' ');
  head.writeBigUInt64LE(BigInt(length - 8));
  head.write(text, 8);
  return [head, ...list.map(([, { data }]) => bytesOf(data))];
}

/** The number that 16 bits of a half-precision float stand for (IEEE 754). */
function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** Numbers from a copy of their bytes. */
function numbersOf({ type, shape }: HeaderEntry, bytes: Uint8Array<ArrayBuffer>): DataArray {
  const { buffer } = bytes;
  switch (type) {
    case 'F64':
      return new Float64Array(buffer);
    case 'F32':
      return new Float32Array(buffer);
    case 'F16':
      return Float32Array.from(new Uint16Array(buffer), halfToNumber);
    case 'BF16': {
      const bits = new Uint32Array(sizeOf(shape));
      new Uint16Array(buffer).forEach((half, i) => {
        bits[i] = half << 16;
      });
      return new Float32Array(bits.buffer);
    }
    case 'I32':
      return new Int32Array(buffer);
    default:
      return bytes;
  }
}

/** The length of the header, from the file's first 8 bytes; checked against the file's size and the limit. */
function headerLength(first: Buffer, fileBytes: number, name: string): number {
  const length = first.length === 8 ? first.readBigUInt64LE() : 0n;
  if (length < 2n || length > BigInt(Math.min(LONGEST_HEADER, fileBytes - 8))) {
    const what = fileBytes < 10 ? `it has ${fileBytes} bytes` : `it claims a header of ${length} bytes`;
    throw new UamError('UAM_FORMAT', `${name}: not a safetensors file: ${what}`);
  }
  return Number(length);
}

/**
 * Reads a safetensors file from memory.
 *
 * @param name for errors
 * @throws UamError `UAM_FORMAT` for anything that is not as it should be: see `readCheckpoint`
 * @example
 * decodeCheckpoint(Buffer.concat(encodeCheckpoint(new Map()))).tensors.size;   // 0
 */
export function decodeCheckpoint(bytes: Uint8Array, name = 'checkpoint'): Checkpoint {
  const length = headerLength(Buffer.from(bytes.subarray(0, 8)), bytes.length, name);
  const start = 8 + length;
  const { entries, metadata } = parseHeader(bytes.subarray(8, start), bytes.length - start, name);
  const tensors = new Map(
    [...entries].map(([key, entry]): [string, StoredTensor] => {
      const copy = new Uint8Array(bytes.subarray(start + entry.begin, start + entry.end));
      return [key, { shape: entry.shape, data: numbersOf(entry, copy) }];
    }),
  );
  return { tensors, metadata };
}

/** Fills `buffer` from the file, or throws. */
async function readAt(file: FileHandle, buffer: Uint8Array, position: number, name: string): Promise<void> {
  for (let done = 0; done < buffer.length; ) {
    const { bytesRead } = await file.read(buffer, done, Math.min(buffer.length - done, 2 ** 30), position + done);
    if (bytesRead === 0) throw new UamError('UAM_FORMAT', `${name}: the file ends within its data`);
    done += bytesRead;
  }
}

async function opened<T>(path: string, work: (file: FileHandle, bytes: number) => Promise<T>): Promise<T> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (error) {
    throw new UamError('UAM_INPUT', `${path}: cannot be read: ${(error as Error).message}`, { cause: error });
  }
  try {
    const status = await file.stat();
    if (!status.isFile()) throw new UamError('UAM_INPUT', `${path}: is not a file`);
    return await work(file, status.size);
  } catch (error) {
    if (error instanceof UamError) throw error;
    if (error instanceof RangeError)
      throw new UamError('UAM_MEMORY', `${path}: there is not enough memory for its tensors`, { cause: error });
    throw new UamError('UAM_INPUT', `${path}: cannot be read: ${(error as Error).message}`, { cause: error });
  } finally {
    await file.close();
  }
}

async function headerOf(file: FileHandle, bytes: number, path: string): Promise<{ header: Header; start: number }> {
  const first = Buffer.alloc(Math.min(8, bytes));
  await readAt(file, first, 0, path);
  const length = headerLength(first, bytes, path);
  const text = new Uint8Array(length);
  await readAt(file, text, 8, path);
  return { header: parseHeader(text, bytes - 8 - length, path), start: 8 + length };
}

/**
 * Reads only what a safetensors file says about itself: names, types and shapes of its tensors, and its metadata.
 *
 * @throws UamError as `readCheckpoint`
 * @example
 * const { tmpdir } = await import('node:os');
 * const path = `${tmpdir()}/uam_example_header.safetensors`;
 * await writeCheckpoint(path, new Map([['bias', Tensor.zeros([3])]]));
 * (await readCheckpointHeader(path)).entries.get('bias')?.shape;   // [3]
 * await (await import('node:fs/promises')).rm(path);
 */
export const readCheckpointHeader = (path: string): Promise<Header> =>
  opened(path, async (file, bytes) => (await headerOf(file, bytes, path)).header);

/**
 * Reads a safetensors file. It may come from anyone: the header is limited to 16 MB, and no memory is taken before its types, shapes
 * and offsets were checked against the size of the file.
 *
 * @throws UamError `UAM_INPUT` where the file cannot be read, `UAM_FORMAT` where it is broken or holds other types than F64, F32,
 *   F16, BF16, I32, U8 and BOOL, `UAM_MEMORY`
 * @example
 * const { tmpdir } = await import('node:os');
 * const path = `${tmpdir()}/uam_example.safetensors`;
 * await writeCheckpoint(path, new Map([['bias', Tensor.zeros([3])]]), { note: 'zeros' });
 * const { tensors, metadata } = await readCheckpoint(path);
 * await (await import('node:fs/promises')).rm(path);
 */
export const readCheckpoint = (path: string): Promise<Checkpoint> =>
  opened(path, async (file, bytes) => {
    const { header, start } = await headerOf(file, bytes, path);
    const tensors = new Map<string, StoredTensor>();
    for (const [name, entry] of header.entries) {
      const data = new Uint8Array(entry.end - entry.begin);
      await readAt(file, data, start + entry.begin, path);
      tensors.set(name, { shape: entry.shape, data: numbersOf(entry, data) });
    }
    return { tensors, metadata: header.metadata };
  });

/**
 * Writes a safetensors file, which appears under its name when it is whole.
 *
 * @throws UamError `UAM_IO` where it cannot be written; as `encodeCheckpoint`
 * @example
 * const { tmpdir } = await import('node:os');
 * const path = `${tmpdir()}/uam_example_write.safetensors`;
 * await writeCheckpoint(path, new Map([['bias', Tensor.zeros([3])]]));
 * await (await import('node:fs/promises')).rm(path);
 */
export async function writeCheckpoint(
  path: string,
  tensors: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const host = new Map<string, StoredTensor>();
  for (const [name, tensor] of tensors) host.set(name, livesOnCard(tensor) ? await tensor.toAsync('cpu') : tensor);
  await writeWhole(path, encodeCheckpoint(host, metadata));
}
