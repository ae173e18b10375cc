// What a joint model says of a whole field: tile by tile where it is large, answers blended: "Slides" in section 5 of the specification.
import { UamError } from '../errors.js';
import type { JointModel } from '../heads/joint_model.js';
import { sigmoid } from '../ops/unary.js';
import { bring } from '../tensor/bring.js';
import { noGrad } from '../tensor/context.js';
import { scope } from '../tensor/scope.js';
import { batchFrom, frameOf, type JointPiece, mapsOf, pieceOf, type TilePart } from './joint_batch.js';
import type { JointTiles } from './joint_tiles.js';
import { startsOf, weightAt } from './overlap.js';
import type { Pace } from './pace.js';
import type { Window } from './tile_turn.js';

/** What a model says of one tile. */
export interface FieldAnswer {
  /** `[cells, classes]`, a row for each packed cell of the tile, in their order. NaN for cells outside of the image. */
  logits: Float32Array;
  /** Probabilities, `[height, width, kinds]`; undefined without an image. */
  regions: Float32Array | undefined;
}

/** From one tile to the next, as a share of their side. */
const STRIDE = 0.75;
/** What a model, in evaluation mode, says of a piece; `name` is that of its tile. */
export function answerPiece(model: JointModel, piece: JointPiece, mpp: number, name: string): FieldAnswer {
  return scope(() =>
    noGrad(() => {
      const { cells, regions } = model.forward(batchFrom(model, piece, mpp));
      const logits = cells ? Float32Array.from(bring(cells.logits, 'cpu').data) : new Float32Array(0);
      const probabilities = regions && Float32Array.from(bring(sigmoid(regions), 'cpu').data);
      if (!logits.every(Number.isFinite) || !(probabilities?.every(Number.isFinite) ?? true)) {
        throw new UamError(
          'UAM_NONFINITE',
          `the answers for ${name} are not finite; of a model in training, a lower learningRate may help`,
        );
      }
      return { logits, regions: probabilities };
    }),
  );
}

function answersOf(model: JointModel, tiles: JointTiles, part: TilePart): FieldAnswer & { rows: Int32Array } {
  const piece = pieceOf(tiles, part);
  const { name } = tiles.tiles[part.tile] as JointTiles['tiles'][number];
  return { rows: piece.rows, ...answerPiece(model, piece, tiles.mpp, name) };
}

/** Sums of what overlapping windows say, and of what they weigh. */
class Blend {
  readonly #logits: Float64Array;
  readonly #cellWeights: Float64Array;
  readonly #regions: Float64Array;
  readonly #weights: Float64Array;

  constructor(
    private readonly first: number,
    cells: number,
    private readonly classes: number,
    private readonly frame: { width: number; height: number },
    private readonly kinds: number,
  ) {
    this.#logits = new Float64Array(cells * classes);
    this.#cellWeights = new Float64Array(cells);
    this.#weights = new Float64Array(frame.width * frame.height);
    this.#regions = new Float64Array(frame.width * frame.height * kinds);
  }

  add(window: Window, weightOf: (row: number) => number, { rows, logits, regions }: FieldAnswer & { rows: Int32Array }): void {
    const { classes, kinds, frame } = this;
    rows.forEach((row, i) => {
      const weight = weightOf(row);
      const cell = row - this.first;
      this.#cellWeights[cell]! += weight;
      for (let c = 0; c < classes; c++) this.#logits[cell * classes + c]! += weight * (logits[i * classes + c] as number);
    });
    if (!regions) return;
    const [across, down] = [window.width, window.height].map((side) =>
      Float64Array.from({ length: side }, (_, i) => weightAt(i + 0.5, side)),
    ) as [Float64Array, Float64Array];
    for (let y = 0, at = 0; y < window.height; y++) {
      for (let x = 0; x < window.width; x++) {
        const weight = (down[y] as number) * (across[x] as number);
        const pixel = (window.y + y) * frame.width + window.x + x;
        this.#weights[pixel]! += weight;
        for (let k = 0; k < kinds; k++) this.#regions[pixel * kinds + k]! += weight * (regions[at++] as number);
      }
    }
  }

  answer(): FieldAnswer {
    const { classes, kinds } = this;
    return {
      logits: Float32Array.from(this.#logits, (sum, i) => sum / (this.#cellWeights[Math.floor(i / classes)] as number)),
      regions: Float32Array.from(this.#regions, (sum, i) => sum / (this.#weights[Math.floor(i / kinds)] as number)),
    };
  }
}

/** A model's word on a cell weighs what its pixel does. */
function cellWeight(tiles: JointTiles, origin: readonly [number, number], window: Window): (row: number) => number {
  const positions = tiles.cells?.positions ?? new Float64Array(0);
  const along = (place: number, start: number, axis: 0 | 1, side: number) => {
    return weightAt((place - origin[axis]) / tiles.mpp - start + 0.5, side);
  };
  return (row) =>
    along(positions[2 * row] as number, window.x, 0, window.width) * along(positions[2 * row + 1] as number, window.y, 1, window.height);
}

export interface FieldOptions {
  /** Side of a window in pixels: as large as those that the model has learned from. */
  side: number;
  pace: Pace;
}

/** What a model, in evaluation mode, says of one tile of any size. */
export async function answerField(model: JointModel, tiles: JointTiles, tile: number, { side, pace }: FieldOptions): Promise<FieldAnswer> {
  const own = tiles.tiles[tile] as JointTiles['tiles'][number];
  const maps = await mapsOf(own, model);
  const frame = frameOf(own, maps);
  const { cells, kinds } = tiles;
  const [from, to] = cells ? [cells.tiles[tile] as number, cells.tiles[tile + 1] as number] : [0, 0];
  const classes = model.classifier?.config.classes ?? 0;
  const stride = Math.floor(STRIDE * side);
  const starts = frame && !maps ? [startsOf(frame.width, side, stride), startsOf(frame.height, side, stride)] : [[0], [0]];
  const [columns, rows] = starts as [number[], number[]];
  if (!frame || columns.length * rows.length === 1) {
    const { rows: answered, logits, regions } = answersOf(model, tiles, { tile, maps });
    const all = new Float32Array((to - from) * classes).fill(Number.NaN);
    answered.forEach((row, i) => void all.set(logits.subarray(i * classes, (i + 1) * classes), (row - from) * classes));
    return { logits: all, regions };
  }
  const blend = new Blend(from, to - from, classes, frame, kinds);
  for (const y of rows) {
    for (const x of columns) {
      const window = { x, y, width: Math.min(side, frame.width), height: Math.min(side, frame.height) };
      blend.add(window, cellWeight(tiles, frame.origin, window), answersOf(model, tiles, { tile, window }));
      await pace.rest();
    }
  }
  return blend.answer();
}
