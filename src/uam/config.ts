// What a backbone is made of: names, sizes, and the checks that a configuration from a file has to pass.
import { mismatch, UamError } from '../errors.js';

/**
 * `amamba` and `amamba-moe` are UAM; the others are what it is compared with: `released-moe` (as the authors' public code mixes,
 * parity only), `transformer`, `bimamba`, `serial-1:1` (attention and Mamba in turns), `serial-1:7` (one attention layer in eight, as
 * Jamba), `parallel` (both in every layer, mixed by constants, as Hymba) and `mlp` (tokens never meet).
 */
export const ARCHITECTURES = Object.freeze([
  ...(['amamba', 'amamba-moe', 'released-moe', 'transformer', 'bimamba'] as const),
  ...(['serial-1:1', 'serial-1:7', 'parallel', 'mlp'] as const),
]);
export type Architecture = (typeof ARCHITECTURES)[number];

export interface BackboneConfig {
  /** See `ARCHITECTURES`. Default `'amamba'`. */
  architecture: Architecture;
  /** Numbers per token, a multiple of `heads`. */
  width: number;
  /** Layers. */
  depth: number;
  /** Heads of the attention. */
  heads: number;
  /** States per channel of the scan. */
  state: number;
  /** Inner width of the feed-forward network. */
  ffn: number;
  /** Inner width of each expert, where there are experts. */
  expertFfn: number;
  /** Experts, where there are. Default 4. */
  experts: number;
  /** Experts per token; `experts` of them: a soft mixture of all. Default 2. */
  topK: number;
  /** `'attention'` and `'mamba'` leave the other path out, exactly as if its weight were 0. Default `'unified'`. */
  mode: 'unified' | 'attention' | 'mamba';
  /** What the Mamba context is to the attention of `amamba`: keys and values (default), or queries. */
  context: 'kv' | 'q';
  /** What mixes the two paths of `amamba`: a gate per token and head (default), per token and channel, or a constant per head. */
  gate: 'head' | 'channel' | 'static';
  /** Whether scans run both ways. Default true. */
  bidirectional: boolean;
  /** Whether attention fades with distance: for tokens that have places. Default false. */
  distanceBias: boolean;
  /** Share of the numbers that dropout sets to 0 in training. Default 0.1. */
  dropout: number;
  /** Share of the sequences that the last layer passes over in training; the others in proportion. Default 0.1. */
  dropPath: number;
}

/** The sizes of the specification (section 4). */
export const SIZES = Object.freeze({
  S: { width: 64, depth: 4, heads: 4, state: 16, ffn: 192, expertFfn: 96 },
  B: { width: 128, depth: 6, heads: 8, state: 16, ffn: 384, expertFfn: 192 },
  L: { width: 256, depth: 8, heads: 8, state: 16, ffn: 768, expertFfn: 384 },
} as const);
export type Size = keyof typeof SIZES;

const choices = {
  architecture: ARCHITECTURES,
  mode: ['unified', 'attention', 'mamba'],
  context: ['kv', 'q'],
  gate: ['head', 'channel', 'static'],
} as const;

/** Bounds that no sound model reaches: what is beyond is a mistake, or an attack by file. */
const limits = {
  width: [1, 16384],
  depth: [0, 1024],
  heads: [1, 1024],
  state: [1, 256],
  ffn: [1, 65536],
  expertFfn: [1, 65536],
  experts: [1, 1024],
  topK: [1, 1024],
} as const;

/** The share of layers that are attention, and where they stand: Jamba has one in eight, the fifth. */
const SERIAL_PERIOD = 8;
const SERIAL_ATTENTION = 4;

export interface BackboneOptions extends Partial<BackboneConfig> {
  /** Takes width, depth, heads, state and the inner widths from `SIZES`. Default `'B'`. */
  size?: Size;
}

/**
 * A complete, checked configuration.
 *
 * @param options a size, and what is to differ from it
 * @throws UamError `UAM_ARGUMENT` for unknown names and values that cannot be
 * @example
 * const small = backboneConfig({ size: 'S' });
 * const custom = backboneConfig({ width: 16, depth: 2, heads: 4, state: 8, ffn: 48, architecture: 'amamba-moe' });
 */
export function backboneConfig({ size = 'B', ...given }: BackboneOptions = {}): BackboneConfig {
  const base = Object.hasOwn(SIZES, size) ? SIZES[size] : undefined;
  if (!base) throw mismatch('UAM_ARGUMENT', 'size', Object.keys(SIZES).join(', '), String(size));
  const config: BackboneConfig = {
    ...{ architecture: 'amamba', experts: 4, topK: 2, mode: 'unified', context: 'kv', gate: 'head' },
    ...{ bidirectional: true, distanceBias: false, dropout: 0.1, dropPath: 0.1 },
    ...base,
    ...(given.architecture === 'serial-1:7' ? { depth: SERIAL_PERIOD } : {}),
  };
  for (const [name, value] of Object.entries(given)) {
    if (!Object.hasOwn(config, name)) {
      throw new UamError('UAM_ARGUMENT', `model: there is no setting '${name}'; the settings are size, ${Object.keys(config).join(', ')}`);
    }
    if (value !== undefined) Object.assign(config, { [name]: value });
  }
  check(config);
  return config;
}

function check(config: BackboneConfig): void {
  for (const [name, allowed] of Object.entries(choices)) {
    const value = config[name as keyof typeof choices];
    if (!(allowed as readonly string[]).includes(value))
      throw mismatch('UAM_ARGUMENT', `model: ${name}`, allowed.join(', '), String(value));
  }
  for (const [name, [least, most]] of Object.entries(limits)) {
    const value = config[name as keyof typeof limits];
    if (!(Number.isInteger(value) && value >= least && value <= most)) {
      throw mismatch('UAM_ARGUMENT', `model: ${name}`, `an integer from ${least} to ${most}`, String(value));
    }
  }
  for (const name of ['bidirectional', 'distanceBias'] as const) {
    if (typeof config[name] !== 'boolean') throw mismatch('UAM_ARGUMENT', `model: ${name}`, 'true or false', String(config[name]));
  }
  for (const name of ['dropout', 'dropPath'] as const) {
    if (!(config[name] >= 0 && config[name] < 1)) throw mismatch('UAM_ARGUMENT', `model: ${name}`, 'in [0, 1)', String(config[name]));
  }
  const { width, heads, experts, topK } = config;
  if (width % heads !== 0) throw mismatch('UAM_ARGUMENT', 'model: width', `a multiple of heads (${heads})`, String(width));
  if (topK > experts) throw mismatch('UAM_ARGUMENT', 'model: topK', `at most the number of experts (${experts})`, String(topK));
}

/** What a layer of the fixed-ratio architectures holds beside its feed-forward network. */
export type Mixer = 'attention' | 'mamba' | 'parallel' | 'none';

/** The mixer of layer `index` in an architecture with fixed ones; undefined for UAM's own layers and `released-moe`. */
export function mixerOf(architecture: Architecture, index: number): Mixer | undefined {
  switch (architecture) {
    case 'transformer':
      return 'attention';
    case 'bimamba':
      return 'mamba';
    case 'serial-1:1':
      return index % 2 === 0 ? 'mamba' : 'attention';
    case 'serial-1:7':
      return index % SERIAL_PERIOD === SERIAL_ATTENTION ? 'attention' : 'mamba';
    case 'parallel':
      return 'parallel';
    case 'mlp':
      return 'none';
    default:
      return undefined;
  }
}
