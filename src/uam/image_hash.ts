import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { UamError } from '../errors.js';
import type { RasterImage } from '../image/image.js';

/** Pixels that are hashed before others get a turn. */
const AT_ONCE = 2 ** 20;

/**
 * SHA-256 of an image's pixels: its red, green and blue bytes row by row, as `hashlib.sha256(array.tobytes())` has it for an array
 * (height, width, 3) of 8-bit RGB. Grey stands for all three.
 *
 * @returns 64 hexadecimal digits
 * @throws UamError `UAM_DTYPE` for pixels that are not 8-bit
 * @example
 * await pixelHash({ width: 1, height: 1, channels: 3, data: Uint8Array.of(255, 0, 0) });   // '7fa54a42...'
 */
export async function pixelHash({ data, channels, name = 'an image' }: RasterImage): Promise<string> {
  if (!(data instanceof Uint8Array)) throw new UamError('UAM_DTYPE', `${name}: the hash of pixels is defined for 8-bit images`);
  const hash = createHash('sha256');
  for (let at = 0; at < data.length; at += channels * AT_ONCE) {
    const part = data.subarray(at, at + channels * AT_ONCE);
    hash.update(channels === 3 ? part : Uint8Array.from({ length: 3 * part.length }, (_, i) => part[Math.floor(i / 3)] as number));
    await turn();
  }
  return hash.digest('hex');
}

/**
 * SHA-256 of the bytes of files, one after the other; read in parts, however large they are.
 *
 * @returns 64 hexadecimal digits
 * @throws UamError `UAM_INPUT` where a file cannot be read; `UAM_ABORTED`
 * @example
 * const hash = (path: string) => fileHash([path]);
 */
export async function fileHash(paths: readonly string[], signal?: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for (const path of paths) {
    try {
      for await (const part of createReadStream(path, { highWaterMark: 2 ** 20, ...(signal && { signal }) })) hash.update(part as Buffer);
    } catch (error) {
      if (signal?.aborted) throw new UamError('UAM_ABORTED', `${path}: reading was aborted by its signal`, { cause: signal.reason });
      throw new UamError('UAM_INPUT', `${path}: cannot be read: ${(error as Error).message}`, { cause: error });
    }
  }
  return hash.digest('hex');
}
