/** The checksum of PNG chunks: CRC-32, ISO 3309, bit by bit through a table of the 256 bytes. */
function table(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, byte) => {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    return crc;
  });
}

const steps = table();

/** CRC-32 of the parts, one after the other. */
export function crc32(...parts: Uint8Array[]): number {
  let crc = 0xffffffff;
  for (const part of parts) {
    for (let i = 0; i < part.length; i++) crc = (crc >>> 8) ^ (steps[(crc ^ part[i]!) & 255] as number);
  }
  return ~crc >>> 0;
}
