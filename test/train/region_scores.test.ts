// Regions as scipy counts them, and what is made of the counts.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { packageRoot } from '../../src/native/load.js';
import type { RegionCounts, SegmentationScores } from '../../src/report/region_report.js';
import { regionCounts } from '../../src/train/region_counts.js';
import { pairedRegionDifference, type ScoredImage, scoreRegions } from '../../src/train/region_scores.js';
import { seeded } from '../../src/train/seeded.js';
import { close } from '../support/close.js';
import { rejectsWith } from '../support/expect.js';

type Kind = { counts: RegionCounts } & { [K in keyof SegmentationScores]: number | null };

interface Case {
  width: number;
  height: number;
  mpp: number;
  tolerance: number;
  threshold: number;
  kinds: Kind[];
  truth: number[];
  called: number[];
}

const { cases } = JSON.parse(readFileSync(join(packageRoot(), 'test/fixtures/region_scores.json'), 'utf8')) as { cases: Case[] };
const SCORES = ['precision', 'recall', 'dice', 'iou', 'boundaryF1'] as const;

t.test('as numpy and scipy', async (t) => {
  for (const [i, { kinds, truth, called, ...options }] of cases.entries()) {
    const counts = await regionCounts(Float32Array.from(called), Uint8Array.from(truth), { ...options, kinds: kinds.length });
    t.same(
      counts,
      kinds.map((kind) => kind.counts),
      `counts of case ${i}`,
    );
    const mask = Uint8Array.from(called, (p) => (p >= options.threshold ? 7 : 0));
    t.same(await regionCounts(mask, Uint8Array.from(truth), { ...options, kinds: kinds.length }), counts, 'a mask says the same');
    const names = kinds.map((_, k) => `kind ${k}`);
    const { images, kinds: scores } = await scoreRegions([{ name: 'a', patient: 'A', counts }], { regions: names, resamples: 1 });
    kinds.forEach((expected, k) => {
      for (const score of SCORES) {
        const value = expected[score] ?? Number.NaN;
        close(t, images[0]?.scores[k]?.[score] as number, value, `${score} of case ${i}, kind ${k}`);
        close(t, scores[k]?.pooled[score] as number, value, `pooled: ${score}`);
      }
    });
  }
});

const square = { width: 8, height: 8, mpp: 1 };
/** A square of 4 x 4 from (x, y) on, in an image of 8 x 8. */
const squareAt = (x: number, y: number) =>
  Uint8Array.from({ length: 64 }, (_, at) => Number(at % 8 >= x && at % 8 < x + 4 && at >> 3 >= y && at >> 3 < y + 4));

t.test('the boundary, by hand', async (t) => {
  const at = (x: number, y: number, tolerance: number) => regionCounts(squareAt(x, y), squareAt(2, 2), { ...square, tolerance });
  t.match(await at(2, 2, 0), [{ tp: 16, fp: 0, fn: 0, calledEdge: 12, calledNear: 12, trueEdge: 12, trueNear: 12 }], 'itself');
  t.match(await at(3, 2, 1), [{ tp: 12, fp: 4, fn: 4, calledNear: 12, trueNear: 12 }], 'one beside it, one allowed');
  t.match(await at(4, 4, 1), [{ tp: 4, calledNear: 5, trueNear: 5 }], 'two down and two right');
  t.match(
    await at(0, 0, 9),
    [{ calledEdge: 7, trueEdge: 12, calledNear: 7, trueNear: 12 }],
    'the border of the image is none of the region',
  );
  const all = new Uint8Array(64).fill(1);
  t.match(await regionCounts(all, all, square), [{ tp: 64, calledEdge: 0, trueEdge: 0 }], 'a region that is everywhere has no boundary');
  const { kinds } = await scoreRegions([{ name: 'a', patient: 'A', counts: await regionCounts(all, all, square) }], { resamples: 2 });
  t.match(kinds[0], { pooled: { dice: 1, boundaryF1: Number.NaN }, bothEmpty: 0 });
  // 8 steps of 0.1 um are 0.8000000000000000444 in binary: still within 0.8.
  const line = (x: number) => Uint8Array.from({ length: 20 }, (_, i) => Number(i === x));
  t.match(await regionCounts(line(3), line(11), { width: 20, height: 1, mpp: 0.1, tolerance: 0.8 }), [{ calledNear: 1, trueNear: 1 }]);
  t.match(await regionCounts(line(3), line(11), { width: 20, height: 1, mpp: 0.1, tolerance: 0.79 }), [{ calledNear: 0, trueNear: 0 }]);
});

t.test('what is not known counts for nothing, whatever is called there', async (t) => {
  const truth = squareAt(2, 2);
  const hidden = truth.map((value, at) => (at % 8 >= 4 ? 255 : value));
  const [plain] = await regionCounts(squareAt(2, 2), hidden, square);
  const painted = squareAt(2, 2).map((value, at) => (at % 8 >= 4 ? Number(at % 3 === 0) : value));
  t.same(await regionCounts(painted, hidden, square), [plain]);
  t.match(plain, { tp: 8, fp: 0, fn: 0, unknown: 32, calledEdge: 6, trueEdge: 6, calledNear: 6, trueNear: 6 });
  const nothing = await regionCounts(painted, new Uint8Array(64).fill(255), square);
  t.match(nothing, [{ tp: 0, tn: 0, unknown: 64, calledEdge: 0, trueEdge: 0 }]);
});

t.test('planes are turned and scaled without a change', async (t) => {
  const plane = fc.array(fc.constantFrom(0, 1, 1, 255), { minLength: 30, maxLength: 30 });
  const mask = fc.array(fc.constantFrom(0, 1), { minLength: 30, maxLength: 30 });
  await fc.assert(
    fc.asyncProperty(plane, mask, fc.integer({ min: 0, max: 3 }), async (truth, called, tolerance) => {
      const turned = (list: number[]) => Uint8Array.from(list, (_, at) => list[(at % 5) * 6 + Math.floor(at / 5)] as number);
      const one = await regionCounts(Uint8Array.from(called), Uint8Array.from(truth), { width: 6, height: 5, mpp: 1, tolerance });
      const other = await regionCounts(turned(called), turned(truth), { width: 5, height: 6, mpp: 0.25, tolerance: tolerance / 4 });
      t.same(one, other);
      // Prediction and truth change places where all is known.
      const known = truth.map((value) => (value === 255 ? 0 : value));
      const [there] = await regionCounts(Uint8Array.from(called), Uint8Array.from(known), { width: 6, height: 5, mpp: 1, tolerance });
      const [back] = await regionCounts(Uint8Array.from(known), Uint8Array.from(called), { width: 6, height: 5, mpp: 1, tolerance });
      const { tp, fp, fn, calledEdge, calledNear, trueEdge, trueNear } = there as RegionCounts;
      t.match(back, { tp, fp: fn, fn: fp, calledEdge: trueEdge, calledNear: trueNear, trueEdge: calledEdge, trueNear: calledNear });
    }),
    { numRuns: 60 },
  );
});

const none: RegionCounts = { tp: 0, fp: 0, fn: 0, tn: 0, unknown: 0, calledEdge: 0, calledNear: 0, trueEdge: 0, trueNear: 0 };
const image = (patient: string, counts: Partial<RegionCounts>, i = 0): ScoredImage => ({
  ...{ name: `${patient} ${i}`, patient, counts: [{ ...none, ...counts }] },
});

t.test('pooled and per image; empty ones are counted, not averaged', async (t) => {
  const images = [
    image('A', { tp: 8, fp: 2, fn: 0, tn: 10 }),
    image('B', { tp: 1, fp: 0, fn: 3, tn: 10 }),
    image('C', { tn: 20 }),
    image('D', { fp: 5, tn: 15 }),
    image('E', { unknown: 20 }),
  ];
  const { kinds, images: listed, intervals, patients } = await scoreRegions(images, { resamples: 200 });
  const [tumour] = kinds;
  t.match(tumour, { name: 'tumour', images: 4, bothEmpty: 1, trueEmpty: 1 });
  t.equal(patients, 4);
  t.same(
    listed.map(({ name }) => name),
    ['A 0', 'B 0', 'C 0', 'D 0'],
  );
  const close4 = (value: number | undefined, expected: number, text: string) => close(t, value as number, expected, text);
  close4(tumour?.pooled.precision, 9 / 16, 'pooled precision');
  close4(tumour?.pooled.recall, 9 / 12, 'pooled recall');
  close4(tumour?.pooled.dice, 18 / 28, 'pooled Dice');
  close4(tumour?.pooled.iou, 9 / 19, 'pooled IoU');
  close4(tumour?.perImage.precision, (0.8 + 1 + 0) / 3, 'precision where something is called');
  close4(tumour?.perImage.recall, (1 + 0.25) / 2, 'recall where something is there');
  close4(tumour?.perImage.dice, (16 / 18 + 2 / 5 + 0) / 3, 'Dice but of the empty one');
  t.same(Object.keys(intervals).sort().slice(0, 2), ['boundaryF1:tumour', 'dice:tumour']);
  t.ok((intervals['dice:tumour']?.low ?? 1) < 18 / 28 && (intervals['dice:tumour']?.high ?? 0) > 18 / 28);
  t.ok((intervals['recall:tumour']?.resamples ?? 200) < 200, 'resamples without any tumour have no recall');
  t.ok(Number.isNaN(intervals['boundaryF1:tumour']?.value));
});

/** Images of which the called part is right with a chance that goes by the patient. */
function made(patients: number, seed: number, worse = 0): ScoredImage[] {
  const random = seeded(seed);
  return Array.from({ length: patients }, (_, p) => {
    const chance = 0.5 + 0.4 * random();
    return Array.from({ length: 3 }, (_, i) => {
      const tp = Math.round(200 * chance) - worse;
      return image(`p${p}`, { tp, fn: 200 - tp, fp: Math.round(100 * random()), tn: 300, trueEdge: 50 }, i);
    });
  }).flat();
}

t.test('intervals go by patients, and differences by pairs', async (t) => {
  const a = made(30, 3);
  const first = await scoreRegions(a, { resamples: 300 });
  t.same(await scoreRegions(a, { resamples: 300 }), first);
  t.not((await scoreRegions(a, { resamples: 300, seed: 2 })).intervals['dice:tumour']?.low, first.intervals['dice:tumour']?.low);
  const width = ({ low, high }: { low: number; high: number }) => high - low;
  const own = first.intervals['recall:tumour'] as { low: number; high: number };
  const alone = (
    await scoreRegions(
      a.map((one) => ({ ...one, patient: one.name })),
      { resamples: 300 },
    )
  ).intervals['recall:tumour'] as { low: number; high: number };
  t.ok(width(alone) < 0.8 * width(own), 'images of a patient are alike');
  const b = made(30, 3, 10);
  const difference = await pairedRegionDifference(a, b, 'recall:tumour', { resamples: 300 });
  close(t, difference.value, 0.05, 'ten of two hundred pixels');
  t.ok(difference.low > 0.049 && difference.high < 0.051, 'all images are worse by the same: no doubt is left');
  t.match(await pairedRegionDifference(a, a, 'imageDice:tumour', { resamples: 50 }), { value: 0, low: 0, high: 0 });
  const runs = await pairedRegionDifference([a, b], [b, b], 'recall:tumour', { resamples: 300 });
  close(t, runs.value, 0.025, 'mean over runs');
});

t.test('refusals', async (t) => {
  const [p, truth] = [new Float32Array(4), new Uint8Array(4)];
  const size = { width: 2, height: 2, mpp: 0.5 };
  await rejectsWith(t, regionCounts(p, truth, { ...size, mpp: 0 }), 'UAM_ARGUMENT', /mpp/);
  await rejectsWith(t, regionCounts(p, truth, { ...size, threshold: 0 }), 'UAM_ARGUMENT', /threshold/);
  await rejectsWith(t, regionCounts(p, truth, { ...size, tolerance: -1 }), 'UAM_ARGUMENT', /tolerance/);
  await rejectsWith(t, regionCounts(p, truth, { ...size, kinds: 0.5 }), 'UAM_ARGUMENT', /kinds/);
  await rejectsWith(t, regionCounts(p, truth, { ...size, kinds: 2 }), 'UAM_SHAPE', /2 x 2 x 2 values/);
  await rejectsWith(t, regionCounts(p.slice(1), truth, size), 'UAM_SHAPE', /called/);
  await rejectsWith(t, regionCounts(p.fill(Number.NaN), truth, size), 'UAM_DATA', /probability 0.*NaN/);
  await rejectsWith(t, regionCounts(p.fill(3), truth, size), 'UAM_DATA', /sigmoid/);
  await rejectsWith(
    t,
    regionCounts(
      p.fill(0),
      truth.map(() => 3),
      size,
    ),
    'UAM_DATA',
    /truth 0.*255/,
  );
  await rejectsWith(t, regionCounts(p, truth, { ...size, signal: AbortSignal.abort() }), 'UAM_ABORTED', /regionCounts/);
  const one = [image('A', { tp: 1, fn: 1 })];
  await rejectsWith(t, scoreRegions([]), 'UAM_DATA', /no image has a region mask/);
  await rejectsWith(t, scoreRegions([image('A', { unknown: 9 })]), 'UAM_DATA', /no image/);
  await rejectsWith(t, scoreRegions(one, { regions: [] }), 'UAM_ARGUMENT', /different names/);
  await rejectsWith(t, scoreRegions(one, { regions: ['a', 'b'] }), 'UAM_SHAPE', /2 kinds/);
  await rejectsWith(t, scoreRegions(one, { resamples: 0 }), 'UAM_ARGUMENT', /resamples/);
  await rejectsWith(t, scoreRegions(one, { signal: AbortSignal.abort() }), 'UAM_ABORTED', /scoreRegions/);
  await rejectsWith(t, pairedRegionDifference(one, one, 'f2:tumour'), 'UAM_ARGUMENT', /dice:tumour/);
  await rejectsWith(t, pairedRegionDifference([], one, 'dice:tumour'), 'UAM_ARGUMENT', /at least one run/);
  await rejectsWith(t, pairedRegionDifference(one, [image('A', { tp: 3 })], 'dice:tumour'), 'UAM_SHAPE', /differ from A 0 on/);
  await rejectsWith(t, pairedRegionDifference(one, [...one, ...one], 'dice:tumour'), 'UAM_SHAPE', /same images/);
});
