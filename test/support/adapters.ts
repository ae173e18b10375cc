// How each op of the vectors is called in this package: one module per op, by the name of its file in src/ops.
import { causalConv1dAdapters } from './adapters/causal_conv1d.js';
import { layernormAdapters } from './adapters/layernorm.js';
import { rmsnormAdapters } from './adapters/rmsnorm.js';
import { softmaxAdapters } from './adapters/softmax.js';
import { ssdAdapters } from './adapters/ssd.js';
import { unaryAdapters } from './adapters/unary.js';
import type { Adapter } from './vectors.js';

export const adapters: Record<string, Adapter> = {
  ...causalConv1dAdapters,
  ...layernormAdapters,
  ...rmsnormAdapters,
  ...softmaxAdapters,
  ...ssdAdapters,
  ...unaryAdapters,
};
