// Files damaged in the ways that files are: bits flipped, bytes replaced, cut off, lengthened, parts doubled or lost, lengths and
// counts turned into extreme ones.
import { crc32 } from '../../src/image/crc32.js';

/** A generator of numbers in [0, 1) that gives the same ones for the same seed (xorshift32). */
export function seeded(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

const extremes = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 1000000, 65535 * 65535];

/** A damaged copy. */
export function damaged(file: Uint8Array, random: () => number): Buffer {
  let bytes = Buffer.from(file);
  const at = () => Math.floor(random() * bytes.length);
  const times = 1 + Math.floor(random() * random() * 8);
  for (let i = 0; i < times && bytes.length > 0; i++) {
    const from = at();
    const to = Math.min(bytes.length, from + 1 + Math.floor(random() * 32));
    switch (Math.floor(random() * 8)) {
      case 0:
        bytes[from]! ^= 1 << Math.floor(random() * 8);
        break;
      case 1:
        bytes[from] = Math.floor(random() * 256);
        break;
      case 2:
        bytes = bytes.subarray(0, from);
        break;
      case 3:
        bytes = Buffer.concat([bytes.subarray(0, from), bytes.subarray(to)]);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, to), bytes.subarray(from)]);
        break;
      case 5:
        bytes = Buffer.concat([bytes, Buffer.alloc(Math.floor(random() * 64), Math.floor(random() * 256))]);
        break;
      default:
        writeExtreme(bytes, from, random);
    }
  }
  return bytes;
}

function writeExtreme(bytes: Buffer, at: number, random: () => number): void {
  const value = extremes[Math.floor(random() * extremes.length)]!;
  const size = [1, 2, 4][Math.floor(random() * 3)]!;
  if (at + size > bytes.length) return;
  const cut = value % 2 ** (8 * size);
  if (random() < 0.5) bytes.writeUIntLE(cut, at, size);
  else bytes.writeUIntBE(cut, at, size);
}

/** Gives the chunks of a damaged PNG right checksums again, so that the damage is looked at by what comes after them. */
export function withRightChecksums(png: Buffer): Buffer {
  for (let at = 8; at + 12 <= png.length; ) {
    const length = png.readUInt32BE(at);
    const end = at + 8 + length;
    if (end + 4 > png.length) break;
    png.writeUInt32BE(crc32(png.subarray(at + 4, end)), end);
    at = end + 4;
  }
  return png;
}
