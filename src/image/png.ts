// A PNG decoder that gives the samples as they are stored: no gamma, no colour profile, no scaling, so that it serves label masks
// as well as images. Chunks, filters and interlacing are those of the PNG specification, https://www.w3.org/TR/png-3/
import { crc32 } from './crc32.js';
import { formatError, refuseHuge } from './failure.js';
import { DEFLATE_RATIO, inflateAtMost } from './inflate.js';

export interface Png {
  width: number;
  height: number;
  /** Bits per sample as stored: 1, 2, 4, 8 or 16. */
  depth: number;
  /** Samples per pixel as stored: 1 grey or palette index, 2 grey and alpha, 3 RGB, 4 RGBA. */
  samples: number;
  /** The samples, not scaled: a 4-bit sample is 0 to 15. */
  data: Uint8Array | Uint16Array;
  /** RGB triples where `data` holds palette indices. */
  palette?: Uint8Array;
  /** The transparent grey or RGB colour, or the alpha of each palette entry. */
  transparency?: Uint8Array;
}

/** What a PNG says before its pixels. */
export interface PngHeader {
  width: number;
  height: number;
  depth: number;
  colour: number;
  samples: number;
  interlaced: boolean;
}

const samplesOf: Record<number, number> = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 };
const depthsOf: Record<number, number[]> = { 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] };

export const PNG_PALETTE = 3;

function readHeader(name: string, view: DataView, at: number, length: number): PngHeader {
  if (length !== 13) throw formatError(name, 'this PNG has a broken header');
  const width = view.getUint32(at);
  const height = view.getUint32(at + 4);
  const depth = view.getUint8(at + 8);
  const colour = view.getUint8(at + 9);
  const interlace = view.getUint8(at + 12);
  const samples = samplesOf[colour];
  if (!width || !height || width > 0x7fffffff || height > 0x7fffffff) {
    throw formatError(name, `this PNG claims an impossible size, ${width} x ${height}`);
  }
  if (samples === undefined || !depthsOf[colour]?.includes(depth) || view.getUint16(at + 10) !== 0 || interlace > 1) {
    throw formatError(name, 'this PNG has a header that the PNG specification does not allow');
  }
  return { width, height, depth, colour, samples, interlaced: interlace === 1 };
}

/** A PNG whose chunks were found, its pixels still packed. */
export interface PngChunks {
  header: PngHeader;
  data: Uint8Array[];
  palette?: Uint8Array;
  transparency?: Uint8Array;
  /** Pixels per metre, along x and y. */
  perMetre?: [number, number];
  /** The EXIF block, which may name an orientation. */
  exif?: Uint8Array;
}

/** Walks the chunks. Those that decide what the pixels mean must have a right checksum; the pixels have one of their own. */
export function readPngChunks(name: string, bytes: Uint8Array): PngChunks {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: Partial<PngChunks> & { data: Uint8Array[] } = { data: [] };
  for (let at = 8; ; ) {
    if (at + 12 > bytes.length) throw formatError(name, 'this PNG ends before its last chunk; is it truncated?');
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const start = at + 8;
    if (length > bytes.length - start - 4) throw formatError(name, `this PNG ends inside its ${type} chunk; is it truncated?`);
    const body = bytes.subarray(start, start + length);
    if (['IHDR', 'PLTE', 'tRNS'].includes(type) && crc32(bytes.subarray(at + 4, start + length)) !== view.getUint32(start + length)) {
      throw formatError(name, `the ${type} chunk of this PNG has a wrong checksum: the file is damaged`);
    }
    if (at === 8 && type !== 'IHDR') throw formatError(name, 'this PNG does not begin with its header');
    if (type === 'IHDR') found.header ??= readHeader(name, view, start, length);
    else if (type === 'IDAT') found.data.push(body);
    else if (type === 'PLTE') found.palette = body;
    else if (type === 'tRNS') found.transparency = body;
    else if (type === 'eXIf') found.exif = body;
    else if (type === 'pHYs' && length === 9 && view.getUint8(start + 8) === 1) {
      found.perMetre = [view.getUint32(start), view.getUint32(start + 4)];
    } else if (type === 'IEND') break;
    else if ((bytes[at + 4]! & 0x20) === 0) throw formatError(name, `this PNG needs its ${type} chunk, which is not known here`);
    at = start + length + 4;
  }
  return found as PngChunks;
}

/** One pass of an interlaced image, or the only one: which pixels it holds. */
interface Pass {
  x: number;
  y: number;
  stepX: number;
  stepY: number;
  width: number;
  height: number;
  rowBytes: number;
}

const adam7 = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

function passesOf({ width, height, depth, samples, interlaced }: PngHeader): Pass[] {
  return (interlaced ? adam7 : [[0, 0, 1, 1] as const])
    .map(([x, y, stepX, stepY]) => {
      const w = Math.ceil((width - x) / stepX);
      return { x, y, stepX, stepY, width: w, height: Math.ceil((height - y) / stepY), rowBytes: Math.ceil((w * samples * depth) / 8) };
    })
    .filter((pass) => pass.width > 0 && pass.height > 0);
}

function paeth(left: number, up: number, corner: number): number {
  const a = Math.abs(up - corner);
  const b = Math.abs(left - corner);
  const c = Math.abs(left + up - 2 * corner);
  if (a <= b && a <= c) return left;
  return b <= c ? up : corner;
}

/**
 * Undoes the filters of a pass that starts at `from`, in place: row `y` ends at `from + y * rowBytes`, without its filter byte.
 * (A row moves towards the start only, so nothing is overwritten that is still to be read.)
 */
function unfilter(name: string, bytes: Uint8Array, from: number, { rowBytes, height }: Pass, pixelBytes: number): void {
  for (let y = 0; y < height; y++) {
    const source = from + y * (rowBytes + 1);
    const filter = bytes[source] as number;
    const row = from + y * rowBytes;
    bytes.copyWithin(row, source + 1, source + 1 + rowBytes);
    const above = y > 0 ? row - rowBytes : -1;
    if (filter === 0) continue;
    if (filter > 4) throw formatError(name, `this PNG uses the unknown row filter ${filter}: the file is damaged`);
    unfilterRow(bytes, row, above, rowBytes, pixelBytes, filter);
  }
}

/** `above < 0` stands for a row of zeros. */
function unfilterRow(bytes: Uint8Array, row: number, above: number, length: number, pixelBytes: number, filter: number): void {
  if (filter === 1 || (filter === 4 && above < 0)) {
    for (let i = pixelBytes; i < length; i++) bytes[row + i]! += bytes[row + i - pixelBytes]!;
  } else if (filter === 2) {
    if (above >= 0) for (let i = 0; i < length; i++) bytes[row + i]! += bytes[above + i]!;
  } else {
    for (let i = 0; i < length; i++) {
      const left = i < pixelBytes ? 0 : bytes[row + i - pixelBytes]!;
      const up = above < 0 ? 0 : bytes[above + i]!;
      const corner = above < 0 || i < pixelBytes ? 0 : bytes[above + i - pixelBytes]!;
      bytes[row + i]! += filter === 3 ? (left + up) >> 1 : paeth(left, up, corner);
    }
  }
}

/** The samples of rows of packed bytes: big-endian 16-bit words, bytes, or fields of a byte from its highest bit down. */
function unpackSamples(bytes: Uint8Array, pass: Pass, samples: number, depth: number): Uint8Array | Uint16Array {
  const perRow = pass.width * samples;
  const rows = bytes.subarray(0, pass.rowBytes * pass.height);
  if (depth === 8) return rows;
  if (depth === 16) {
    const out = new Uint16Array(perRow * pass.height);
    for (let i = 0; i < out.length; i++) out[i] = (rows[2 * i]! << 8) | rows[2 * i + 1]!;
    return out;
  }
  const out = new Uint8Array(perRow * pass.height);
  const perByte = 8 / depth;
  const mask = (1 << depth) - 1;
  for (let y = 0; y < pass.height; y++) {
    for (let i = 0; i < perRow; i++) {
      const shift = 8 - depth * ((i % perByte) + 1);
      out[y * perRow + i] = (rows[y * pass.rowBytes + Math.floor(i / perByte)]! >> shift) & mask;
    }
  }
  return out;
}

/** Puts the pixels of an interlaced pass where they belong. */
function scatter(from: Uint8Array | Uint16Array, pass: Pass, { width, samples }: PngHeader, to: Uint8Array | Uint16Array): void {
  for (let y = 0, i = 0; y < pass.height; y++) {
    for (let x = 0; x < pass.width; x++) {
      const at = ((pass.y + y * pass.stepY) * width + pass.x + x * pass.stepX) * samples;
      for (let c = 0; c < samples; c++) to[at + c] = from[i++]!;
    }
  }
}

/** Data after the last row is allowed, as by other readers, but not without end. */
const SLACK = 1 << 16;

/** Decodes a whole PNG (the first frame of an animated one). */
export async function decodePng(name: string, chunks: PngChunks, maxPixels: number): Promise<Png> {
  const { header } = chunks;
  const { width, height, depth, samples } = header;
  refuseHuge(name, width, height, maxPixels);
  if (header.colour === PNG_PALETTE && (!chunks.palette?.length || chunks.palette.length % 3)) {
    throw formatError(name, 'this PNG has no palette, or a broken one');
  }
  const passes = passesOf(header);
  const expected = passes.reduce((sum, pass) => sum + (pass.rowBytes + 1) * pass.height, 0);
  const packed = chunks.data.reduce((sum, part) => sum + part.length, 0);
  if (expected > packed * DEFLATE_RATIO + SLACK) {
    throw formatError(
      name,
      `this PNG claims ${width} x ${height} pixels, more than its ${packed} bytes of data can hold: the file is damaged`,
    );
  }
  const stream = chunks.data.length === 1 ? chunks.data[0]! : Buffer.concat(chunks.data);
  const rows = await inflateAtMost(stream, expected + SLACK).catch((error: Error) => {
    throw formatError(name, `the pixels of this PNG cannot be unpacked (${error.message}); is it truncated or damaged?`, error);
  });
  if (rows.length < expected) throw formatError(name, `this PNG holds ${rows.length} of ${expected} bytes of pixels; is it truncated?`);
  const data = assemble(name, rows, header, passes);
  const { palette, transparency } = chunks;
  return {
    width,
    height,
    depth,
    samples,
    data,
    ...(header.colour === PNG_PALETTE && palette && { palette }),
    ...(transparency && { transparency }),
  };
}

function assemble(name: string, rows: Uint8Array, header: PngHeader, passes: Pass[]): Uint8Array | Uint16Array {
  const { width, height, depth, samples, interlaced } = header;
  const pixelBytes = Math.max(1, (samples * depth) / 8);
  if (!interlaced) {
    unfilter(name, rows, 0, passes[0]!, pixelBytes);
    return unpackSamples(rows, passes[0]!, samples, depth);
  }
  const data = depth === 16 ? new Uint16Array(width * height * samples) : new Uint8Array(width * height * samples);
  let from = 0;
  for (const pass of passes) {
    unfilter(name, rows, from, pass, pixelBytes);
    scatter(unpackSamples(rows.subarray(from), pass, samples, depth), pass, header, data);
    from += (pass.rowBytes + 1) * pass.height;
  }
  return data;
}
