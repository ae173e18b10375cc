// One tile as a joint model takes it in: a window of it, as it is or disturbed as training wants it.
import { NO_LABEL } from '../heads/joint_loss.js';
import type { JointBatch, JointModel } from '../heads/joint_model.js';
import { randomUniform } from '../ops/random.js';
import { Tensor } from '../tensor/tensor.js';
import type { CellBatch } from '../tokens/cell_batch.js';
import { readImageFeatures } from '../uam/feature_files.js';
import { type ImageFeatures, imageBatch } from '../uam/image_features.js';
import { type Draw, disturb, farOf, wayOf } from './batch_of.js';
import { STREAMS } from './epoch_plan.js';
import type { JointSettings } from './joint_settings.js';
import type { JointTile, JointTiles } from './joint_tiles.js';
import { type PackedCells, unpackRow } from './packed_cells.js';
import { restained } from './stain_jitter.js';
import { turnBoxes, turnedPixels, turnedSize, turnPlaces, type Way, type Window } from './tile_turn.js';

/** How a tile is changed for a step: `index` tells its random numbers from those of others. */
export interface Disturbance {
  settings: Pick<JointSettings, 'augment' | 'crop' | 'stain'>;
  at: Draw;
  index: number;
}

/** What is taken of a tile. */
export interface TilePart {
  tile: number;
  /** In pixels of its image. Default: all of it; without an image, all cells. */
  window?: Window | undefined;
  /** Feature maps that stand for the image. */
  maps?: ImageFeatures | undefined;
}

/** A tile as numbers, from which tensors are made when their turn comes. */
export interface JointPiece {
  /** The packed row of each cell. */
  rows: Int32Array;
  /** `[cells, width]`, scaled; 0 and a mark where a value is missing. */
  features: Float32Array;
  missing: Uint8Array;
  /** In micrometres from the centre of the window's first pixel. */
  places: Float64Array;
  boxes: Float64Array;
  /** Which cell of `rows` each label speaks of, and its class. */
  labelled: Int32Array;
  labels: Int32Array;
  image: { width: number; height: number; data: Uint8Array | Float32Array } | undefined;
  maps: ImageFeatures | undefined;
  /** `[height, width, kinds]` of the window. */
  region: Uint8Array | undefined;
}

/** Numbers from 0 to 1 that follow from a seed, a step and a stream. */
function uniforms(count: number, at: Draw, stream: number): Float32Array {
  const numbers = randomUniform([count], { ...at, stream });
  const copy = Float32Array.from(numbers.data);
  numbers.dispose();
  return copy;
}

/** Where pixels lie: those of an image, or of the maps that stand for one. */
interface Frame {
  width: number;
  height: number;
  origin: readonly [x: number, y: number];
}

export function frameOf({ image }: JointTile, maps: ImageFeatures | undefined): Frame | undefined {
  if (image || !maps) return image;
  const { width, height, origin } = maps;
  return { width, height, origin: [origin[0] as number, origin[1] as number] };
}

/** A window of the wanted side at a random place; along an axis on which the image is no longer, all of it. */
function croppedWindow({ width, height }: Frame, { settings: { crop }, at, index }: Disturbance): Window {
  const places = uniforms(2, at, STREAMS.crop + index);
  const [w, h] = [Math.min(width, crop), Math.min(height, crop)];
  const along = (spare: number, share: number) => Math.min(spare, Math.floor(share * (spare + 1)));
  return { x: along(width - w, places[0] as number), y: along(height - h, places[1] as number), width: w, height: h };
}

/** A window of a frame. */
interface Cut {
  window: Window;
  frame: Frame;
}

/** Cells whose places lie in a window, or all; some left out where training wants it. */
function rowsIn(cells: PackedCells, tile: number, cut: Cut | undefined, mpp: number, disturbance: Disturbance | undefined): Int32Array {
  const [from, to] = [cells.tiles[tile] as number, cells.tiles[tile + 1] as number];
  const share = disturbance?.settings.augment.dropCells ?? 0;
  const keep = disturbance && share > 0 && to > from ? uniforms(to - from, disturbance.at, STREAMS.drop + disturbance.index) : undefined;
  const within = (place: number, origin: number, start: number, length: number) => {
    const pixel = (place - origin) / mpp - start;
    return pixel >= -0.5 && pixel < length - 0.5;
  };
  const inside = (x: number, y: number, { window, frame: { origin } }: Cut) =>
    within(x, origin[0], window.x, window.width) && within(y, origin[1], window.y, window.height);
  const rows: number[] = [];
  for (let row = from; row < to; row++) {
    if (keep && (keep[row - from] as number) < share) continue;
    const [x, y] = [cells.positions[2 * row] as number, cells.positions[2 * row + 1] as number];
    if (!cut || inside(x, y, cut)) rows.push(row);
  }
  return Int32Array.from(rows);
}

/** Where places are counted from: the centre of the window's first pixel; without an image, the corner of the cells. */
function originOf(cut: Cut | undefined, mpp: number, places: Float64Array): [number, number] {
  if (cut) return [cut.frame.origin[0] + cut.window.x * mpp, cut.frame.origin[1] + cut.window.y * mpp];
  const low = (axis: number) => places.reduce((least, at, i) => (i % 2 === axis ? Math.min(least, at) : least), Number.POSITIVE_INFINITY);
  return places.length > 0 ? [low(0), low(1)] : [0, 0];
}

function labelsOf(cells: PackedCells, rows: Int32Array): Pick<JointPiece, 'labelled' | 'labels'> {
  const { labelStarts, labels } = cells;
  const found: [number, number][] = [];
  rows.forEach((row, i) => {
    for (let at = labelStarts[row] as number; at < (labelStarts[row + 1] as number); at++) found.push([i, labels[at] as number]);
  });
  return { labelled: Int32Array.from(found, ([i]) => i), labels: Int32Array.from(found, ([, label]) => label) };
}

type PieceOfCells = Omit<JointPiece, 'image' | 'maps' | 'region'>;

const noCells = (): PieceOfCells => ({
  ...{ rows: new Int32Array(0), features: new Float32Array(0), missing: new Uint8Array(0) },
  ...{ places: new Float64Array(0), boxes: new Float64Array(0), labelled: new Int32Array(0), labels: new Int32Array(0) },
});

function cellsOf(tiles: JointTiles, tile: number, cut: Cut | undefined, way: Way, disturbance: Disturbance | undefined): PieceOfCells {
  const { cells, mpp, boxes: all } = tiles;
  if (!cells) return noCells();
  const rows = rowsIn(cells, tile, cut, mpp, disturbance);
  const { width } = cells;
  const [features, missing] = [new Float32Array(rows.length * width), new Uint8Array(rows.length * width)];
  const [places, boxes] = [new Float64Array(2 * rows.length), new Float64Array(4 * rows.length)];
  rows.forEach((row, i) => {
    unpackRow(cells, row, features, missing, i * width);
    places.set(cells.positions.subarray(2 * row, 2 * row + 2), 2 * i);
    boxes.set(all.subarray(4 * row, 4 * row + 4), 4 * i);
  });
  if (disturbance) disturb(features, missing, disturbance.settings.augment, disturbance.at, disturbance.index);
  const origin = originOf(cut, mpp, places);
  for (const list of [places, boxes]) list.forEach((at, i) => void (list[i] = at - (origin[(i & 1) as 0 | 1] as number)));
  const far = cut ? ([(cut.window.width - 1) * mpp, (cut.window.height - 1) * mpp] as const) : farOf(places);
  turnPlaces(places, far, way);
  turnBoxes(boxes, far, way);
  return { rows, features, missing, places, boxes, ...labelsOf(cells, rows) };
}

/**
 * A tile, or a window of it, as numbers.
 *
 * @param disturbance how training changes it; absent: as it is
 */
export function pieceOf(tiles: JointTiles, part: TilePart, disturbance?: Disturbance): JointPiece {
  const { maps } = part;
  const tile = tiles.tiles[part.tile] as JointTile;
  const { image, region } = tile;
  const frame = frameOf(tile, maps);
  // Maps were made of the image as it is.
  const free = disturbance && !maps ? disturbance : undefined;
  const whole = frame && { x: 0, y: 0, width: frame.width, height: frame.height };
  const window = part.window ?? (free && frame ? croppedWindow(frame, free) : whole);
  const way = free?.settings.augment.turn ? wayOf(free.at, free.index) : 0;
  const cut = frame && window && { frame, window };
  const cells = cellsOf(tiles, part.tile, cut, way, disturbance);
  const known = region && cut ? turnedPixels(region, cut.frame.width, tiles.kinds, cut.window, way) : undefined;
  if (!image || !cut) return { ...cells, image: undefined, maps, region: known };
  const [width, height] = turnedSize(cut.window, way);
  const turned = turnedPixels(image.data, image.width, 3, cut.window, way);
  const stain = free?.settings.stain ?? 0;
  const data = free && stain > 0 ? restained(turned, stainDraw(free, stain)) : turned;
  return { ...cells, image: { width, height, data }, maps, region: known };
}

const stainDraw = ({ at, index }: Disturbance, most: number): Float32Array =>
  uniforms(6, at, STREAMS.stain + index).map((share) => most * (2 * share - 1));

/** The feature maps that stand for a tile's image; undefined where none do. */
export async function mapsOf({ maps, image, imageFile }: JointTile, model: JointModel): Promise<ImageFeatures | undefined> {
  if (maps === undefined || model.encoder) return undefined;
  const modelHash = 'external' in model.config.image ? model.config.image.external.modelHash : undefined;
  return readImageFeatures(maps, { modelHash, imageFile, ...(image && { image: { ...image, channels: 3 as const } }) });
}

/** A piece as tensors. */
export function batchFrom(model: JointModel, piece: JointPiece, mpp: number): JointBatch {
  const { rows, features, missing, places, boxes, image, maps } = piece;
  const width = model.classifier?.config.features ?? 0;
  const cells: CellBatch | undefined = model.classifier && {
    features: Tensor.from(features, [rows.length, width]),
    missing: missing.includes(1) ? Tensor.from(missing, [rows.length, width]) : undefined,
    arrangement: model.classifier.arrange(places),
  };
  const pixels = image && model.encoder && imageBatch([{ ...image, channels: 3 }], { mpp });
  const found = pixels ?? (maps && { ...maps, origin: Float64Array.of(0, 0) });
  return { cells, boxes, image: found, ...(cells && { imageOfTile: Int32Array.of(found ? 0 : -1) }) };
}

/** Whether anything is known of a region mask. */
export const tells = (region: Uint8Array | undefined): region is Uint8Array => region?.some((value) => value !== NO_LABEL.region) ?? false;
