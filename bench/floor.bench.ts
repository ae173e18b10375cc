// The floors themselves, as cases: the table at the head of design notes about this machine, and a check of the harness, which
// must find each of them near 100 %.
import { FLOOR_LANES, FLOOR_MATRIX, floorCompute, floorComputeLoops, floorMemory, floorMemoryLoops } from '../src/ops/floor.js';
import type { TimedCase } from './harness.js';

const pieces = 16;
const iterations = 100;

const compute = floorComputeLoops.map((name, loop): TimedCase => {
  // `matrix` is FLOOR_MATRIX times the work of `fma`: on a CPU, which has no unit for it, the same loop
  const rounds = name === 'matrix' ? 10 : iterations;
  const done = pieces * rounds * FLOOR_LANES * (name === 'matrix' ? FLOOR_MATRIX : 1);
  const params = { loop, pieces, iterations: rounds, s: 0.5, result: new Float32Array(pieces) };
  return { name, setup: () => () => floorCompute(params), work: name === 'exp2' ? { exps: done } : { flops: 2 * done } };
});

// Bytes in all: what fits a core's second-level cache, the shared cache, and neither.
const memory = [2 ** 19, 2 ** 23, 2 ** 28].flatMap((bytes) =>
  floorMemoryLoops.flatMap((name, loop) =>
    [false, true].map((streaming): TimedCase => {
      const arrays = name === 'triad' ? 3 : 2;
      const n = Math.floor(bytes / 4 / arrays);
      return {
        name: `${name} ${bytes / 2 ** 20} MiB${streaming ? ', streaming stores' : ''}`,
        setup: () => {
          const [a, b, y] = [1, 2, 0].map((value) => new Float32Array(n).fill(value)) as [Float32Array, Float32Array, Float32Array];
          return () => floorMemory({ loop, streaming, n, s: 3, a, b, y });
        },
        work: { bytes: 4 * arrays * n },
      };
    }),
  ),
);

export default [...compute, ...memory];
