import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import { UamError } from '../errors.js';
import { writeWhole } from '../files/write_whole.js';
import { crc32 } from './crc32.js';
import { argumentError, dataError } from './failure.js';
import type { LabelMask } from './image.js';
import { npyHeader } from './npy.js';
import { hostIsLittle, swapBytes } from './numeric_array.js';

function checkMask({ width, height, data, name }: LabelMask): void {
  if (!(width > 0 && height > 0) || data.length !== width * height) {
    throw new UamError('UAM_SHAPE', `${name ?? 'a mask'} of ${width} x ${height} must hold ${width * height} ids, received ${data.length}`);
  }
}

const deflated = promisify(deflate);

function chunk(type: string, body: Uint8Array): Uint8Array[] {
  const head = Buffer.alloc(8);
  head.writeUInt32BE(body.length, 0);
  head.write(type, 4, 'latin1');
  const tail = Buffer.alloc(4);
  tail.writeUInt32BE(crc32(head.subarray(4), body), 0);
  return [head, body, tail];
}

/** The parts of a 16-bit grey PNG. Rows are stored as differences to the row above, which suits flat labels. */
async function pngParts({ width, height, data, name }: LabelMask): Promise<Uint8Array[]> {
  const row = 2 * width + 1;
  const rows = new Uint8Array(row * height);
  for (let y = 0, i = 0; y < height; y++) {
    rows[y * row] = y === 0 ? 0 : 2;
    for (let x = 0; x < width; x++, i++) {
      const id = data[i]!;
      if (id > 65535) throw dataError(name ?? 'a mask', `the id ${id} does not fit the 16 bits of a PNG; write it as .tif or .npy`);
      const above = y === 0 ? 0 : data[i - width]!;
      const at = y * row + 1 + 2 * x;
      rows[at] = (id >> 8) - (above >> 8);
      rows[at + 1] = (id & 255) - (above & 255);
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([16, 0, 0, 0, 0], 8);
  const signature = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
  return [signature, ...chunk('IHDR', header), ...chunk('IDAT', await deflated(rows, { level: 6 })), ...chunk('IEND', new Uint8Array())];
}

/** The parts of a TIFF of 32-bit unsigned integers in one uncompressed strip, little-endian. */
function tiffParts({ width, height, data, name }: LabelMask): Uint8Array[] {
  if (data.byteLength > 0xffff0000) throw dataError(name ?? 'a mask', 'more than 4 GB do not fit a TIFF; write it as .npy');
  // tag, type (3 short, 4 long), value
  const fields = [
    [256, 4, width],
    [257, 4, height],
    [258, 3, 32],
    [259, 3, 1],
    [262, 3, 1],
    [273, 4, 0],
    [277, 3, 1],
    [278, 4, height],
    [279, 4, data.byteLength],
    [339, 3, 1],
  ] as const;
  const head = Buffer.alloc(8 + 2 + fields.length * 12 + 4);
  head.write('II*\0', 0, 'latin1');
  head.writeUInt32LE(8, 4);
  head.writeUInt16LE(fields.length, 8);
  for (const [i, [tag, type, value]] of fields.entries()) {
    const at = 10 + i * 12;
    head.writeUInt16LE(tag, at);
    head.writeUInt16LE(type, at + 2);
    head.writeUInt32LE(1, at + 4);
    head.writeUInt32LE(tag === 273 ? head.length : value, at + 8);
  }
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (hostIsLittle) return [head, bytes];
  const turned = bytes.slice();
  swapBytes(turned, 4);
  return [head, turned];
}

/**
 * The bytes of a mask as a 16-bit grey PNG.
 *
 * @throws `UAM_DATA` where an id is above 65535, `UAM_SHAPE` where the data do not have the size that the mask claims
 * @example
 * const png = await encodeMask({ width: 2, height: 1, data: Uint32Array.of(0, 65535) });
 * const mask = await readMask(png);
 * console.log(mask.data); // Uint32Array [0, 65535]
 */
export async function encodeMask(mask: LabelMask): Promise<Uint8Array> {
  checkMask(mask);
  return Buffer.concat(await pngParts(mask));
}

/**
 * Writes a label mask: `.png` with 16 bits (ids up to 65535), `.tif` or `.tiff` with 32 bits, uncompressed, `.npy` as uint32. The
 * file appears whole or not at all.
 *
 * @throws `UAM_ARGUMENT` for another extension, `UAM_DATA` where the ids do not fit the format, `UAM_IO` where it cannot be written
 * @example
 * const { tmpdir } = await import('node:os');
 * await writeMask(`${tmpdir()}/uam_cells.tif`, { width: 2, height: 1, data: Uint32Array.of(0, 70000) });
 */
export async function writeMask(path: string, mask: LabelMask): Promise<void> {
  checkMask(mask);
  const named = { ...mask, name: path };
  const extension = /\.[^./\\]*$/.exec(path)?.[0].toLowerCase();
  const { width, height, data } = mask;
  if (extension === '.png') await writeWhole(path, await pngParts(named));
  else if (extension === '.tif' || extension === '.tiff') await writeWhole(path, tiffParts(named));
  else if (extension === '.npy') {
    await writeWhole(path, [npyHeader(data, [height, width]), new Uint8Array(data.buffer, data.byteOffset, data.byteLength)]);
  } else throw argumentError(`writeMask: the file must end in .png, .tif, .tiff or .npy, received ${path}`);
}
