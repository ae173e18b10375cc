// How each op of the vectors is called in this package: one module per op, by the name of its file in src/ops.
import { layernormAdapters } from './adapters/layernorm.js';
import { rmsnormAdapters } from './adapters/rmsnorm.js';
import { softmaxAdapters } from './adapters/softmax.js';
import { unaryAdapters } from './adapters/unary.js';
import type { Adapter } from './vectors.js';

export const adapters: Record<string, Adapter> = {
  ...layernormAdapters,
  ...rmsnormAdapters,
  ...softmaxAdapters,
  ...unaryAdapters,
};
