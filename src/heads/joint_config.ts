import { mismatch, UamError } from '../errors.js';
import { FUSIONS, type FusionKind, fusionParameterCount } from '../uam/fusion.js';
import { type EncoderConfig, type EncoderSize, encoderConfig, encoderLevels, encoderParameterCount } from '../uam/image_encoder.js';
import { checkLevels, type LevelShape } from '../uam/image_features.js';
import { type ClassifierConfig, type ClassifierOptions, classifierConfig, classifierParameterCount } from './cell_classifier.js';
import { segmentationParameterCount } from './segmentation.js';

/** An encoder that is not trained: its maps come from files or from ONNX. */
export interface ExternalEncoder {
  /** Its maps, fine to coarse. */
  levels: readonly LevelShape[];
  /** Names the encoder with its weights: features of another one are refused. */
  modelHash: string;
  /** Channels that adapters bring the levels to, one number per level. Default: those of size B of the built-in encoder. */
  channels: readonly number[];
}

export interface JointConfig {
  /** Absent: a model of regions alone, which reads no cells. */
  cells?: ClassifierConfig | undefined;
  /** The built-in encoder, trained with the rest, or one from outside. */
  image: { builtIn: EncoderConfig } | { external: ExternalEncoder };
  /** See `FUSIONS`. */
  fusion: FusionKind;
  /** Kinds of regions. */
  regions: number;
  /** Whether the weights of the two tasks are learned: see `jointLoss`. */
  uncertainty: boolean;
}

export interface JointOptions {
  /** Tokens are cell tokens: others have no places. Absent: a model of regions alone. */
  cells?: ClassifierOptions | undefined;
  /** Default: the built-in encoder of size B. */
  image?:
    | { builtIn: Partial<EncoderConfig> & { size?: EncoderSize } }
    | { external: Omit<ExternalEncoder, 'channels'> & { channels?: readonly number[] } };
  /** Default `'cross'`; `'none'` without cells. */
  fusion?: FusionKind;
  /** Default 1: tumour, or not. */
  regions?: number;
  /** Default false: both tasks weigh 1. */
  uncertainty?: boolean;
}

function externalEncoder({ levels, modelHash, channels }: Partial<ExternalEncoder>): ExternalEncoder {
  if (!Array.isArray(levels)) throw mismatch('UAM_ARGUMENT', 'joint model: levels of the external encoder', 'a list', typeof levels);
  checkLevels(levels, 'joint model: the external encoder');
  if (typeof modelHash !== 'string' || modelHash === '') {
    throw mismatch('UAM_ARGUMENT', 'joint model: modelHash of the external encoder', 'text that names it', String(modelHash));
  }
  const brought = channels ?? encoderConfig().channels;
  if (brought.length !== levels.length) {
    throw mismatch('UAM_ARGUMENT', 'joint model: channels', `one number per level (${levels.length})`, `${brought.length}`);
  }
  const named = levels.map(({ name, stride, channels }: LevelShape) => ({ name, stride, channels }));
  checkLevels(
    named.map((level, i) => ({ ...level, channels: brought[i] as number })),
    'joint model: adapters',
  );
  return { levels: named, modelHash, channels: [...brought] };
}

/** The levels that fusion and segmentation see. */
export function jointLevels({ image }: JointConfig): LevelShape[] {
  if ('builtIn' in image) return encoderLevels(image.builtIn);
  return image.external.levels.map((level, i) => ({ ...level, channels: image.external.channels[i] as number }));
}

/**
 * A complete, checked configuration of a joint model.
 *
 * @throws UamError `UAM_ARGUMENT`
 * @example
 * const config = jointConfig({ cells: { features: 102, classes: 2, backbone: { size: 'S' } }, image: { builtIn: { size: 'S' } } });
 * config.fusion;   // 'cross'
 */
export function jointConfig(options: JointOptions): JointConfig {
  const known = ['cells', 'image', 'fusion', 'regions', 'uncertainty'];
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown !== undefined) throw mismatch('UAM_ARGUMENT', 'joint model: settings', known.join(', '), `'${unknown}'`);
  const { cells, image = { builtIn: {} }, fusion = cells ? 'cross' : 'none', regions = 1, uncertainty = false } = options;
  if (!FUSIONS.includes(fusion)) throw mismatch('UAM_ARGUMENT', 'joint model: fusion', FUSIONS.join(', '), String(fusion));
  if (!(Number.isInteger(regions) && regions >= 1 && regions <= 255)) {
    throw mismatch('UAM_ARGUMENT', 'joint model: regions', 'an integer from 1 to 255', String(regions));
  }
  if (typeof uncertainty !== 'boolean') throw mismatch('UAM_ARGUMENT', 'joint model: uncertainty', 'true or false', String(uncertainty));
  const classifier = cells && classifierConfig({ ...cells, tokens: { kind: 'cell', ...cells.tokens } });
  if (classifier && classifier.tokens.kind !== 'cell') {
    throw new UamError('UAM_ARGUMENT', `joint model: tokens must be cell tokens, which have places, received '${classifier.tokens.kind}'`);
  }
  if (!classifier && (fusion !== 'none' || uncertainty)) {
    throw new UamError(
      'UAM_ARGUMENT',
      'joint model: without cells there is nothing to fuse or to weigh: fusion must be none, uncertainty false',
    );
  }
  const encoder = 'builtIn' in image ? { builtIn: encoderConfig(image.builtIn) } : { external: externalEncoder(image.external) };
  const config: JointConfig = { cells: classifier, image: encoder, fusion, regions, uncertainty };
  if (fusion === 'cross' && !jointLevels(config).some(({ stride }) => stride === 16)) {
    throw new UamError('UAM_ARGUMENT', 'joint model: fusion cross needs a level of stride 16; use mean or none, or another encoder');
  }
  return config;
}

/**
 * Parameters of a joint model, without making it, in all and by part.
 *
 * @example
 * const config = jointConfig({ cells: { features: 102, classes: 2 } });
 * jointParameterCount(config).image;   // 1899872
 */
export function jointParameterCount(config: JointConfig): { total: number; cells: number; image: number; fusion: number; regions: number } {
  const levels = jointLevels(config);
  const { image } = config;
  const channels = levels.map((level) => level.channels);
  const adapted = (given: readonly LevelShape[]) =>
    given.reduce((sum, level, i) => sum + (level.channels + 1) * (channels[i] as number), 0);
  const parts = {
    cells: config.cells ? classifierParameterCount(config.cells).total : 0,
    image: 'builtIn' in image ? encoderParameterCount(image.builtIn) : adapted(image.external.levels),
    fusion: config.cells ? fusionParameterCount(config.fusion, config.cells.backbone.width, levels) : 0,
    regions: segmentationParameterCount(channels, config.regions),
  };
  const { cells, image: ofImage, fusion, regions } = parts;
  return { total: cells + ofImage + fusion + regions + (config.uncertainty ? 2 : 0), ...parts };
}
