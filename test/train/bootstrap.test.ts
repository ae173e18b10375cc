import t from 'tap';
import { bootstrapIntervals, pairedDifference } from '../../src/train/bootstrap.js';
import { quantile } from '../../src/train/resampled.js';
import { seeded } from '../../src/train/seeded.js';
import type { TestedPoints } from '../../src/train/tested_points.js';
import { close } from '../support/close.js';

/** Points of `groups` patients of which each has its own chance to be called right. */
function made(groups: number, each: number, seed: number, chance = (random: () => number) => random()): TestedPoints {
  const random = seeded(seed);
  const points = Array.from({ length: groups }, (_, g) => {
    const right = chance(random);
    return Array.from({ length: each }, (_, i) => ({ patient: `p${g}`, truth: i % 2, right: random() < right }));
  }).flat();
  return {
    classes: ['a', 'b'],
    truth: points.map(({ truth }) => truth),
    patients: points.map(({ patient }) => patient),
    probabilities: Float64Array.from(points.flatMap(({ truth, right }) => (right === (truth === 0) ? [0.8, 0.2] : [0.2, 0.8]))),
  };
}

t.test('quantiles as numpy has them', async (t) => {
  t.same(
    [0, 0.25, 0.5, 1].map((share) => quantile([1, 2, 4, 8, 16], share)),
    [1, 2, 4, 16],
  );
  close(t, quantile([1, 2, 4, 8], 0.1), 1.3, 'between two');
  t.ok(Number.isNaN(quantile([], 0.5)));
});

t.test('deterministic, and by patient', async (t) => {
  const predictions = made(40, 25, 1);
  const first = await bootstrapIntervals(predictions, { resamples: 400, seed: 3 });
  t.same(await bootstrapIntervals(predictions, { resamples: 400, seed: 3 }), first);
  t.not((await bootstrapIntervals(predictions, { resamples: 400, seed: 4 }))['accuracy']?.low, first['accuracy']?.low);
  const { value = 0, low = 0, high = 0 } = first['accuracy'] ?? {};
  t.ok(low < value && value < high);
  // Patients differ (standard deviation of a uniform chance: 0.29), so the interval is that of 40 patients, not of 1000 points.
  const wanted = 2 * 1.96 * (0.3 / Math.sqrt(40));
  t.ok(Math.abs(high - low - wanted) < 0.3 * wanted, `${high - low} about ${wanted}`);
  const alone = await bootstrapIntervals({ ...predictions, patients: undefined }, { resamples: 400 });
  const narrow = (alone['accuracy']?.high ?? 0) - (alone['accuracy']?.low ?? 0);
  t.ok(narrow < 0.6 * (high - low), `points one by one would promise ${narrow}`);
});

t.test('the mean over two patients is binomial', async (t) => {
  const { accuracy } = await bootstrapIntervals(
    { classes: ['a', 'b'], truth: [0, 0], patients: ['x', 'y'], probabilities: Float64Array.of(1, 0, 0, 1) },
    { resamples: 2000, level: 0.5 },
  );
  t.match(accuracy, { value: 0.5, resamples: 2000 });
  t.same(
    [accuracy?.low, accuracy?.high].map((end) => [0, 0.5, 1].includes(end ?? -1)),
    [true, true],
  );
  t.ok((accuracy?.low ?? 1) <= 0.5 && (accuracy?.high ?? 0) >= 0.5);
});

t.test('a class that some resamples lack', async (t) => {
  const { 'recall:b': recall } = await bootstrapIntervals(
    { classes: ['a', 'b'], truth: [0, 0, 1], patients: ['x', 'y', 'z'], probabilities: Float64Array.of(1, 0, 1, 0, 0, 1) },
    { resamples: 300 },
  );
  t.ok((recall?.resamples ?? 0) > 150 && (recall?.resamples ?? 0) < 300);
  t.match(recall, { value: 1, low: 1, high: 1 });
});

t.test('paired differences', async (t) => {
  const a = made(30, 20, 5);
  const equal = await pairedDifference(a, a, 'macroF1', { resamples: 100 });
  t.match(equal, { value: 0, low: 0, high: 0 });
  // b is a with five points in each patient called the other way: a paired interval sees that a is always better.
  const worse = Float64Array.from(a.probabilities);
  const rightOf = (i: number) => (worse[2 * i] as number) > 0.5 === (a.truth[i] === 0);
  const left = new Map<string, number>();
  for (let i = 0; i < a.truth.length; i++) {
    const patient = a.patients?.[i] as string;
    const flips = left.get(patient) ?? 0;
    if (flips >= 5 || !rightOf(i)) continue;
    left.set(patient, flips + 1);
    worse.subarray(2 * i, 2 * i + 2).reverse();
  }
  const b = { ...a, probabilities: worse };
  const difference = await pairedDifference(a, b, 'accuracy', { resamples: 300 });
  t.ok(difference.low > 0 && difference.value > 0.1, `${difference.low} to ${difference.high}`);
  const own = await bootstrapIntervals(a, { resamples: 300 });
  const width = (own['accuracy']?.high ?? 0) - (own['accuracy']?.low ?? 0);
  t.ok(difference.high - difference.low < width, 'narrower than the score itself');
  const turned = await pairedDifference(b, a, 'accuracy', { resamples: 300 });
  close(t, turned.low, -difference.high, 'the other way round');
  const runs = await pairedDifference([a, a], [b, b], 'accuracy', { resamples: 300 });
  close(t, runs.low, difference.low, 'equal runs average to one');
});

t.test('refusals', async (t) => {
  const a = made(3, 4, 1);
  await t.rejects(pairedDifference(a, made(3, 5, 1), 'accuracy'), { code: 'UAM_SHAPE' });
  await t.rejects(pairedDifference(a, { ...a, classes: ['a', 'c'] }, 'accuracy'), { code: 'UAM_SHAPE' });
  await t.rejects(pairedDifference(a, a, 'f2'), { code: 'UAM_ARGUMENT', message: /macroF1/ });
  await t.rejects(pairedDifference([], a, 'accuracy'), { code: 'UAM_ARGUMENT' });
  await t.rejects(bootstrapIntervals(a, { resamples: 0 }), { code: 'UAM_ARGUMENT' });
  await t.rejects(bootstrapIntervals(a, { level: 1 }), { code: 'UAM_ARGUMENT' });
  await t.rejects(bootstrapIntervals(a, { seed: -1 }), { code: 'UAM_ARGUMENT' });
  await t.rejects(bootstrapIntervals(a, { signal: AbortSignal.abort() }), { code: 'UAM_ABORTED' });
});
