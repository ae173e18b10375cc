// Label masks that are read region by region.
import { openSource, recognise } from './byte_source.js';
import { argumentError, refuseAborted } from './failure.js';
import { toLabels } from './labels.js';
import { openTiffLabels } from './mask_images.js';
import type { Region } from './tiff_read.js';
import { Warnings } from './warnings.js';

/** A label mask that is opened but not held. */
export interface OpenedMask {
  width: number;
  height: number;
  name: string;
  /** The ids of a region, row by row. */
  read(region: Region, signal?: AbortSignal): Promise<Uint32Array>;
  close(): Promise<void>;
}

/**
 * Opens a label mask for reading by regions. Only a TIFF can be read so.
 *
 * @returns undefined for files of other kinds, which `readMask` reads whole
 * @throws UamError as `readMask`
 */
export async function openMask(path: string): Promise<OpenedMask | undefined> {
  const source = await openSource(path);
  try {
    const { kind } = await recognise(source);
    if (kind !== 'tiff') {
      await source.close();
      return undefined;
    }
    const warnings = new Warnings();
    const { width, height, read } = await openTiffLabels(source, undefined, warnings);
    const { name } = source;
    return {
      ...{ width, height, name },
      async read(region, signal) {
        const { x, y } = region;
        if (x < 0 || y < 0 || region.width < 1 || region.height < 1 || x + region.width > width || y + region.height > height) {
          throw argumentError(`a region of ${name} must lie inside its ${width} x ${height} pixels`);
        }
        refuseAborted(name, signal);
        return toLabels(await read(region, signal), warnings);
      },
      close: () => source.close(),
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}
