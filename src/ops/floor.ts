// What the machine can do at best. Not an operation on tensors and not part of the public API: bench/floors.ts times these
// kernels, and every benchmark is held against them.
import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';

/** Operations in one iteration of one piece of `floorCompute`: `kFloorLanes` in native/kernels/floor.h. */
export const FLOOR_LANES = 3072;

/** How many times as many operations an iteration of the loop `matrix` has: `kFloorMatrix` there. */
export const FLOOR_MATRIX = 64;

/** In the order of `FloorCompute` in native/kernels/floor.h. */
export const floorComputeLoops = ['fma', 'exp2', 'matrix'] as const;

/** In the order of `FloorMemory` in native/kernels/floor.h. */
export const floorMemoryLoops = ['copy', 'triad'] as const;

interface FloorComputeParams {
  loop: number;
  pieces: number;
  iterations: number;
  s: number;
  result: FloatArray;
}

interface FloorMemoryParams {
  loop: number;
  /** Stores pass the caches by. */
  streaming: boolean;
  n: number;
  s: number;
  a: FloatArray;
  b: FloatArray;
  y: FloatArray;
}

/**
 * `pieces` x `iterations` x `FLOOR_LANES` fused multiply-adds, or powers of two, on data that never leave the core; `FLOOR_MATRIX`
 * times as many for `matrix`, which are products of bf16 matrices on a card. What `result` holds depends on the device and on how many
 * lanes a vector has; it is there so that no compiler leaves the work out.
 */
export const floorCompute = kernel<FloorComputeParams>('floor_compute', ({ loop, pieces, iterations, s, result }) => {
  const step = floorComputeLoops[loop] === 'exp2' ? (x: number) => 2 ** (-s * x) : (x: number) => x * s + (1 - s);
  const steps = iterations * FLOOR_LANES * (floorComputeLoops[loop] === 'matrix' ? FLOOR_MATRIX : 1);
  for (let piece = 0; piece < pieces; piece++) {
    let value = 1;
    for (let i = 0; i < steps; i++) value = step(value);
    result[piece] = value;
  }
});

/** y = a, or y = a + s b. */
export const floorMemory = kernel<FloorMemoryParams>('floor_memory', ({ loop, n, s, a, b, y }) => {
  const triad = floorMemoryLoops[loop] === 'triad';
  for (let i = 0; i < n; i++) y[i] = triad ? (a[i] as number) + s * (b[i] as number) : (a[i] as number);
});
