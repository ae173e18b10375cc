import { promisify } from 'node:util';
import { constants, inflate, inflateRaw, inflateSync } from 'node:zlib';

/** Deflate packs at most 1032 bytes into one (258 bytes in two bits): more cannot be claimed honestly. */
export const DEFLATE_RATIO = 1032;

const unpack = promisify(inflate);
const unpackRaw = promisify(inflateRaw);

/**
 * Inflates a zlib stream (`raw`: without the wrapper) into at most `most` bytes; throws where it is broken, ends early, or holds
 * more. Memory grows with what is really there, not with what a header claims.
 */
export async function inflateAtMost(bytes: Uint8Array, most: number, raw = false): Promise<Uint8Array> {
  const chunkSize = Math.max(64, Math.min(1 << 20, most + 1));
  try {
    const out = await (raw ? unpackRaw : unpack)(bytes, { maxOutputLength: Math.max(1, most), chunkSize });
    return new Uint8Array(out.buffer, out.byteOffset, out.byteLength); // not a Buffer: its methods differ
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      throw new Error(`the compressed data holds more than the ${most} bytes that its header announces`, { cause: error });
    }
    throw error;
  }
}

/** What the first bytes of a zlib stream unpack to: enough to read a header before trusting the rest. */
export function inflateStart(bytes: Uint8Array): Uint8Array {
  return inflateSync(bytes.subarray(0, 1024), { finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: 2 << 20 });
}
