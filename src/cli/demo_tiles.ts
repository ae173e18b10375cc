// The tiles of the demo: drawn, written as files that people and other commands can use, and turned into cells.

import type { ResultFolder } from '../files/result_folder.js';
import { writeWhole } from '../files/write_whole.js';
import type { RasterImage } from '../image/image.js';
import { writeMask } from '../image/write_mask.js';
import { extract } from '../radiomics/extract.js';
import { CellDataset, type SampleInput } from '../train/dataset.js';
import type { DemoTile } from '../train/demo_tile.js';
import { DEFAULT_RECIPE } from '../train/recipe.js';
import { drawTile, type PlannedTile } from './demo_plan.js';

export interface DemoTiles {
  /** Training and validation; and what the model does not see before it is tested. */
  learning: CellDataset;
  unseen: CellDataset;
  /** The last tile that lies in front. */
  shown: DemoTile | undefined;
}

export interface DrawOptions {
  mpp: number;
  /** The tile that is shown. */
  front: string;
  signal: AbortSignal;
  onTile: (done: number, nuclei: number) => void;
}

/** Draws the tiles one after the other, writes each, and extracts its cells; only the shown one is kept as a picture. */
export async function makeTiles(planned: readonly PlannedTile[], folder: ResultFolder, options: DrawOptions): Promise<DemoTiles> {
  const { mpp, front, signal, onTile } = options;
  const samples: SampleInput[] = [];
  let shown: DemoTile | undefined;
  let classes: readonly string[] = [];
  for (const [i, plan] of planned.entries()) {
    const tile = await drawTile(plan, mpp, signal);
    await writeTile(plan.name, tile, folder);
    const table = await extract(tile.image, tile.mask, { ...DEFAULT_RECIPE, signal });
    const labels = Array.from(table.ids, (id) => tile.classes[id - 1]);
    samples.push({ name: plan.name, patient: plan.patient, split: plan.split, table, mpp, classes: labels });
    classes = tile.classNames;
    if (plan.name === front) shown = tile;
    onTile(i + 1, tile.classes.length);
  }
  await folder.writeText('manifest.csv', manifest(planned, mpp));
  const all = CellDataset.from(samples, { classes, extraction: { ...DEFAULT_RECIPE, mpp } });
  return {
    learning: all.select(({ split }) => split !== 'test'),
    unseen: all.select(({ split }) => split === 'test'),
    shown,
  };
}

/** The files of a tile, by what follows its name. */
const FILES = Object.freeze({ image: '.png', mask: '_labels.png', classes: '_classes.csv', region: '_tumour_region.png' });

/** As `readDataset` reads it; the region is the exact mask of the tumour nests. */
function manifest(planned: readonly PlannedTile[], mpp: number): string {
  const rows = planned.map(({ name, patient, split }) =>
    [...Object.values(FILES).map((end) => name + end), patient, split, String(mpp)].join(','),
  );
  return `${[[...Object.keys(FILES), 'patient', 'split', 'mpp'].join(','), ...rows].join('\n')}\n`;
}

async function writeTile(name: string, tile: DemoTile, folder: ResultFolder): Promise<void> {
  const { image, mask, classes, classNames, region } = tile;
  const { width, height } = image;
  await writePicture(await folder.place(name + FILES.image), image);
  await writeMask(await folder.place(name + FILES.mask), mask);
  await writePicture(await folder.place(name + FILES.region), { width, height, channels: 1, data: region });
  const lines = Array.from(classes, (kind, i) => `${i + 1},${classNames[kind]}\n`);
  await folder.writeText(name + FILES.classes, `label,class\n${lines.join('')}`);
}

/** A PNG that tells its pixel size, where the image does. */
async function writePicture(path: string, { width, height, channels, data, mpp }: RasterImage): Promise<void> {
  const { default: sharp } = await import('sharp');
  const picture = sharp(data as Uint8Array, { raw: { width, height, channels } });
  if (channels === 1) picture.toColourspace('b-w');
  if (mpp) picture.withMetadata({ density: 25400 / mpp[0] });
  await writeWhole(path, [await picture.png().toBuffer()]);
}
