import fc from 'fast-check';
import t from 'tap';
import { calibrationError, rankConfidence, reliability } from '../../src/train/calibration.js';
import { seeded } from '../../src/train/seeded.js';
import { fitTemperature, softmaxAt } from '../../src/train/temperature.js';
import { scored } from '../../src/train/tested_points.js';
import { close } from '../support/close.js';

/** Calls with these confidences, right or wrong, of two classes. */
function calls(list: readonly (readonly [confidence: number, right: boolean])[]) {
  return scored({
    classes: ['a', 'b'],
    truth: list.map(([, right]) => (right ? 0 : 1)),
    probabilities: Float64Array.from(list.flatMap(([confidence]) => [confidence, 1 - confidence])),
  });
}

const binsOf = (list: readonly (readonly [number, boolean])[]) => {
  const data = calls(list);
  return reliability(data, rankConfidence(data));
};

t.test('bins of equal mass', async (t) => {
  const list = Array.from({ length: 150 }, (_, i) => [0.6 + i * 0.002, i % 3 !== 0] as const);
  const bins = binsOf(list);
  t.equal(bins.length, 15);
  bins.forEach((bin, b) => {
    const own = list.slice(b * 10, b * 10 + 10);
    t.equal(bin.count, 10);
    close(t, bin.confidence, own.reduce((sum, [confidence]) => sum + confidence, 0) / 10, 'confidence');
    close(t, bin.accuracy, own.filter(([, right]) => right).length / 10, 'accuracy');
  });
  close(
    t,
    calibrationError(bins),
    bins.reduce((sum, { confidence, accuracy }) => sum + Math.abs(confidence - accuracy) / 15, 0),
    'error',
  );
});

t.test('equal confidences share a bin; what is sure and right has no error', async (t) => {
  t.same(
    binsOf([
      [0.75, true],
      [0.75, true],
      [0.75, false],
      [0.75, true],
    ]),
    [{ count: 4, confidence: 0.75, accuracy: 0.75 }],
  );
  t.equal(
    calibrationError(
      binsOf([
        [0.75, true],
        [0.75, true],
        [0.75, false],
        [0.75, true],
      ]),
    ),
    0,
  ); // prettier-ignore
  t.equal(
    calibrationError(
      binsOf([
        [1, false],
        [1, false],
      ]),
    ),
    1,
  ); // prettier-ignore
  t.ok(Number.isNaN(calibrationError([])));
});

/** Logits of which softmax(z / T) is the truth's distribution, drawn from it. */
function drawn(count: number, width: number, temperature: number, seed: number) {
  const random = seeded(seed);
  const logits = Float64Array.from({ length: count * width }, () => (random() - 0.5) * 8);
  const p = softmaxAt(logits, width, temperature);
  const truth = Int32Array.from({ length: count }, (_, i) => {
    let left = random();
    for (let c = 0; c < width; c++) {
      left -= p[i * width + c] as number;
      if (left < 0) return c;
    }
    return width - 1;
  });
  return { logits, truth };
}

function loss(logits: Float64Array, truth: ArrayLike<number>, temperature: number): number {
  const width = logits.length / truth.length;
  const p = softmaxAt(logits, width, temperature);
  return Array.from(truth).reduce((sum, y, i) => sum - Math.log(p[i * width + y] as number), 0) / truth.length;
}

t.test('the temperature', async (t) => {
  close(t, fitTemperature(Float64Array.from([1, 1, 1, 1].flatMap(() => [Math.log(9), 0])), [0, 0, 0, 1]), 2, 'closed form', 1e-10);
  for (const [temperature, seed] of [
    [2.5, 1],
    [0.4, 2],
    [1, 3],
  ] as const) {
    const { logits, truth } = drawn(20000, 3, temperature, seed);
    close(t, fitTemperature(logits, truth), temperature, 'found again', 0.05);
  }
});

t.test('no other temperature fits better', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e6 }), fc.double({ min: 0.2, max: 5, noNaN: true }), (seed, scale) => {
      const { logits, truth } = drawn(50, 3, scale, seed);
      const T = fitTemperature(logits, truth);
      const least = loss(logits, truth, T);
      return (
        T >= 0.05 &&
        T <= 20 &&
        [0.5, 0.9, 0.999, 1.001, 1.1, 2].every((k) => least <= loss(logits, truth, Math.min(20, Math.max(0.05, T * k))) + 1e-12)
      );
    }),
    { numRuns: 50 },
  );
});

t.test('ends, rows that are passed over, refusals', async (t) => {
  t.equal(fitTemperature(Float64Array.of(2, 0, 0, 2), [0, 1]), 0.05, 'always right: the surer the better');
  t.equal(fitTemperature(Float64Array.of(2, 0, 0, 2), [1, 0]), 20, 'always wrong: the less sure the better');
  t.equal(fitTemperature(Float64Array.of(1, 1, 3, 3), [1, 0]), 1, 'equal logits: it makes no difference');
  const logits = Float64Array.from([1, 1, 1, 1].flatMap(() => [Math.log(9), 0]));
  const more = Float64Array.of(...logits, NaN, NaN, 5, 0);
  t.equal(fitTemperature(more, [0, 0, 0, 1, 1, -1]), fitTemperature(logits, [0, 0, 0, 1]));
  t.throws(() => fitTemperature(Float64Array.of(1, 2, 3), [0, 1]), { code: 'UAM_SHAPE' });
  t.throws(() => fitTemperature(Float64Array.of(1, 2), [2]), { code: 'UAM_DATA', message: /point 0/ });
  t.throws(() => fitTemperature(Float64Array.of(NaN, NaN), [0]), { code: 'UAM_DATA' });
  t.throws(() => softmaxAt(Float64Array.of(1, 2), 2, 0), { code: 'UAM_ARGUMENT' });
  t.throws(() => softmaxAt(Float64Array.of(1, 2, 3), 2, 1), { code: 'UAM_SHAPE' });
  t.same([...softmaxAt(Float64Array.of(1000, 1000, NaN, NaN), 2, 1)], [0.5, 0.5, NaN, NaN]);
});
