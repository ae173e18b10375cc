// Tiles ready for a joint model, as plain data that threads share: cells, images, regions.
import type { Scaling } from '../tokens/scaling.js';
import type { JointDataset, JointSample, TilePixels } from './joint_dataset.js';
import type { Pace } from './pace.js';
import { type PackedCells, packCells } from './packed_cells.js';

export interface JointTiles {
  /** Their cells; entry i of `cells.tiles` is where those of tile i begin. Undefined for a model of regions alone. */
  cells: PackedCells | undefined;
  /** `[cells, 4]`: x0, y0, x1, y1 in micrometres. */
  boxes: Float64Array;
  tiles: JointTile[];
  /** Kinds of regions. */
  kinds: number;
  /** Micrometres per pixel. */
  mpp: number;
}

/** What a tile has beside its cells. */
export interface JointTile {
  name: string;
  image: TilePixels | undefined;
  /** The sidecar of feature maps that stand for the image. */
  maps: string | undefined;
  imageFile: string | undefined;
  /** `[height, width, kinds]`: 0, 1, 255. */
  region: Uint8Array | undefined;
}

/** Half the side of the box of a cell of which only the place is known, in micrometres. */
const HALF_BOX = 5;

/** x0, y0, x1, y1 of cells of which there may be places only. */
export function boxesOf(positions: Float64Array, boxes: Float64Array | undefined): Float64Array {
  if (boxes) return boxes;
  return Float64Array.from({ length: 2 * positions.length }, (_, i) => {
    const place = positions[2 * (i >> 2) + (i & 1)] as number;
    return i % 4 < 2 ? place - HALF_BOX : place + HALF_BOX;
  });
}

const tileOf = ({ name, image, maps, imageFile, region }: JointSample): JointTile => ({ name, image, maps, imageFile, region });

/**
 * @param scaling of the features; absent: cells are left out
 * @throws UamError as `packCells`
 */
export async function packTiles(dataset: JointDataset, scaling: Scaling | undefined, pace: Pace): Promise<JointTiles> {
  const { samples, regions, mpp } = dataset;
  const cells = scaling && (await packCells(samples, scaling, true, pace, 'samples'));
  const boxes = new Float64Array(new SharedArrayBuffer(32 * (cells?.cells ?? 0)));
  let row = 0;
  for (const { positions, boxes: own } of cells ? samples : []) {
    const found = boxesOf(positions as Float64Array, own);
    boxes.set(found, row);
    row += found.length;
    await pace.rest();
  }
  return { cells, boxes, tiles: samples.map(tileOf), kinds: regions.length, mpp };
}
