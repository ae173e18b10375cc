import { UamError } from '../errors.js';
import { readCheckpoint, readCheckpointHeader, writeCheckpoint } from '../nn/checkpoint.js';
import { sizeOf } from '../tensor/shape.js';
import { checkScaling, type Scaling } from '../tokens/scaling.js';
import { type JointConfig, jointConfig, jointParameterCount } from './joint_config.js';
import { JointModel } from './joint_model.js';

/** What a joint model knows beside its parameters. */
export interface JointFacts {
  /** Absent in a model of regions alone. */
  scaling?: Scaling | undefined;
  /** Names of the classes of cells, in the order of the logits; none in a model of regions alone. */
  classes: readonly string[];
  /** Names of the regions, in the order of the logits. */
  regions: readonly string[];
  /** Micrometres per pixel of the images that it was trained on. */
  mpp: number;
  /** Whatever else is to be kept. Keys may not begin with `uam.`. */
  notes?: Readonly<Record<string, string>>;
}

export interface JointFile extends JointFacts {
  config: JointConfig;
  notes: Readonly<Record<string, string>>;
}

/** Changes when files of before can no longer be read. */
export const JOINT_FORMAT = 'joint-1';
const PREFIX = 'uam.';

const areNames = (value: unknown, count: number): value is string[] =>
  Array.isArray(value) && value.length === count && value.every((name) => typeof name === 'string');

/** What is wrong with facts beside a configuration, in words. */
function misfit({ scaling, classes, regions, mpp }: JointFacts, { cells, regions: kinds }: JointConfig): string | undefined {
  const features = cells?.features ?? 0;
  const scaled = scaling?.names.length ?? 0;
  if (scaled !== features) return `the model has ${features} features, the scaling ${scaled}`;
  const count = cells?.classes ?? 0;
  if (!areNames(classes, count)) return `the model has ${count} classes, and needs a name for each`;
  if (!areNames(regions, kinds)) return `the model has ${kinds} kinds of regions, and needs a name for each`;
  return typeof mpp === 'number' && mpp > 0 && mpp < 1e3 ? undefined : `mpp must be micrometres per pixel, received ${mpp}`;
}

/**
 * Writes a joint model: a safetensors file with its parameters in float32 under their names, and in its metadata the configuration
 * (which names the encoder, where that is not built in), the scaling of the features and the names of classes and regions. The file is
 * replaced as a whole or not at all.
 *
 * @throws UamError `UAM_IO` where it cannot be written; `UAM_ARGUMENT` where names do not fit the model
 * @example
 * const table = { length: 3, columns: [{ name: 'glcm_Contrast', data: [1, 2, 9] }] };
 * const cells = { features: 1, classes: 2, backbone: { size: 'S' as const } };
 * const model = new JointModel(jointConfig({ cells, image: { builtIn: { size: 'S' } } }), 7);
 * const { tmpdir } = await import('node:os');
 * const path = `${tmpdir()}/uam_example_joint.safetensors`;
 * const facts = { scaling: fitScaling(table), classes: ['other', 'tumour'], regions: ['tumour'], mpp: 0.5 };
 * await saveJointModel(path, model, facts);
 * await (await import('node:fs/promises')).rm(path);
 */
export async function saveJointModel(path: string, model: JointModel, facts: JointFacts): Promise<void> {
  const { notes = {}, ...known } = facts;
  const wrong = misfit(facts, model.config);
  if (wrong) throw new UamError('UAM_ARGUMENT', `saveJointModel: ${wrong}`);
  const reserved = Object.keys(notes).find((key) => key.startsWith(PREFIX));
  if (reserved !== undefined) throw new UamError('UAM_ARGUMENT', `saveJointModel: notes may not be called '${reserved}'`);
  const present = Object.entries({ config: model.config, ...known }).filter(([, value]) => value !== undefined);
  const entries = present.map(([key, value]) => [PREFIX + key, JSON.stringify(value)]);
  await writeCheckpoint(path, new Map(model.namedParameters()), {
    ...notes,
    ...Object.fromEntries(entries),
    [`${PREFIX}format`]: JOINT_FORMAT,
  });
}

function factsOf(metadata: ReadonlyMap<string, string>, path: string): JointFile {
  const fail = (text: string, cause?: unknown): never => {
    throw new UamError('UAM_FORMAT', `${path}: ${text}`, { cause });
  };
  const format = metadata.get(`${PREFIX}format`);
  if (format !== JOINT_FORMAT)
    fail(`not a joint model that this version reads (format ${JOINT_FORMAT}, received ${format?.slice(0, 20) ?? 'none'})`);
  const parsed = (key: string): unknown => {
    try {
      return JSON.parse(metadata.get(PREFIX + key) ?? '');
    } catch (error) {
      return fail(`its ${key} is not as this package writes it`, error);
    }
  };
  const given = parsed('config') as JointConfig;
  let config: JointConfig;
  try {
    config = jointConfig(given);
  } catch (error) {
    return fail(`its configuration is not one that this version knows: ${(error as Error).message}`, error);
  }
  const scaling = config.cells && checkScaling(parsed('scaling'), path);
  const notes = Object.fromEntries([...metadata].filter(([key]) => !key.startsWith(PREFIX)));
  const [classes, regions, mpp] = ['classes', 'regions', 'mpp'].map(parsed) as [string[], string[], number];
  const facts = { scaling, classes, regions, mpp, notes };
  const wrong = misfit(facts, config);
  return wrong ? fail(wrong) : { config, ...facts };
}

/**
 * What a joint model's file says about it, without its parameters.
 *
 * @throws UamError as `loadJointModel`
 * @example
 * const read = (path: string) => readJointFile(path);
 */
export async function readJointFile(path: string): Promise<JointFile> {
  const { entries, metadata } = await readCheckpointHeader(path);
  const facts = factsOf(metadata, path);
  const numbers = [...entries.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const { total } = jointParameterCount(facts.config);
  if (numbers !== total) throw new UamError('UAM_FORMAT', `${path}: it holds ${numbers} parameters, and its configuration has ${total}`);
  return facts;
}

/**
 * Reads a model that `saveJointModel` wrote. The file may come from anyone: nothing in it is executed, and no model is made before its
 * header was checked.
 *
 * @throws UamError `UAM_INPUT` where the file cannot be read, `UAM_FORMAT` where it is broken or no joint model
 * @example
 * const load = async (path: string) => (await loadJointModel(path)).model;
 */
export async function loadJointModel(path: string): Promise<JointFile & { model: JointModel }> {
  const facts = await readJointFile(path);
  const { tensors } = await readCheckpoint(path);
  const strange = [...tensors].find(([, { data }]) => !data.every(Number.isFinite));
  if (strange) throw new UamError('UAM_FORMAT', `${path}: parameter ${strange[0]} holds numbers that are not finite`);
  const model = new JointModel(facts.config, 0);
  try {
    model.load(tensors);
  } catch (error) {
    model.dispose();
    throw new UamError('UAM_FORMAT', `${path}: ${(error as Error).message}`, { cause: error });
  }
  return { ...facts, model };
}
