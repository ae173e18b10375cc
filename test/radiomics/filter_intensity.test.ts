import t from 'tap';
import { filterIntensity, filterIntensityKernel, intensityFilters } from '../../src/radiomics/filters/intensity.js';
import { agrees, testPlane } from '../support/planes.js';

t.test('the kernel is its definition', async (t) => {
  for (const [filter, name] of intensityFilters.entries()) {
    for (const n of [0, 1, 5, 40_000]) {
      // C and JavaScript may round a logarithm and an exponential differently in the last bit.
      const make = () => ({ params: { filter, n, x: testPlane(n, 1), y: new Float64Array(n) }, outputs: ['y' as const] });
      agrees(t, filterIntensityKernel, `${name} of ${n}`, make, filter < 2 ? 0 : 1e-14);
    }
  }
});

t.test('a NaN spoils the maximum, wherever it stands; infinities and zeros follow the formulas', async (t) => {
  for (const [filter, name] of intensityFilters.entries()) {
    for (const [what, place, value] of [
      ['NaN in the first block', 3, Number.NaN],
      ['NaN in a later block', 39_000, Number.NaN],
      ['infinity', 100, Number.POSITIVE_INFINITY],
    ] as const) {
      const x = testPlane(40_000, 1);
      x[place] = value;
      const make = () => ({ params: { filter, n: x.length, x, y: new Float64Array(x.length) }, outputs: ['y' as const] });
      agrees(t, filterIntensityKernel, `${name} with ${what}`, make, filter < 2 ? 0 : 1e-14);
    }
  }
  const zeros = new Float64Array(4);
  t.same(await filterIntensity(zeros, 'squareroot'), zeros);
  for (const name of ['square', 'logarithm', 'exponential'] as const) {
    t.ok((await filterIntensity(zeros, name)).every(Number.isNaN), `${name} of zeros is NaN, as PyRadiomics makes it`);
  }
});

t.test('the largest value keeps its size, signs are kept', async (t) => {
  const x = Float64Array.of(-30, -4, 0, 7, 100);
  t.same(
    await filterIntensity(x, 'square'),
    x.map((v) => 0.1 * v * (0.1 * v)),
  );
  t.same(
    await filterIntensity(x, 'squareroot'),
    x.map((v) => Math.sign(v) * Math.sqrt(Math.abs(v) * 100)),
  );
  const log = await filterIntensity(x, 'logarithm');
  t.same([...log].map(Math.sign), [-1, -1, 0, 1, 1]);
  t.ok(Math.abs((log[4] as number) - 100) < 1e-12);
  t.ok(Math.abs(((await filterIntensity(x, 'exponential'))[4] as number) - 100) < 1e-11);
});
