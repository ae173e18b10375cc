// Small ZIP archives made by hand, stored or deflated.
import { deflateRawSync } from 'node:zlib';
import { crc32 } from '../../src/image/crc32.js';

/** An archive of these files. `wide` writes sizes in the ZIP64 way, as NumPy may. */
export function zipFile(files: Record<string, Uint8Array>, { compress = false, wide = false } = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, content] of Object.entries(files)) {
    const packed = compress ? deflateRawSync(content) : Buffer.from(content);
    const fixed = Buffer.alloc(20); // version, flags, method, time, date, checksum, sizes: as in both headers
    fixed.writeUInt16LE(45, 0);
    fixed.writeUInt16LE(compress ? 8 : 0, 4);
    fixed.writeUInt32LE(crc32(content), 10);
    const shared = Buffer.concat([
      fixed.subarray(0, 14),
      long(wide ? 0xffffffff : packed.length),
      long(wide ? 0xffffffff : content.length),
    ]);
    const extra = wide ? Buffer.concat([short(1), short(16), longer(content.length), longer(packed.length)]) : Buffer.alloc(0);
    const local = Buffer.concat([long(0x04034b50), shared, short(name.length), short(extra.length), Buffer.from(name), extra]);
    directory.push(
      Buffer.concat([
        long(0x02014b50),
        short(45),
        shared,
        short(name.length),
        short(extra.length),
        Buffer.alloc(10), // comment, disk, attributes
        long(at),
        Buffer.from(name),
        extra,
      ]),
    );
    parts.push(local, packed);
    at += local.length + packed.length;
  }
  const list = Buffer.concat(directory);
  const count = short(directory.length);
  return Buffer.concat([...parts, list, long(0x06054b50), short(0), short(0), count, count, long(list.length), long(at), short(0)]);
}

const short = (value: number): Buffer => Buffer.of(value & 255, value >> 8);
const long = (value: number): Buffer => {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value);
  return out;
};
const longer = (value: number): Buffer => {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt(value));
  return out;
};
