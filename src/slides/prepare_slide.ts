// From what the user names to a task: the slide's grid, the cells' origin, the cuts, and the mark by which the run is known.
import { stat } from 'node:fs/promises';
import { mismatch, UamError } from '../errors.js';
import type { LabelMask, RasterImage } from '../image/image.js';
import { openMask } from '../image/open_mask.js';
import { packageVersion } from '../native/load.js';
import { extract } from '../radiomics/extract.js';
import { didYouMean } from '../radiomics/near_names.js';
import { type ExtractionRecipe, recipeText } from '../train/recipe.js';
import type { MemoryNeeds } from './memory_bound.js';
import { threadsWithin, tooLittle } from './memory_bound.js';
import { rawLabels } from './raw_labels.js';
import { type SlideFacts, slideFacts } from './slide_facts.js';
import { gridAt, gridFor, type SlideGrid } from './slide_grid.js';
import type { SlideModelFacts } from './slide_model.js';
import { SMALL_SIDE } from './slide_scan.js';
import type { CellOrigin, SlideTask } from './slide_task.js';
import { unpackedSlide } from './unpack_slide.js';
import { markOf, type RunMark } from './work_folder.js';

/** What is analysed, and by what. */
export interface SlideInput {
  /** A slide: SVS, tiled TIFF, OME-TIFF; PNG and JPEG are unpacked first. */
  image: string;
  /** A model's file, as `UAM.save` or `JointUAM.save` wrote it. */
  model: string;
  /** The nuclei: a label image of the slide's size. Default: `cells`, or else the built-in segmentation looks for them. */
  mask?: string | undefined;
  /** The nuclei as GeoJSON polygons in pixels of the full resolution (also `.gz`). */
  cells?: string | undefined;
  /** Micrometres per pixel of the full resolution, in place of what the file says. */
  mpp?: number | readonly [x: number, y: number] | undefined;
}

/** Sizes that tests make smaller. */
export interface SlideSizes {
  tile?: number;
  block?: number;
}

export interface PrepareOptions {
  maxMemory: number;
  threads: number;
  measurements: readonly string[] | 'all';
  atLeast: number;
  packed: boolean;
  table: 'parquet' | 'csv';
  minRegion: number;
  overlay: boolean;
  work: string;
  sizes: SlideSizes;
  signal?: AbortSignal | undefined;
}

export interface PreparedSlide {
  task: SlideTask;
  facts: SlideFacts;
  mark: RunMark;
  needs: MemoryNeeds;
  threads: number;
}

/** Changes when the files of a run in progress are no longer what they were. */
const FORMAT = 1;
/** Sides of a block, in pixels of the grid: the first, unless memory is short. */
const BLOCKS = Object.freeze([1536, 1024, 512]);
/** Micrometres around a block: neighbours' neighbourhoods (30), nuclei (25), smoothing. */
const MARGIN = 64;
const STRIDE = 0.75;

/**
 * Reads the heads of the inputs and decides how they are worked off.
 *
 * @throws UamError `UAM_INPUT`, `UAM_FORMAT`; `UAM_DATA` where the slide's pixel size is unknown, or it and the model do not go together;
 *   `UAM_SHAPE` for a mask of another size; `UAM_ARGUMENT` for options that cannot be, or too little memory
 */
export async function prepareSlide(input: SlideInput, model: SlideModelFacts, options: PrepareOptions): Promise<PreparedSlide> {
  if (input.mask !== undefined && input.cells !== undefined) {
    throw new UamError('UAM_ARGUMENT', 'mask and cells exclude each other: both tell where the nuclei are');
  }
  if (!model.reads.cells && !model.reads.image) {
    throw new UamError(
      'UAM_DATA',
      `${input.model}: this model reads neither cells nor pixels; features of images from outside are not made for slides`,
    );
  }
  const facts = await slideFacts(input.image, input.mpp);
  const mpp = knownSize(facts);
  const grid = gridFor(facts, mpp, model.mpp);
  const origin = await originOf(input, model, facts, grid, options.work);
  const recipe = model.extraction;
  const features = origin.kind === 'none' ? [] : await keptFeatures(recipe, model, options.measurements);
  if (origin.kind === 'mask' && origin.raw) refuseLargeLabels(origin.raw, input.mask as string, options.maxMemory);
  const { sizes, needs } = await sizesOf(grid, model, input, origin, options);
  const { measurements, atLeast, packed, table, minRegion, overlay } = options;
  const wishes = { measurements, atLeast, packed, table, minRegion, overlay };
  const settings = {
    ...{ mpp, grid, sizes, origin: origin.kind, recipe: JSON.parse(recipeText(recipe)) as unknown, features },
    ...wishes,
  };
  const cells = input.mask ?? input.cells;
  const mark: RunMark = {
    ...{ format: FORMAT, version: packageVersion(), settings },
    image: await markOf(input.image, options.signal),
    model: await markOf(input.model, options.signal),
    cells: cells === undefined ? null : await markOf(cells, options.signal),
  };
  const task: SlideTask = {
    ...{ name: facts.name, mpp, grid, sizes, origin, recipe, features, work: options.work, model: input.model },
    image: facts.unpack ? unpackedSlide(options.work) : input.image,
    small: smallGrid(facts, mpp, grid),
    ...{ classes: model.classes, regions: model.reads.image ? model.regions : [], temperature: model.temperature },
    output: { ...wishes, measurements: namesOf(features, measurements) },
    unpack: { image: facts.unpack ? input.image : undefined, labels: origin.kind === 'mask' && origin.raw ? cells : undefined },
  };
  return { task, facts, mark, needs, threads: Math.min(options.threads, threadsWithin(options.maxMemory, needs)) };
}

function knownSize({ mpp, name, width, height }: SlideFacts): readonly [x: number, y: number] {
  if (width < 1 || height < 1) throw new UamError('UAM_DATA', `${name}: it has no pixels`);
  if (mpp) return mpp;
  throw new UamError(
    'UAM_DATA',
    `${name}: it does not tell its pixel size; give mpp, micrometres per pixel (about 0.25 at 40x, 0.5 at 20x): on the command line --mpp`,
  );
}

/** The grid of a small picture of the slide, no finer than that of the model. */
function smallGrid(facts: SlideFacts, mpp: readonly [x: number, y: number], { width, height, toFull }: SlideGrid): SlideGrid {
  const shrink = Math.max(1, Math.max(width, height) / SMALL_SIDE);
  return gridAt(facts, mpp, [toFull[0] * shrink, toFull[1] * shrink]);
}

async function originOf(
  { mask, cells }: SlideInput,
  model: SlideModelFacts,
  facts: SlideFacts,
  grid: SlideGrid,
  work: string,
): Promise<CellOrigin> {
  if (!model.reads.cells) {
    if (mask === undefined && cells === undefined) return { kind: 'none' };
    throw new UamError('UAM_ARGUMENT', 'this model tells regions and reads no cells: leave out the nuclei');
  }
  const polygons = cells ?? (mask !== undefined && /\.(geo)?json(\.gz)?$/i.test(mask) ? mask : undefined);
  if (polygons !== undefined) return { kind: 'polygons', path: polygons };
  if (mask === undefined) return { kind: 'segmented' };
  const opened = await openMask(mask);
  await opened?.close();
  const { width, height } = opened ?? facts; // others are held to this size where they are read
  const sizes = [facts, { width: grid.levelWidth, height: grid.levelHeight }, grid];
  if (!sizes.some((size) => size.width === width && size.height === height)) {
    throw mismatch('UAM_SHAPE', mask, `of the slide's size, ${facts.width} x ${facts.height}`, `${width} x ${height}`);
  }
  const same = width === grid.width && height === grid.height;
  const nominal = [width / facts.width, height / facts.height] as const;
  return {
    kind: 'mask',
    path: opened ? mask : rawLabels(work),
    raw: opened ? undefined : { width, height },
    factors: same ? undefined : [grid.toFull[0] * nominal[0], grid.toFull[1] * nominal[1]],
  };
}

/** Bytes per pixel while a label image is read whole. */
const LABEL_PIXEL = 10;

function refuseLargeLabels({ width, height }: { width: number; height: number }, path: string, maxMemory: number): void {
  const needed = width * height * LABEL_PIXEL;
  if (needed <= maxMemory) return;
  throw new UamError(
    'UAM_ARGUMENT',
    `${path}: this kind of mask is read whole, which takes ${Math.ceil(needed / 2 ** 20)} MB of memory, and maxMemory is ` +
      `${Math.floor(maxMemory / 2 ** 20)} MB: give it as a tiled TIFF, or as GeoJSON`,
  );
}

const namesOf = (features: readonly string[], wanted: readonly string[] | 'all'): readonly string[] =>
  wanted === 'all' ? features : wanted;

/** The model's features, and those to be written; which there are, an extraction from a few pixels tells. */
async function keptFeatures(recipe: ExtractionRecipe, { features }: SlideModelFacts, wanted: readonly string[] | 'all'): Promise<string[]> {
  if (wanted !== 'all' && wanted.length === 0) return [...features];
  const { mpp: scale = 'own' } = recipe;
  const size = scale === 'own' ? 0.5 : scale;
  const image: RasterImage = { width: 8, height: 8, channels: 3, data: new Uint8Array(192).map((_, i) => i), mpp: [size, size] };
  const mask: LabelMask = { width: 8, height: 8, data: new Uint32Array(64).fill(1, 18, 46) };
  const stains = recipe.stains === 'macenko' ? 'ruifrok' : recipe.stains;
  const { names } = await extract(image, mask, { ...recipe, ...(stains && { stains }) });
  for (const name of wanted === 'all' ? [] : wanted) {
    if (!names.includes(name)) {
      throw new UamError('UAM_ARGUMENT', `measurements: this model's features have no '${name}'${didYouMean(name, names)}`);
    }
  }
  return [...new Set([...features, ...(wanted === 'all' ? names : wanted)])];
}

/** The cuts: as large as the model likes its tiles, and as memory allows for blocks. */
async function sizesOf(
  grid: SlideGrid,
  model: SlideModelFacts,
  { model: path }: SlideInput,
  { kind }: CellOrigin,
  options: PrepareOptions,
) {
  const { width, height, mpp } = grid;
  const { maxMemory, sizes: given } = options;
  const { size: modelBytes } = await stat(path);
  const tile = given.tile ?? model.side((mpp[0] + mpp[1]) / 2);
  const margin = Math.ceil(MARGIN / Math.min(...mpp));
  const tilePixels = model.reads.image ? Math.min(tile, width) * Math.min(tile, height) : 0;
  const needsOf = (block: number): MemoryNeeds => {
    const padded = (length: number) => Math.min(length, block + 2 * margin);
    return { modelBytes, tilePixels, blockPixels: kind === 'none' ? 0 : padded(width) * padded(height) };
  };
  const blocks = given.block === undefined ? BLOCKS : [given.block];
  const block = blocks.find((side) => threadsWithin(maxMemory, needsOf(side)) > 0);
  if (block === undefined) throw tooLittle(maxMemory, needsOf(blocks.at(-1) as number));
  return { sizes: { width, height, tile, stride: Math.round(STRIDE * tile), block, margin }, needs: needsOf(block) };
}
