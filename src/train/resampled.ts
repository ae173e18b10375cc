// Resamples of patients: cells and pixels of one patient are alike, so drawing them one by one would promise too much.
import { setImmediate } from 'node:timers/promises';
import { UamError } from '../errors.js';
import type { Interval } from '../report/evaluation_report.js';
import { seeded } from './seeded.js';

export interface BootstrapOptions {
  /** How often the patients are drawn; default 1000. */
  resamples?: number | undefined;
  /** Part of the resamples inside the interval; default 0.95. */
  level?: number | undefined;
  /** The same seed gives the same intervals, 0 to 2^32 - 1; default 0. */
  seed?: number | undefined;
  /** Ends the work; the promise then rejects with `UAM_ABORTED`. */
  signal?: AbortSignal | undefined;
}

type Complete = Required<Omit<BootstrapOptions, 'signal'>> & { signal: AbortSignal | undefined };

/** @throws UamError `UAM_ARGUMENT` for options that cannot be */
export function complete(where: string, { resamples = 1000, level = 0.95, seed = 0, signal }: BootstrapOptions): Complete {
  if (!Number.isInteger(resamples) || resamples < 1) {
    throw new UamError('UAM_ARGUMENT', `${where}: resamples must be a whole number from 1 on, received ${resamples}`);
  }
  if (!(level > 0 && level < 1)) throw new UamError('UAM_ARGUMENT', `${where}: level must lie between 0 and 1, received ${level}`);
  if (!Number.isInteger(seed) || seed < 0 || seed > 0xffffffff) {
    throw new UamError('UAM_ARGUMENT', `${where}: seed must be an integer from 0 to 4294967295, received ${seed}`);
  }
  return { resamples, level, seed, signal };
}

/** The group of each point: its patient, in the order in which the patients first come; each point is its own where none are given. */
export function clusters(patients: readonly string[] | undefined, count: number): { of: Int32Array; size: number } {
  if (!patients) return { of: Int32Array.from({ length: count }, (_, i) => i), size: count };
  const index = new Map<string, number>();
  const of = Int32Array.from(patients, (name) => {
    const known = index.get(name) ?? index.size;
    index.set(name, known);
    return known;
  });
  return { of, size: index.size };
}

/** How often each patient is drawn in a resample: as many draws as patients, with repetition. */
function draws(size: number, seed: number, resample: number): Uint32Array {
  const random = seeded(seed, resample);
  const times = new Uint32Array(size);
  for (let i = 0; i < size; i++) {
    const at = Math.floor(random() * size);
    times[at] = (times[at] as number) + 1;
  }
  return times;
}

/** The value at a share of sorted values, between two where it falls there (Hyndman and Fan's type 7). */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) return Number.NaN;
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  const below = sorted[low] as number;
  const above = sorted[Math.min(low + 1, sorted.length - 1)] as number;
  return below === above ? below : below + (at - low) * (above - below);
}

export function interval(value: number, values: readonly number[], level: number): Interval {
  const sorted = Float64Array.from(values.filter((one) => !Number.isNaN(one))).sort();
  const tail = (1 - level) / 2;
  return { value, low: quantile(sorted, tail), high: quantile(sorted, 1 - tail), resamples: sorted.length };
}

/** Runs the resamples, leaving the event loop free between them. */
export async function resampled<T>(
  where: string,
  { resamples, seed, signal }: Complete,
  { of, size }: ReturnType<typeof clusters>,
  score: (weights: Float64Array) => T,
): Promise<T[]> {
  const results: T[] = [];
  const weights = new Float64Array(of.length);
  for (let resample = 0; resample < resamples; resample++) {
    if (signal?.aborted) throw new UamError('UAM_ABORTED', `${where}: ended by its signal`, { cause: signal.reason });
    const times = draws(size, seed, resample);
    for (let i = 0; i < weights.length; i++) weights[i] = times[of[i] as number] as number;
    results.push(score(weights));
    await setImmediate();
  }
  return results;
}
