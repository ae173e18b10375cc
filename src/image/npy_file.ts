// NumPy arrays larger than memory: read by parts along their first axis.
import { type ByteSource, type FileInput, openSource } from './byte_source.js';
import { argumentError, dataError } from './failure.js';
import { type NpyHeader, npyBytes, npyKind, npyValues, readNpyHeader, tooShort } from './npy.js';
import type { NumericArray } from './numeric_array.js';

/** An array in a .npy file that is opened but not held. */
export interface NpyFile {
  name: string;
  shape: readonly number[];
  /** NumPy's name of the element type: `uint8`, `float64` ... */
  dtype: string;
  /** `array[index]`: the values of one entry of the first axis, the last index fastest. */
  read(index: number): Promise<NumericArray>;
  close(): Promise<void>;
}

/** Headers of arrays are far shorter than this. */
const HEADER = 65536;

/** The header of a .npy file, of which no more is read. */
export async function npyHeaderOf(source: ByteSource): Promise<NpyHeader> {
  return readNpyHeader(await source.read(0, Math.min(source.size, HEADER)), source.name);
}

/**
 * Opens a .npy file for reading one entry of its first axis at a time: stacks of images are often larger than memory. That the file holds
 * as many values as it says is seen at once.
 *
 * @param input the path or the bytes of an array of numbers with two axes or more, in C order
 * @throws UamError `UAM_INPUT` where the file cannot be read, `UAM_FORMAT` where it is broken or truncated, `UAM_DATA` where it holds no
 *   numbers, or holds them in Fortran order
 */
export async function openNpy(input: FileInput): Promise<NpyFile> {
  const source = await openSource(input);
  const path = source.name;
  try {
    const header = await npyHeaderOf(source);
    const { shape, start } = header;
    const kind = npyKind(header, path);
    if (header.fortran) throw dataError(path, 'is in Fortran order, whose images lie scattered; save it with numpy.ascontiguousarray');
    const [count = 0, ...rest] = shape;
    if (rest.length === 0) throw dataError(path, `is an array of shape (${shape.join(', ')}); two axes or more were expected`);
    if (!(npyBytes(header, kind) <= source.size - start)) throw tooShort(header, kind, source.size - start, path);
    const length = rest.reduce((product, size) => product * size, kind.size);
    return {
      ...{ name: path, shape, dtype: kind.dtype },
      async read(index) {
        if (!(Number.isInteger(index) && index >= 0 && index < count)) {
          throw argumentError(`an entry of ${path} must be one of its ${count}, from 0, received ${index}`);
        }
        return npyValues(await source.read(start + index * length, length), header, kind);
      },
      close: () => source.close(),
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}
