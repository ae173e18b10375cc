// What the numbers of the tables must satisfy, whoever printed them.
import t from 'tap';
import { waveletNames, waveletTaps } from '../../src/radiomics/filters/wavelet_taps.js';

const shifted = (a: Float64Array, b: Float64Array, by: number): number => a.reduce((sum, value, j) => sum + value * (b[j + by] ?? 0), 0);

t.test('every filter', async (t) => {
  for (const name of waveletNames()) {
    const { low, high } = waveletTaps(name);
    t.equal(low.length, high.length);
    t.equal(low.length % 2, 0, `${name} has an even number of taps`);
    const tolerance = name === 'dmey' ? 2e-3 : 1e-8; // the Meyer wavelet has no end: its taps are cut off
    const sum = (taps: Float64Array) => taps.reduce((total, tap) => total + tap, 0);
    t.ok(Math.abs(sum(low) - Math.SQRT2) < tolerance, `${name}: the low-pass taps sum to sqrt(2)`);
    t.ok(Math.abs(sum(high)) < tolerance, `${name}: the high-pass taps sum to 0`);
  }
});

t.test('orthogonal wavelets are orthonormal to their even shifts', async (t) => {
  for (const name of waveletNames().filter((name) => !/bio/.test(name) || name.endsWith('1.1'))) {
    const { low, high } = waveletTaps(name);
    const tolerance = name === 'dmey' ? 3e-3 : name.startsWith('sym') ? 1e-7 : 1e-9;
    for (let by = 0; by < low.length; by += 2) {
      const want = by === 0 ? 1 : 0;
      const errors = [shifted(low, low, by) - want, shifted(high, high, by) - want, shifted(low, high, by), shifted(high, low, by)];
      if (errors.some((error) => Math.abs(error) > tolerance)) t.fail(`${name} shifted by ${by}: ${errors.join(' ')}`);
    }
    t.pass(name);
  }
});

t.test('Daubechies wavelets of order n take away polynomials of degree below n', async (t) => {
  for (let order = 2; order <= 8; order++) {
    const { high } = waveletTaps(`db${order}`);
    for (let degree = 0; degree < order; degree++) {
      const moment = high.reduce((sum, tap, j) => sum + tap * (j / high.length) ** degree, 0);
      t.ok(Math.abs(moment) < 1e-8, `db${order}, degree ${degree}`);
    }
  }
});
