// Quantiles by selection against quantiles by sorting.
import fc from 'fast-check';
import t from 'tap';
import { quantile } from '../../src/tokens/quantile.js';

function bySorting(numbers: readonly number[], share: number): number {
  const sorted = Float64Array.from(numbers).sort();
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  const [below, above] = [sorted[low] as number, sorted[Math.min(low + 1, sorted.length - 1)] as number];
  return below === above ? below : below + (at - low) * (above - below);
}

t.test('as by sorting, for any numbers', async () => {
  const number = fc.oneof(fc.integer({ min: -3, max: 3 }), fc.double({ noNaN: true, noDefaultInfinity: true }));
  fc.assert(
    fc.property(fc.array(number, { minLength: 1, maxLength: 60 }), fc.constantFrom(0, 0.25, 0.5, 0.75, 1), (list, share) => {
      const numbers = Float64Array.from(list);
      const found = quantile(numbers, share);
      return found === bySorting(list, share) && String(numbers.sort()) === String(Float64Array.from(list).sort());
    }),
    { numRuns: 500 },
  );
});

t.test('sorted, reversed and equal numbers take no longer than others', async (t) => {
  const n = 200_000;
  const cases = [(i: number) => i, (i: number) => n - i, () => 7, (i: number) => Math.min(i, n - i), (i: number) => i % 3];
  for (const of of cases) {
    const numbers = Float64Array.from({ length: n }, (_, i) => of(i));
    t.equal(quantile(numbers.slice(), 0.25), bySorting([...numbers], 0.25));
  }
});
