import t from 'tap';
import { FLOOR_LANES, floorCompute, floorComputeLoops, floorMemory, floorMemoryLoops } from '../../src/ops/floor.js';
import { onBackend, testBackends } from '../support/backends.js';

// The loops are only worth timing if they do all of their work.
t.test('copy and triad write every element, at any length and alignment, with both kinds of store', async (t) => {
  for (const backend of testBackends()) {
    onBackend(backend, 2, () => {
      let wrong = 0;
      for (const n of [0, 1, 3, 15, 16, 17, 63, 1000, 16384, 16391, 40000]) {
        for (const [loop, name] of floorMemoryLoops.entries()) {
          for (const streaming of [false, true]) {
            const a = Float32Array.from({ length: n }, (_, i) => i % 97);
            const b = Float32Array.from({ length: n }, (_, i) => i % 31);
            const y = new Float32Array(n + 2).fill(Number.NaN);
            floorMemory({ loop, streaming, n, s: 3, a, b, y: y.subarray(1, n + 1) });
            for (let i = 0; i < n; i++) wrong += Number(y[i + 1] !== (a[i] as number) + (name === 'triad' ? 3 * (b[i] as number) : 0));
            wrong += Number(!Number.isNaN(y[0])) + Number(!Number.isNaN(y[n + 1]));
          }
        }
      }
      t.equal(wrong, 0, backend.name);
    });
  }
});

t.test('the arithmetic loops give one finite number per piece', async (t) => {
  for (const backend of testBackends()) {
    onBackend(backend, 2, () => {
      for (const loop of floorComputeLoops.keys()) {
        const result = new Float32Array(3).fill(Number.NaN);
        floorCompute({ loop, pieces: 3, iterations: 2, s: 0.5, result });
        t.ok(
          result.every((value) => Number.isFinite(value) && value === result[0]),
          `${floorComputeLoops[loop]} on ${backend.name}`,
        );
      }
    });
  }
});

t.equal(FLOOR_LANES % (12 * 16), 0, 'an iteration is a whole number of steps for every vector width');
