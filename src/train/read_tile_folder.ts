import { basename, join } from 'node:path';
import { UamError } from '../errors.js';
import { collectTiles, type ReadJointOptions } from './collect_tiles.js';
import { numberIn, type Row, readCsv, splitOf } from './csv_rows.js';
import { FileTile, knownFrom } from './file_tile.js';
import { IMAGE_FILE, listFolder, partsBeside, partsInFolders, stemOf } from './folder_files.js';
import type { JointDataset } from './joint_dataset.js';

export interface TileFolderOptions extends ReadJointOptions {
  /** Which is believed where a tile has both. Default `points`: what experts marked, from which the classes of nuclei are made. */
  prefer?: 'points' | 'classes' | undefined;
}

/** The table of a folder's images. */
const TABLE = 'images.csv';

/** What a table says of images, by their stems. */
async function linesOf(path: string): Promise<Map<string, { row: Row; where: string }>> {
  const rows = await readCsv(path, ['image']);
  const lines = new Map<string, { row: Row; where: string }>();
  for (const [i, row] of rows.entries()) {
    const image = basename(row['image'] as string);
    const where = `${path}: line ${i + 2}`;
    for (const name of IMAGE_FILE.test(image) ? [image, stemOf(image)] : [image]) {
      if (lines.has(name)) throw new UamError('UAM_DATA', `${where} names ${image} again`);
      lines.set(name, { row, where });
    }
  }
  return lines;
}

/**
 * Reads a plain folder of tiles. Files that belong to one image have its name, either in folders of their kind or beside each other:
 *
 * | in folders                            | beside each other                       | what                                      |
 * |---------------------------------------|-----------------------------------------|-------------------------------------------|
 * | `images/X.png`                        | `X.png`                                 | the image (PNG, JPEG, TIFF, SVS)          |
 * | `masks/X.png`                         | `X_labels.png` or `X_autolabels.png`    | its nuclei, as `readDataset` reads them   |
 * | `points/X.csv`                        | `X_points.csv`                          | an expert's points: x, y, class           |
 * | `classes/X.csv`                       | `X_classes.csv`                         | classes of nuclei: label, class           |
 * | `regions/X.png`, `regions/tumour/X.png` | `X_region.png`, `X_tumour_region.png` | a mask of a region, as `readJointDataset` |
 *
 * What follows `_region` in a name does not matter. A table `images.csv` tells `patient`, `split` and `mpp` of each `image`; images that it
 * does not name are patients of their own. Everything but the images may be absent; otherwise as `readJointDataset`.
 *
 * @throws UamError `UAM_INPUT` where there is no image; `UAM_DATA` where two files could be meant; as `readJointDataset`
 * @example
 * const { mkdtemp, rm, writeFile } = await import('node:fs/promises');
 * const { tmpdir } = await import('node:os');
 * const folder = await mkdtemp(`${tmpdir()}/uam-example-`);
 * const cells = { width: 4, height: 2, data: Uint32Array.of(1, 1, 0, 2, 1, 1, 0, 2) };
 * await writeFile(`${folder}/a.png`, await encodeMask({ ...cells, data: Uint32Array.of(9, 8, 7, 3, 5, 2, 7, 4) }));
 * await writeFile(`${folder}/a_labels.png`, await encodeMask(cells));
 * await writeFile(`${folder}/a_points.csv`, 'x,y,class\n0,0,tumour\n3,1,stroma\n');
 * const dataset = await readTileFolder(folder, { mpp: 0.5, extraction: { features: ['firstorder'], channels: ['grey'] } });
 * dataset.counts();   // [1, 1]: stroma, tumour
 * await rm(folder, { recursive: true });
 */
export async function readTileFolder(folder: string, options: TileFolderOptions = {}): Promise<JointDataset> {
  const { regions = ['tumour'], mpp: otherwise, regionUnknown, prefer = 'points' } = options;
  const { files, folders } = await listFolder(folder);
  const { tiles: parts, strays } = await (folders.includes('images') ? partsInFolders(folder, regions) : partsBeside(folder, regions));
  const lines = files.includes(TABLE) ? await linesOf(join(folder, TABLE)) : undefined;
  if (strays.length > 0) {
    const message = `${folder}: ${strays.length} files belong to no image and are left out, such as ${strays[0]}`;
    options.onWarning?.({ image: folder, code: 'files_without_image', message });
  }
  const tiles = parts.map((part) => {
    const image = part.file('image') as string;
    const line = lines?.get(basename(image)) ?? lines?.get(part.stem);
    const row: Row = line?.row ?? {};
    const [points, classes] = [part.file('points'), part.file('classes')];
    const both = points && classes;
    return new FileTile(
      {
        ...{ name: part.stem, image, mask: part.file('mask'), maps: undefined },
        known: knownFrom({ points: both && prefer === 'classes' ? undefined : points, classes }),
        regions: regions.map((name) => part.region(name)),
        patient: row['patient'] || undefined,
        split: splitOf(row['split'] ?? '', line?.where ?? folder),
        mpp: line && row['mpp'] ? numberIn(row, 'mpp', line.where) : undefined,
      },
      { otherwise, regionUnknown },
    );
  });
  if (tiles.length === 0)
    throw new UamError('UAM_INPUT', `${folder}: there is no image in it (PNG, JPEG, TIFF, SVS), nor in a folder images`);
  return collectTiles(tiles, { regions }, options);
}
