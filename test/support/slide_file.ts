// Small slides: tiled TIFFs, with smaller levels where they are asked for, and models that stand in for trained ones.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { jointConfig } from '../../src/heads/joint_config.js';
import { saveJointModel } from '../../src/heads/joint_file.js';
import { JointModel } from '../../src/heads/joint_model.js';
import type { RasterImage } from '../../src/image/image.js';
import { extract } from '../../src/radiomics/extract.js';
import type { SlideModel } from '../../src/slides/slide_model.js';
import { fitScaling } from '../../src/tokens/scaling.js';
import { demoTile } from '../../src/train/demo_tile.js';
import { moved } from './models.js';
import { type Field, type Page, tiffFile, valueBytes } from './tiff_file.js';

/** A folder that goes with the test. */
export function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'uam-slide-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

type Pixels = { width: number; height: number; data: Uint8Array | Uint32Array };

function tiledPage({ width, height, data }: Pixels, side: number, fields: Field[]): Page {
  const samples = data.length / (width * height);
  const tiles: Uint8Array[] = [];
  for (let top = 0; top < height; top += side) {
    for (let left = 0; left < width; left += side) {
      const tile = new (data.constructor as Uint8ArrayConstructor)(side * side * samples);
      for (let y = 0; y < Math.min(side, height - top); y++) {
        const from = ((top + y) * width + left) * samples;
        tile.set(data.subarray(from, from + Math.min(side, width - left) * samples) as Uint8Array, y * side * samples);
      }
      tiles.push(valueBytes(tile));
    }
  }
  const bits = data.BYTES_PER_ELEMENT * 8;
  const list: Field[] = [
    [256, 4, [width]],
    [257, 4, [height]],
    [258, 3, new Array<number>(samples).fill(bits)],
    [259, 3, [1]],
    [262, 3, [samples === 3 ? 2 : 1]],
    [277, 3, [samples]],
    [322, 3, [side]],
    [323, 3, [side]],
    ...fields,
  ];
  return { fields: list, tiles, tiled: true };
}

/** Resolution in pixels per centimetre, as scanners write it. */
const resolution = (mpp: number): Field[] => [
  [282, 5, [Math.round(1e7 / mpp), 1000]],
  [283, 5, [Math.round(1e7 / mpp), 1000]],
  [296, 3, [3]],
];

/** Writes a slide; `mpp` of `null` leaves the pixel size out. */
export function writeSlide(
  path: string,
  image: RasterImage,
  { mpp = 0.5, levels = [] }: { mpp?: number | null; levels?: RasterImage[] } = {},
): string {
  const pages = [image, ...levels].map((level, i) =>
    tiledPage(level as Pixels, 128, [[254, 4, [i > 0 ? 1 : 0]], ...(i === 0 && mpp !== null ? resolution(mpp) : [])]),
  );
  writeFileSync(path, tiffFile(pages));
  return path;
}

/** Writes labels of 32 bits. */
export function writeLabels(path: string, mask: { width: number; height: number; data: Uint32Array }): string {
  writeFileSync(path, tiffFile([tiledPage(mask, 128, [])]));
  return path;
}

export interface FakeOptions {
  reads?: { cells: boolean; image: boolean };
  mpp?: number;
  /** What each tile was asked. */
  asked?: (cells: number, pixels: number) => void;
}

/** Calls cells by their mean red, and pixels region where they are more blue than red: what it says of a pixel does not depend on the tile. */
export function colourModel({ reads = { cells: true, image: true }, mpp = 0.5, asked = () => {} }: FakeOptions = {}): SlideModel {
  return {
    classes: reads.cells ? ['dark', 'light'] : [],
    regions: reads.image ? ['blue'] : [],
    mpp,
    extraction: { features: ['firstorder_Mean', 'shape2D_PixelSurface'], channels: ['r'], mpp },
    features: reads.cells ? ['r_firstorder_Mean', 'shape2D_PixelSurface'] : [],
    temperature: 2,
    reads,
    side: () => 256,
    dispose: () => {},
    answer({ image, cells }) {
      asked(cells?.table.length ?? 0, image ? image.width * image.height : 0);
      const mean = cells?.table.columns.find(({ name }) => name === 'r_firstorder_Mean')?.data ?? [];
      const logits = Float32Array.from({ length: 2 * (cells?.table.length ?? 0) }, (_, i) => {
        const light = ((mean[i >> 1] as number) - 110) / 20;
        return i % 2 === 0 ? -light : light;
      });
      const { data } = image ?? { data: new Uint8Array() };
      const regions = new Float32Array(data.length / 3);
      for (let i = 0; i < regions.length; i++)
        regions[i] = 1 / (1 + Math.exp(((data[3 * i] as number) - (data[3 * i + 2] as number)) / 10));
      return { logits, regions: image ? regions : undefined };
    },
  };
}

/** Writes a joint model of tiles of 128 um that has learned nothing, but says something: its parameters are not where training begins. */
export async function writeJointModel(path: string): Promise<string> {
  const { image, mask, classNames } = demoTile({ width: 128, height: 128, seed: 1 });
  const recipe = { features: ['firstorder', 'shape2D'], channels: ['grey'], mpp: 0.5 };
  const scaling = fitScaling(await extract(image, mask, recipe));
  const cells = { features: scaling.names.length, classes: 3, backbone: { width: 8, depth: 2, heads: 2, state: 4, ffn: 8 } };
  const model = moved(new JointModel(jointConfig({ cells, image: { builtIn: { size: 'S' } } }), 7));
  const notes = { temperature: '1.5', window: '128', extraction: JSON.stringify(recipe) };
  await saveJointModel(path, model, { scaling, classes: [...classNames], regions: ['tumour'], mpp: 0.5, notes });
  model.dispose();
  return path;
}
