/** Offsets of a batch of sequences of one length, packed. */
export function batchOffsets(batch: number, length: number): Int32Array {
  return Int32Array.from({ length: batch + 1 }, (_, s) => s * length);
}
