// What a measurement on a card is, and how one is taken. Kernels are enqueued and run behind JavaScript's back: calls are timed in
// batches, with the card waited for before and after. A kernel is called with the arrays that an operation called it with, kept on the
// card, so that what is timed is the kernel and its launches and not the graph around it.
import { kernelTable, synchronize } from '../../src/native/device.js';
import { DeviceArray } from '../../src/native/device_array.js';
import { median } from '../harness.js';
import type { PeerShape } from '../peer_shapes.js';

/** What one call must do at least. They overlap on a card, so the floor is the longest of them. */
export interface CardWork {
  /** Multiply-adds count two. Those of `matrix` run on the tensor cores where the precision allows. */
  flops?: number;
  matrix?: number;
  exps?: number;
  bytes?: number;
}

export type Precision = 'float32' | 'tf32' | 'bf16';

/** A case that is ready to be timed. */
export interface Ready {
  run(): void;
  /** Largest error against float64 relative to the largest value, of a part that float64 can be asked for. */
  error(): number;
}

export interface CudaCase {
  kernel: string;
  shape: string;
  precision?: Precision;
  work: CardWork;
  /** What is told as a rate: the count of one call, and its unit a second. */
  rate: { count: number; unit: string };
  /** Microseconds that the plan expects of an H200; told beside the median, and judged by nobody. */
  planned?: number;
  peer?: PeerShape;
  setup(): Ready;
}

type Table = Record<string, (params: object) => void>;
const tableOfCard = () => kernelTable('cuda') as unknown as Table;

/** Whether this addon has the kernel for a card. */
export const onCard = (kernel: string): boolean => Object.hasOwn(tableOfCard(), kernel);

/** Runs `body`, in which `kernel` is called, and returns the parameters of its last call. */
export function captured(kernel: string, body: () => unknown): Record<string, unknown> {
  const calls = capturedCalls(body).filter((call) => call.kernel === kernel);
  const last = calls.at(-1);
  if (!last) throw new Error(`${kernel} was not called on the card`);
  return last.params as Record<string, unknown>;
}

export interface KernelCall {
  kernel: string;
  params: object;
}

// Arrays that calls still need although the operations have let go of them.
const held: DeviceArray[] = [];

/** Gives back what captured calls have held. They can be called no more. */
export function releaseHeld(): void {
  for (const array of held.splice(0)) array.release();
}

/** Runs `body` and returns every call of a kernel on the card, in order. Arrays that it lets go of are held until releaseHeld(). */
export function capturedCalls(body: () => unknown): KernelCall[] {
  const table = tableOfCard();
  const calls: KernelCall[] = [];
  const originals = Object.entries(table).filter(([, value]) => typeof value === 'function');
  const { release } = DeviceArray.prototype;
  for (const [kernel, original] of originals) {
    table[kernel] = (params) => {
      calls.push({ kernel, params });
      original(params);
    };
  }
  DeviceArray.prototype.release = function hold(this: DeviceArray) {
    held.push(this);
  };
  try {
    body();
  } finally {
    for (const [kernel, original] of originals) table[kernel] = original;
    DeviceArray.prototype.release = release;
  }
  return calls;
}

export const callAgain = ({ kernel, params }: KernelCall): void => tableOfCard()[kernel]?.(params);

/** The first `count` elements of an array on the card. */
export function firstOf(array: unknown, count: number): Float32Array {
  const host = new Float32Array(count);
  (array as DeviceArray).subarray(0, count).read(host);
  return host;
}

/** Largest difference relative to the largest expected magnitude. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let [worst, largest] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs((actual[i] as number) - (expected[i] as number));
    worst = Number.isNaN(difference) ? Number.NaN : Math.max(worst, difference);
    largest = Math.max(largest, Math.abs(expected[i] as number));
  }
  return worst / Math.max(largest, Number.MIN_VALUE);
}

/** Seconds of one call: medians over at least five batches that take a few milliseconds each. One call where no time is given. */
export function timed(run: () => void, milliseconds: number): { median: number; best: number; samples: number } {
  run(); // loads the kernel
  synchronize();
  const batch = (calls: number): number => {
    const from = performance.now();
    for (let call = 0; call < calls; call++) run();
    synchronize();
    return (performance.now() - from) / 1e3;
  };
  if (milliseconds === 0) return { median: 0, best: 0, samples: 0 };
  const once = batch(1);
  const calls = Math.max(1, Math.min(1000, Math.round(4e-3 / once)));
  batch(calls); // lets clocks rise
  const seconds: number[] = [];
  const start = performance.now();
  while (seconds.length < 5 || (performance.now() - start < milliseconds && seconds.length < 100)) seconds.push(batch(calls) / calls);
  return { median: median(seconds), best: Math.min(...seconds), samples: seconds.length };
}
