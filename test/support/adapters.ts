// How each op of the vectors is called in this package: one module per op, by the name of its file in src/ops.
import { linearAdapters } from './adapters/linear.js';
import { lossAdapters } from './adapters/losses.js';
import { matmulAdapters } from './adapters/matmul.js';
import { moeAdapters } from './adapters/moe.js';
import { unaryAdapters } from './adapters/unary.js';
import type { Adapter } from './vectors.js';

export const adapters: Record<string, Adapter> = {
  ...linearAdapters,
  ...lossAdapters,
  ...matmulAdapters,
  ...moeAdapters,
  ...unaryAdapters,
};
