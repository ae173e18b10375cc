/** A Zstandard frame (RFC 8878) of one block that is stored as it is. */
export function zstdFrame(content: Uint8Array): Buffer {
  const head = Buffer.alloc(12);
  head.writeUInt32LE(0xfd2fb528, 0);
  head[4] = 0xa0; // one segment, its size in four bytes
  head.writeUInt32LE(content.length, 5);
  head.writeUIntLE((content.length << 3) | 1, 9, 3); // the last block, raw
  return Buffer.concat([head, content]);
}
