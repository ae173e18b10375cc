// NumPy arrays of texts: names beside stacks of images.
import { type FileInput, openSource } from './byte_source.js';
import { dataError, decoding } from './failure.js';
import { npyBytes, tooShort } from './npy.js';
import { npyHeaderOf } from './npy_file.js';

/** Characters of four bytes each, filled up with zeros. */
function wideText(view: DataView, at: number, width: number, little: boolean): string {
  const points: number[] = [];
  for (let i = 0; i < width; i++) points.push(view.getUint32(at + 4 * i, little));
  return String.fromCodePoint(...points);
}

/**
 * The texts of a .npy file: NumPy's `<U12` (four bytes a character) or `|S12` (UTF-8).
 *
 * @param input the path or the bytes of an array of any shape
 * @returns the texts, the last index fastest
 * @throws UamError `UAM_INPUT` where the file cannot be read, `UAM_FORMAT` where it is broken or truncated, `UAM_DATA` where it holds
 *   something other than texts
 */
export async function readNpyTexts(input: FileInput): Promise<string[]> {
  const source = await openSource(input);
  const path = source.name;
  try {
    const header = await npyHeaderOf(source);
    const { descr, shape, start } = header;
    const [, order, letter, digits] = /^([<>|=])([US])([1-9]\d{0,5})$/.exec(descr) ?? [];
    if (!letter) throw dataError(path, `holds elements of type '${descr}'; texts such as '<U12' were expected: save them with astype(str)`);
    const width = Number(digits);
    const size = letter === 'U' ? 4 * width : width;
    const length = npyBytes(header, { size });
    if (!(length <= source.size - start)) throw tooShort(header, { dtype: descr, size }, source.size - start, path);
    const bytes = await source.read(start, length);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const count = shape.reduce((product, axis) => product * axis, 1);
    const textAt = (at: number): string =>
      letter === 'U' ? wideText(view, at, width, order !== '>') : Buffer.from(bytes.subarray(at, at + size)).toString('utf8');
    return await decoding(path, 'a text is no text', () => Array.from({ length: count }, (_, i) => textAt(i * size).replace(/\0+$/, '')));
  } finally {
    await source.close();
  }
}
