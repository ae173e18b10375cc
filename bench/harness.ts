// What a benchmark is, and how one is timed. main.ts runs them.
//
// bench/<name>.bench.ts default-exports a list of cases (unary.bench.ts is the pattern; passes.ts makes the functions to time). A case says what it computes (`work`), so that the harness can tell how
// far it is from the machine's floor, and what the same shape is called for the peers (`peers`), so that it can tell how far it is
// from others. Ours, the floors and the peers are measured in one run, alternating: absolute times on a shared machine drift,
// ratios within one run hold. A timing never fails the run.
import type { PeerShape } from './peer_shapes.js';

/** What one call must do at least. The floor time is max(flops / FMA rate + exps / exp rate, bytes / copy rate). */
export interface Work {
  /**
   * Floating-point operations beside the exponentials. A fused multiply-add counts two, and so does a multiplication or an
   * addition that nothing can be fused with: it takes the same place in the processor.
   */
  flops?: number;
  /** Exponentials (also those inside softplus, sigmoid, SiLU, softmax). */
  exps?: number;
  /** Bytes that must be read plus bytes that must be written, each array once. */
  bytes?: number;
  /** Ops that follow each other: the floor is the sum of theirs. Then nothing else is given. */
  parts?: readonly Work[];
}

/** A function timed at each thread count. */
export interface TimedCase {
  /** Unique in its file; names direction and shape: 'forward B8 D256 L1024 N16'. */
  name: string;
  /** Makes the inputs and returns the function to time. What it returns is called many times and must not grow memory. */
  setup(): () => void;
  work: Work;
  /** What one call gets done, for a rate in those: cells. Default: the rate of what bounds it. */
  amount?: { count: number; unit: string };
  /** The same computation, as the peers know it. Peers that do not know it are left out. */
  peers?: PeerShape;
  /** Least share of the floor that performance.md asks for, 0 to 1. Printed beside the share; missing it fails nothing. */
  goal?: number;
}

/** Any other figure: a start-up time, a size. */
export interface FigureCase {
  name: string;
  unit: string;
  /** The most (a smaller figure is better) that performance.md allows. */
  goal?: number;
  /** One value, or one per repetition. */
  measure(repetitions: number): number[] | Promise<number[]>;
}

export type BenchCase = TimedCase | FigureCase;

/** Times of single calls of one function, gathered over several rounds. */
export class Samples {
  /** Wall time of a call, one entry per sample. */
  readonly seconds: number[] = [];
  private cpuSeconds = 0;
  private calls = 0;

  /** Calls `run` for about `milliseconds`, at least `minimum` samples. Samples of quick functions are means over many calls. */
  gather(run: () => void, milliseconds: number, minimum: number): void {
    const callsPerSample = this.calls > 0 ? Math.max(1, Math.round(SHORTEST_SAMPLE / this.best)) : warmUp(run);
    const before = process.cpuUsage();
    const start = performance.now();
    let calls = 0;
    for (let sample = 0; sample < minimum || performance.now() - start < milliseconds; sample++) {
      const from = performance.now();
      for (let call = 0; call < callsPerSample; call++) run();
      this.seconds.push((performance.now() - from) / 1e3 / callsPerSample);
      calls += callsPerSample;
    }
    const cpu = process.cpuUsage(before);
    this.cpuSeconds += (cpu.user + cpu.system) / 1e6;
    this.calls += calls;
  }

  add(seconds: readonly number[]): void {
    this.seconds.push(...seconds);
  }

  get median(): number {
    return median(this.seconds);
  }

  get best(): number {
    return Math.min(...this.seconds);
  }

  /** Processor time of one call, summed over all threads of the process; NaN where it was not measured (peers). */
  get cpu(): number {
    return this.calls > 0 ? this.cpuSeconds / this.calls : Number.NaN;
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [below = Number.NaN, above = below] = sorted.length % 2 === 1 ? [sorted[middle]] : sorted.slice(middle - 1, middle + 1);
  return (below + above) / 2;
}

// Seconds. A sample shorter than this is lost in the clock's and the loop's own cost.
const SHORTEST_SAMPLE = 2e-4;

// Lets the engine compile, pages arrive and clocks rise; returns how many calls fill the shortest sample.
function warmUp(run: () => void): number {
  const start = performance.now();
  let calls = 0;
  let last = 0;
  do {
    const from = performance.now();
    run();
    last = performance.now() - from;
    calls++;
  } while (performance.now() - start < 30 && calls < 1000);
  return Math.max(1, Math.round(SHORTEST_SAMPLE / (last / 1e3)));
}
