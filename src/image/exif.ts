/** What of an EXIF block matters here. */
export interface Exif {
  /** 1 to 8; 1 is upright. */
  orientation: number;
  /** Pixels per inch along x and y. */
  perInch?: [number, number];
}

const ORIENTATION = 0x112;
const RESOLUTION_X = 0x11a;
const RESOLUTION_Y = 0x11b;
const UNIT = 0x128;

/** Reads the first directory of an EXIF block, a small TIFF (CIPA DC-008). What is broken counts as absent. */
export function readExif(exif: Uint8Array | undefined): Exif {
  const found: Exif = { orientation: 1 };
  if (!exif || exif.length < 14) return found;
  const view = new DataView(exif.buffer, exif.byteOffset, exif.byteLength);
  const little = view.getUint16(0) === 0x4949;
  const ifd = view.getUint32(4, little);
  if (ifd + 2 > exif.length) return found;
  const values = new Map<number, number>();
  const entries = view.getUint16(ifd, little);
  for (let at = ifd + 2; at < ifd + 2 + entries * 12 && at + 12 <= exif.length; at += 12) {
    const type = view.getUint16(at + 2, little);
    const pointer = view.getUint32(at + 8, little);
    if (type === 3) values.set(view.getUint16(at, little), view.getUint16(at + 8, little));
    if (type === 5 && pointer + 8 <= exif.length) {
      values.set(view.getUint16(at, little), view.getUint32(pointer, little) / view.getUint32(pointer + 4, little));
    }
  }
  const scale = { 2: 1, 3: 2.54 }[values.get(UNIT) ?? 2];
  const x = values.get(RESOLUTION_X);
  const y = values.get(RESOLUTION_Y);
  if (scale && x !== undefined && y !== undefined) found.perInch = [x * scale, y * scale];
  found.orientation = values.get(ORIENTATION) ?? 1;
  return found;
}
