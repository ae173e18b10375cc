import { UamError } from '../errors.js';
import { CellClassifier, type ClassifierConfig, classifierConfig } from '../heads/cell_classifier.js';
import { loadClassifier, type ModelFacts, saveClassifier } from '../heads/model_file.js';
import type { FeatureTable } from '../radiomics/table.js';
import type { FeatureColumns } from '../tokens/scaling.js';
import { type TokeniserKind, type TokensConfig, tokensConfig } from '../tokens/tokens_config.js';
import { type BackboneOptions, backboneConfig, type Size } from '../uam/config.js';
import { type CellDataset, positionsOf } from './dataset.js';
import { deviceOf, type OnDevice } from './devices.js';
import { fingerprintOf } from './fingerprint.js';
import type { FitOutcome } from './fit_loop.js';
import { type FitOptions, type FitProgress, fitSettings, keepingOf } from './fit_options.js';
import { holdOut, refuseUnlabelled } from './held_out.js';
import { cellsOfImage, type ImageInput } from './image_cells.js';
import { type ModelNotes, modelNotes, trainingNotes } from './model_notes.js';
import { runOffThread } from './off_thread.js';
import { Pace } from './pace.js';
import { packCells } from './packed_cells.js';
import { Predictions } from './predictions.js';
import { DEFAULT_RECIPE, dependsOnOrientation, type ExtractionRecipe } from './recipe.js';
import { type SeenSample, seenIn } from './seen.js';
import { softmaxAt } from './temperature.js';
import { runTask, type Task, type TaskResult, type Weights } from './thread_task.js';
import { scalingOf } from './training_scaling.js';
import type { EpochRecord } from './training_state.js';
import { byCell, windowSize } from './windows.js';

export interface UamOptions extends Omit<BackboneOptions, 'size'>, OnDevice {
  /**
   * Takes width, depth, heads, state and the inner widths from `SIZES`. Default `'S'`, the largest that docs/results.md has measured
   * (on dozens of images); the specification's default, B, was not tried there.
   */
  size?: Size;
  /** How cells become tokens: `'feature'`, `'cell'` (default), `'chunk'`, `'vector'`, or more settings. */
  tokens?: TokeniserKind | Partial<TokensConfig>;
  /** Of the values to start from, and of everything random in training. Default 1. */
  seed?: number;
}

/** Cells to classify. */
export interface CellInput {
  table: FeatureTable | FeatureColumns;
  /** `[cells, 2]` in micrometres; models with cell tokens need it, or `mpp`. */
  positions?: Float64Array | undefined;
  /** Micrometres per pixel of a `FeatureTable`, whose centroids are in pixels. */
  mpp?: number | readonly [x: number, y: number] | undefined;
}

export interface PredictOptions extends OnDevice {
  /** Whether the backbone's state of each cell is wanted. Default true. */
  embeddings?: boolean;
  /** Tokens that each thread works on at once, a tile at least. Default 2048: more takes more memory, and is not faster. */
  tokenBudget?: number;
  signal?: AbortSignal;
  onProgress?: (progress: FitProgress) => void;
}

/** What training came to. */
export interface FitReport extends Omit<FitOutcome, 'weights'> {
  trainingCells: number;
  trainingPatients: string[];
  validationPatients: string[];
  /** Features that vary, and are used. */
  features: number;
}

/** What a model is once it was trained. */
interface Trained {
  config: ClassifierConfig;
  weights: Weights;
  facts: Required<ModelFacts>;
  /** What `facts.notes` say. */
  notes: ModelNotes;
}

const DEFAULT_SIZE: Size = 'S';

/** Numbers of parameters times tokens that take some 20 ms: what is less is done at once, not on another thread. */
const SMALL = 5e7;

/**
 * A model of cells, from training to answers.
 *
 * Long calls run on a thread of their own: the event loop stays free, `signal` ends them and `onProgress` tells how far they are.
 *
 * @example
 * const data = Float64Array.from({ length: 40 }, (_, i) => i);
 * const table = { length: 40, columns: [{ name: 'glcm_Contrast', data }] };
 * const dataset = CellDataset.from([{ table, classes: data.map((value) => (value < 20 ? 0 : 1)) }]);
 * const model = UAM.create({ width: 8, depth: 1, heads: 2, state: 4, ffn: 8, tokens: 'vector' });
 * await model.fit(dataset, { epochs: 3, validation: 0 });
 * const { probabilities } = await model.predict(table);   // [40, 2]
 */
export class UAM {
  readonly options: Readonly<UamOptions>;
  #trained: Trained | undefined;

  private constructor(options: UamOptions, trained?: Trained) {
    this.options = options;
    this.#trained = trained;
  }

  /**
   * A model that has learned nothing yet: `fit` it.
   *
   * @throws UamError `UAM_ARGUMENT` for unknown settings and values that cannot be, `UAM_DEVICE` in the driver's words for a device that is
   *   not there
   * @example
   * const model = UAM.create({ size: 'S', architecture: 'amamba-moe', tokens: 'cell' });
   */
  static create(options: UamOptions = {}): UAM {
    const { tokens, seed = 1, size = DEFAULT_SIZE, device, ...given } = options;
    if (device !== undefined) deviceOf(device);
    const backbone = { size, ...given };
    if (!(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32)) {
      throw new UamError('UAM_ARGUMENT', `UAM: seed must be an integer from 0 to 4294967295, received ${String(seed)}`);
    }
    backboneConfig(backbone);
    tokensConfig(tokensOf(tokens));
    return new UAM({ ...options });
  }

  /**
   * Reads a model that `save` wrote. The file may come from anyone: sizes and shapes are checked, and nothing in it is executed. It does not
   * tell a device: models go from one to the other.
   *
   * @throws UamError `UAM_INPUT` where the file cannot be read, `UAM_FORMAT` where it is broken or no model of this package; `UAM_DEVICE`
   */
  static async load(path: string, { device }: OnDevice = {}): Promise<UAM> {
    if (device !== undefined) deviceOf(device);
    const { model, config, ...facts } = await loadClassifier(path);
    const weights: Weights = new Map(
      model.namedParameters().map(([name, { shape, data }]) => [name, { shape, data: Float32Array.from(data) }]),
    );
    model.dispose();
    return new UAM(
      { ...config.backbone, tokens: config.tokens, ...(device !== undefined && { device }) },
      { config, weights, facts, notes: modelNotes(facts.notes, path) },
    );
  }

  /**
   * The whole flow: reads an image and the mask of its nuclei, extracts their features as the model's training did, and classifies them.
   *
   * @param input `model` is a model or the path of one; see `ImageInput` for the others
   * @throws UamError as `load` and `predict`
   */
  static async analyse({ model, ...input }: ImageInput & { model: UAM | string }, options: PredictOptions = {}): Promise<Predictions> {
    return (typeof model === 'string' ? await UAM.load(model) : model).predict(input, options);
  }

  /** Whether the model can predict. */
  get trained(): boolean {
    return this.#trained !== undefined;
  }

  /** Names of the classes, in the order of the probabilities; none before training. */
  get classes(): readonly string[] {
    return this.#trained?.facts.classes ?? [];
  }

  /** The features that it reads, in its order; none before training. */
  get features(): readonly string[] {
    return this.#trained?.facts.scaling.names ?? [];
  }

  /** How features of images are extracted for it; undefined where it was trained on tables of unknown origin. */
  get extraction(): ExtractionRecipe | undefined {
    return this.#trained?.notes.extraction;
  }

  /** What its logits are divided by, so that its probabilities are calibrated. */
  get temperature(): number {
    return this.#trained?.notes.temperature ?? 1;
  }

  /** The epochs of its training; none before it, or where its file does not tell. */
  get history(): readonly EpochRecord[] {
    return this.#trained?.notes.history ?? [];
  }

  /**
   * The patients and tiles of a dataset that the model has learned from, or that chose its best epoch and its temperature: patients by
   * their names, tiles by the values of their cells. Scores on them mean nothing.
   *
   * @returns undefined where the model's file does not tell
   */
  async seenIn(dataset: CellDataset, signal?: AbortSignal): Promise<SeenSample[] | undefined> {
    const { facts, notes } = this.#ready('ask whom it has seen');
    return notes.seen && seenIn(notes.seen, dataset, facts.scaling.names, signal);
  }

  /** The complete configuration; undefined before training, as it depends on the data. */
  get config(): ClassifierConfig | undefined {
    return this.#trained?.config;
  }

  #ready(what: string): Trained {
    if (this.#trained) return this.#trained;
    throw new UamError('UAM_ARGUMENT', `UAM: this model has learned nothing yet; fit it, or load one, before you ${what}`);
  }

  /**
   * Trains the model, from the beginning: what it knew before is gone once this succeeds.
   *
   * Scaling is learned from the training patients alone. The same data, options and seed give the same bits, in any number of threads
   * and after any number of interruptions (`checkpoint`, `resume`); another device gives others.
   *
   * @throws UamError `UAM_ARGUMENT`, `UAM_DATA` (a patient on both sides, no labels, unknown places), `UAM_NONFINITE` naming the layer,
   *   `UAM_IO`, `UAM_ABORTED`, `UAM_DEVICE`
   */
  async fit(dataset: CellDataset, options: FitOptions = {}): Promise<FitReport> {
    const { tokens: kind, seed = 1, size = DEFAULT_SIZE, device: own, ...given } = this.options;
    const device = deviceOf(options.device, own).name;
    const backbone = { size, ...given };
    const tokens = tokensConfig(tokensOf(kind));
    const places = tokens.kind === 'cell';
    const settings = fitSettings(options, backboneConfig(backbone).width, places, seed);
    const { signal, onProgress } = options;
    const keeping = keepingOf(options);
    const { training, validation } = holdOut(dataset, options.validation, settings.seed);
    refuseUnlabelled(training);
    const pace = new Pace('fit', signal);
    onProgress?.({ phase: 'prepare', done: 0, total: dataset.cells });
    const excluded = (name: string) => places && settings.augment.turn && dependsOnOrientation(name);
    const scaling = await scalingOf(training, options.scaling ?? {}, excluded, pace);
    const config = classifierConfig({ features: scaling.names.length, classes: dataset.classes.length, tokens, backbone });
    const packed = await packCells(training.samples, scaling, places, pace);
    const held = validation && (await packCells(validation.samples, scaling, places, pace));
    const fingerprint = await fingerprintOf({ config, settings, scaling, classes: dataset.classes }, [packed, held], pace);
    const task = { config, settings, training: packed, validation: held, fingerprint, device, ...keeping };
    const { fit } = (await runOffThread({ fit: task }, { signal, onProgress })) as Required<Pick<TaskResult, 'fit'>>;
    const { weights, ...outcome } = fit;
    const window = places ? windowSize(packed.positions) : undefined;
    const notes = await trainingNotes({ ...outcome, training, validation, features: scaling.names, window }, pace);
    const facts = { scaling, classes: [...dataset.classes], notes };
    this.#trained = { config, weights, facts, notes: modelNotes(notes, 'the model') };
    return {
      ...outcome,
      trainingCells: training.cells,
      trainingPatients: training.patients,
      validationPatients: validation?.patients ?? [],
      features: scaling.names.length,
    };
  }

  /**
   * Classifies cells.
   *
   * @param input a table of features, with positions where the model needs them; or an image and the mask of its nuclei
   * @throws UamError `UAM_ARGUMENT` before training; `UAM_DATA` where features or places are absent; as `readImage`, `readMask`,
   *   `radiomics.extract`; `UAM_ABORTED`
   */
  async predict(input: FeatureTable | FeatureColumns | CellInput | ImageInput, options: PredictOptions = {}): Promise<Predictions> {
    const { config, weights, facts, notes } = this.#ready('predict');
    const { embeddings = true, tokenBudget = 2048, signal, onProgress } = options;
    const device = deviceOf(options.device, this.options.device).name;
    if ('image' in input) return this.#predictImage(input, options);
    const { table, positions, mpp }: CellInput = 'table' in input ? input : { table: input };
    const places = positions ?? ('centroids' in table && mpp !== undefined ? positionsOf(table.centroids, mpp, 'predict') : undefined);
    if (places && places.length !== 2 * table.length) {
      throw new UamError('UAM_SHAPE', `predict: positions must be x and y of ${table.length} cells, received ${places.length} numbers`);
    }
    const pace = new Pace('predict', signal);
    const cells = await packCells([{ name: 'predict', table, positions: places }], facts.scaling, config.tokens.kind === 'cell', pace, {
      size: notes.window,
    });
    const task: Task = { predict: { config, weights, cells, tokenBudget, embeddings, device } };
    const run = cells.cells * weightOf(config, weights) < SMALL ? runTask : runOffThread;
    // Where windows lie over each other a cell has several rows: the caller is told of cells.
    const tell =
      onProgress &&
      (({ done, total, ...rest }: FitProgress) =>
        onProgress({ ...rest, done: Math.floor((done / Math.max(1, total)) * table.length), total: table.length }));
    const { predict } = (await run(task, { signal, onProgress: tell })) as Required<Pick<TaskResult, 'predict'>>;
    const width = config.backbone.width;
    const inOrder = (rows: Float32Array, size: number) => byCell(rows, size, cells, table.length, pace);
    return new Predictions({
      classNames: facts.classes,
      probabilities: Float32Array.from(softmaxAt(await inOrder(predict.logits, config.classes), config.classes, this.temperature)),
      embeddings: embeddings ? await inOrder(predict.embeddings, width) : new Float32Array(0),
      width,
      table: 'ids' in table ? table : undefined,
    });
  }

  async #predictImage(input: ImageInput, options: PredictOptions): Promise<Predictions> {
    const { signal, onProgress } = options;
    const tell = onProgress && ((progress: { done: number; total: number }) => onProgress({ phase: 'extract', ...progress }));
    const { table, positions } = await cellsOfImage(input, this.extraction ?? DEFAULT_RECIPE, { signal, onProgress: tell });
    return this.predict({ table, positions }, options);
  }

  /**
   * Writes the model: a safetensors file with parameters, configuration, features and their scaling, classes, temperature, and how
   * features are extracted. Equal models give equal bytes; the file is replaced as a whole or not at all.
   *
   * @throws UamError `UAM_ARGUMENT` before training, `UAM_IO`
   */
  async save(path: string): Promise<void> {
    const { config, weights, facts } = this.#ready('save');
    const model = new CellClassifier(config, 0);
    try {
      model.load(weights);
      await saveClassifier(path, model, facts);
    } finally {
      model.dispose();
    }
  }
}

/** Settings of tokens from their kind alone, or from settings. */
export const tokensOf = (tokens: UamOptions['tokens'] = 'cell'): Partial<TokensConfig> =>
  typeof tokens === 'string' ? { kind: tokens } : tokens;

/** Parameters that one cell goes through, times its tokens. */
function weightOf({ features, tokens }: ClassifierConfig, weights: Weights): number {
  const numbers = [...weights.values()].reduce((sum, { data }) => sum + data.length, 0);
  return numbers * (tokens.kind === 'feature' ? features + 1 : tokens.kind === 'chunk' ? Math.ceil(features / 16) + 1 : 1);
}
