import type { Kernel } from '../../src/native/call.js';
import { onBackend, testBackends } from './backends.js';
import { sameBits } from './near.js';
import { uniform } from './random.js';

/** A repeatable plane of whole numbers from -40 to 215, as a grey image with something below zero. */
export function testPlane(width: number, height: number, seed = 1): Float64Array {
  const next = uniform(seed);
  return Float64Array.from({ length: width * height }, () => Math.floor(next() * 256) - 40);
}

/** Sizes at which loops have no interior, one, or several blocks. */
export const testSizes = [
  [0, 0],
  [0, 3],
  [3, 0],
  [1, 1],
  [2, 1],
  [1, 3],
  [2, 2],
  [3, 3],
  [17, 9],
  [40, 33],
] as const;

/**
 * Runs a host kernel natively with 1, 2 and 4 threads: every run must give the same bits, and the bits of the TypeScript definition
 * (or, with a tolerance, values as near as that, relative to the largest).
 */
export function agrees<P extends object>(
  test: { pass(message: string): unknown; fail(message: string): unknown },
  kernel: Kernel<P>,
  name: string,
  make: () => { params: P; outputs: (keyof P)[] },
  tolerance = 0,
): void {
  const wanted = make();
  kernel.reference(wanted.params);
  for (const backend of testBackends()) {
    for (const threads of [1, 2, 4]) {
      const { params, outputs } = make();
      for (const key of outputs) (params[key] as Float64Array).fill(Number.NaN);
      onBackend(backend, threads, () => kernel(params));
      for (const key of outputs) {
        const [got, want] = [params[key] as Float64Array, wanted.params[key] as Float64Array];
        const where = `${kernel.kernelName} ${name}: ${String(key)} on ${backend.name} with ${threads} threads`;
        if (tolerance === 0 ? !sameValues(got, want) : !(distance(got, want) <= tolerance)) test.fail(where);
      }
    }
  }
  test.pass(`${kernel.kernelName} ${name}`);
}

/** The same bits, but that one NaN is as good as another. */
function sameValues(a: Float64Array, b: Float64Array): boolean {
  return a.length === b.length && (sameBits(a, b) || a.every((value, i) => Object.is(value, b[i])));
}

/** The largest difference, relative to the largest finite magnitude of `want`; infinite where what is not finite differs. */
export function distance(got: ArrayLike<number>, want: ArrayLike<number>): number {
  if (got.length !== want.length) return Number.POSITIVE_INFINITY;
  let [worst, scale] = [0, 1e-300];
  for (let i = 0; i < want.length; i++) {
    const [a, b] = [got[i] as number, want[i] as number];
    if (!Number.isFinite(b) || !Number.isFinite(a)) {
      if (!Object.is(a, b)) return Number.POSITIVE_INFINITY;
      continue;
    }
    worst = Math.max(worst, Math.abs(a - b));
    scale = Math.max(scale, Math.abs(b));
  }
  return worst / scale;
}
