import { randomBytes } from 'node:crypto';
import { open, rename, rm } from 'node:fs/promises';
import { UamError } from '../errors.js';
import { reason } from './failure.js';

/**
 * Writes a file under another name beside it and renames it once it is whole: a reader never sees half a file, and a failure
 * leaves what was there before.
 *
 * @throws `UAM_IO`
 */
export async function writeWhole(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const temporary = `${path}.${process.pid}.${randomBytes(4).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx');
    try {
      for (const part of parts) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    throw new UamError('UAM_IO', `${path}: cannot be written: ${reason(error)}`, { cause: error });
  }
}
