import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { EvaluationReport } from '../../src/report/evaluation_report.js';
import { evaluationPage, writeEvaluation } from '../../src/report/page.js';
import { confusionPlot, learningPlots, reliabilityPlot, rocPlot } from '../../src/report/plots.js';
import { escaped, ticks } from '../../src/report/svg_chart.js';
import { atTemperature, evaluate } from '../../src/train/evaluate.js';
import { scorePredictions } from '../../src/train/metrics.js';
import { scoreRegions } from '../../src/train/region_scores.js';
import { seeded } from '../../src/train/seeded.js';
import type { TestedPoints } from '../../src/train/tested_points.js';
import { close } from '../support/close.js';

const folder = t.testdir();

/** TestedPoints that are too sure of themselves by a factor of 2 in the logits, a few points without an answer. */
function overconfident(count: number, seed: number, prefix: string, classes = ['tumour', '<script>', 'c & d']): TestedPoints {
  const random = seeded(seed);
  const truth: number[] = [];
  const rows = Array.from({ length: count }, (_, i) => {
    const z = [0, 1, 2].map(() => (random() - 0.5) * 6);
    const weights = z.map(Math.exp);
    let left = random() * weights.reduce((a, b) => a + b);
    truth.push(Math.min(2, weights.findIndex((weight) => (left -= weight) < 0) >>> 0));
    if (i % 50 === 7) return [NaN, NaN, NaN];
    const sharp = z.map((value) => Math.exp(2 * value));
    const sum = sharp.reduce((a, b) => a + b);
    return sharp.map((value) => value / sum);
  });
  return { classes, truth, patients: truth.map((_, i) => `${prefix}${i % 20}`), probabilities: Float64Array.from(rows.flat()) };
}

const learning = [
  { chart: 'loss', name: 'training', x: [1, 2, 3], y: [1.2, 0.7, NaN] },
  { chart: 'loss', name: 'validation', x: [1, 2, 3], y: [1.3, 0.9, 0.8] },
  { chart: 'macro F1', name: 'validation', x: [1, 2, 3], y: [0.3, 0.5, 0.55] },
];

async function report(): Promise<EvaluationReport> {
  return evaluate(overconfident(2000, 1, 't'), {
    validation: overconfident(2000, 2, 'v'),
    trainedOn: ['p1', 'p2'],
    resamples: 100,
    title: 'A <b> title',
    learning,
    notes: ['seed 0 & more'],
  });
}

t.test('an evaluation', async (t) => {
  const tested = overconfident(2000, 1, 't');
  const made = await report();
  close(t, made.temperature ?? 0, 2, 'the temperature that mends it', 0.3);
  t.ok((made.uncalibrated?.scores.ece ?? 0) > 0.08 && made.calibrated.scores.ece < 0.04, 'and the calibration error falls');
  t.ok(made.calibrated.scores.logLoss < (made.uncalibrated?.scores.logLoss ?? 0));
  const plain = scorePredictions(tested);
  t.equal(made.scores.accuracy, plain.accuracy, 'calls stay as they are');
  t.same(made.scores.confusion, plain.confusion);
  t.equal(made.scores.missed, 40);
  t.equal(made.patients, 20);
  t.same(made.scores, scorePredictions(atTemperature(tested, made.temperature ?? 1)));
  const { ece, ...others } = made.intervals; // resamples repeat points, which looks like miscalibration: that interval lies higher
  t.ok((ece?.low ?? 1) < (ece?.high ?? 0));
  for (const [name, { value, low, high }] of Object.entries(others))
    t.ok(low <= value && value <= high, `${name}: ${low} ${value} ${high}`);
  t.ok(made.roc.every((curve) => curve.truePositiveRate.length <= 202));
  const uncalibrated = await evaluate({ ...tested, patients: undefined }, { resamples: 20 });
  t.notOk('temperature' in uncalibrated);
  t.same(uncalibrated.scores, plain);
  t.equal(uncalibrated.patients, 0);
});

t.test('leaks fail the run', async (t) => {
  const tested = overconfident(100, 1, 't');
  await t.rejects(evaluate(tested, { trainedOn: ['t3'] }), { code: 'UAM_DATA', message: /patient t3 is in training and in test/ });
  await t.rejects(evaluate(tested, { validation: overconfident(100, 2, 't') }), { code: 'UAM_DATA', message: /in validation and in test/ });
  const others = overconfident(100, 2, 'v', ['a', 'b', 'c']);
  await t.rejects(evaluate(tested, { validation: others }), { code: 'UAM_ARGUMENT', message: /classes/ });
});

t.test('the page stands alone and escapes what it is given', async (t) => {
  const html = evaluationPage(await report());
  t.match(html, /^<!doctype html>/);
  t.notMatch(html, /<script|<link|<img|@import|url\(|src=/i);
  t.same(
    [...html.matchAll(/https?:[^"' ]*/g)].map(String).filter((link) => link !== 'http://www.w3.org/2000/svg'),
    [],
    'nothing from elsewhere',
  );
  t.match(html, /A &#60;b&#62; title/);
  t.match(html, /seed 0 &#38; more/);
  t.equal(html.match(/<svg /g)?.length, 5);
  t.notMatch(html, /NaN|undefined|Infinity/);
});

t.test('the plots are pictures', async (t) => {
  const made = await report();
  const { default: sharp } = await import('sharp');
  const plots = [
    confusionPlot(made.classes, made.scores.confusion),
    confusionPlot(
      ['a', 'b'],
      [
        [0, 0, 0],
        [1, 2, 0],
      ],
    ), // prettier-ignore
    rocPlot(made.roc, {}),
    reliabilityPlot(made),
    reliabilityPlot({ calibrated: { scores: { ece: NaN, brier: 1, logLoss: NaN }, bins: [] } }),
    ...learningPlots(learning),
    ...learningPlots([
      { chart: 'empty', name: 'none', x: [], y: [] },
      { chart: 'flat', name: 'one', x: [1], y: [0.5] },
    ]), // prettier-ignore
  ];
  for (const svg of plots) {
    t.notMatch(svg.replace(/<desc>.*?<\/desc>|aria-label="[^"]*"/g, ''), /NaN|undefined|Infinity/);
    const { width, height } = await sharp(Buffer.from(svg)).metadata();
    t.ok((width ?? 0) > 100 && (height ?? 0) > 100, `${width} x ${height}`);
    const { channels } = await sharp(Buffer.from(svg)).flatten({ background: '#fff' }).stats();
    t.ok(
      channels.every(({ min, max }) => max - min > 100),
      'something is drawn',
    ); // prettier-ignore
  }
  t.same(learningPlots([]), []);
});

t.test('files', async (t) => {
  const made = await report();
  await writeEvaluation(join(folder, 'a.html'), made);
  await writeEvaluation(join(folder, 'a.json'), made);
  await writeEvaluation(join(folder, 'b.json'), await report());
  t.equal(readFileSync(join(folder, 'a.html'), 'utf8'), evaluationPage(made));
  t.same(readFileSync(join(folder, 'a.json')), readFileSync(join(folder, 'b.json')), 'the same every time');
  const back = JSON.parse(readFileSync(join(folder, 'a.json'), 'utf8'));
  t.equal(back.scores.macroF1, made.scores.macroF1);
  t.match(evaluationPage(back), /^<!doctype html>/, 'a page from the JSON, where nulls stand for NaN');
  t.same(readdirSync(folder).sort(), ['a.html', 'a.json', 'b.json']);
  await t.rejects(writeEvaluation(join(folder, 'a.txt'), made), { code: 'UAM_ARGUMENT' });
  await t.rejects(writeEvaluation(join(folder, 'none/a.json'), made), { code: 'UAM_IO' });
});

t.test('ticks are round and inside', async (t) => {
  t.same(ticks({ low: 0, high: 1 }), [0, 0.2, 0.4, 0.6, 0.8, 1]);
  t.same(ticks({ low: 0.13, high: 0.87 }), [0.2, 0.4, 0.6, 0.8]);
  t.same(ticks({ low: 1, high: 30 }), [10, 20, 30]);
  t.same(ticks({ low: 1, high: 12, whole: true }), [5, 10], 'half an epoch is none');
  t.same(ticks({ low: 1, high: 2, whole: true }), [1, 2]);
  t.same(ticks({ low: -3, high: 3 }), [-2, 0, 2]);
  t.same(ticks({ low: 5, high: 5 }), [5]);
  t.equal(escaped(`<a b="c">&'`), '&#60;a b=&#34;c&#34;&#62;&#38;&#39;');
});

t.test('regions have a section of their own', async (t) => {
  const none = { tp: 0, fp: 0, fn: 0, tn: 100, unknown: 0, calledEdge: 0, calledNear: 0, trueEdge: 0, trueNear: 0 };
  const part = { ...none, tp: 30, fp: 10, fn: 20, tn: 40, calledEdge: 20, calledNear: 10, trueEdge: 20, trueNear: 15 };
  const images = [
    { name: 'a <1>.png', patient: 'A & B', counts: [part, none] },
    { name: 'b.png', patient: 'C', counts: [{ ...part, fn: 10, tn: 50 }, part] },
  ];
  const regions = await scoreRegions(images, { regions: ['tumour', '<stroma>'], resamples: 20, note: 'derived from points' });
  const both = { ...(await report()), regions };
  const page = evaluationPage(both);
  t.match(page, /<strong>Region masks: derived from points\.<\/strong>/);
  t.match(page, /<h2>Cells: scores<\/h2>/);
  t.match(page, /tumour: 45\.0 % of the known pixels; of 2 images 0 neither have/);
  t.match(page, /of 2 images 1 neither have nor are called any/);
  t.match(page, /<th scope="row">Dice<\/th><td>0\.706<\/td><td>0\.667 to 0\.750<\/td><td>0\.708<\/td>/);
  t.match(page, /a &#60;1&#62;\.png.*A &#38; B/s);
  t.notMatch(page, /<stroma>|NaN|undefined/);
  t.equal(page.match(/<circle [^>]*fill-opacity/g)?.length, 3, 'a dot for each image that has a Dice');
  const alone = evaluationPage({ title: 'Regions alone', regions, learning, notes: ['a note'] });
  t.match(alone, /<h1>Regions alone<\/h1>/);
  t.match(alone, /<h2>Training<\/h2>/);
  t.notMatch(alone, /Confusion|labelled points|NaN|undefined/);
  const path = join(folder, 'regions.json');
  await writeEvaluation(path, { title: 'Regions alone', regions });
  const read = JSON.parse(readFileSync(path, 'utf8')) as { regions: typeof regions };
  t.equal(read.regions.kinds[0]?.pooled.dice, regions.kinds[0]?.pooled.dice);
  t.same(read.regions.images[0]?.counts[0], part);
});
