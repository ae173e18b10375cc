// Small TIFF files made by hand: every field as the test wants it, also a wrong one.

/** `[tag, type, values]`: type 2 text, 3 short, 4 long, 5 rational (numerator, denominator, ...), 7 bytes, 13 page, 16 long of 64 bits. */
export type Field = readonly [tag: number, type: number, values: readonly number[] | string];

export interface Page {
  fields: Field[];
  /** The tiles or strips, already packed; their offsets and sizes are filled in. `null` stands for one that was never written. */
  tiles: (Uint8Array | null)[];
  tiled?: boolean;
  /** Pages that this one refers to (tag 330). */
  subPages?: Page[];
}

const sizes: Record<number, number> = { 1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 12: 8, 13: 4, 16: 8 };

/** Writes pages, in the order given. */
export function tiffFile(pages: Page[], { little = true, big = false } = {}): Buffer {
  const parts: Buffer[] = [];
  let length = 0;
  const put = (bytes: Uint8Array): number => {
    const at = length;
    const padded = Buffer.alloc(bytes.length + (bytes.length % 2));
    padded.set(bytes);
    parts.push(padded);
    length += padded.length;
    return at;
  };
  const number = (value: number, size: number): Buffer => {
    const out = Buffer.alloc(size);
    if (size === 8) little ? out.writeBigUInt64LE(BigInt(value)) : out.writeBigUInt64BE(BigInt(value));
    else if (little) out.writeUIntLE(value, 0, size);
    else out.writeUIntBE(value, 0, size);
    return out;
  };
  const word = big ? 8 : 4;
  put(
    Buffer.concat([
      Buffer.from(little ? 'II' : 'MM'),
      number(big ? 43 : 42, 2),
      ...(big ? [number(8, 2), number(0, 2)] : []),
      number(0, word),
    ]),
  );

  const writePage = (page: Page): { at: number; next: number } => {
    const subs = (page.subPages ?? []).map((sub) => writePage(sub).at);
    const offsets = page.tiles.map((tile) => (tile ? put(tile) : 0));
    const counts = page.tiles.map((tile) => tile?.length ?? 0);
    const fields: Field[] = [
      ...page.fields,
      [page.tiled ? 324 : 273, big ? 16 : 4, offsets],
      [page.tiled ? 325 : 279, 4, counts],
      ...(subs.length ? [[330, 13, subs] as Field] : []),
    ];
    // A field that is given explicitly wins over the one filled in.
    const unique = [...new Map([...fields].reverse().map((field) => [field[0], field])).values()].sort((a, b) => a[0] - b[0]);
    const entries = unique.map(([tag, type, values]) => {
      const list = typeof values === 'string' ? [...Buffer.from(`${values}\0`)] : [...values];
      const body =
        type === 12
          ? Buffer.concat(list.map((value) => doubleBytes(value, little)))
          : Buffer.concat(list.map((value) => number(value, type === 5 ? 4 : sizes[type]!)));
      const inline = body.length <= word;
      const value = inline ? Buffer.concat([body, Buffer.alloc(word - body.length)]) : number(put(body), word);
      return Buffer.concat([number(tag, 2), number(type, 2), number(type === 5 ? list.length / 2 : list.length, word), value]);
    });
    const head = number(entries.length, big ? 8 : 2);
    const at = put(Buffer.concat([head, ...entries, Buffer.alloc(word)]));
    return { at, next: at + head.length + entries.length * (big ? 20 : 12) };
  };

  let link = big ? 8 : 4;
  const links: [number, number][] = [];
  for (const page of pages) {
    const { at, next } = writePage(page);
    links.push([link, at]);
    link = next;
  }
  const file = Buffer.concat(parts);
  for (const [at, to] of links) file.set(number(to, word), at);
  return file;
}

function doubleBytes(value: number, little: boolean): Buffer {
  const out = Buffer.alloc(8);
  if (little) out.writeDoubleLE(value);
  else out.writeDoubleBE(value);
  return out;
}

type Values = Uint8Array | Uint16Array | Uint32Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array | BigInt64Array;

/** The bytes of values in the order that a file has. */
export function valueBytes(values: Values, little = true): Buffer {
  const bytes = Buffer.from(values.buffer.slice(values.byteOffset, values.byteOffset + values.byteLength) as ArrayBuffer);
  const size = values.BYTES_PER_ELEMENT;
  if (!little) for (let at = 0; at < bytes.length; at += size) bytes.subarray(at, at + size).reverse();
  return bytes;
}

/** A page of one uncompressed strip that holds `values`. */
export function stripPage(values: Values, width: number, height: number, fields: Field[] = [], little = true): Page {
  const samples = values.length / (width * height);
  const name = values.constructor.name;
  const format = name.startsWith('Float') ? 3 : /Uint/.test(name) ? 1 : 2;
  const all: Field[] = [
    [256, 4, [width]],
    [257, 4, [height]],
    [258, 3, new Array<number>(samples).fill(values.BYTES_PER_ELEMENT * 8)],
    [259, 3, [1]],
    [262, 3, [samples >= 3 ? 2 : 1]],
    [277, 3, [samples]],
    [278, 4, [height]],
    [339, 3, new Array<number>(samples).fill(format)],
  ];
  return { fields: [...all.filter(([tag]) => !fields.some((field) => field[0] === tag)), ...fields], tiles: [valueBytes(values, little)] };
}
