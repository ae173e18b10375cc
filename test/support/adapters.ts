// How each op of the vectors is called in this package: one module per op, by the name of its file in src/ops.
import { selectiveScanAdapters } from './adapters/selective_scan.js';
import { unaryAdapters } from './adapters/unary.js';
import type { Adapter } from './vectors.js';

export const adapters: Record<string, Adapter> = {
  ...selectiveScanAdapters,
  ...unaryAdapters,
};
