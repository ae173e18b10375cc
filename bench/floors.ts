// The rates that this machine reaches at best, measured by native loops in the process that runs the benchmarks.
// A rate is the highest seen so far in this run: other work on the machine only ever lowers it.
import { FLOOR_LANES, floorCompute, floorComputeLoops, floorMemory, floorMemoryLoops } from '../src/ops/floor.js';
import type { Work } from './harness.js';

/** What bounds a case at its floor, and the unit its rate is told in. */
export type Bound = 'GFLOP/s' | 'Gexp/s' | 'GB/s';

export interface Floor {
  seconds: number;
  bound: Bound;
}

const SMALLEST_SET = 2 ** 18; // bytes; below this the call itself is what one measures
const LARGEST_SET = 2 ** 28; // far beyond any cache

/** Bytes that a case moves, as the next power of two: small sets live in a cache, and their floor is the cache's. */
function workingSet(bytes: number): number {
  return Math.min(LARGEST_SET, Math.max(SMALLEST_SET, 2 ** Math.ceil(Math.log2(bytes))));
}

export class Floors {
  private readonly rates = new Map<string, number>();
  private arrays = { a: new Float32Array(0), y: new Float32Array(0) };

  /** Measures the rates that `work` depends on once more, for a few milliseconds each, on the pool as it is set now. */
  refresh(work: Work, threads: number): void {
    for (const part of work.parts ?? []) this.refresh(part, threads);
    if (work.flops) this.compute('fma', 2, threads);
    if (work.exps) this.compute('exp2', 1, threads);
    if (work.bytes) for (const streaming of [false, true]) this.copy(workingSet(work.bytes), streaming, threads);
  }

  /** The least time that `work` can take, by the rates known so far. */
  at({ flops = 0, exps = 0, bytes = 0, parts }: Work, threads: number): Floor {
    if (parts) return { seconds: parts.reduce((sum, part) => sum + this.at(part, threads).seconds, 0), bound: 'GFLOP/s' };
    const rate = (key: string) => this.rates.get(`${key} ${threads}`) ?? Number.NaN;
    const forFlops = flops && flops / rate('fma');
    const forExps = exps && exps / rate('exp2');
    const forBytes = bytes && bytes / Math.max(rate(`copy ${workingSet(bytes)} false`), rate(`copy ${workingSet(bytes)} true`));
    if (forBytes > forFlops + forExps) return { seconds: forBytes, bound: 'GB/s' };
    return { seconds: forFlops + forExps, bound: forExps > forFlops ? 'Gexp/s' : 'GFLOP/s' };
  }

  /** All rates, for the head of the table and the results file. */
  summary(threads: number): Record<string, number> {
    const giga = (rate: number) => Math.round(rate / 1e7) / 100;
    return {
      threads,
      'fma GFLOP/s': giga(this.compute('fma', 2, threads)),
      'exp Gexp/s': giga(this.compute('exp2', 1, threads)),
      'copy GB/s': giga(this.copy(LARGEST_SET, false, threads)),
      'copy streaming GB/s': giga(this.copy(LARGEST_SET, true, threads)),
      'copy in 1 MiB GB/s': giga(this.copy(2 ** 20, false, threads)),
    };
  }

  private compute(loop: (typeof floorComputeLoops)[number], operations: number, threads: number): number {
    const pieces = 4 * threads;
    const iterations = loop === 'fma' ? 200 : 40;
    const params = { loop: floorComputeLoops.indexOf(loop), pieces, iterations, s: 0.5, result: new Float32Array(pieces) };
    return this.best(`${loop} ${threads}`, pieces * iterations * FLOOR_LANES * operations, () => floorCompute(params));
  }

  private copy(bytes: number, streaming: boolean, threads: number): number {
    const n = bytes / 8; // each element is read and written
    if (this.arrays.a.length < n) this.arrays = { a: new Float32Array(n).fill(1), y: new Float32Array(n).fill(1) };
    const a = this.arrays.a.subarray(0, n);
    const params = { loop: floorMemoryLoops.indexOf('copy'), streaming, n, s: 1, a, b: a, y: this.arrays.y.subarray(0, n) };
    return this.best(`copy ${bytes} ${streaming} ${threads}`, bytes, () => floorMemory(params));
  }

  /** Runs `loop` for a few milliseconds, longer the first time; `amount` is what one run does. */
  private best(key: string, amount: number, loop: () => void): number {
    const known = this.rates.get(key);
    const limit = known === undefined ? 60 : 8;
    let rate = known ?? 0;
    const start = performance.now();
    do {
      const from = performance.now();
      loop();
      rate = Math.max(rate, amount / ((performance.now() - from) / 1e3));
    } while (performance.now() - start < limit);
    this.rates.set(key, rate);
    return rate;
  }
}
