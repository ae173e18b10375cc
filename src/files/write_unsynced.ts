// Files of work in progress: whole under their names as long as the machine runs, at a fraction of what a synced file costs.
import { open, rename, rm } from 'node:fs/promises';
import { temporaryName, unwritable } from './output_file.js';

/**
 * Writes a file that appears under its name when it is whole. Unlike `writeWhole` it does not wait for the disk: after a crash of the machine
 * the file may be there and be cut off, so whoever reads it must be able to tell.
 *
 * @throws UamError `UAM_IO`
 */
export async function writeUnsynced(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const temporary = temporaryName(path);
  try {
    const file = await open(temporary, 'wx');
    try {
      for (const part of parts) {
        for (let at = 0; at < part.length; ) at += (await file.write(part, at)).bytesWritten;
      }
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw await unwritable(path, error);
  }
}

/** Waits until the disk has a file that others have written. */
export async function synced(path: string): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}
