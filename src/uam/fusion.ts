// How cells and image inform each other: section 5 of the specification.
import { mismatch, UamError } from '../errors.js';
import type { Initializer } from '../nn/initializer.js';
import { Linear } from '../nn/linear.js';
import { type AskedLists, ListedAttention } from '../nn/listed_attention.js';
import { Module } from '../nn/module.js';
import { LayerNorm, RmsNorm } from '../nn/norm.js';
import { add, mul } from '../ops/binary.js';
import { concat, reshape, slice } from '../ops/copy_strided.js';
import { gather, scatterAdd } from '../ops/gather_rows.js';
import { matmul } from '../ops/matmul.js';
import { mean } from '../ops/reduce.js';
import { sampleBilinear } from '../ops/sample_bilinear.js';
import { tanh } from '../ops/unary.js';
import { checkpoint } from '../tensor/checkpoint.js';
import { sizeOf } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import type { Arrangement } from '../tokens/arrangement.js';
import { placeCode } from '../tokens/cell_tokens.js';
import { type CellsOnImages, cellsAround, cellsOnImages, GRID, type MapGrid, onMap, placesOf, windowsOf } from './cells_on_images.js';
import type { FeatureLevel, ImageFeatures, LevelShape } from './image_features.js';

/** `cross`: cells and image ask each other; `mean`: the image is told the mean of its cells; `none`: each goes its own way. */
export const FUSIONS = Object.freeze(['cross', 'mean', 'none'] as const);
export type FusionKind = (typeof FUSIONS)[number];

/** The level whose points meet the cells. */
const MEETING_STRIDE = 16;
/** A cell asks the points of the square of 2 * 2 + 1 around its own. */
const REACH = 2;
/** A point asks the cells within so many micrometres. */
const RADIUS = 128;
/** Numbers of the code of a place. */
const PLACE_CODE = 64;

export interface FusionOptions {
  /** Numbers per cell. */
  width: number;
  heads: number;
  /** Maps of the image, fine to coarse. */
  levels: readonly LevelShape[];
}

/**
 * Parameters of a fusion, without making it.
 *
 * @example
 * fusionParameterCount('mean', 8, [{ name: 'res2', stride: 4, channels: 24 }]);   // 816
 */
export function fusionParameterCount(kind: FusionKind, width: number, levels: readonly LevelShape[]): number {
  const met = levels.find(({ stride }) => stride === MEETING_STRIDE)?.channels ?? 0;
  const all = levels.reduce((sum, { channels }) => sum + channels, 0);
  const project = met * width + width + PLACE_CODE * width + width;
  const cross = 3 + 2 * all * width + project + 5 * width + 8 * width ** 2 + width * met + met;
  const told = levels.reduce((sum, { channels }) => sum + (channels + width) * channels + channels, 0);
  return { cross, mean: 3 * width + told, none: 0 }[kind];
}

/** The cells that meet the images, where there are any. */
export interface FusionCells {
  /** How they lie in their tiles: see `arrange`. */
  arrangement: Arrangement;
  /** `[cells, 4]`, see `JointBatch`. */
  boxes?: Float64Array | undefined;
  /** The image of each tile, -1 where it has none. */
  imageOfTile: Int32Array;
}

/** The same features with another tensor in place of one level's. */
const withLevel = (features: ImageFeatures, index: number, tensor: Tensor): ImageFeatures => ({
  ...features,
  levels: features.levels.map((level, i) => (i === index ? { ...level, tensor } : level)),
});

const flat = ({ tensor }: FeatureLevel): Tensor => reshape(tensor, [sizeOf(tensor.shape.slice(0, 3)), tensor.shape[3] as number]);

/** Rows put where they belong among `count`, zeros elsewhere. */
const spread = (x: Tensor, rows: Int32Array, count: number): Tensor =>
  rows.length === count ? x : scatterAdd(x, Tensor.from(rows, undefined, x.device), count);

/** One forward pass of the fusion, in two parts. */
export interface FusionMeeting {
  cells(tokens: Tensor): Tensor;
  features(): ImageFeatures;
}

/** What one meeting of cells and images needs beside the weights. */
interface Meeting {
  on: CellsOnImages;
  windows: AskedLists;
  around: AskedLists;
}

/**
 * Fusion `cross`: with C the tokens of the cells and T the points of the map at stride 16, projected to the width of the cells and told
 * their places,
 *
 *     C = C + tanh(alpha1) [values of all levels at the cell; their mean over a 3 x 3 grid in its box] sample
 *     C = C + tanh(alpha2) MHA(q = RMS C, kv = RMS T in the 5 x 5 window around the cell)
 *     T = T + tanh(alpha3) MHA(q = RMS T, kv = RMS C within 128 um, and a learned token for "no cell")
 *
 * and T is added to its level through `back`. All alpha and `back` are 0 at the start, so that cells and image come out unchanged.
 * Parameters: `alpha1`, `alpha2`, `alpha3` (1), `sample` (2 * channels of all levels, width), `project.`, `place.`, `cell_norm.`,
 * `point_norm.`, `to_cells.`, `asking_norm.`, `asked_norm.`, `to_points.`, `no_cell` (1, width), `back.weight` (width, channels of the level), `back.bias`.
 *
 * @example
 * const levels = [{ name: 'res4', stride: 16, channels: 24 }];
 * const fusion = new CrossFusion({ width: 8, heads: 2, levels }, new Initializer(1));
 * const tensor = Tensor.zeros([1, 2, 4, 24]);
 * const place = { height: 32, width: 64, mpp: 0.5, origin: Float64Array.of(0, 0), modelHash: undefined };
 * const features = { ...place, levels: [{ name: 'res4', stride: 16, channels: 24, height: 2, width: 4, tensor }] };
 * const arrangement = arrange(Float64Array.of(4, 4, 9, 12));
 * const meeting = fusion.meet(features, { arrangement, imageOfTile: Int32Array.of(0) });
 * meeting.cells(Tensor.zeros([2, 8])).shape;        // [2, 8], in the middle of the backbone
 * meeting.features().levels[0].tensor.shape;        // [1, 2, 4, 24], after it
 */
export class CrossFusion extends Module {
  readonly #meetingLevel: number;
  readonly #channels: number;
  readonly #project: Linear;
  readonly #place: Linear;
  readonly #cellNorm: RmsNorm;
  readonly #pointNorm: RmsNorm;
  readonly #toCells: ListedAttention;
  readonly #askingNorm: RmsNorm;
  readonly #askedNorm: RmsNorm;
  readonly #toPoints: ListedAttention;

  constructor({ width, heads, levels }: FusionOptions, start: Initializer) {
    super();
    this.#meetingLevel = levels.findIndex(({ stride }) => stride === MEETING_STRIDE);
    const level = levels[this.#meetingLevel];
    if (!level) {
      throw mismatch('UAM_ARGUMENT', 'fusion cross: levels', 'with one of stride 16', levels.map(({ stride }) => stride).join(', '));
    }
    this.#channels = levels.reduce((sum, { channels }) => sum + channels, 0);
    for (const name of ['alpha1', 'alpha2', 'alpha3']) this.parameter(name, start.constant([1], 0));
    this.parameter('sample', start.matrix([2 * this.#channels, width]));
    this.#project = this.child('project', new Linear(level.channels, width, start));
    this.#place = this.child('place', new Linear(PLACE_CODE, width, start));
    this.#cellNorm = this.child('cell_norm', new RmsNorm(width, start));
    this.#pointNorm = this.child('point_norm', new RmsNorm(width, start));
    this.#toCells = this.child('to_cells', new ListedAttention(width, heads, start));
    this.#askingNorm = this.child('asking_norm', new RmsNorm(width, start));
    this.#askedNorm = this.child('asked_norm', new RmsNorm(width, start));
    this.#toPoints = this.child('to_points', new ListedAttention(width, heads, start));
    this.parameter('no_cell', start.normal([1, width], 1), { decay: false });
    this.parameter('back.weight', start.constant([width, level.channels], 0));
    this.parameter('back.bias', start.constant([level.channels], 0));
  }

  /**
   * Begins a meeting: `cells` changes the tokens of the cells in the middle of the backbone, [cells, width] in the order of the scan;
   * `features` then gives the features with what the image learned of them. Without cells `features` alone is called.
   *
   * @param recompute whether the backward pass samples the maps again, rather than keep what was sampled
   */
  meet(features: ImageFeatures, cells: FusionCells | undefined, recompute = false): FusionMeeting {
    const level = features.levels[this.#meetingLevel] as FeatureLevel;
    let met: Tensor | undefined;
    return {
      cells: (tokens) => {
        if (!cells) throw new UamError('UAM_ARGUMENT', 'fusion: a meeting without cells was given cells');
        const meeting = this.#meetingOf(features, level, cells);
        const points = this.#pointsOf(features, level);
        const sample = (given: Tensor) => this.#sampled(given, features, meeting.on);
        const sampled = recompute ? checkpoint(sample, [tokens]) : sample(tokens);
        const asked = this.#toCells.forward(this.#cellNorm.forward(sampled), this.#pointNorm.forward(points), meeting.windows);
        const told = add(sampled, mul(asked, tanh(this.get('alpha2'))));
        met = this.#toldPoints(points, told, meeting.around);
        return told;
      },
      features: () => {
        met ??= this.#toldPoints(this.#pointsOf(features, level), undefined, noCells(features, level));
        const change = reshape(add(matmul(met, this.get('back.weight')), this.get('back.bias')), level.tensor.shape);
        return withLevel(features, this.#meetingLevel, add(level.tensor, change));
      },
    };
  }

  #meetingOf(place: ImageFeatures, grid: MapGrid, cells: FusionCells): Meeting {
    const on = cellsOnImages({ ...cells, place });
    return { on, windows: windowsOf(on, grid, place, REACH), around: cellsAround({ ...cells, place }, grid, RADIUS) };
  }

  /** T: the points of the map, projected, with their places. */
  #pointsOf(features: ImageFeatures, level: FeatureLevel): Tensor {
    const { origin } = features;
    const images = origin.length / 2;
    const codeOf = (image: number) =>
      this.#place.forward(placeCode(placesOf(level, features, image), level.tensor.dtype, level.tensor.device));
    const points = this.#project.forward(flat(level));
    const alike = origin.every((value, i) => value === origin[i % 2]);
    if (images > 0 && alike) {
      const apart = reshape(points, [images, level.height * level.width, points.shape[1] as number]);
      return reshape(add(apart, codeOf(0)), points.shape);
    }
    return images > 0 ? add(points, concat(Array.from({ length: images }, (_, image) => codeOf(image)))) : points;
  }

  /** Step 1. */
  #sampled(tokens: Tensor, { levels }: ImageFeatures, { rows, seen, image, points, grids }: CellsOnImages): Tensor {
    const { dtype, device } = tokens;
    const count = seen.length;
    if (count === 0) return tokens;
    // Positions and grids in one call: each map is read once, and its gradient is one sum, recomputed or not.
    const images = Int32Array.from({ length: count * (1 + GRID ** 2) }, (_, i) =>
      i < count ? (image[i] as number) : (image[Math.floor((i - count) / GRID ** 2)] as number),
    );
    const imageOf = Tensor.from(images, undefined, device);
    const values = levels.flatMap(({ tensor, stride, channels }) => {
      const at = [...onMap(points, stride), ...onMap(grids, stride)];
      const places = Tensor.from(dtype === 'float64' ? Float64Array.from(at) : Float32Array.from(at), [images.length, 2], device);
      const all = sampleBilinear(tensor, places, imageOf);
      const inBox = reshape(slice(all, [count], [images.length]), [count, GRID ** 2, channels]);
      return [slice(all, [0], [count]), mean(inBox, { axis: 1 })];
    });
    const change = mul(matmul(concat(values, 1), this.get('sample')), tanh(this.get('alpha1')));
    return add(tokens, spread(change, seen, rows));
  }

  /** Step 3. */
  #toldPoints(points: Tensor, cells: Tensor | undefined, around: AskedLists): Tensor {
    const context = cells ? concat([cells, this.get('no_cell')]) : this.get('no_cell');
    const asked = this.#toPoints.forward(this.#askingNorm.forward(points), this.#askedNorm.forward(context), around);
    return add(points, mul(asked, tanh(this.get('alpha3'))));
  }
}

/** Lists of points that meet no cell at all: each asks row 0, which stands for that. */
function noCells({ origin }: ImageFeatures, { height, width }: MapGrid): AskedLists {
  const points = (origin.length / 2) * height * width;
  return { offsets: Int32Array.from({ length: points + 1 }, (_, i) => i), indices: new Int32Array(points) };
}

/**
 * Fusion `mean`, the broadcast variant: each image is told the layer norm of the mean of its cells' states, at every point of every
 * level, through a 1x1 convolution of both side by side. Images without cells are told a learned vector. The cells learn nothing of the
 * image. Starts as if nothing was told. Parameters: `norm.`, `no_cell` (1, width), and per level `<level>.weight` (channels + width,
 * channels), `<level>.bias`.
 *
 * @example
 * const fusion = new MeanFusion({ width: 8, heads: 2, levels: [{ name: 'res2', stride: 4, channels: 24 }] }, new Initializer(1));
 * fusion.parameterCount;   // 24 + (24 + 8) * 24 + 24 = 816
 */
export class MeanFusion extends Module {
  readonly #levels: readonly LevelShape[];
  readonly #norm: LayerNorm;

  constructor({ width, levels }: FusionOptions, start: Initializer) {
    super();
    this.#levels = levels;
    this.#norm = this.child('norm', new LayerNorm(width, start));
    this.parameter('no_cell', start.normal([1, width], 1), { decay: false });
    for (const { name, channels } of levels) {
      const weight = start.constant([channels + width, channels], 0);
      for (let c = 0; c < channels; c++) weight.data[c * channels + c] = 1;
      this.parameter(`${name}.weight`, weight);
      this.parameter(`${name}.bias`, start.constant([channels], 0));
    }
  }

  /**
   * @param states of the cells, [cells, width] in the order of the tiles
   * @param tiles where tiles begin and end in them, [tiles + 1]
   */
  forward(features: ImageFeatures, states: Tensor | undefined, tiles: Int32Array, imageOfTile: Int32Array): ImageFeatures {
    const told = this.#toldTo(features.origin.length / 2, states, tiles, imageOfTile);
    return { ...features, levels: features.levels.map((level, i) => ({ ...level, tensor: this.#mixed(level, i, told) })) };
  }

  #mixed({ tensor }: FeatureLevel, index: number, told: Tensor): Tensor {
    const { name, channels } = this.#levels[index] as LevelShape;
    const weight = this.get(`${name}.weight`);
    // [level; told] W is the sum of two products with parts of W: what is told is the same at every point.
    const ofCells = add(matmul(told, slice(weight, [channels], [weight.shape[0] as number])), this.get(`${name}.bias`));
    return add(matmul(tensor, slice(weight, [0], [channels])), reshape(ofCells, [tensor.shape[0] as number, 1, 1, channels]));
  }

  /** What each image is told, [images, width]. */
  #toldTo(images: number, states: Tensor | undefined, tiles: Int32Array, imageOfTile: Int32Array): Tensor {
    const noCell = this.get('no_cell');
    const shares: { row: number; image: number; share: number }[] = [];
    const without = new Set(Array.from({ length: images }, (_, image) => image));
    imageOfTile.forEach((image, tile) => {
      const [first, end] = [tiles[tile] as number, tiles[tile + 1] as number];
      if (image < 0 || first === end) return;
      without.delete(image);
      for (let row = first; row < end; row++) shares.push({ row, image, share: 1 / (end - first) });
    });
    const { dtype, device } = noCell;
    const column = (values: number[]) =>
      Tensor.from(dtype === 'float64' ? Float64Array.from(values) : Float32Array.from(values), [values.length, 1], device);
    const ints = (values: number[]) => Tensor.from(Int32Array.from(values), undefined, device);
    const alone = scatterAdd(gather(noCell, ints([...without].map(() => 0))), ints([...without]), images);
    if (!states || shares.length === 0) return this.#norm.forward(alone);
    const rows = mul(gather(states, ints(shares.map(({ row }) => row))), column(shares.map(({ share }) => share)));
    return this.#norm.forward(add(scatterAdd(rows, ints(shares.map(({ image }) => image)), images), alone));
  }
}
