import fc from 'fast-check';
import t from 'tap';
import { gaussianBlur } from '../../src/image/gaussian_blur.js';
import { onBackend } from '../support/backends.js';

const reference = { name: 'reference', backend: 'reference' as const };
const cpu = { name: 'cpu', backend: 'cpu' as const };

t.test('the kernel is its definition, to the bit, also where the window is larger than the image', async (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 40 }),
      fc.double({ min: 0, max: 9, noNaN: true }),
      (width, height, sigma) => {
        const plane = Float32Array.from({ length: width * height }, (_, i) => Math.sin(i * 12.9898) * 100);
        const want = onBackend(reference, 1, () => gaussianBlur(plane, width, height, sigma));
        for (const threads of [1, 4])
          t.same(
            onBackend(cpu, threads, () => gaussianBlur(plane, width, height, sigma)),
            want,
          );
      },
    ),
    { numRuns: 60 },
  );
});

t.test('a point near its mirror image, by the formula, and a flat plane', async (t) => {
  const weights = [-4, -3, -2, -1, 0, 1, 2, 3, 4].map((k) => Math.exp((-k * k) / 2));
  const sum = weights.reduce((a, b) => a + b);
  const w = (k: number) => (weights[k + 4] as number) / sum;
  // mirrored: 0 0 9 0 0 | 0 0 9 0 0: the value at 2 comes again at 7 and at -3
  const want = [0, 1, 2, 3, 4].map((x) => 9 * [2, 7, -3].reduce((total, at) => total + (Math.abs(at - x) <= 4 ? w(at - x) : 0), 0));
  gaussianBlur(Float32Array.of(0, 0, 9, 0, 0), 5, 1, 1).forEach((value, i) => t.ok(Math.abs(value - (want[i] as number)) < 1e-5));
  for (const value of gaussianBlur(new Float32Array(300).fill(7), 20, 15, 3)) t.ok(Math.abs(value - 7) < 1e-5);
  t.same(gaussianBlur(Float32Array.of(1, 2, 3), 3, 1, 0), Float32Array.of(1, 2, 3));
});

t.test('wrong arguments', async (t) => {
  t.throws(() => gaussianBlur(new Float32Array(3), 2, 2, 1), { code: 'UAM_SHAPE' });
  t.throws(() => gaussianBlur(new Float32Array(4), 2, 2, NaN), { code: 'UAM_ARGUMENT' });
  t.throws(() => gaussianBlur(new Float32Array(4), 2, 2, -1), { code: 'UAM_ARGUMENT' });
});
