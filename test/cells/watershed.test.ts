import fc from 'fast-check';
import t from 'tap';
import { distanceTransform } from '../../src/cells/distance_transform.js';
import { watershed } from '../../src/cells/watershed.js';
import { onBackend } from '../support/backends.js';
import { anyMask } from '../support/masks.js';

const reference = { name: 'reference', backend: 'reference' as const };
const cpu = { name: 'cpu', backend: 'cpu' as const };

t.test('hills by hand', async (t) => {
  const heights = Float32Array.of(1, 3, 2, 4, 1, 0, 5, NaN, Infinity);
  const cut = (depth: number, mask = new Uint8Array(9).fill(1)) => [...watershed(heights, mask, 9, 1, depth).mask.data];
  t.same(cut(0.5), [1, 1, 2, 2, 2, 3, 3, 4, 4]);
  t.same(cut(1.5), [1, 1, 1, 1, 1, 2, 2, 3, 3], 'the summit 3 rises 1 above the pass at 2');
  t.same(cut(0.5, Uint8Array.of(1, 1, 0, 1, 1, 1, 1, 0, 0)), [1, 1, 0, 2, 2, 3, 3, 0, 0]);
});

t.test('the kernel is its definition', async (t) => {
  fc.assert(
    fc.property(anyMask, fc.double({ min: 0, max: 3, noNaN: true }), fc.nat(), ({ width, height, data }, depth, seed) => {
      const mask = Uint8Array.from(data, (label) => (label ? 1 : 0));
      const heights = Float32Array.from(data, (_, i) => ((Math.imul(i + seed, 2654435761) >>> 24) % 20) / 3 - 0.5);
      const want = onBackend(reference, 1, () => watershed(heights, mask, width, height, depth));
      for (const threads of [1, 3])
        t.same(
          onBackend(cpu, threads, () => watershed(heights, mask, width, height, depth)),
          want,
        );
      t.ok(want.mask.data.every((label, i) => label > 0 === (mask[i] as number) > 0));
    }),
    { numRuns: 300 },
  );
});

t.test('two touching discs are cut at the neck, one disc is not', async (t) => {
  const [width, height] = [60, 40];
  const inDisc = (i: number, cx: number) => ((i % width) - cx) ** 2 + (Math.floor(i / width) - 20) ** 2 < 130;
  const both = Uint8Array.from({ length: width * height }, (_, i) => (inDisc(i, 20) || inDisc(i, 38) ? 1 : 0));
  const one = Uint8Array.from({ length: width * height }, (_, i) => (inDisc(i, 20) ? 1 : 0));
  t.equal(watershed(distanceTransform(one, width, height), one, width, height, 0.5).count, 1);
  const { mask, count } = watershed(distanceTransform(both, width, height), both, width, height, 0.5);
  t.equal(count, 2);
  t.same([mask.data[20 * width + 22], mask.data[20 * width + 36]], [1, 2]);
});

t.test('wrong arguments', async (t) => {
  t.throws(() => watershed(new Float32Array(3), new Uint8Array(4), 2, 2, 1), { code: 'UAM_SHAPE' });
  t.throws(() => watershed(new Float32Array(4), new Uint8Array(4), 2, 2, -1), { code: 'UAM_ARGUMENT' });
  t.throws(() => watershed(new Float32Array(4), new Uint8Array(4), 2, 2, NaN), { code: 'UAM_ARGUMENT' });
});
