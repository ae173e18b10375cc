// PNG and JPEG can be read only from their first row to their last: they are unpacked once, to a file that is read by regions.

import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UamError } from '../errors.js';
import { temporaryName, unwritable } from '../files/output_file.js';
import { synced } from '../files/write_unsynced.js';
import { openSource, recognise } from '../image/byte_source.js';
import { dataError, formatError, refuseAborted } from '../image/failure.js';
import { type ItemReport, Stages } from './slide_task.js';
import type { SlideWork } from './slide_work.js';

const NAME = 'slide.tif';

/** Whether a slide must be unpacked before regions of it are read. */
export async function mustUnpack(path: string): Promise<boolean> {
  const source = await openSource(path);
  try {
    return ['png', 'jpeg'].includes((await recognise(source)).kind);
  } finally {
    await source.close();
  }
}

/** The file that a slide is unpacked to. */
export const unpackedSlide = (work: string): string => join(work, NAME);

/**
 * Unpacks a PNG or JPEG row by row to a tiled TIFF, samples as they are stored: what is held in memory is some rows, unless the file is
 * interlaced or progressive.
 *
 * @throws UamError `UAM_DATA` for pixels that are no 8-bit RGB, `UAM_FORMAT` for a broken file, `UAM_IO`
 */
export async function unpackSlide({ task, signal }: SlideWork): Promise<ItemReport> {
  const stages = new Stages();
  await stages.time('unpack', () => unpack(task.unpack.image as string, task.name, task.work, signal));
  return { seconds: stages.seconds };
}

async function unpack(path: string, name: string, work: string, signal?: AbortSignal): Promise<void> {
  const target = unpackedSlide(work);
  const unfinished = temporaryName(target);
  const { default: sharp } = await import('sharp');
  const options = { failOn: 'error', ignoreIcc: true, limitInputPixels: false, sequentialRead: true } as const;
  try {
    const { channels, depth, hasAlpha } = await sharp(path, options).metadata();
    if (depth !== 'uchar' || channels - (hasAlpha ? 1 : 0) !== 3) {
      throw dataError(name, 'this slide is no 8-bit RGB image; slides are analysed in colour, as scanners write H&E');
    }
    refuseAborted(name, signal);
    const picture = sharp(path, options);
    if (hasAlpha) picture.flatten({ background: '#ffffff' });
    await picture
      .toColourspace('srgb')
      .tiff({ tile: true, tileWidth: 256, tileHeight: 256, compression: 'none', bigtiff: true })
      .toFile(unfinished);
    refuseAborted(name, signal);
    await synced(unfinished);
    await rename(unfinished, target);
  } catch (error) {
    await rm(unfinished, { force: true });
    if (error instanceof UamError) throw error;
    if ((error as NodeJS.ErrnoException).code) throw await unwritable(target, error);
    throw formatError(name, `this image cannot be unpacked: ${(error as Error).message}`, error);
  }
}
