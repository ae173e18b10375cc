// Tiles on disk to a joint dataset: pixels at one size, cells with their features, regions; all in the same coordinates.
import { findCellsAsync } from '../cells/find_cells.js';
import { UamError } from '../errors.js';
import type { LabelMask } from '../image/image.js';
import { type Factors, resampleImage, resampleMask } from '../image/resample.js';
import { factorsTo } from '../radiomics/measuring_scale.js';
import { CellSource, type FoundCells } from './cell_source.js';
import { JointDataset, type JointSampleInput, type TilePixels } from './joint_dataset.js';
import { Pace } from './pace.js';
import type { ReadDatasetOptions } from './read_manifest.js';
import { DEFAULT_RECIPE, type ExtractionRecipe } from './recipe.js';
import { checkRegionUnknown, type RegionValues, regionsTogether } from './region_mask.js';
import { rgbPixels } from './rgb_pixels.js';
import type { TileParts, TileSource } from './tile_source.js';

export interface ReadJointOptions extends ReadDatasetOptions, RegionValues {
  /** Names of the regions, in the order of the logits. Default: `tumour`. */
  regions?: readonly string[] | undefined;
  /** Whether nuclei are read and their features extracted, which takes most of the time: a model of regions alone needs none.
   * Default true. */
  cells?: boolean | undefined;
}

/** What a layout knows of all its tiles. */
export interface LayoutNames {
  /** Undefined: those that occur. */
  classes?: readonly string[] | undefined;
  regions: readonly string[];
}

type Pair = readonly [x: number, y: number];

/** The pixel size of the dataset, and the recipe that names it. */
async function scaleOf(recipe: ExtractionRecipe, first: TileSource): Promise<{ extraction: ExtractionRecipe; mpp: number }> {
  if (typeof recipe.mpp === 'number') return { extraction: recipe, mpp: recipe.mpp };
  const [x, y] = await first.pixelSize();
  const mpp = Number(Math.sqrt(x * y).toPrecision(6));
  return { extraction: recipe.mpp === 'own' ? recipe : { ...recipe, mpp }, mpp };
}

/**
 * Reads tiles one after the other; while the cells of one are measured, the next is read.
 *
 * Images and regions are brought to the dataset's pixel size: that of the recipe, else that of the first image. Where sizes differ by less
 * than 5 %, pixels stay as they are and count as the dataset's, so that cells lie where their pixels are.
 *
 * @throws UamError as the tiles' `read`; `UAM_DATA` where there is no tile, where images differ in pixel size and the recipe says 'own'
 */
export async function collectTiles(tiles: readonly TileSource[], names: LayoutNames, options: ReadJointOptions): Promise<JointDataset> {
  const { signal, onProgress, cells = true } = options;
  checkRegionUnknown(options.regionUnknown);
  const [first] = tiles;
  if (!first) throw new UamError('UAM_DATA', 'a joint dataset must have an image at least, received none');
  const { extraction, mpp } = await scaleOf(options.extraction ?? DEFAULT_RECIPE, first);
  const pace = new Pace('reading a dataset', signal);
  const source = await CellSource.open(extraction, { cache: options.cache, otherwise: undefined, signal });
  const collector = new Collector({ extraction, mpp, source, pace, signal });
  const inputs: JointSampleInput[] = [];
  let next: Promise<TileParts> | undefined = first.read(cells, signal);
  try {
    for (const [at, tile] of tiles.entries()) {
      const parts = await (next as Promise<TileParts>);
      next = tiles[at + 1]?.read(cells, signal);
      next?.catch(() => {}); // whoever waits for it is told
      for (const warning of parts.warnings) options.onWarning?.({ ...warning, image: tile.file });
      const { cached, input } = await collector.take(tile, parts);
      inputs.push(input);
      onProgress?.({ phase: 'extract', done: at + 1, total: tiles.length, name: tile.name, cached });
    }
  } finally {
    await next?.catch(() => {}); // it may read from files that the caller closes
  }
  return JointDataset.of(inputs, { classes: options.classes ?? names.classes, regions: names.regions, mpp, extraction });
}

interface Setting {
  extraction: ExtractionRecipe;
  mpp: number;
  source: CellSource;
  pace: Pace;
  signal: AbortSignal | undefined;
}

class Collector {
  constructor(private readonly setting: Setting) {}

  async take(tile: TileSource, { pixels, nuclei, regions }: TileParts): Promise<{ input: JointSampleInput; cached: boolean }> {
    const { extraction, mpp, source, pace, signal } = this.setting;
    const { name, patient, split, maps } = tile;
    const factors = factorsTo(mpp, pixels);
    if (factors && extraction.mpp === 'own') {
      throw new UamError(
        'UAM_DATA',
        `${tile.file}: its pixels are of ${pixels.mpp[0]} um, those of the first image of ${mpp} um, but features are to be measured at the pixel ` +
          'size of each image; a model with images needs one pixel size: name it in the recipe',
      );
    }
    // Pixels that stay as they are count as the dataset's: what lies on them is measured with the same yardstick.
    const frame: Pair = factors ? pixels.mpp : [mpp, mpp];
    const cells = nuclei && (await source.of({ pixels, mask: nuclei.mask, name, warnings: [] }, nuclei.content));
    const known = cells && (await nuclei?.known?.(cells));
    const rgb = await rgbPixels(pixels, pace);
    const { width, height, data } = factors ? await resampleImage(rgb, factors, signal) : rgb;
    const image: TilePixels = { width, height, data: data as Uint8Array, origin: originOf(factors, frame) };
    const masks = await Promise.all(regions.map((mask) => (mask && factors ? resampleMask(mask, factors, signal) : mask)));
    const input: JointSampleInput = {
      ...{ name, patient, split, maps, imageFile: maps && tile.file, image },
      region: await regionsTogether(masks, pace),
      ...(cells && { table: cells.table, ...(await this.#places(cells, nuclei?.mask as LabelMask, pixels.mpp, frame)) }),
      ...known,
    };
    return { input, cached: cells?.cached ?? false };
  }

  /** Where the cells lie: the centres of pixels are whole numbers of them, so the edges of cells are at halves. */
  async #places({ ids, positions }: FoundCells, mask: LabelMask, own: Pair, frame: Pair) {
    const found = await findCellsAsync(mask, { signal: this.setting.signal });
    const rowOf = new Map(Array.from(found.ids, (id, row) => [id, row]));
    const boxes = new Float64Array(4 * ids.length);
    ids.forEach((id, i) => {
      const row = rowOf.get(id) as number;
      for (let c = 0; c < 4; c++) boxes[4 * i + c] = ((found.boxes[4 * row + c] as number) - 0.5) * frame[(c % 2) as 0 | 1];
    });
    const moved =
      own[0] === frame[0] && own[1] === frame[1]
        ? positions
        : positions.map((at, i) => (at / own[(i % 2) as 0 | 1]) * frame[(i % 2) as 0 | 1]);
    return { positions: moved, boxes };
  }
}

/** Where the centre of the first pixel lies: that of a larger pixel lies further from the image's edge. */
const originOf = (factors: Factors | undefined, own: Pair): Pair =>
  factors ? [(factors[0] / 2 - 0.5) * own[0], (factors[1] / 2 - 0.5) * own[1]] : [0, 0];
