// What a TIFF's tiles are packed with, undone. Every unpacker stops at the size that the tile must have, whatever the data say.
import { createInflate } from 'node:zlib';
import { DEFLATE_RATIO } from './inflate.js';

/** Unpacked bytes per packed byte that a compression can reach at most: a page that claims more is damaged. */
const ratios: Record<number, number> = { 1: 1, 5: 4096, 7: 4096 * 3, 8: DEFLATE_RATIO, 32946: DEFLATE_RATIO, 32773: 64, 50000: 1 << 16 };

export const mostUnpacked = (compression: number, packed: number): number => packed * (ratios[compression] ?? 1) + 64;

const names: Record<number, string> = {
  2: 'CCITT fax',
  3: 'CCITT fax',
  4: 'CCITT fax',
  6: 'old-style JPEG',
  34712: 'JPEG 2000',
  33003: 'JPEG 2000 (Aperio, YCbCr)',
  33004: 'JPEG 2000 (Aperio)',
  33005: 'JPEG 2000 (Aperio, RGB)',
  34887: 'LERC',
  34925: 'LZMA',
  22610: 'JPEG XR',
  34934: 'JPEG XR',
  50001: 'WebP',
  50002: 'JPEG XL',
  52546: 'JPEG XL',
};

/** The compressions that can be read, and the name of one that cannot. */
export const isKnownCompression = (compression: number): boolean => compression in ratios;
export const compressionName = (compression: number): string => names[compression] ?? `number ${compression}`;

/** The JPEG compression, which loses information: no label image can have it. */
export const JPEG = 7;

/** Unpacks a tile of at most `size` bytes, not JPEG. Less may come out where the data end early. */
export async function unpackTile(compression: number, bytes: Uint8Array, size: number): Promise<Uint8Array> {
  switch (compression) {
    case 1:
      return bytes.subarray(0, size);
    case 5:
      return unpackLzw(bytes, size);
    case 32773:
      return unpackBits(bytes, size);
    case 50000:
      return unpackZstd(bytes, size);
    default:
      return inflateUpTo(bytes, size);
  }
}

/** What may follow the last row: some writers fill the last strip up. */
const SLACK = 1 << 20;

/** The first `size` bytes of a zlib stream. It is followed to its end all the same: there stands the checksum. */
function inflateUpTo(bytes: Uint8Array, size: number): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const out = new Uint8Array(size);
    let filled = 0;
    let seen = 0;
    const stream = createInflate({ chunkSize: Math.max(64, Math.min(size + 1, 1 << 18)) });
    stream.on('data', (chunk: Uint8Array) => {
      out.set(chunk.subarray(0, size - filled), filled);
      filled = Math.min(size, filled + chunk.length);
      seen += chunk.length;
      if (seen > size + SLACK) stream.destroy(new Error(`the data hold far more than the ${size} bytes of a tile`));
    });
    stream.on('error', reject);
    stream.on('end', () => resolve(out.subarray(0, filled)));
    stream.end(bytes);
  });
}

/** PackBits, TIFF 6.0 section 9. */
function unpackBits(bytes: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  let at = 0;
  for (let i = 0; i < bytes.length && at < size; ) {
    const n = (bytes[i++]! << 24) >> 24;
    if (n >= 0) {
      const run = bytes.subarray(i, Math.min(i + n + 1, i + size - at));
      out.set(run, at);
      at += run.length;
      i += n + 1;
    } else if (n > -128 && i < bytes.length) {
      const end = Math.min(size, at + 1 - n);
      out.fill(bytes[i++]!, at, end);
      at = end;
    }
  }
  return out.subarray(0, at);
}

const CLEAR = 256;
const END = 257;
const LONGEST = 12;

/** LZW, TIFF 6.0 section 13: codes from the highest bit down, one bit longer from one entry before the table needs it. */
function unpackLzw(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length > 1 && bytes[0] === 0 && (bytes[1]! & 1) === 1) throw new Error('LZW of the old, reversed kind is not supported');
  const out = new Uint8Array(size);
  // Entry `code` repeats `lengths[code]` bytes of the output from `starts[code]`: an entry is always what was written last, plus
  // the byte after it.
  const starts = new Uint32Array(1 << LONGEST);
  const lengths = new Uint32Array(1 << LONGEST);
  let next = END + 1;
  let width = 9;
  let at = 0;
  let previous = -1;
  let previousAt = 0;
  let bits = 0;
  let held = 0;
  for (let i = 0; at < size; ) {
    while (held < width && i < bytes.length) {
      bits = ((bits << 8) | bytes[i++]!) & 0xffffff;
      held += 8;
    }
    if (held < width) break;
    held -= width;
    const code = (bits >> held) & ((1 << width) - 1);
    if (code === END) break;
    if (code === CLEAR) {
      next = END + 1;
      width = 9;
      previous = -1;
      continue;
    }
    if (previous >= 0 && next < 1 << LONGEST) {
      starts[next] = previousAt;
      lengths[next] = at - previousAt + 1; // its last byte is the first of what is written now
      next++;
    }
    const begin = at;
    if (code < CLEAR) {
      out[at++] = code;
    } else {
      if (code >= next) throw new Error('the LZW data name an entry that does not exist');
      const from = starts[code]!;
      const end = Math.min(size, at + lengths[code]!);
      for (let k = from; at < end; ) out[at++] = out[k++]!;
    }
    previous = code;
    previousAt = begin;
    if (next + 1 >= 1 << width && width < LONGEST) width++;
  }
  return out.subarray(0, at);
}

/** The content size that a Zstandard frame announces (RFC 8878, 3.1.1.1); undefined where it announces none. */
function zstdSize(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 14 || view.getUint32(0, true) !== 0xfd2fb528) return undefined;
  const flags = bytes[4]!;
  const single = (flags & 0x20) !== 0;
  const at = 5 + (single ? 0 : 1) + [0, 1, 2, 4][flags & 3]!;
  switch (flags >> 6) {
    case 0:
      return single ? bytes[at] : undefined;
    case 1:
      return view.getUint16(at, true) + 256;
    case 2:
      return view.getUint32(at, true);
    default:
      return at + 8 <= bytes.length ? Number(view.getBigUint64(at, true)) : undefined;
  }
}

async function unpackZstd(bytes: Uint8Array, size: number): Promise<Uint8Array> {
  const announced = zstdSize(bytes);
  if (announced === undefined || announced > size * 2 + 65536) throw new Error('the Zstandard data do not announce a size that fits');
  const { getDecoder } = await import('geotiff');
  const decoder = await getDecoder(50000, { tileWidth: 1, tileHeight: 1, predictor: 1, bitsPerSample: 8, planarConfiguration: 1 });
  const copy = new Uint8Array(bytes); // the decoder takes a whole buffer
  const out = await decoder.decode(copy.buffer);
  return new Uint8Array(out).subarray(0, size);
}
