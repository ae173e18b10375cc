import { context } from './context.js';

/**
 * The host memory of tensors: `stats()` tells the bytes in use, those kept for reuse and the peak (arrays under 4 KB are not
 * counted); `trim()` gives what is kept back to the JavaScript engine.
 *
 * @example
 * const { liveBytes } = memory.stats();
 * memory.trim();
 */
export const memory = {
  stats: () => context.arena.stats(),
  trim: () => context.arena.trim(),
};
