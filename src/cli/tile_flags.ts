// Tiles with images, cells and regions: for the commands that learn from them and measure on them.
import { stat } from 'node:fs/promises';
import type { Command } from 'commander';
import { UamError } from '../errors.js';
import type { JointDataset } from '../train/joint_dataset.js';
import { openJointDataset } from '../train/open_joint_dataset.js';
import type { ExtractionRecipe } from '../train/recipe.js';
import { type DatasetFlags, datasetFile } from './dataset_flags.js';
import { items, numberFlag } from './flag_values.js';
import { bar, clock } from './progress.js';
import type { Session } from './session.js';

export interface TileFlags extends DatasetFlags {
  regions?: string;
  regionUnknown?: string;
}

export const addTileFlags = (command: Command): Command =>
  command
    .option('--regions <list>', 'names of the regions that tiles have masks of, with commas between (default: tumour)')
    .option('--region-unknown <value>', 'the value of pixels in region masks of which nobody knows what they are');

export const tilesHelp = `
For --task joint and region the manifest needs the column image only, and --manifest may be a folder: a plain one, PanNuke, CoNIC or Lizard
as they are published. Two more columns:
  region    a mask of the tumour, of the image's size (PNG, TIFF, NPY): 0 outside, 1 or 255 inside; --region-unknown names the value of
            pixels of which nobody knows. Several regions: columns region:NAME
  maps      the JSON file of feature maps of another encoder, for --encoder maps`;

/** Whether a path is a folder; false where there is nothing. */
export const isFolder = (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/** The manifest or folder of tiles. */
export function tilesPath(flags: TileFlags): string {
  if (flags.table !== undefined) throw new UamError('UAM_ARGUMENT', '--table has no images: give --manifest, or --task cells');
  return datasetFile(flags);
}

export interface ReadTilesOptions {
  classes?: readonly string[] | undefined;
  regions?: readonly string[] | undefined;
  extraction?: ExtractionRecipe | undefined;
  /** Whether nuclei are read. */
  cells: boolean;
  /** What they are called on the progress bar. */
  what: string;
}

/** Reads tiles, and extracts the features of their nuclei. */
export async function readTiles(
  path: string,
  flags: TileFlags,
  { classes, regions, extraction, cells, what }: ReadTilesOptions,
  { log, progress, signal }: Session,
): Promise<JointDataset> {
  const mpp = numberFlag('mpp', flags.mpp, 'above 0');
  const unknown = flags.regionUnknown === undefined ? undefined : Number(flags.regionUnknown);
  const names = regions ?? (flags.regions === undefined ? undefined : items(flags.regions));
  const dataset = await openJointDataset(path, {
    ...{ signal, cells },
    ...(classes && { classes }),
    ...(names && { regions: names }),
    ...(mpp !== undefined && { mpp }),
    ...(unknown !== undefined && { regionUnknown: unknown }),
    ...(flags.cache && { cache: flags.cache }),
    ...(extraction && { extraction }),
    onWarning: ({ image, code, message }) => log.warn(message.includes(image) ? message : `${image}: ${message}`, { image, code }),
    onProgress: ({ done, total }) =>
      progress.update((seconds, width) =>
        [bar(done / total), `${what}: ${done}/${total} tiles`, clock(seconds)].join('  ').slice(0, Math.max(0, width)),
      ),
  });
  progress.clear();
  return dataset;
}
