import { UamError } from '../errors.js';
import { readCheckpoint, readCheckpointHeader, type StoredTensor, writeCheckpoint } from '../nn/checkpoint.js';
import { checkScaling, type Scaling } from '../tokens/scaling.js';
import { CellClassifier, type ClassifierConfig, classifierConfig, classifierParameterCount } from './cell_classifier.js';

/** What a model knows beside its parameters. */
export interface ModelFacts {
  scaling: Scaling;
  /** Names of the classes, in the order of the logits. */
  classes: readonly string[];
  /** Whatever else is to be kept: package version, hash of the training data, temperature ... Keys may not begin with `uam.`. */
  notes?: Readonly<Record<string, string>>;
}

export interface ModelFile extends Required<ModelFacts> {
  config: ClassifierConfig;
}

/** Changes when files of before can no longer be read. */
const FORMAT = '1';
const PREFIX = 'uam.';

/**
 * Writes a classifier: a safetensors file with its parameters in float32, its configuration, its scaling and the names of its classes.
 * The file is replaced as a whole or not at all.
 *
 * @throws UamError `UAM_IO` where it cannot be written; `UAM_ARGUMENT` where names do not fit the model
 * @example
 * const table = { length: 3, columns: [{ name: 'glcm_Contrast', data: [1, 2, 9] }] };
 * const model = new CellClassifier(classifierConfig({ features: 1, classes: 2, backbone: { size: 'S' } }), 7);
 * const { tmpdir } = await import('node:os');
 * const path = `${tmpdir()}/uam_example_model.safetensors`;
 * await saveClassifier(path, model, { scaling: fitScaling(table), classes: ['other', 'tumour'] });
 * const loaded = await loadClassifier(path);
 * loaded.classes;   // ['other', 'tumour']
 * await (await import('node:fs/promises')).rm(path);
 */
export async function saveClassifier(path: string, model: CellClassifier, { scaling, classes, notes = {} }: ModelFacts): Promise<void> {
  const { config } = model;
  if (classes.length !== config.classes || scaling.names.length !== config.features) {
    throw new UamError(
      'UAM_ARGUMENT',
      `saveClassifier: the model has ${config.features} features and ${config.classes} classes, received ${scaling.names.length} and ${classes.length}`,
    );
  }
  const reserved = Object.keys(notes).find((key) => key.startsWith(PREFIX));
  if (reserved !== undefined) throw new UamError('UAM_ARGUMENT', `saveClassifier: notes may not be called '${reserved}'`);
  const facts = { config, scaling, classes };
  const metadata = Object.fromEntries(Object.entries(facts).map(([key, value]) => [PREFIX + key, JSON.stringify(value)]));
  await writeCheckpoint(path, new Map(model.namedParameters()), { ...notes, ...metadata, [`${PREFIX}format`]: FORMAT });
}

function parsed(metadata: ReadonlyMap<string, string>, key: string, path: string): unknown {
  const text = metadata.get(PREFIX + key);
  try {
    if (text !== undefined) return JSON.parse(text);
  } catch {
    // told below
  }
  throw new UamError('UAM_FORMAT', `${path}: it has no ${key} as this package writes it: not one of its models`);
}

function configOf(value: unknown, path: string): ClassifierConfig {
  try {
    const { features, classes, tokens, backbone } = value as ClassifierConfig;
    return classifierConfig({ features, classes, tokens, backbone });
  } catch (error) {
    throw new UamError('UAM_FORMAT', `${path}: its configuration is not one that this version knows: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function factsOf(metadata: ReadonlyMap<string, string>, path: string): ModelFile {
  const format = metadata.get(`${PREFIX}format`);
  if (format !== FORMAT) {
    const joint = format?.startsWith('joint') ? 'a joint model, of cells and regions (uam analyse, JointUAM)' : undefined;
    const other = format === undefined ? 'not a model of this package' : `a model in format ${format.slice(0, 20)}`;
    throw new UamError('UAM_FORMAT', `${path}: ${joint ?? other}; models of cells alone are read here, in format ${FORMAT}`);
  }
  const config = configOf(parsed(metadata, 'config', path), path);
  const scaling = checkScaling(parsed(metadata, 'scaling', path), path);
  const classes = parsed(metadata, 'classes', path);
  const names = Array.isArray(classes) && classes.every((name) => typeof name === 'string');
  if (!names || classes.length !== config.classes || scaling.names.length !== config.features) {
    throw new UamError('UAM_FORMAT', `${path}: its features and classes do not fit its configuration`);
  }
  const notes = Object.fromEntries([...metadata].filter(([key]) => !key.startsWith(PREFIX)));
  return { config, scaling, classes: classes as string[], notes };
}

/** Throws unless the file holds as many numbers as its configuration asks for: only then is the model made. */
function checkSize(numbers: number, config: ClassifierConfig, path: string): void {
  const { total } = classifierParameterCount(config);
  if (numbers !== total) {
    throw new UamError('UAM_FORMAT', `${path}: it holds ${numbers} parameters, and its configuration has ${total}`);
  }
}

/**
 * What a model's file says about it, without its parameters: `uam info model` prints this.
 *
 * @throws UamError as `loadClassifier`
 * @example
 * const table = { length: 3, columns: [{ name: 'glcm_Contrast', data: [1, 2, 9] }] };
 * const model = new CellClassifier(classifierConfig({ features: 1, classes: 2, backbone: { size: 'S' } }), 7);
 * const { tmpdir } = await import('node:os');
 * const path = `${tmpdir()}/uam_example_facts.safetensors`;
 * await saveClassifier(path, model, { scaling: fitScaling(table), classes: ['other', 'tumour'] });
 * const { config, classes } = await readModelFile(path);
 * await (await import('node:fs/promises')).rm(path);
 */
export async function readModelFile(path: string): Promise<ModelFile> {
  const { entries, metadata } = await readCheckpointHeader(path);
  const facts = factsOf(metadata, path);
  const numbers = [...entries.values()].reduce((sum, { shape }) => sum + shape.reduce((product, n) => product * n, 1), 0);
  checkSize(numbers, facts.config, path);
  return facts;
}

/**
 * Reads a classifier that `saveClassifier` wrote; float64, float16 and bfloat16 parameters become float32. The file may come from
 * anyone: nothing in it is executed, and no model is made before its header was checked.
 *
 * @throws UamError `UAM_INPUT` where the file cannot be read, `UAM_FORMAT` where it is broken or no model of this package
 * @example
 * const table = { length: 3, columns: [{ name: 'glcm_Contrast', data: [1, 2, 9] }] };
 * const model = new CellClassifier(classifierConfig({ features: 1, classes: 2, backbone: { size: 'S' } }), 7);
 * const { tmpdir } = await import('node:os');
 * const path = `${tmpdir()}/uam_example_loaded.safetensors`;
 * await saveClassifier(path, model, { scaling: fitScaling(table), classes: ['other', 'tumour'] });
 * const { model: same } = await loadClassifier(path);
 * await (await import('node:fs/promises')).rm(path);
 */
export async function loadClassifier(path: string): Promise<ModelFile & { model: CellClassifier }> {
  const facts = await readModelFile(path);
  const { tensors } = await readCheckpoint(path);
  const values = [...tensors.values()];
  checkSize(
    values.reduce((sum, { data }) => sum + data.length, 0),
    facts.config,
    path,
  );
  const strange = values.findIndex(({ data }: StoredTensor) => !data.every(Number.isFinite));
  if (strange >= 0)
    throw new UamError('UAM_FORMAT', `${path}: parameter ${[...tensors.keys()][strange]} holds numbers that are not finite`);
  const model = new CellClassifier(facts.config, 0);
  try {
    model.load(tensors);
  } catch (error) {
    model.dispose();
    throw new UamError('UAM_FORMAT', `${path}: ${(error as Error).message}`, { cause: error });
  }
  return { ...facts, model };
}
