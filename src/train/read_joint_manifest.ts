import { dirname, isAbsolute, join } from 'node:path';
import { mismatch, UamError } from '../errors.js';
import { collectTiles, type ReadJointOptions } from './collect_tiles.js';
import { numberIn, type Row, readCsv, splitOf } from './csv_rows.js';
import { FileTile, type FileTileOptions, knownFrom } from './file_tile.js';
import type { JointDataset } from './joint_dataset.js';

/** The column of one region among several. */
const REGION = /^region:(.+)$/;

/** The regions of a manifest: those that its columns name, unless they are given. */
function regionsOf(path: string, header: readonly string[], given: readonly string[] | undefined): readonly string[] {
  const named = header.flatMap((column) => REGION.exec(column)?.[1] ?? []);
  const regions = given ?? (named.length > 0 ? named : ['tumour']);
  const strange = named.find((name) => !regions.includes(name));
  if (strange !== undefined) {
    throw mismatch('UAM_DATA', `${path}: its column region:${strange}`, `of one of the regions ${regions.join(', ')}`, strange);
  }
  if (header.includes('region') && (regions.length > 1 || named.length > 0)) {
    throw new UamError('UAM_DATA', `${path}: its column 'region' does not say which of ${regions.join(', ')} it is; call it 'region:NAME'`);
  }
  return regions;
}

function tileOf(row: Row, path: string, where: string, regions: readonly string[], options: FileTileOptions): FileTile {
  const fileIn = (column: string): string | undefined => {
    const file = row[column] || undefined;
    return file === undefined || isAbsolute(file) ? file : join(dirname(path), file);
  };
  const image = fileIn('image');
  if (image === undefined) throw new UamError('UAM_DATA', `${where} must name an image`);
  const [points, classes] = [fileIn('points'), fileIn('classes')];
  if (points && classes) throw new UamError('UAM_DATA', `${where} must name points or classes, not both`);
  return new FileTile(
    {
      ...{ name: row['image'] as string, image, mask: fileIn('mask'), known: knownFrom({ points, classes }), maps: fileIn('maps') },
      regions: regions.map((name) => fileIn(`region:${name}`) ?? fileIn('region')),
      patient: row['patient'] || undefined,
      split: splitOf(row['split'] ?? '', where),
      mpp: row['mpp'] ? numberIn(row, 'mpp', where) : undefined,
    },
    options,
  );
}

/**
 * Reads a manifest of tiles with their cells and regions: that of `readDataset`, in which each column but `image` may be absent, and each
 * field empty, and two columns more: `region`, a mask of the image's size (PNG, TIFF, NPY) that is 0 outside, 1 or 255 inside, and
 * `regionUnknown` where it is not known; and `maps`, the sidecar of feature maps from another encoder (`readImageFeatures`). Masks of
 * several regions stand in columns `region:NAME`, one for each.
 *
 * Images of other pixel sizes are resampled, to that of the recipe (`extraction.mpp`), else that of the first image. Positions and boxes of
 * cells are in micrometres from the centre of the first pixel as it is in the file. Grey images become RGB, 16 bits become 8. Features come
 * from the same cache as those of `readDataset`; points of an image without a mask are left out, with a warning.
 *
 * @param path of a CSV or TSV file
 * @throws UamError `UAM_INPUT`, `UAM_FORMAT`, `UAM_DATA`, `UAM_SHAPE` naming file and line; `UAM_ABORTED`
 * @example
 * const { mkdtemp, rm, writeFile } = await import('node:fs/promises');
 * const { tmpdir } = await import('node:os');
 * const folder = await mkdtemp(`${tmpdir()}/uam-example-`);
 * const cells = { width: 4, height: 2, data: Uint32Array.of(1, 1, 0, 2, 1, 1, 0, 2) };
 * await writeFile(`${folder}/mask.png`, await encodeMask(cells));
 * await writeFile(`${folder}/image.png`, await encodeMask({ ...cells, data: Uint32Array.of(9, 8, 7, 3, 5, 2, 7, 4) }));
 * await writeFile(`${folder}/tumour.png`, await encodeMask({ ...cells, data: Uint32Array.of(1, 1, 0, 0, 1, 1, 0, 0) }));
 * await writeFile(`${folder}/classes.csv`, 'label,class\n1,tumour\n2,stroma\n');
 * await writeFile(`${folder}/manifest.csv`, 'image,mask,classes,region\nimage.png,mask.png,classes.csv,tumour.png\n');
 * const extraction = { features: ['firstorder'], channels: ['grey'] };
 * const dataset = await readJointDataset(`${folder}/manifest.csv`, { mpp: 0.5, extraction });
 * dataset.samples[0]?.region;   // Uint8Array [1, 1, 0, 0, 1, 1, 0, 0]
 * await rm(folder, { recursive: true });
 */
export async function readJointDataset(path: string, options: ReadJointOptions = {}): Promise<JointDataset> {
  const rows = await readCsv(path, ['image']);
  if (rows.length === 0) throw new UamError('UAM_DATA', `${path}: it names no image`);
  const regions = regionsOf(path, Object.keys(rows[0] as Row), options.regions);
  const { mpp: otherwise, regionUnknown } = options;
  const tiles = rows.map((row, i) => tileOf(row, path, `${path}: line ${i + 2}`, regions, { otherwise, regionUnknown }));
  return collectTiles(tiles, { regions }, options);
}
