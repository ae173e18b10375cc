// A JPEG tile of a TIFF lacks what its page says once: the tables, and whether its colours are RGB or YCbCr (TIFF technical note 2).
// Put together they make an ordinary JPEG, which sharp decodes.
import { formatError } from './failure.js';
import { checkJpegHeader, decodeJpeg, jpegSegments, readJpegHeader } from './jpeg.js';
import type { TiffPage } from './tiff_directory.js';

const YCBCR = 6;

/** Adobe's marker, which tells a decoder the colour transform: 0 none, 1 YCbCr. */
function adobeMarker(transform: number): number[] {
  return [0xff, 0xee, 0, 14, ...Buffer.from('Adobe'), 0, 100, 0, 0, 0, 0, transform];
}

/** The segments of a JPEG, less those that state how its colours are coded (JFIF and Adobe): that the page knows. */
function segments(bytes: Uint8Array): { kept: Uint8Array[]; rest: Uint8Array } {
  const kept: Uint8Array[] = [];
  let scan = bytes.length;
  for (const [marker, start, end] of jpegSegments(bytes)) {
    if (marker === 0xda) {
      scan = start - 4;
      break;
    }
    if (marker !== 0xe0 && marker !== 0xee) kept.push(bytes.subarray(start - 4, end));
  }
  return { kept, rest: bytes.subarray(scan) };
}

/** Decodes a JPEG tile to its samples, side by side. */
export async function decodeJpegTile(
  name: string,
  page: TiffPage,
  bytes: Uint8Array,
  tables: Uint8Array | undefined,
  rows: number,
): Promise<Uint8Array> {
  const { kept, rest } = segments(bytes);
  const shared = tables ? segments(tables).kept : [];
  const marker = page.samples === 1 || page.planar ? [] : adobeMarker(page.photometric === YCBCR ? 1 : 0);
  const whole = Buffer.concat([Uint8Array.of(0xff, 0xd8, ...marker), ...shared, ...kept, rest]);
  const header = readJpegHeader(name, whole);
  checkJpegHeader(name, header, whole.length);
  const samples = page.planar ? 1 : page.samples;
  if (header.width < page.tileWidth || header.height < rows || header.components !== samples) {
    throw formatError(
      name,
      `page ${page.index} has a JPEG tile of ${header.width} x ${header.height} x ${header.components} ` +
        `where ${page.tileWidth} x ${rows} x ${samples} was expected: the file is damaged`,
    );
  }
  const limit = page.tileWidth * page.tileHeight * 4; // tiles may be filled up to whole blocks
  const decoded = await decodeJpeg(name, whole, header, Math.max(limit, 1 << 16));
  if (decoded.width === page.tileWidth) return decoded.data;
  const row = page.tileWidth * samples;
  const out = new Uint8Array(row * rows);
  for (let y = 0; y < rows; y++) {
    const from = y * decoded.width * samples;
    out.set(decoded.data.subarray(from, from + row), y * row);
  }
  return out;
}
