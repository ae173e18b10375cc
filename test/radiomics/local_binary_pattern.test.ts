// Oracle: scikit-image's local_binary_pattern, in test/fixtures/filters.json.
import t from 'tap';
import { UamError } from '../../src/index.js';
import { lbpMethods, lbpOffsets, localBinaryPattern, localBinaryPatternKernel } from '../../src/radiomics/filters/lbp.js';
import { filterFixture } from '../support/filter_fixture.js';
import { agrees, testPlane, testSizes } from '../support/planes.js';

t.test('the kernel is its definition', async (t) => {
  for (const [width, height] of testSizes) {
    for (const [method, name] of lbpMethods.entries()) {
      for (const [samples, radius] of [
        [8, 1],
        [11, 2.3],
        [31, 40],
      ] as const) {
        const offsets = lbpOffsets({ samples, radius });
        const x = testPlane(width, height);
        if (x.length > 20) [x[7], x[12]] = [Number.NaN, Number.POSITIVE_INFINITY];
        const make = () => ({
          params: { width, height, samples, method, ...offsets, x, y: new Float64Array(width * height) },
          outputs: ['y' as const],
        });
        agrees(t, localBinaryPatternKernel, `${name} P=${samples} R=${radius} of ${width} x ${height}`, make);
      }
    }
  }
});

t.test('every code is that of scikit-image', async (t) => {
  const { width, height, image, lbp } = filterFixture();
  for (const { samples, radius, method, codes } of lbp) {
    const got = await localBinaryPattern(Float64Array.from(image), { width, height }, { samples, radius, method });
    const want = codes.map((code) => code ?? Number.NaN);
    const off = want.map((code, i) => Math.abs(code - (got[i] as number))).filter((error) => error > 1e-12);
    t.same(off, [], `${method} P=${samples} R=${radius}`);
    t.same([...got].map(Number.isNaN), want.map(Number.isNaN));
  }
});

t.test('the bits of an integer image do not change with its brightness away from the border', async (t) => {
  const size = { width: 20, height: 20 };
  const options = { samples: 8, radius: 1, method: 'uniform' } as const;
  const x = testPlane(20, 20);
  const dark = await localBinaryPattern(x, size, options);
  const bright = await localBinaryPattern(
    x.map((v) => v + 1000),
    size,
    options,
  );
  const inner = [...x.keys()].filter((i) => i % 20 > 0 && i % 20 < 19 && i >= 20 && i < 380);
  t.ok(inner.filter((i) => dark[i] !== bright[i]).length < 10, 'but for ties that rounding decides');
});

t.test('offsets are exact on the axes, rounded to five decimals elsewhere', async (t) => {
  const { rowOffsets, columnOffsets } = lbpOffsets({ samples: 8, radius: 1 });
  const scaled = (offsets: Float64Array) => [...offsets].map((offset) => offset * 1e5 + 0);
  t.same(scaled(columnOffsets), [100000, 70711, 0, -70711, -100000, -70711, 0, 70711]);
  t.same(scaled(rowOffsets), [0, -70711, -100000, -70711, 0, 70711, 100000, 70711]);
});

t.test('the kernel refuses what it cannot use', async (t) => {
  const x = new Float64Array(4);
  const size = { width: 2, height: 2 };
  for (const [samples, radius] of [
    [32, 1],
    [8, Number.NaN],
    [8, 1e9],
    [8, Number.POSITIVE_INFINITY],
  ] as const) {
    await t.rejects(localBinaryPattern(x, size, { samples, radius, method: 'uniform' }), UamError, `P=${samples} R=${radius}`);
  }
});
