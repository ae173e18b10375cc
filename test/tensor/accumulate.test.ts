import t from 'tap';
import { kernelTable } from '../../src/native/device.js';
import { onBackend, testBackends } from '../support/backends.js';

t.test('y += x, for every length around the vector, on every instruction set and on a card', async (t) => {
  for (const backend of testBackends().filter(({ backend }) => backend !== 'reference')) {
    for (const n of [0, 1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 70_001]) {
      const storage = new Float32Array(n + 2).fill(0.5);
      const y = storage.subarray(1, n + 1); // misaligned, with guards on both sides
      const x = Float32Array.from({ length: n }, (_, i) => i % 97);
      onBackend(backend, 2, () => kernelTable(backend.backend)?.accumulate?.({ n, x, y }));
      const right = y.every((value, i) => value === 0.5 + (i % 97)) && storage[0] === 0.5 && storage[n + 1] === 0.5;
      if (!right) t.fail(`${backend.name}, n = ${n}`);
    }
    t.pass(backend.name);
  }
});
