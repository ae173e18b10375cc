import fc from 'fast-check';
import t from 'tap';
import { LONGEST_NUMBER, NumberText } from '../../src/radiomics/number_text.js';
import { uniform } from '../support/random.js';

const numbers = new NumberText();
const bytes = new Uint8Array(64);
const printed = (value: number): string => String.fromCharCode(...bytes.subarray(0, numbers.write(bytes, 0, value)));
const wanted = (value: number): string => (Number.isNaN(value) ? '' : Object.is(value, -0) ? '-0' : String(value));

/** The first value that is not printed as JavaScript does. */
const firstWrong = (values: Iterable<number>): string | undefined => {
  for (const value of values) if (printed(value) !== wanted(value)) return `${wanted(value)} was printed as ${printed(value)}`;
  return undefined;
};

/** The float64 that stands `steps` after `value`. */
function neighbour(value: number, steps: number): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  view.setBigInt64(0, view.getBigInt64(0) + BigInt(steps));
  return view.getFloat64(0);
}

t.test('special values', async (t) => {
  const values = [0, -0, 1, -1, 9, 10, 99, 100, 2 ** 31 - 1, -(2 ** 31), 2 ** 31, 2 ** 53, 1e15, 1e16, 1e21, 1e22, 5e-324];
  const fractions = [0.1, 0.30000000000000004, 1 / 3, -2 / 3, 0.5, 1e-6, 1e-7, 9.999999999999999e14, 99999.99999999999, 0.9999999999999999];
  t.equal(firstWrong([...values, ...fractions, Number.NaN, Infinity, -Infinity, Number.MAX_VALUE]), undefined);
  t.equal(printed(-1.2345678901234567e-308).length, LONGEST_NUMBER - 1);
});

t.test('numbers of every size', async (t) => {
  const random = uniform(1);
  t.equal(
    firstWrong(
      (function* () {
        for (let i = 0; i < 400_000; i++) yield (random() - 0.3) * 10 ** (Math.floor(random() * 23) - 7);
      })(),
    ),
    undefined,
  );
});

t.test('numbers of few digits, and those beside them', async (t) => {
  const random = uniform(2);
  t.equal(
    firstWrong(
      (function* () {
        for (let i = 0; i < 200_000; i++) {
          const value = Math.round(random() * 10 ** (i % 12)) / 10 ** (i % 9);
          yield value;
          if (value > 0) yield neighbour(value, Math.floor(random() * 7) - 3);
        }
      })(),
    ),
    undefined,
  );
});

t.test('around powers of two and of ten', async (t) => {
  t.equal(
    firstWrong(
      (function* () {
        for (let power = -30; power < 60; power++) for (let i = -300; i <= 300; i++) yield neighbour(2 ** power, i);
        for (let power = -8; power < 18; power++) for (let i = -300; i <= 300; i++) yield neighbour(Number(`1e${power}`), i);
      })(),
    ),
    undefined,
  );
});

t.test('any bits', async () => {
  fc.assert(
    fc.property(fc.double(), (value) => printed(value) === wanted(value)),
    { numRuns: 20_000 },
  );
});
