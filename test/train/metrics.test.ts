import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { packageRoot } from '../../src/native/load.js';
import { namedScores, Scorer, scorePredictions } from '../../src/train/metrics.js';
import { auprc, auroc, rocCurve } from '../../src/train/ranking.js';
import type { TestedPoints } from '../../src/train/tested_points.js';
import { close } from '../support/close.js';

interface Case {
  truth: number[];
  probabilities: number[];
  classes: number;
  accuracy: number;
  balancedAccuracy: number;
  macroF1: number;
  precision: number[];
  recall: number[];
  f1: number[];
  support: number[];
  auroc: number[];
  auprc: number[];
  logLoss: number | null;
  brier: number;
  confusion: number[][];
}

const { cases } = JSON.parse(readFileSync(join(packageRoot(), 'test/fixtures/metrics.json'), 'utf8')) as { cases: Case[] };
const names = (count: number) => Array.from({ length: count }, (_, i) => `class ${i}`);

t.test('as scikit-learn', async (t) => {
  for (const one of cases) {
    const scores = scorePredictions({
      classes: names(one.classes),
      truth: one.truth,
      probabilities: Float64Array.from(one.probabilities),
    });
    for (const key of ['accuracy', 'balancedAccuracy', 'macroF1', 'brier'] as const) close(t, scores[key], one[key], key);
    close(t, scores.logLoss, one.logLoss ?? Number.POSITIVE_INFINITY, 'logLoss');
    for (const key of ['recall', 'f1', 'support', 'auroc', 'auprc'] as const) {
      scores.perClass.forEach((own, c) => close(t, own[key], one[key][c] as number, `${key} of class ${c}`));
    }
    scores.perClass.forEach((own, c) => {
      if (own.predicted > 0) close(t, own.precision, one.precision[c] as number, `precision of class ${c}`);
    });
    t.same(
      scores.confusion.map((row) => row.slice(0, -1)),
      one.confusion,
    );
    t.equal(scores.missed, 0);
  }
});

/** Any predictions: few distinct values, so that scores are equal; some rows without an answer, some without a label. */
const anyPredictions = fc
  .record({ width: fc.integer({ min: 2, max: 4 }), count: fc.integer({ min: 1, max: 40 }) })
  .chain(({ width, count }) =>
    fc.record({
      truth: fc.array(fc.integer({ min: -1, max: width - 1 }), { minLength: count, maxLength: count }).map((list) => [0, ...list]),
      rows: fc.array(fc.option(fc.array(fc.integer({ min: 1, max: 4 }), { minLength: width, maxLength: width }), { freq: 6 }), {
        minLength: count + 1,
        maxLength: count + 1,
      }),
      width: fc.constant(width),
    }),
  )
  .map(({ truth, rows, width }): TestedPoints => {
    const probabilities = rows.flatMap((row) => {
      if (!row) return new Array<number>(width).fill(Number.NaN);
      const sum = row.reduce((a, b) => a + b, 0);
      return row.map((value) => value / sum);
    });
    return { classes: names(width), truth, probabilities: Float64Array.from(probabilities) };
  });

t.test('areas by counting pairs and thresholds', async () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.boolean()), { minLength: 1, maxLength: 30 }), (points) => {
      const scores = points.map(([score]) => score / 5);
      const positive = points.map(([, own]) => own);
      const members = scores.filter((_, i) => positive[i]);
      const others = scores.filter((_, i) => !positive[i]);
      let pairs = 0;
      for (const a of members) for (const b of others) pairs += a > b ? 1 : a === b ? 0.5 : 0;
      const area = auroc(scores, positive);
      const precise = auprc(scores, positive);
      if (members.length === 0 || others.length === 0) return Number.isNaN(area) && Number.isNaN(precise);
      let sum = 0;
      for (const threshold of new Set(members)) {
        const taken = points.filter(([score]) => score / 5 >= threshold);
        const gain = members.filter((score) => score === threshold).length / members.length;
        sum += (gain * taken.filter(([, own]) => own).length) / taken.length;
      }
      // The area under the curve's straight lines is the same number.
      const { falsePositiveRate: x, truePositiveRate: y } = rocCurve(scores, positive);
      let trapezes = 0;
      for (let i = 1; i < x.length; i++) {
        trapezes += (((x[i] as number) - (x[i - 1] as number)) * ((y[i] as number) + (y[i - 1] as number))) / 2;
      }
      const wanted = pairs / (members.length * others.length);
      return Math.abs(area - wanted) < 1e-12 && Math.abs(trapezes - wanted) < 1e-12 && Math.abs(precise - sum) < 1e-12;
    }),
  );
});

t.test('weights are copies', async () => {
  fc.assert(
    fc.property(anyPredictions, fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 41, maxLength: 41 }), (predictions, times) => {
      const scorer = new Scorer(predictions);
      const { classes, count, truth, probabilities } = scorer.data;
      const width = classes.length;
      times[0] = 1;
      const copies = Array.from({ length: count }, (_, i) => new Array<number>(times[i] as number).fill(i)).flat();
      const copied = scorePredictions({
        classes,
        truth: copies.map((i) => truth[i] as number),
        probabilities: Float64Array.from(copies.flatMap((i) => [...probabilities.subarray(i * width, (i + 1) * width)])),
      });
      const weighted = scorer.scores(times.slice(0, count));
      const [a, b] = [namedScores(weighted), namedScores(copied)];
      return (
        JSON.stringify(weighted.confusion) === JSON.stringify(copied.confusion) &&
        Object.keys(a).every((key) => Object.is(a[key], b[key]) || Math.abs((a[key] as number) - (b[key] as number)) < 1e-12)
      );
    }),
  );
});

t.test('the order of the points does not matter', async () => {
  fc.assert(
    fc.property(anyPredictions, (predictions) => {
      const { classes, truth, probabilities } = predictions;
      const width = classes.length;
      const turned = Array.from(truth, (_, i) => truth.length - 1 - i);
      const [a, b] = [
        predictions,
        {
          classes,
          truth: turned.map((i) => truth[i] as number),
          probabilities: Float64Array.from(turned.flatMap((i) => [...probabilities.subarray(i * width, (i + 1) * width)])),
        },
      ].map((one) => namedScores(scorePredictions(one)));
      return Object.keys(a ?? {}).every(
        (key) => Object.is(a?.[key], b?.[key]) || Math.abs((a?.[key] as number) - (b?.[key] as number)) < 1e-12,
      );
    }),
  );
});

t.test('a point without an answer is an error', async (t) => {
  const answered = { classes: ['a', 'b'], truth: [0, 0, 1, 1], probabilities: Float64Array.of(1, 0, 1, 0, 0, 1, 0, 1) };
  const full = scorePredictions(answered);
  t.match(full, { accuracy: 1, macroF1: 1, macroAuroc: 1, macroAuprc: 1, brier: 0, logLoss: 0, ece: 0, missed: 0 });
  const scores = scorePredictions({ ...answered, probabilities: Float64Array.of(NaN, NaN, 1, 0, 0, 1, 0, 1) });
  t.match(scores, { count: 4, missed: 1, accuracy: 0.75, balancedAccuracy: 0.75, brier: 0.25, logLoss: 0, ece: 0 });
  t.same(scores.confusion, [
    [1, 0, 1],
    [0, 2, 0],
  ]);
  t.equal(scores.perClass[0]?.f1, 2 / 3);
  t.equal(scores.perClass[0]?.auroc, 0.75, 'it ranks with those that are called nothing of the class');
  const none = scorePredictions({ classes: ['a', 'b'], truth: [0, 1], probabilities: new Float64Array(4).fill(NaN) });
  t.match(none, { accuracy: 0, missed: 2, macroF1: 0, macroAuroc: 0.5, brier: 1 });
  t.ok(Number.isNaN(none.ece) && Number.isNaN(none.logLoss));
});

t.test('a class without points counts where it is called', async (t) => {
  const scores = scorePredictions({
    classes: ['a', 'b', 'c', 'd'],
    truth: [0, 0, 1],
    probabilities: Float64Array.of(1, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0),
  });
  close(t, scores.macroF1, (2 / 3 + 1 + 0) / 3, 'c has a call but no point, d has neither');
  t.equal(scores.balancedAccuracy, 0.75);
  t.ok(Number.isNaN(scores.perClass[2]?.auroc ?? 0) && Number.isNaN(scores.perClass[3]?.f1 ?? 0));
  t.equal(scores.macroAuroc, (0.75 + 1) / 2);
});

t.test('what are no predictions', async (t) => {
  const good = { classes: ['a', 'b'], truth: [0, 1], probabilities: Float64Array.of(1, 0, 0, 1) };
  const bad: [Partial<TestedPoints>, string, RegExp][] = [
    [{ classes: ['a'] }, 'UAM_ARGUMENT', /two classes/],
    [{ classes: ['a', 'a'] }, 'UAM_ARGUMENT', /one name/],
    [{ truth: [0] }, 'UAM_SHAPE', /1 x 2 values/],
    [{ patients: ['x'] }, 'UAM_SHAPE', /patients/],
    [{ truth: [0, 2] }, 'UAM_DATA', /point 1/],
    [{ truth: [-1, -1] }, 'UAM_DATA', /nothing to score/],
    [{ probabilities: Float64Array.of(1, 0, 0.3, 0.3) }, 'UAM_DATA', /row 1.*sum 1/],
    [{ probabilities: Float64Array.of(1, 0, 2, -1) }, 'UAM_DATA', /\[0, 1\].*row 1/],
    [{ probabilities: Float64Array.of(NaN, 0, 0, 1) }, 'UAM_DATA', /row 0.*NaN/],
  ];
  for (const [change, code, message] of bad) t.throws(() => scorePredictions({ ...good, ...change }), { code, message });
  t.throws(() => auroc([1, 2], [1]), { code: 'UAM_SHAPE' });
});

t.test('a thinned curve keeps its ends', async (t) => {
  const scores = Array.from({ length: 5000 }, (_, i) => i / 5000);
  const { falsePositiveRate: x, truePositiveRate: y } = rocCurve(
    scores,
    scores.map((_, i) => i % 3 === 0),
    100,
  );
  t.ok(x.length <= 102);
  t.same([x[0], y[0], x.at(-1), y.at(-1)], [0, 0, 1, 1]);
});
