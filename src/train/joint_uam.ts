import { mismatch, UamError } from '../errors.js';
import type { JointConfig } from '../heads/joint_config.js';
import { type JointFacts, loadJointModel, saveJointModel } from '../heads/joint_file.js';
import { JointModel } from '../heads/joint_model.js';
import { backboneConfig } from '../uam/config.js';
import { positionsOf } from './dataset.js';
import { deviceOf, type OnDevice } from './devices.js';
import { fingerprintOfTiles } from './fingerprint.js';
import type { FitOutcome } from './fit_loop.js';
import { type FitProgress, keepingOf } from './fit_options.js';
import { holdOut, refuseUnlabelled } from './held_out.js';
import { tells } from './joint_batch.js';
import { JointDataset, type JointSampleInput } from './joint_dataset.js';
import { checkJointOptions, type JointUamOptions, jointConfigFor } from './joint_options.js';
import { type JointFitOptions, jointSettings } from './joint_settings.js';
import { type JointTiles, packTiles } from './joint_tiles.js';
import { type ModelNotes, modelNotes, trainingNotes } from './model_notes.js';
import { runOffThread } from './off_thread.js';
import { Pace } from './pace.js';
import { dependsOnOrientation, type ExtractionRecipe } from './recipe.js';
import { type SeenSample, seenIn } from './seen.js';
import { softmaxAt } from './temperature.js';
import type { TaskResult } from './thread_task.js';
import { scalingOf } from './training_scaling.js';
import type { EpochRecord } from './training_state.js';
import type { FitReport } from './uam.js';

export type { JointUamOptions } from './joint_options.js';

/** What a joint model says of a tile. */
export interface JointAnswer {
  /** `[cells, classes]`: calibrated, rows sum to 1; a row of NaN for a cell whose place is not on the image. */
  probabilities: Float32Array;
  /** `[height, width, regions]`: the probability of each pixel to lie inside; undefined without an image. */
  regions: Float32Array | undefined;
}

/** What training came to: see `FitReport`. */
export interface JointFitReport extends FitReport {
  trainingTiles: number;
  /** Tiles of which something of the regions is known. */
  trainingRegions: number;
}

export interface JointPredictOptions extends OnDevice {
  signal?: AbortSignal;
  onProgress?: (progress: FitProgress) => void;
}

interface Trained {
  config: JointConfig;
  weights: FitOutcome['weights'];
  facts: JointFacts & { notes: Readonly<Record<string, string>> };
  notes: ModelNotes;
}

/** Side of the windows that answers are given in, in pixels: as large as what a model has learned from, within these bounds. */
const SIDES = Object.freeze({ least: 64, most: 1024, multiple: 32 });

/** The side of a model's windows in pixels, from that of the largest it has learned from. */
export function sideOf(window: number | undefined, mpp: number): number {
  const pixels = window === undefined ? SIDES.most : Math.floor(window / mpp / SIDES.multiple) * SIDES.multiple;
  return Math.min(SIDES.most, Math.max(SIDES.least, pixels));
}

/** The longest side that a model sees in training, in micrometres. */
function windowOf({ tiles, mpp }: JointTiles, crop: number): number {
  const longest = tiles.reduce((most, { image }) => Math.max(most, image?.width ?? 0, image?.height ?? 0), 0);
  return mpp * Math.min(crop, longest || crop);
}

/**
 * Cells and regions of tissue in one model, from training to answers: the joint model of section 5 of the specification.
 *
 * Long calls run on a thread of their own: the event loop stays free, `signal` ends them and `onProgress` tells how far they are.
 *
 * @example
 * const tiles = [0, 1, 2].map((seed) => demoTile({ seed, width: 64, height: 64 }));
 * const samples = tiles.map(({ image, region }) => ({ image, region: region.map((value) => (value ? 1 : 0)) }));
 * const model = JointUAM.create({ task: 'region', encoder: { channels: [8, 8, 8, 8], depths: [1, 1, 1, 1] } });
 * await model.fit(JointDataset.of(samples, { mpp: 0.5 }), { epochs: 1, validation: 0 });
 * const { regions } = await model.predict({ image: tiles[0].image });   // [64, 64, 1]
 */
export class JointUAM {
  readonly options: Readonly<JointUamOptions>;
  #trained: Trained | undefined;

  private constructor(options: JointUamOptions, trained?: Trained) {
    this.options = options;
    this.#trained = trained;
  }

  /**
   * A model that has learned nothing yet: `fit` it.
   *
   * @throws UamError `UAM_ARGUMENT` for unknown settings and values that cannot be, `UAM_DEVICE`
   * @example
   * const model = JointUAM.create({ size: 'S', fusion: 'cross' });
   */
  static create(options: JointUamOptions = {}): JointUAM {
    checkJointOptions(options);
    return new JointUAM({ ...options });
  }

  /**
   * Reads a model that `save` wrote. The file may come from anyone: see `loadJointModel`.
   *
   * @throws UamError `UAM_INPUT` where the file cannot be read, `UAM_FORMAT` where it is broken or no joint model; `UAM_DEVICE`
   */
  static async load(path: string, { device }: OnDevice = {}): Promise<JointUAM> {
    if (device !== undefined) deviceOf(device);
    const { model, config, ...facts } = await loadJointModel(path);
    const weights: Trained['weights'] = new Map(
      model.namedParameters().map(([name, { shape, data }]) => [name, { shape, data: Float32Array.from(data) }]),
    );
    model.dispose();
    const { cells, fusion, uncertainty } = config;
    const options: JointUamOptions = {
      ...{ ...cells?.backbone, ...(cells && { tokens: cells.tokens }), task: cells ? 'joint' : 'region', fusion, uncertainty },
      encoder: 'builtIn' in config.image ? config.image.builtIn : 'maps',
      ...(device !== undefined && { device }),
    };
    return new JointUAM(options, { config, weights, facts, notes: modelNotes(facts.notes, path) });
  }

  /** Whether the model can predict. */
  get trained(): boolean {
    return this.#trained !== undefined;
  }

  /** Names of the classes of cells, in the order of the probabilities; none before training, and of a model of regions alone. */
  get classes(): readonly string[] {
    return this.#trained?.facts.classes ?? [];
  }

  /** Names of the regions; none before training. */
  get regions(): readonly string[] {
    return this.#trained?.facts.regions ?? [];
  }

  /** The features of cells that it reads, in its order. */
  get features(): readonly string[] {
    return this.#trained?.facts.scaling?.names ?? [];
  }

  /** Micrometres per pixel of the images that it reads; undefined before training. */
  get mpp(): number | undefined {
    return this.#trained?.facts.mpp;
  }

  /** How features of cells are extracted for it; undefined where it was trained on tables of unknown origin. */
  get extraction(): ExtractionRecipe | undefined {
    return this.#trained?.notes.extraction;
  }

  /** What the logits of cells are divided by, so that their probabilities are calibrated. */
  get temperature(): number {
    return this.#trained?.notes.temperature ?? 1;
  }

  /** The epochs of its training. */
  get history(): readonly EpochRecord[] {
    return this.#trained?.notes.history ?? [];
  }

  /** The complete configuration; undefined before training, as it depends on the data. */
  get config(): JointConfig | undefined {
    return this.#trained?.config;
  }

  /** As `UAM.seenIn`. */
  async seenIn(dataset: JointDataset, signal?: AbortSignal): Promise<SeenSample[] | undefined> {
    const { facts, notes } = this.#ready('ask whom it has seen');
    return notes.seen && seenIn(notes.seen, dataset, facts.scaling?.names ?? [], signal);
  }

  #ready(what: string): Trained {
    if (this.#trained) return this.#trained;
    throw new UamError('UAM_ARGUMENT', `JointUAM: this model has learned nothing yet; fit it, or load one, before you ${what}`);
  }

  /**
   * Trains the model, from the beginning. The same data, options and seed give the same bits, in any number of threads and after any
   * number of interruptions (`checkpoint`, `resume`). The best epoch has the highest mean of macro-F1 of cells and Dice of regions, of
   * those that validation knows.
   *
   * @throws UamError as `UAM.fit`
   */
  async fit(dataset: JointDataset, options: JointFitOptions = {}): Promise<JointFitReport> {
    const { task = 'joint', size = 'S', seed = 1, encoder, tokens, fusion, uncertainty, device: own, ...given } = this.options;
    const device = deviceOf(options.device, own).name;
    const { width } = backboneConfig({ size, ...given });
    const settings = jointSettings(options, width, seed);
    const keeping = keepingOf(options);
    const { signal, onProgress } = options;
    const pace = new Pace('fit', signal);
    const { training, validation } = holdOut(dataset, options.validation, settings.seed);
    if (validation) refuseOther(training, validation);
    onProgress?.({ phase: 'prepare', done: 0, total: dataset.samples.length });
    const trainingRegions = training.samples.filter(({ region }) => tells(region)).length;
    if (trainingRegions === 0 && task === 'region') throw new UamError('UAM_DATA', 'fit: no training tile has a region mask to learn from');
    if (task === 'joint') refuseUnlabelled(training);
    const excluded = (name: string) => settings.augment.turn && dependsOnOrientation(name);
    const scaling = task === 'joint' ? await scalingOf(training, options.scaling ?? {}, excluded, pace) : undefined;
    const config = await jointConfigFor(this.options, training, scaling);
    const packed = await packTiles(training, scaling, pace);
    const held = validation && (await packTiles(validation, scaling, pace));
    const names = { classes: scaling ? [...dataset.classes] : [], regions: [...dataset.regions] };
    const fingerprint = await fingerprintOfTiles({ config, settings, scaling, ...names }, [packed, held], pace);
    const window = windowOf(packed, settings.crop);
    const run = {
      config,
      settings,
      training: packed,
      validation: held,
      side: sideOf(window, dataset.mpp),
      fingerprint,
      device,
      ...keeping,
    };
    const { jointFit } = (await runOffThread({ jointFit: run }, { signal, onProgress })) as Required<Pick<TaskResult, 'jointFit'>>;
    const { weights, ...outcome } = jointFit;
    const notes = await trainingNotes({ ...outcome, training, validation, features: scaling?.names ?? [], window }, pace);
    const facts = { scaling, ...names, mpp: dataset.mpp, notes };
    this.#trained = { config, weights, facts, notes: modelNotes(notes, 'the model') };
    return {
      ...outcome,
      ...{ trainingCells: scaling ? training.cells : 0, features: scaling?.names.length ?? 0 },
      ...{ trainingPatients: training.patients, validationPatients: validation?.patients ?? [] },
      ...{ trainingTiles: training.samples.length, trainingRegions },
    };
  }

  /**
   * Classifies the cells of a tile and segments its regions. A tile larger than those of the training is answered in windows that lie a
   * quarter over each other.
   *
   * @param tile image, cells, or both: at the model's pixel size, features extracted by its recipe
   * @throws UamError `UAM_ARGUMENT` before training; `UAM_DATA` where features, places or pixel size do not fit; `UAM_ABORTED`
   */
  async predict(tile: JointSampleInput, { device: wanted, signal, onProgress }: JointPredictOptions = {}): Promise<JointAnswer> {
    const device = deviceOf(wanted, this.options.device).name;
    const { config, weights, facts, notes } = this.#ready('predict');
    const { mpp, scaling, classes, regions } = facts;
    const positions = tile.positions ?? placesOf(tile);
    const known = { ...tile, classes: undefined, points: undefined, region: undefined, positions };
    const dataset = JointDataset.of([known], { mpp, classes, regions });
    const tiles = await packTiles(withColumns(dataset, scaling?.names ?? []), scaling, new Pace('predict', signal));
    const task = { config, weights, tiles, side: sideOf(notes.window, mpp), device };
    const call = { signal, onProgress };
    const { jointPredict } = (await runOffThread({ jointPredict: task }, call)) as Required<Pick<TaskResult, 'jointPredict'>>;
    const [answer] = jointPredict;
    const { logits, regions: found } = answer as NonNullable<typeof answer>;
    const probabilities = classes.length > 0 ? softmaxAt(logits, classes.length, this.temperature) : new Float32Array(0);
    return { probabilities: Float32Array.from(probabilities), regions: found };
  }

  /**
   * Writes the model: a safetensors file as `saveJointModel` makes it. Equal models give equal bytes; the file is replaced as a whole or
   * not at all.
   *
   * @throws UamError `UAM_ARGUMENT` before training, `UAM_IO`
   */
  async save(path: string): Promise<void> {
    const { config, weights, facts } = this.#ready('save');
    const model = new JointModel(config, 0);
    try {
      model.load(weights);
      await saveJointModel(path, model, facts);
    } finally {
      model.dispose();
    }
  }
}

function placesOf({ table, mpp, name = 'predict' }: JointSampleInput): Float64Array | undefined {
  return table && 'centroids' in table && mpp !== undefined ? positionsOf(table.centroids, mpp, name) : undefined;
}

/** A tile without cells has the model's columns, and no rows. */
function withColumns(dataset: JointDataset, names: readonly string[]): JointDataset {
  const samples = dataset.samples.map((sample) =>
    sample.table.length > 0
      ? sample
      : { ...sample, table: { length: 0, columns: names.map((name) => ({ name, data: new Float64Array(0) })) } },
  );
  return new JointDataset(samples, dataset.classes, dataset.regions, dataset.mpp, dataset.extraction);
}

function refuseOther(training: JointDataset, validation: JointDataset): void {
  if (String(training.regions) !== String(validation.regions)) {
    throw mismatch('UAM_DATA', 'fit: the regions of validation', training.regions.join(', '), validation.regions.join(', '));
  }
  if (Math.abs(training.mpp / validation.mpp - 1) > 0.05) {
    throw mismatch('UAM_DATA', 'fit: the pixel size of validation', `${training.mpp} um`, `${validation.mpp} um`);
  }
}
