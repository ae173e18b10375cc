import fc from 'fast-check';
import t from 'tap';
import { UamError } from '../../src/index.js';
import { neighboursKernel } from '../../src/radiomics/neighbours.js';
import { agrees } from '../support/planes.js';
import { uniform } from '../support/random.js';

interface Case {
  points: Float64Array;
  nearest: number;
  radii: number[];
  values: Float64Array[];
}

function params({ points, nearest, radii, values }: Case) {
  const n = points.length / 2;
  const all = new Float64Array(values.length * n);
  for (const [f, data] of values.entries()) all.set(data, f * n);
  return {
    ...{ n, nearest, radiusCount: radii.length, features: values.length, points, radii: Float64Array.from(radii), values: all },
    distances: new Float64Array(n * nearest),
    counts: new Float64Array(radii.length * n),
    means: new Float64Array(radii.length * values.length * n),
  };
}

const random = (n: number, seed: number, span: number, whole = false): Float64Array => {
  const next = uniform(seed);
  return Float64Array.from({ length: n }, () => (whole ? Math.floor(next() * span) : next() * span));
};

const cases: Record<string, Case> = {};
for (const n of [0, 1, 2, 3, 16, 17, 18, 400]) {
  cases[`${n} anywhere`] = { points: random(2 * n, n + 1, 100), nearest: 10, radii: [5, 15], values: [random(n, 7, 1), random(n, 8, 9)] };
}
cases['many at one distance'] = { points: random(600, 3, 12, true), nearest: 6, radii: [0, 1, 2], values: [random(300, 5, 10)] };
cases['all at one place'] = { points: new Float64Array(200).fill(3), nearest: 5, radii: [1], values: [random(100, 5, 10)] };
cases['on a line'] = { points: random(200, 3, 50, true).map((v, i) => (i % 2 === 0 ? v : 7)), nearest: 3, radii: [4], values: [] };
cases['one far away'] = { points: random(200, 3, 50).map((v, i) => (i < 2 ? 1e300 : v)), nearest: 3, radii: [4, 1e200], values: [] };
cases['nothing asked'] = { points: random(80, 3, 50), nearest: 0, radii: [], values: [random(40, 1, 1)] };
const withNaN = random(100, 5, 10).map((value, i) => (i % 3 === 0 ? Number.NaN : value));
cases['values that are NaN'] = {
  points: random(200, 3, 50),
  nearest: 1,
  radii: [3, 20],
  values: [withNaN, new Float64Array(100).fill(Number.NaN)],
};

t.test('the kernel is its definition', async (t) => {
  for (const [name, given] of Object.entries(cases)) {
    const make = () => ({ params: params(given), outputs: ['distances' as const, 'counts' as const, 'means' as const] });
    agrees(t, neighboursKernel, name, make);
  }
});

t.test('any points, any clusters', async () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(fc.oneof(fc.integer({ min: 0, max: 5 }), fc.double({ min: -1e6, max: 1e6, noNaN: true })), fc.integer({ min: 0, max: 9 })),
        { maxLength: 90 },
      ),
      fc.integer({ min: 0, max: 12 }),
      fc.array(fc.double({ min: 0, max: 20, noNaN: true }), { maxLength: 3 }),
      (pairs, nearest, radii) => {
        const given = { points: Float64Array.from(pairs.flat()), nearest, radii, values: [random(pairs.length, 2, 5)] };
        const [native, reference] = [params(given), params(given)];
        neighboursKernel(native);
        neighboursKernel.reference(reference);
        return (['distances', 'counts', 'means'] as const).every((key) =>
          native[key].every((value, i) => Object.is(value, reference[key][i])),
        );
      },
    ),
    { numRuns: 200 },
  );
});

t.test('points and radii that cannot be used are refused', async (t) => {
  const given = { points: random(8, 1, 5), nearest: 1, radii: [1], values: [] };
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    t.throws(() => neighboursKernel(params({ ...given, points: Float64Array.of(1, 2, bad, 3) })), UamError);
  }
  for (const bad of [Number.NaN, -1]) t.throws(() => neighboursKernel(params({ ...given, radii: [bad] })), UamError);
});
