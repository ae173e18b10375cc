// A model on the thread that asks, tile after tile: for those who cut images into tiles themselves.
import { UamError } from '../errors.js';
import { CellClassifier } from '../heads/cell_classifier.js';
import type { JointConfig } from '../heads/joint_config.js';
import { loadJointModel, readJointFile } from '../heads/joint_file.js';
import type { JointModel } from '../heads/joint_model.js';
import { loadClassifier } from '../heads/model_file.js';
import { modelKind } from '../heads/model_kind.js';
import { bring } from '../tensor/bring.js';
import { noGrad } from '../tensor/context.js';
import { scope } from '../tensor/scope.js';
import { Tensor } from '../tensor/tensor.js';
import { applyScaling, type FeatureColumns, type Scaling } from '../tokens/scaling.js';
import { deviceOf, type OnDevice } from './devices.js';
import { answerPiece } from './joint_answers.js';
import type { JointPiece } from './joint_batch.js';
import type { TilePixels } from './joint_dataset.js';
import { boxesOf } from './joint_tiles.js';
import { sideOf } from './joint_uam.js';
import { type ModelNotes, modelNotes } from './model_notes.js';
import { DEFAULT_RECIPE, type ExtractionRecipe } from './recipe.js';

/** A tile, or what there is of it. */
export interface TileInput {
  /** Red, green and blue at the model's pixel size. */
  image?: TilePixels | undefined;
  cells?: TileCells | undefined;
}

export interface TileCells {
  table: FeatureColumns;
  /** `[cells, 2]` in micrometres. */
  positions: Float64Array;
  /** `[cells, 4]`: x0, y0, x1, y1 in micrometres. */
  boxes?: Float64Array | undefined;
}

export interface TileAnswer {
  /** `[cells, classes]`, before the temperature. */
  logits: Float32Array;
  /** Probabilities, `[height, width, regions]`; undefined without an image, or of a model that knows no regions. */
  regions: Float32Array | undefined;
}

/** What is known of either kind of model. */
interface Facts {
  classes: readonly string[];
  regions: readonly string[];
  scaling: Scaling | undefined;
  notes: ModelNotes;
  mpp: number | undefined;
}

/** @throws UamError `UAM_DATA` for a model that needs the feature maps of another encoder: who has pixels alone cannot ask it */
export function refuseMaps({ image }: JointConfig, path: string): void {
  if ('builtIn' in image) return;
  throw new UamError(
    'UAM_DATA',
    `${path}: this model sees images through feature maps of ${image.external.modelHash}, which are not made here: give it tiles with their ` +
      'maps (JointUAM.predict), or train one with an encoder of its own (uam train --encoder S)',
  );
}

const placesFrom = (positions: Float64Array, [x, y]: readonly [number, number]): Float64Array =>
  positions.map((place, i) => place - (i % 2 === 0 ? x : y));

function cornerOf(positions: Float64Array): [number, number] {
  const low = (axis: number) =>
    positions.reduce((least, at, i) => (i % 2 === axis ? Math.min(least, at) : least), Number.POSITIVE_INFINITY);
  return positions.length > 0 ? [low(0), low(1)] : [0, 0];
}

/**
 * A model of cells, or of cells and regions, that answers tile by tile, here and now. What it says of a tile depends on that tile alone.
 */
export class TileModel {
  private constructor(
    private readonly model: CellClassifier | JointModel,
    private readonly facts: Facts,
  ) {
    model.eval();
  }

  /**
   * @throws UamError as `loadClassifier`, `loadJointModel`; `UAM_DATA` for a model that needs the feature maps of another encoder;
   *   `UAM_DEVICE`
   */
  static async load(path: string, { device: wanted }: OnDevice = {}): Promise<TileModel> {
    const { device } = deviceOf(wanted);
    if ((await modelKind(path)) === 'joint') {
      refuseMaps((await readJointFile(path)).config, path);
      const { model, classes, regions, scaling, mpp, notes } = await loadJointModel(path);
      return new TileModel(model.to(device), { classes, regions, scaling, mpp, notes: modelNotes(notes, path) });
    }
    const { model, classes, scaling, notes } = await loadClassifier(path);
    const known = modelNotes(notes, path);
    const mpp = typeof known.extraction?.mpp === 'number' ? known.extraction.mpp : undefined;
    return new TileModel(model.to(device), { classes, regions: [], scaling, mpp, notes: known });
  }

  /** Names of the classes of cells; none of a model that reads no cells. */
  get classes(): readonly string[] {
    return this.facts.classes;
  }

  /** Names of the regions; none of a model of cells alone. */
  get regions(): readonly string[] {
    return this.facts.regions;
  }

  /** Micrometres per pixel of its training; undefined where its file does not tell. */
  get mpp(): number | undefined {
    return this.facts.mpp;
  }

  /** The features that it reads, in its order. */
  get features(): readonly string[] {
    return this.facts.scaling?.names ?? [];
  }

  /** How features of cells are extracted for it. */
  get extraction(): ExtractionRecipe {
    return this.facts.notes.extraction ?? DEFAULT_RECIPE;
  }

  /** What the logits of cells are divided by, so that their probabilities are calibrated. */
  get temperature(): number {
    return this.facts.notes.temperature;
  }

  /** What it can use of a tile. */
  get reads(): { cells: boolean; image: boolean } {
    return { cells: this.facts.scaling !== undefined, image: !(this.model instanceof CellClassifier) && this.model.encoder !== undefined };
  }

  /**
   * The side of the tiles that it should be asked for, in pixels of size `mpp`: as large as those that it has learned from, from 64 to
   * 1024.
   */
  side(mpp: number): number {
    return sideOf(this.facts.notes.window, mpp);
  }

  /**
   * @throws UamError `UAM_DATA` where a feature is absent, `UAM_SHAPE`; `UAM_NONFINITE` where the model's numbers are out of hand
   */
  answer({ image, cells }: TileInput): TileAnswer {
    const { model } = this;
    if (model instanceof CellClassifier)
      return { logits: cells ? this.#classified(model, cells) : new Float32Array(0), regions: undefined };
    const piece = this.#pieceOf(image, cells);
    if (!piece.image && piece.rows.length === 0) return { logits: new Float32Array(0), regions: undefined };
    return answerPiece(model, piece, this.facts.mpp as number, 'a tile');
  }

  #classified(model: CellClassifier, { table, positions }: TileCells): Float32Array {
    if (table.length === 0) return new Float32Array(0);
    const { values, missing, width } = applyScaling(this.facts.scaling as Scaling, table);
    return scope(() =>
      noGrad(() => {
        const batch = {
          features: Tensor.from(values, [table.length, width]),
          missing: missing.includes(1) ? Tensor.from(missing, [table.length, width]) : undefined,
          arrangement: model.arrange(placesFrom(positions, cornerOf(positions))),
        };
        return Float32Array.from(bring(model.forward(batch).logits, 'cpu').data);
      }),
    );
  }

  #pieceOf(image: TilePixels | undefined, cells: TileCells | undefined): JointPiece {
    const { scaling } = this.facts;
    const read = scaling && cells && cells.table.length > 0 ? cells : undefined;
    const origin = image?.origin ?? cornerOf(read?.positions ?? new Float64Array(0));
    const scaled = read && applyScaling(scaling as Scaling, read.table);
    const none = new Int32Array(0);
    return {
      rows: Int32Array.from({ length: read?.table.length ?? 0 }, (_, i) => i),
      features: scaled?.values ?? new Float32Array(0),
      missing: scaled?.missing ?? new Uint8Array(0),
      places: placesFrom(read?.positions ?? new Float64Array(0), origin),
      boxes: placesFrom(read ? boxesOf(read.positions, read.boxes) : new Float64Array(0), origin),
      ...{ labelled: none, labels: none, image, maps: undefined, region: undefined },
    };
  }

  /** Gives the model's memory back. */
  dispose(): void {
    this.model.dispose();
  }
}
