// Where cells lie on maps of features, and who asks whom when cells and image meet: whole numbers and places, no weights.
import { mismatch, UamError } from '../errors.js';
import type { AskedLists } from '../nn/listed_attention.js';
import type { Arrangement } from '../tokens/arrangement.js';
import type { ImagePlace } from './image_features.js';

export interface CellsOnImagesOptions {
  /** How the cells of the tiles lie, in micrometres: see `arrange`. */
  arrangement: Arrangement;
  /** `[cells, 4]`: x0, y0, x1, y1 of each cell's box in micrometres, in the order of the batch. Default: 10 um around each position. */
  boxes?: Float64Array | undefined;
  /** The image of each tile, -1 where it has none. */
  imageOfTile: Int32Array;
  place: ImagePlace;
}

/** Cells as the maps of a batch of images see them. Rows are cells in the order of the arrangement's scan. */
export interface CellsOnImages {
  /** All rows, on an image or not. */
  rows: number;
  /** Rows whose position lies on an image, rising. */
  seen: Int32Array;
  /** The image of each of them. */
  image: Int32Array;
  /** `[seen, 2]`: position in pixels of the image, whole numbers at pixel centres. */
  points: Float64Array;
  /** `[seen * 9, 2]`: a 3 x 3 grid in each one's box, in pixels of the image. */
  grids: Float64Array;
}

/** Half the side of the box of a cell that has none: of a nucleus of 10 um. */
const HALF_BOX = 5;
/** Points of the grid in a box, per axis. */
export const GRID = 3;

/** Refuses images that are not there, or that belong to two tiles. */
export function checkImagesOfTiles(imageOfTile: Int32Array, tiles: number, images: number): void {
  if (imageOfTile.length !== tiles)
    throw mismatch('UAM_SHAPE', 'imageOfTile', `one number per tile (${tiles})`, String(imageOfTile.length));
  const used = new Set<number>();
  imageOfTile.forEach((image, tile) => {
    if (image >= images || image < -1) throw mismatch('UAM_ARGUMENT', `imageOfTile[${tile}]`, `-1 to ${images - 1}`, String(image));
    if (image >= 0 && used.has(image)) throw new UamError('UAM_ARGUMENT', `imageOfTile: image ${image} belongs to two tiles`);
    used.add(image);
  });
}

/** Cells as images see them; a cell whose position is not on the image of its tile is seen by none. */
export function cellsOnImages({ arrangement, boxes, imageOfTile, place }: CellsOnImagesOptions): CellsOnImages {
  const { tiles, points, order } = arrangement;
  const { width, height, mpp, origin } = place;
  const rows = order.length;
  if (boxes && boxes.length !== 4 * rows) throw mismatch('UAM_SHAPE', 'boxes', `[${rows}, 4]`, `${boxes.length} numbers`);
  const seen: number[] = [];
  const images: number[] = [];
  const at: number[] = [];
  const grids: number[] = [];
  for (let tile = 0; tile + 1 < tiles.length; tile++) {
    const image = imageOfTile[tile] as number;
    if (image < 0) continue;
    const [originX, originY] = [origin[2 * image] as number, origin[2 * image + 1] as number];
    for (let row = tiles[tile] as number; row < (tiles[tile + 1] as number); row++) {
      const [px, py] = [points[2 * row] as number, points[2 * row + 1] as number];
      const x = (px - originX) / mpp;
      const y = (py - originY) / mpp;
      if (!(x >= -0.5 && x < width - 0.5 && y >= -0.5 && y < height - 0.5)) continue;
      seen.push(row);
      images.push(image);
      at.push(x, y);
      const cell = 4 * (order[row] as number);
      const box = boxes?.subarray(cell, cell + 4) ?? [px - HALF_BOX, py - HALF_BOX, px + HALF_BOX, py + HALF_BOX];
      const [x0, y0, x1, y1] = box as unknown as [number, number, number, number];
      if (!(x1 >= x0 && y1 >= y0 && Math.max(Math.abs(x0), Math.abs(y0), Math.abs(x1), Math.abs(y1)) < 1e9)) {
        throw mismatch('UAM_DATA', `the box of cell ${cell / 4}`, 'x0, y0, x1, y1 in micrometres', `${x0}, ${y0}, ${x1}, ${y1}`);
      }
      for (let gy = 0; gy < GRID; gy++) {
        for (let gx = 0; gx < GRID; gx++) {
          grids.push((x0 + ((gx + 0.5) / GRID) * (x1 - x0) - originX) / mpp, (y0 + ((gy + 0.5) / GRID) * (y1 - y0) - originY) / mpp);
        }
      }
    }
  }
  return {
    ...{ rows, seen: Int32Array.from(seen), image: Int32Array.from(images) },
    ...{ points: Float64Array.from(at), grids: Float64Array.from(grids) },
  };
}

/** Pixels of an image in pixels of its map: both count pixel centres as whole numbers. */
export function onMap(pixels: Float64Array, stride: number): Float64Array {
  return pixels.map((at) => (at + 0.5) / stride - 0.5);
}

/** The points of one map of every image, as rows: image by image, row by row. */
export interface MapGrid {
  stride: number;
  height: number;
  width: number;
}

/**
 * The points of the map in the square of `2 reach + 1` around each cell's own, for every row; empty for rows that are not seen. Points
 * that cover nothing of the image are left out.
 */
export function windowsOf({ rows, seen, image, points }: CellsOnImages, grid: MapGrid, place: ImagePlace, reach: number): AskedLists {
  const offsets = new Int32Array(rows + 1);
  const indices: number[] = [];
  const most = [Math.ceil(place.width / grid.stride) - 1, Math.ceil(place.height / grid.stride) - 1] as const;
  let row = 0;
  seen.forEach((own, k) => {
    while (row < own) offsets[++row] = indices.length;
    const around = ([0, 1] as const).map((axis) => {
      const centre = Math.floor(((points[2 * k + axis] as number) + 0.5) / grid.stride);
      return [Math.max(0, centre - reach), Math.min(most[axis] as number, centre + reach)] as const;
    });
    const [[left, right], [top, bottom]] = around as [readonly [number, number], readonly [number, number]];
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) indices.push(((image[k] as number) * grid.height + y) * grid.width + x);
    }
    offsets[++row] = indices.length;
  });
  while (row < rows) offsets[++row] = indices.length;
  return { offsets, indices: Int32Array.from(indices) };
}

/** Where the points of a map lie, in micrometres: `[height * width, 2]`. */
export function placesOf({ stride, height, width }: MapGrid, { mpp, origin }: ImagePlace, image: number): Float64Array {
  const places = new Float64Array(2 * height * width);
  const micrometres = (index: number, axis: number) => (origin[2 * image + axis] as number) + ((index + 0.5) * stride - 0.5) * mpp;
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      places[at++] = micrometres(x, 0);
      places[at++] = micrometres(y, 1);
    }
  }
  return places;
}

/** Calls `visit` with every point of the map whose centre is at most `radius` micrometres away from a place. */
function eachWithin(
  grid: MapGrid,
  { mpp, origin }: ImagePlace,
  image: number,
  [x, y]: readonly [number, number],
  radius: number,
  visit: (point: number) => void,
): void {
  const { stride, height, width } = grid;
  const step = stride * mpp;
  // In steps of the map, from the centre of its first point.
  const along = (place: number, axis: number) => (place - (origin[2 * image + axis] as number)) / step + 0.5 / stride - 0.5;
  const [cx, cy, reach] = [along(x, 0), along(y, 1), radius / step];
  for (let row = Math.max(0, Math.ceil(cy - reach)); row <= Math.min(height - 1, Math.floor(cy + reach)); row++) {
    const half = Math.sqrt(Math.max(0, reach ** 2 - (row - cy) ** 2));
    const last = Math.min(width - 1, Math.floor(cx + half));
    for (let column = Math.max(0, Math.ceil(cx - half)); column <= last; column++) visit((image * height + row) * width + column);
  }
}

/**
 * For every point of the map of every image, the rows of its tile's cells within `radius` micrometres, rising, and then row `rows`, which
 * stands for "no cell".
 */
export function cellsAround(options: Omit<CellsOnImagesOptions, 'boxes'>, grid: MapGrid, radius: number): AskedLists {
  const { arrangement, imageOfTile, place } = options;
  const { tiles, points } = arrangement;
  const images = place.origin.length / 2;
  const tokens = images * grid.height * grid.width;
  const eachPair = (visit: (point: number, row: number) => void) => {
    for (let tile = 0; tile + 1 < tiles.length; tile++) {
      const image = imageOfTile[tile] as number;
      if (image < 0) continue;
      for (let row = tiles[tile] as number; row < (tiles[tile + 1] as number); row++) {
        const at = [points[2 * row] as number, points[2 * row + 1] as number] as const;
        eachWithin(grid, place, image, at, radius, (point) => visit(point, row));
      }
    }
  };
  const offsets = new Int32Array(tokens + 1).fill(1, 1);
  eachPair((point) => {
    offsets[point + 1]! += 1;
  });
  for (let point = 0; point < tokens; point++) offsets[point + 1]! += offsets[point] as number;
  const next = offsets.slice(0, tokens);
  const indices = new Int32Array(offsets[tokens] as number);
  eachPair((point, row) => {
    indices[next[point]!++] = row;
  });
  const none = arrangement.order.length;
  next.forEach((at) => {
    indices[at] = none;
  });
  return { offsets, indices };
}
