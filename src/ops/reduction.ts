import { mismatch } from '../errors.js';

/** What a loss does with its elements: keep them all, take their (weighted) mean, or add them. */
export type Reduction = 'none' | 'mean' | 'sum';

/** In the order of `Reduction` in native/reduction.h. */
const reductions: readonly Reduction[] = ['none', 'mean', 'sum'];

/** The kernels' number for `reduction`, or an error that names `op`. */
export function reductionIndex(op: string, reduction: Reduction): number {
  const index = reductions.indexOf(reduction);
  if (index < 0) throw mismatch('UAM_ARGUMENT', `${op}: reduction`, "'none', 'mean' or 'sum'", String(reduction));
  return index;
}
