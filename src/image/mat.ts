// MATLAB 5 to 7.2 files (MATLAB's "MAT-File Format", R2023a): the numeric matrices, of either byte order, compressed or not.
import { dataError, decoding, formatError } from './failure.js';
import { DEFLATE_RATIO, inflateAtMost, inflateStart } from './inflate.js';
import { hostIsLittle, type NumericArray, swapBytes } from './numeric_array.js';

/** A variable of a .mat file, not yet unpacked. */
export interface MatVariable {
  name: string;
  /** MATLAB's class: `double`, `int32`, `struct` ... */
  kind: string;
  shape: number[];
  /** Whether `load` can give its values. */
  numeric: boolean;
  /** The values in MATLAB's order: the first index runs fastest. */
  load(): Promise<NumericArray>;
}

const MATRIX = 14;
const COMPRESSED = 15;

const classes: Record<number, string> = {
  1: 'cell',
  2: 'struct',
  3: 'object',
  4: 'char',
  5: 'sparse',
  6: 'double',
  7: 'single',
  8: 'int8',
  9: 'uint8',
  10: 'int16',
  11: 'uint16',
  12: 'int32',
  13: 'uint32',
  14: 'int64',
  15: 'uint64',
};

/** How values are stored, which may be narrower than their class. */
const stored: Record<number, { size: number; from(buffer: ArrayBuffer): NumericArray }> = {
  1: { size: 1, from: (buffer) => new Int8Array(buffer) },
  2: { size: 1, from: (buffer) => new Uint8Array(buffer) },
  3: { size: 2, from: (buffer) => new Int16Array(buffer) },
  4: { size: 2, from: (buffer) => new Uint16Array(buffer) },
  5: { size: 4, from: (buffer) => new Int32Array(buffer) },
  6: { size: 4, from: (buffer) => new Uint32Array(buffer) },
  7: { size: 4, from: (buffer) => new Float32Array(buffer) },
  9: { size: 8, from: (buffer) => new Float64Array(buffer) },
  12: { size: 8, from: (buffer) => new BigInt64Array(buffer) },
  13: { size: 8, from: (buffer) => new BigUint64Array(buffer) },
};

/** A tagged piece of the file. */
interface Element {
  type: number;
  start: number;
  length: number;
  /** Where the next one begins. */
  next: number;
}

/** Reads a tag; a piece of up to four bytes shares its tag's eight. */
function elementAt(name: string, view: DataView, at: number, little: boolean): Element {
  if (at + 8 > view.byteLength) throw formatError(name, 'this MATLAB file ends too early; is it truncated?');
  const word = view.getUint32(at, little);
  if (word >>> 16) return { type: word & 0xffff, start: at + 4, length: Math.min(4, word >>> 16), next: at + 8 };
  const length = view.getUint32(at + 4, little);
  const padding = word === COMPRESSED ? 0 : (8 - (length % 8)) % 8;
  return { type: word, start: at + 8, length, next: at + 8 + length + padding };
}

interface Matrix {
  name: string;
  kind: string;
  complex: boolean;
  shape: number[];
  /** Where the values' tag lies. */
  values: number;
}

/** The flags, dimensions and name at the beginning of a matrix, whose tag lies at `at`. */
function readMatrix(name: string, view: DataView, at: number, little: boolean): Matrix {
  const inside = (element: Element): Element => {
    if (element.start + element.length > view.byteLength)
      throw formatError(name, 'this MATLAB file ends inside a variable; is it truncated?');
    return element;
  };
  const flags = inside(elementAt(name, view, at + 8, little));
  const dimensions = inside(elementAt(name, view, flags.next, little));
  const label = inside(elementAt(name, view, dimensions.next, little));
  if (flags.length < 8 || dimensions.type !== 5 || dimensions.length > 32 * 4)
    throw formatError(name, 'this MATLAB file has a broken variable');
  const word = view.getUint32(flags.start, little);
  return {
    name: Buffer.from(view.buffer, view.byteOffset + label.start, label.length).toString('latin1'),
    kind: classes[word & 255] ?? `class ${word & 255}`,
    complex: (word & 0x800) !== 0,
    shape: Array.from({ length: dimensions.length >> 2 }, (_, i) => view.getInt32(dimensions.start + 4 * i, little)),
    values: label.next,
  };
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/**
 * Lists the variables of a .mat file. Compressed ones are unpacked only as far as their names, until `load` asks for more.
 *
 * @throws `UAM_FORMAT` where the file is broken, or of version 7.3 or 4
 */
export async function matVariables(name: string, bytes: Uint8Array): Promise<MatVariable[]> {
  if (bytes.length < 128) throw formatError(name, 'this MATLAB file ends inside its header');
  const little = bytes[126] === 0x49; // 'IM' as a little-endian machine writes the number of 'MI'
  const view = viewOf(bytes);
  const version = view.getUint16(124, little);
  if (version !== 0x0100) {
    throw formatError(
      name,
      `MATLAB file version ${version >> 8}.${version & 255} is not supported${version === 0x0200 ? ' (7.3, HDF5)' : ''}; save with -v7`,
    );
  }
  const variables: MatVariable[] = [];
  for (let at = 128; at < bytes.length; ) {
    const element = elementAt(name, view, at, little);
    if (element.start + element.length > bytes.length) throw formatError(name, 'this MATLAB file ends inside a variable; is it truncated?');
    const content = bytes.subarray(element.start, element.start + element.length);
    if (element.type === COMPRESSED) variables.push(await compressedVariable(name, content, little));
    else if (element.type === MATRIX) {
      const whole = bytes.subarray(at, element.start + element.length);
      variables.push(variable(name, readMatrix(name, viewOf(whole), 0, little), little, async () => whole));
    }
    at = element.next;
  }
  return variables;
}

async function compressedVariable(name: string, packed: Uint8Array, little: boolean): Promise<MatVariable> {
  const start = await decoding(name, 'a variable of this MATLAB file cannot be unpacked', () => inflateStart(packed));
  const view = viewOf(start);
  const outer = elementAt(name, view, 0, little);
  const size = 8 + outer.length;
  if (outer.type !== MATRIX || size > packed.length * DEFLATE_RATIO + 64)
    throw formatError(name, 'this MATLAB file has a broken compressed variable');
  return variable(name, readMatrix(name, view, 0, little), little, () =>
    decoding(name, 'a variable of this MATLAB file cannot be unpacked', () => inflateAtMost(packed, size + 8)),
  );
}

function variable(file: string, matrix: Matrix, little: boolean, unpack: () => Promise<Uint8Array>): MatVariable {
  const { name, kind, shape, complex } = matrix;
  return {
    name,
    kind,
    shape,
    numeric: /int|double|single/.test(kind) && !complex,
    async load() {
      const bytes = await unpack();
      const element = elementAt(file, viewOf(bytes), matrix.values, little);
      const how = stored[element.type];
      const count = shape.reduce((product, size) => product * size, 1);
      if (!how) throw dataError(file, `variable ${name} holds values of an unknown type`);
      if (element.length !== count * how.size || element.start + element.length > bytes.length) {
        throw formatError(
          file,
          `variable ${name} holds ${element.length} bytes where ${shape.join(' x ')} values need ${count * how.size}: the file is damaged`,
        );
      }
      const own = new Uint8Array(bytes.subarray(element.start, element.start + element.length));
      if (how.size > 1 && little !== hostIsLittle) swapBytes(own, how.size);
      return how.from(own.buffer as ArrayBuffer);
    },
  };
}
