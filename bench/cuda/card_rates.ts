// The rates that this card reaches at best, measured in the process that runs the benchmark; a floor is held against them.
import { kernelTable } from '../../src/native/device.js';
import { DeviceArray } from '../../src/native/device_array.js';
import { FLOOR_LANES, floorComputeLoops, floorMemoryLoops } from '../../src/ops/floor.js';
import { type CardWork, onCard, type Precision, timed } from './case.js';

export interface CardRates {
  /** Bytes read and written a second, floating-point operations and exponentials a second; undefined where nothing measures them. */
  copy: number | undefined;
  fma: number | undefined;
  exp2: number | undefined;
  /** Floating-point operations a second in products of large matrices: of ours or a peer's, whichever is faster. */
  matrix: Partial<Record<Precision, number>>;
}

export type Bound = 'memory' | 'exponentials' | 'arithmetic' | 'matrix';

const table = () => kernelTable('cuda') as unknown as Record<string, (params: object) => void>;

function copyRate(bytes: number, milliseconds: number): number {
  const n = bytes / 8; // each element is read and written
  const [a, y] = [DeviceArray.allocate('float32', n), DeviceArray.allocate('float32', n)];
  a.fill(1);
  y.fill(1);
  const rates = [bytes / timed(() => y.set(a), milliseconds).best];
  if (onCard('floor_memory')) {
    for (const streaming of [false, true]) {
      const params = { loop: floorMemoryLoops.indexOf('copy'), streaming, n, s: 1, a, b: a, y };
      rates.push(bytes / timed(() => table().floor_memory?.(params), milliseconds).best);
    }
  }
  a.release();
  y.release();
  return Math.max(...rates);
}

function computeRate(
  loop: (typeof floorComputeLoops)[number],
  operations: number,
  pieces: number,
  iterations: number,
  milliseconds: number,
): number | undefined {
  if (!onCard('floor_compute')) return undefined;
  const result = DeviceArray.allocate('float32', pieces);
  const params = { loop: floorComputeLoops.indexOf(loop), pieces, iterations, s: 0.5, result };
  const { best } = timed(() => table().floor_compute?.(params), milliseconds);
  result.release();
  return (pieces * iterations * FLOOR_LANES * operations) / best;
}

/** Takes about a second on a card. `tiny`: sizes for the emulation, whose rates mean nothing. */
export function measureRates(tiny: boolean): CardRates {
  const [pieces, iterations, milliseconds] = tiny ? [2, 1, 0] : [16_384, 64, 100];
  return {
    copy: copyRate(tiny ? 2 ** 14 : 2 ** 31, milliseconds),
    fma: computeRate('fma', 2, pieces, iterations, milliseconds),
    exp2: computeRate('exp2', 1, pieces, iterations, milliseconds),
    matrix: {},
  };
}

/** The least time that `work` can take, by what bounds it; undefined where a rate that it depends on is not known. */
export function floorOf(work: CardWork, precision: Precision, rates: CardRates): { seconds: number; bound: Bound } | undefined {
  const matrix = precision === 'float32' ? rates.fma : (rates.matrix[precision] ?? rates.fma);
  const needs: [Bound, number | undefined, number | undefined][] = [
    ['memory', work.bytes, rates.copy],
    ['exponentials', work.exps, rates.exp2],
    ['arithmetic', work.flops, rates.fma],
    ['matrix', work.matrix, matrix],
  ];
  let longest: { seconds: number; bound: Bound } | undefined;
  for (const [bound, amount, rate] of needs) {
    if (!amount) continue;
    if (!rate) return undefined;
    if (!longest || amount / rate > longest.seconds) longest = { seconds: amount / rate, bound };
  }
  return longest;
}
