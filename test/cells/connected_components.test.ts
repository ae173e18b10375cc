import fc from 'fast-check';
import t from 'tap';
import { connectedComponents } from '../../src/cells/connected_components.js';
import { onBackend } from '../support/backends.js';
import { anyMask } from '../support/masks.js';

const reference = { name: 'reference', backend: 'reference' as const };
const cpu = { name: 'cpu', backend: 'cpu' as const };

t.test('the kernel is its definition', async (t) => {
  fc.assert(
    fc.property(anyMask, fc.boolean(), ({ width, height, data }, diagonal) => {
      const mask = Uint8Array.from(data, (label) => (label ? 1 + (label & 127) : 0));
      const want = onBackend(reference, 1, () => connectedComponents(mask, width, height, { diagonal }));
      for (const threads of [1, 3])
        t.same(
          onBackend(cpu, threads, () => connectedComponents(mask, width, height, { diagonal })),
          want,
        );
    }),
    { numRuns: 300 },
  );
});

t.test('a spiral, noise, and nothing', async (t) => {
  const [width, height] = [301, 201];
  const comb = Uint8Array.from({ length: width * height }, (_, i) =>
    Math.floor(i / width) === height - 1 || (i % width) % 2 === 0 ? 1 : 0,
  );
  const found = connectedComponents(comb, width, height);
  t.equal(found.count, 1, 'pieces that only meet at the bottom');
  t.ok(found.mask.data.every((label, i) => label === comb[i]));
  const noise = Uint8Array.from({ length: width * height }, (_, i) => Math.imul(i + 1, 2654435761) >>> 31);
  for (const diagonal of [false, true]) {
    const want = onBackend(reference, 1, () => connectedComponents(noise, width, height, { diagonal }));
    t.same(
      onBackend(cpu, 2, () => connectedComponents(noise, width, height, { diagonal })),
      want,
    );
  }
  t.equal(connectedComponents(new Uint8Array(0), 0, 0).count, 0);
  t.throws(() => connectedComponents(new Uint8Array(3), 2, 2), { code: 'UAM_SHAPE' });
});
