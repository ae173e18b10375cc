// The directories of a TIFF that is written: tags, where values lie that are too long to stand in them, and how pages are chained.

/** A tag of TIFF 6.0: `short` is 16 bits, `long` 32, `offset` 32 or in a BigTIFF 64; a rational is given as numerator, denominator. */
export interface TiffField {
  tag: number;
  type: 'text' | 'short' | 'long' | 'rational' | 'offset';
  values: readonly number[] | string;
}

const TYPES = {
  text: { code: 2, size: 1 },
  short: { code: 3, size: 2 },
  long: { code: 4, size: 4 },
  rational: { code: 5, size: 4 },
  offset: { code: 4, size: 4 },
  bigOffset: { code: 16, size: 8 },
} as const;

const typeOf = ({ type }: TiffField, big: boolean) => TYPES[type === 'offset' && big ? 'bigOffset' : type];

const listOf = ({ values }: TiffField): readonly number[] => (typeof values === 'string' ? [...Buffer.from(`${values}\0`)] : values);

/** The first bytes of a little-endian file whose first directory is at `directory`. */
export function tiffHeader(big: boolean, directory: number): Uint8Array {
  const head = Buffer.alloc(big ? 16 : 8);
  head.write('II', 0, 'latin1');
  head.writeUInt16LE(big ? 43 : 42, 2);
  if (big) {
    head.writeUInt16LE(8, 4); // bytes of an offset
    head.writeBigUInt64LE(BigInt(directory), 8);
  } else head.writeUInt32LE(directory, 4);
  return head;
}

/**
 * The directories of pages, one after the other, to be written at byte `at` of the file.
 *
 * @param pages the fields of each page, in any order
 */
export function tiffDirectories(pages: readonly (readonly TiffField[])[], at: number, big: boolean): Uint8Array {
  const parts: Uint8Array[] = [];
  let start = at;
  pages.forEach((fields, page) => {
    const block = directory(fields, start, page === pages.length - 1, big);
    parts.push(block);
    start += block.length;
  });
  return Buffer.concat(parts);
}

/** A directory and the values that do not fit into it. */
function directory(fields: readonly TiffField[], start: number, last: boolean, big: boolean): Uint8Array {
  const word = big ? 8 : 4;
  const entrySize = big ? 20 : 12;
  const sorted = [...fields].sort((a, b) => a.tag - b.tag); // readers may rely on it
  const bodies = sorted.map((field) => ({ field, ...typeOf(field, big), list: listOf(field) }));
  const own = (big ? 8 : 2) + sorted.length * entrySize + word;
  const even = (length: number) => Math.ceil(length / word) * word;
  let end = even(own);
  for (const { list, size } of bodies) if (list.length * size > word) end += even(list.length * size);
  const out = Buffer.alloc(end);
  if (big) out.writeBigUInt64LE(BigInt(sorted.length), 0);
  else out.writeUInt16LE(sorted.length, 0);
  let free = even(own);
  bodies.forEach(({ field, code, size, list }, i) => {
    const entry = (big ? 8 : 2) + i * entrySize;
    const count = field.type === 'rational' ? list.length / 2 : list.length;
    out.writeUInt16LE(field.tag, entry);
    out.writeUInt16LE(code, entry + 2);
    writeWord(out, count, entry + 4, word);
    const inside = list.length * size <= word;
    let to = inside ? entry + 4 + word : free;
    if (!inside) {
      writeWord(out, start + free, entry + 4 + word, word);
      free += even(list.length * size);
    }
    for (const value of list) {
      writeWord(out, value, to, size);
      to += size;
    }
  });
  writeWord(out, last ? 0 : start + end, own - word, word);
  return out;
}

function writeWord(out: Buffer, value: number, at: number, size: number): void {
  if (size === 8) out.writeBigUInt64LE(BigInt(value), at);
  else out.writeUIntLE(value, at, size);
}

const MOST = 0xffffffff;

/** The fraction of two 32-bit numbers that is nearest to a positive number: its continued fraction, as far as it fits. */
export function rationalOf(value: number): [numerator: number, denominator: number] {
  let [n, d, lastN, lastD] = [Math.floor(value), 1, 1, 0];
  let rest = value - n;
  while (rest > 0 && Math.abs(n / d - value) > value * 1e-15) {
    const next = 1 / rest;
    const whole = Math.floor(next);
    const [toN, toD] = [whole * n + lastN, whole * d + lastD];
    if (toN > MOST || toD > MOST) break;
    [lastN, lastD, n, d] = [n, d, toN, toD];
    rest = next - whole;
  }
  return [n, d];
}
