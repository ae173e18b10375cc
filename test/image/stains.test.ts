import fc from 'fast-check';
import t from 'tap';
import { eigenvectors3, estimateStains } from '../../src/image/estimate_stains.js';
import type { RasterImage } from '../../src/image/image.js';
import { stainPlanes } from '../../src/image/stains.js';

/** An image in which pixels hold two stains of the given colours in random amounts. */
function stained(rows: number[][], seed = 1, glass = 0.3): RasterImage {
  let state = seed;
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  const data = new Uint8Array(3 * 100 * 100);
  for (let i = 0; i < data.length; i += 3) {
    const empty = random() < glass;
    const mostly = random();
    const amounts = empty ? [0, 0] : mostly < 0.4 ? [0.4 + random(), 0.02] : mostly < 0.8 ? [0.02, 0.4 + random()] : [random(), random()];
    for (let c = 0; c < 3; c++) {
      const od = (rows[0]?.[c] as number) * (amounts[0] as number) + (rows[1]?.[c] as number) * (amounts[1] as number);
      data[i + c] = Math.round(256 * 10 ** -od - 1);
    }
  }
  return { width: 100, height: 100, channels: 3, data };
}

const angle = (a: readonly number[], b: readonly number[]) =>
  (Math.acos(Math.min(1, a.reduce((sum, v, i) => sum + v * (b[i] as number), 0) / Math.hypot(...a) / Math.hypot(...b))) * 180) / Math.PI;

t.test("Macenko's method finds the two colours, whichever there is more of", async (t) => {
  for (const rows of [
    [
      [0.65, 0.7, 0.29],
      [0.2, 0.95, 0.25],
    ],
    [
      [0.55, 0.75, 0.35],
      [0.3, 0.8, 0.5],
    ],
  ]) {
    // prettier-ignore
    for (const seed of [1, 2, 3]) {
      const found = estimateStains(stained(rows, seed));
      t.ok(angle(found[0], rows[0] as number[]) < 3, `haematoxylin off by ${angle(found[0], rows[0] as number[])} degrees`);
      t.ok(angle(found[1], rows[1] as number[]) < 3, `eosin off by ${angle(found[1], rows[1] as number[])} degrees`);
      const swapped = estimateStains(stained([rows[1] as number[], rows[0] as number[]], seed));
      t.ok(angle(swapped[0], rows[0] as number[]) < 3);
    }
  }
});

t.test('the order of the pixels does not matter', async (t) => {
  const image = stained(
    [
      [0.65, 0.7, 0.29],
      [0.2, 0.95, 0.25],
    ],
    5,
  ); // prettier-ignore
  const data = new Uint8Array(image.data.length);
  for (let i = 0; i < data.length; i += 3) data.set(image.data.subarray(i, i + 3) as Uint8Array, data.length - 3 - i);
  const [a, b] = [estimateStains(image), estimateStains({ ...image, data })];
  for (const i of [0, 1] as const) t.ok(angle(a[i], b[i]) < 0.05);
  t.same(
    stainPlanes(image, { stains: 'macenko' })
      .matrix.slice(0, 2)
      .map((row) => angle(row, a[0]) < 1e-5 || angle(row, a[1]) < 1e-5),
    [true, true],
  );
});

t.test('too little tissue, or one colour only, is said', async (t) => {
  const blank: RasterImage = { width: 50, height: 50, channels: 3, data: new Uint8Array(7500).fill(240), name: 'a.png' };
  t.throws(() => estimateStains(blank), { code: 'UAM_DATA', message: /a\.png: only 0 pixels/ });
  t.throws(() => stainPlanes({ ...blank, data: new Uint8Array(7500).fill(60) }, { stains: 'macenko' }), {
    code: 'UAM_DATA',
    message: /one colour/,
  });
  const grey = Uint8Array.from({ length: 7500 }, (_, i) => 20 + (Math.floor(i / 3) % 100));
  t.throws(() => estimateStains({ ...blank, data: grey }), { code: 'UAM_DATA', message: /one (colour|hue)/ });
  t.throws(() => estimateStains(blank, { alpha: 60 }), { code: 'UAM_ARGUMENT' });
  t.throws(() => estimateStains(blank, { beta: NaN }), { code: 'UAM_ARGUMENT' });
});

t.test('eigenvectors of symmetric matrices', async (t) => {
  const value = fc.double({ min: -10, max: 10, noNaN: true });
  fc.assert(
    fc.property(value, value, value, value, value, value, (a, b, c, d, e, f) => {
      const matrix = [
        [a, b, c],
        [b, d, e],
        [c, e, f],
      ]; // prettier-ignore
      const { values, vectors } = eigenvectors3(matrix);
      t.ok((values[0] as number) >= (values[1] as number) && (values[1] as number) >= (values[2] as number));
      vectors.forEach((vector, i) => {
        t.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-9);
        matrix.forEach((row, r) =>
          t.ok(
            Math.abs(row.reduce((sum, v, k) => sum + v * (vector[k] as number), 0) - (values[i] as number) * (vector[r] as number)) < 1e-8,
          ),
        );
      });
    }),
  );
});
