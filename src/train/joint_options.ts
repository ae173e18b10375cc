// What a joint model is made of, as the user says it, and as its configuration needs it.
import { mismatch, UamError } from '../errors.js';
import { type JointConfig, type JointOptions, jointConfig } from '../heads/joint_config.js';
import type { Scaling } from '../tokens/scaling.js';
import { tokensConfig } from '../tokens/tokens_config.js';
import { type BackboneOptions, backboneConfig, type Size } from '../uam/config.js';
import { readImageFeatures } from '../uam/feature_files.js';
import type { FusionKind } from '../uam/fusion.js';
import { type EncoderConfig, type EncoderSize, encoderConfig } from '../uam/image_encoder.js';
import { deviceOf, type OnDevice } from './devices.js';
import type { JointDataset } from './joint_dataset.js';
import { tokensOf, type UamOptions } from './uam.js';

export interface JointUamOptions extends Omit<BackboneOptions, 'size'>, OnDevice {
  /** `'joint'` (default): cells are classified and regions segmented. `'region'`: regions alone, from the image alone. */
  task?: 'joint' | 'region';
  /** Of the backbone of the cells; default `'S'`. */
  size?: Size;
  /** Of cell tokens. */
  tokens?: UamOptions['tokens'];
  /**
   * What looks at the image: the built-in encoder, by its size or its settings; or `'maps'`: feature maps of another one, whose files the
   * dataset names. Default `'S'`.
   */
  encoder?: EncoderSize | Partial<EncoderConfig> | 'maps';
  /** How cells and image meet, see `FUSIONS`. Default `'cross'`; of regions alone `'none'`. */
  fusion?: FusionKind;
  /** Whether the weights of the two tasks are learned. Default false. */
  uncertainty?: boolean;
  /** As in `UamOptions`. */
  seed?: number;
}

const TASKS = Object.freeze(['joint', 'region'] as const);

/** What can be checked before there are data. */
export function checkJointOptions(options: JointUamOptions): void {
  const { task = 'joint', size = 'S', tokens, encoder = 'S', fusion, uncertainty, seed = 1, device, ...given } = options;
  if (device !== undefined) deviceOf(device);
  if (!TASKS.includes(task)) throw mismatch('UAM_ARGUMENT', 'JointUAM: task', TASKS.join(' or '), String(task));
  if (!(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32)) {
    throw mismatch('UAM_ARGUMENT', 'JointUAM: seed', 'an integer from 0 to 4294967295', String(seed));
  }
  backboneConfig({ size, ...given });
  tokensConfig(tokensOf(tokens));
  const image = { builtIn: encoder === 'maps' ? {} : encoderOf(encoder) };
  const cells = task === 'joint' ? { features: 1, classes: 1, tokens: tokensOf(tokens), backbone: { size, ...given } } : undefined;
  jointConfig({ cells, image, ...(fusion && { fusion }), ...(uncertainty !== undefined && { uncertainty }) });
}

const encoderOf = (encoder: EncoderSize | Partial<EncoderConfig>): EncoderConfig =>
  encoderConfig(typeof encoder === 'string' ? { size: encoder } : encoder);

/** The encoder whose maps a dataset names, from the first of them. */
async function encoderOfMaps({ samples }: JointDataset): Promise<NonNullable<JointOptions['image']>> {
  const path = samples.find(({ maps }) => maps !== undefined)?.maps;
  if (path === undefined) {
    throw new UamError(
      'UAM_DATA',
      "fit: encoder 'maps' needs feature maps: name their sidecars in the manifest's column maps, or choose S or B",
    );
  }
  const { levels, modelHash } = await readImageFeatures(path);
  for (const { tensor } of levels) tensor.dispose();
  const named = levels.map(({ name, stride, channels }) => ({ name, stride, channels }));
  // As many as the built-in encoder of size B has at such a stride.
  const channels = named.map(({ stride }) => Math.min(256, 8 * stride));
  return { external: { levels: named, modelHash: modelHash as string, channels } };
}

/** The complete configuration for a dataset. */
export async function jointConfigFor(options: JointUamOptions, dataset: JointDataset, scaling: Scaling | undefined): Promise<JointConfig> {
  const { task, size = 'S', tokens, encoder = 'S', fusion, uncertainty, seed, device, ...given } = options;
  const cells = scaling && {
    ...{ features: scaling.names.length, classes: dataset.classes.length },
    ...{ tokens: tokensOf(tokens), backbone: { size, ...given } },
  };
  const image = encoder === 'maps' ? await encoderOfMaps(dataset) : { builtIn: encoderOf(encoder) };
  const chosen = { ...(fusion && { fusion }), ...(uncertainty !== undefined && { uncertainty }) };
  return jointConfig({ cells, image, regions: dataset.regions.length, ...chosen });
}
