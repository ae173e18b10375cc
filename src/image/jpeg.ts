// JPEG through sharp (libjpeg-turbo). Colours come out as they are stored: embedded profiles are ignored, as by PIL and OpenCV, and
// nothing is rotated.
import { decoding, formatError, refuseHuge } from './failure.js';

export interface JpegHeader {
  width: number;
  height: number;
  /** 1 grey, 3 colour, 4 CMYK. */
  components: number;
  /** Bits per sample: 8, rarely 12. */
  precision: number;
  /** Coded without loss, or by arithmetic: not decoded here. */
  unusual: boolean;
  /** Pixels per inch along x and y, where the file states them. */
  perInch?: [number, number];
  /** The EXIF block with its `Exif\0\0` removed. */
  exif?: Uint8Array;
}

const isFrame = (marker: number): boolean => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

/** The marker segments before the pixels: `[marker, start of the content, end]`. */
export function* jpegSegments(bytes: Uint8Array): Generator<[marker: number, start: number, end: number]> {
  let at = 2;
  while (at + 4 <= bytes.length) {
    if (bytes[at] !== 0xff) return;
    const marker = bytes[at + 1] as number;
    if (marker === 0xff) {
      at++; // fill byte
      continue;
    }
    if (marker === 0xd9) return;
    const end = at + 2 + ((bytes[at + 2]! << 8) | bytes[at + 3]!);
    if (end < at + 4 || end > bytes.length) return;
    yield [marker, at + 4, end];
    if (marker === 0xda) return; // the coded pixels follow
    at = end;
  }
}

/** Size and kind of a JPEG, from its frame header. */
export function readJpegHeader(name: string, bytes: Uint8Array): JpegHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let perInch: [number, number] | undefined;
  let exif: Uint8Array | undefined;
  for (const [marker, start, end] of jpegSegments(bytes)) {
    const tag = String.fromCharCode(...bytes.subarray(start, Math.min(end, start + 6)));
    if (marker === 0xe0 && tag.startsWith('JFIF\0') && end - start >= 12) {
      const scale = { 1: 1, 2: 2.54 }[bytes[start + 7]!];
      if (scale) perInch = [view.getUint16(start + 8) * scale, view.getUint16(start + 10) * scale];
    } else if (marker === 0xe1 && tag === 'Exif\0\0') {
      exif = bytes.subarray(start + 6, end);
    } else if (isFrame(marker) && end - start >= 6) {
      return {
        precision: bytes[start]!,
        height: view.getUint16(start + 1),
        width: view.getUint16(start + 3),
        components: bytes[start + 5]!,
        unusual: marker > 0xc2,
        ...(perInch && { perInch }),
        ...(exif && { exif }),
      };
    }
  }
  throw formatError(name, 'this JPEG has no readable header; is it truncated?');
}

/** An all-flat progressive JPEG comes to some hundred pixels a byte; what claims more is damaged. */
const PIXELS_PER_BYTE = 4096;

/** Refuses what sharp would refuse less clearly, or only after allocating much. */
export function checkJpegHeader(name: string, header: JpegHeader, size: number): void {
  const { width, height, components, precision, unusual } = header;
  if (!width || !height) throw formatError(name, `this JPEG claims an impossible size, ${width} x ${height}`);
  if (precision !== 8)
    throw formatError(name, `this JPEG has ${precision} bits per sample, only 8 are supported; convert it to PNG or TIFF`);
  if (unusual) throw formatError(name, 'this kind of JPEG (lossless, hierarchical or arithmetic) is not supported; convert it to PNG');
  if (components !== 1 && components !== 3) {
    throw formatError(name, `this JPEG has ${components} channels${components === 4 ? ' (CMYK)' : ''}; convert it to RGB`);
  }
  if (width * height > size * PIXELS_PER_BYTE) {
    throw formatError(name, `this JPEG claims ${width} x ${height} pixels, more than its ${size} bytes can hold: the file is damaged`);
  }
}

export interface DecodedJpeg {
  width: number;
  height: number;
  channels: 1 | 3;
  data: Uint8Array;
}

/** Decodes a JPEG whose header was read and checked; broken and truncated ones are errors. */
export async function decodeJpeg(name: string, bytes: Uint8Array, header: JpegHeader, maxPixels: number): Promise<DecodedJpeg> {
  refuseHuge(name, header.width, header.height, maxPixels);
  const { default: sharp } = await import('sharp');
  const { data, info } = await decoding(name, 'this JPEG cannot be decoded', () =>
    sharp(bytes, { failOn: 'error', ignoreIcc: true, limitInputPixels: false })
      .toColourspace(header.components === 1 ? 'b-w' : 'srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true }),
  );
  if (info.channels !== header.components || info.width !== header.width || info.height !== header.height) {
    throw formatError(
      name,
      `this JPEG decoded to ${info.width} x ${info.height} x ${info.channels}, unlike its header: the file is damaged`,
    );
  }
  return {
    width: info.width,
    height: info.height,
    channels: header.components as 1 | 3,
    data: new Uint8Array(data.buffer, data.byteOffset, data.length),
  };
}
