// How many numbers a backbone has, without making it: section 4 of the specification, for every architecture.
import { UamError } from '../errors.js';
import { type BackboneConfig, mixerOf } from './config.js';

const EXPAND = 2;
const CONV = 4;

function mambaCount({ width, state }: BackboneConfig, directions: number): number {
  const inner = EXPAND * width;
  const rank = Math.ceil(width / 16);
  const perDirection = CONV * inner + inner + inner * (rank + 2 * state) + rank * inner + inner + inner * state + inner;
  return 3 * width * inner + directions * perDirection;
}

function layerCounts(config: BackboneConfig, index: number): { fixed: number; perFfn: number; experts: number } {
  const { architecture, width, heads, gate, experts, expertFfn } = config;
  const mamba = mambaCount(config, config.bidirectional ? 2 : 1);
  const attention = 4 * width ** 2 + (config.distanceBias ? heads : 0);
  const mixture = width * experts + 3 * experts * width * expertFfn;
  const gates = { head: (3 * width + 1) * heads, channel: (3 * width + 1) * width, static: heads };
  switch (architecture) {
    case 'amamba':
      return { fixed: mamba + attention + 5 * width + gates[gate], perFfn: 3 * width, experts: 0 };
    case 'amamba-moe':
      return { fixed: mamba + attention + 6 * width + 2, perFfn: 0, experts: mixture };
    case 'released-moe':
      return { fixed: mambaCount(config, 1) + 2 * width ** 2 + (2 * width ** 2) / heads, perFfn: 0, experts: mixture };
    default: {
      const mixer = mixerOf(architecture, index);
      const fixed = { attention: attention + 2 * width, mamba: mamba + 2 * width, parallel: attention + mamba + 4 * width, none: width };
      return { fixed: fixed[mixer as keyof typeof fixed], perFfn: 3 * width, experts: 0 };
    }
  }
}

/**
 * Parameters of a backbone, its last norm included; `active` leaves out the experts that a token does not visit.
 *
 * @example
 * parameterCount(backboneConfig({ size: 'S' })).total;   // 380240: 4 layers of 95044, and a norm of 64
 */
export function parameterCount(config: BackboneConfig): { total: number; active: number } {
  let total = config.width;
  let idle = 0;
  for (let index = 0; index < config.depth; index++) {
    const { fixed, perFfn, experts } = layerCounts(config, index);
    total += fixed + perFfn * config.ffn + experts;
    if (experts > 0) idle += (config.experts - config.topK) * 3 * config.width * config.expertFfn;
  }
  return { total, active: total - idle };
}

/**
 * The configuration with the inner width of its feed-forward networks (or experts) set so that it has as many parameters as asked
 * for, as nearly as can be: how architectures are compared at one size.
 *
 * @param target parameters of the backbone
 * @throws UamError `UAM_ARGUMENT` where no inner width comes within 5 % of the target
 * @example
 * const target = parameterCount(backboneConfig({ size: 'S' })).total;
 * const transformer = matchParameters(backboneConfig({ size: 'S', architecture: 'transformer' }), target);
 */
export function matchParameters(config: BackboneConfig, target: number): BackboneConfig {
  const mixture = config.architecture === 'amamba-moe' || config.architecture === 'released-moe';
  const name = mixture ? 'expertFfn' : 'ffn';
  const at = (inner: number) => parameterCount({ ...config, [name]: inner }).total;
  const slope = at(2) - at(1);
  const inner = Math.max(1, Math.round((target - at(1)) / slope + 1));
  const matched = { ...config, [name]: inner };
  const { total } = parameterCount(matched);
  if (!(Math.abs(total - target) <= 0.05 * target)) {
    throw new UamError(
      'UAM_ARGUMENT',
      `${config.architecture}: no inner width gives ${target} parameters within 5 %; the nearest has ${total}`,
    );
  }
  return matched;
}
