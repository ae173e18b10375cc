// Small MATLAB 5 files made by hand.
import { deflateSync } from 'node:zlib';

const number = (value: number, little: boolean): Buffer => {
  const out = Buffer.alloc(4);
  if (little) out.writeUInt32LE(value >>> 0);
  else out.writeUInt32BE(value >>> 0);
  return out;
};

/** A tagged piece; those of up to four bytes may share the tag's eight. */
function element(type: number, body: Buffer, little: boolean, small = false): Buffer {
  if (small && body.length <= 4) {
    const word = number((body.length << 16) | type, little);
    return Buffer.concat([word, body, Buffer.alloc(4 - body.length)]);
  }
  return Buffer.concat([number(type, little), number(body.length, little), body, Buffer.alloc((8 - (body.length % 8)) % 8)]);
}

export interface MatMatrix {
  name: string;
  /** MATLAB's class: 6 double, 12 int32, 11 uint16 ... */
  kind: number;
  /** How the values are stored: 9 double, 5 int32, 4 uint16, 2 uint8 ... */
  type: number;
  shape: number[];
  /** The values in MATLAB's order, as bytes in the file's byte order. */
  values: Buffer;
  flags?: number;
}

/** A file with these matrices. */
export function matFile(matrices: MatMatrix[], { little = true, compress = false } = {}): Buffer {
  const head = Buffer.alloc(128, ' ');
  head.write('MATLAB 5.0 MAT-file, made for a test');
  head.fill(0, 116, 124);
  if (little) head.write('\x00\x01IM', 124, 'latin1');
  else head.write('\x01\x00MI', 124, 'latin1');
  const body = matrices.map(({ name, kind, type, shape, values, flags = 0 }) => {
    const matrix = element(
      14,
      Buffer.concat([
        element(6, Buffer.concat([number(kind | flags, little), number(0, little)]), little),
        element(5, Buffer.concat(shape.map((size) => number(size, little))), little),
        element(1, Buffer.from(name), little, true),
        element(type, values, little, true),
      ]),
      little,
    );
    if (!compress) return matrix;
    const packed = deflateSync(matrix);
    return Buffer.concat([number(15, little), number(packed.length, little), packed]);
  });
  return Buffer.concat([head, ...body]);
}
