// Regions of several variants on the same images and the same resamples of patients, and their tables.
import type { Interval } from '../../src/report/evaluation_report.js';
import { RegionScorer, type ScoredImage } from '../../src/train/region_scores.js';
import { differenceOf, drawn, intervalOf, type Sampled, type SampledScores } from './resampling.js';
import { between, difference, table, three } from './results_tables.js';

export interface RegionRow {
  name: string;
  /** By the names of `scoreRegions`: mean over the seeds, with intervals over patients. */
  scores: Record<string, Interval>;
}

export interface RegionSummary {
  region: string;
  images: number;
  patients: number;
  /** Part of all known pixels that lie in the region. */
  share: number;
  bothEmpty: number;
  rows: RegionRow[];
  differences: { of: string; from: string; scores: Record<string, Interval> }[];
}

/** Scores the runs of a variant; each score is the mean over the runs, in every resample. */
function sampledRegions(scorers: readonly RegionScorer[], resamples: number): SampledScores {
  const { of, size } = (scorers[0] as RegionScorer).groups;
  const mean = (weights?: Float64Array) => {
    const all = scorers.map((one) => one.named(weights));
    return [...(all[0] as Map<string, number>).keys()].map(
      (name) => [name, all.reduce((sum, scores) => sum + (scores.get(name) as number), 0) / all.length] as const,
    );
  };
  const found = new Map<string, Sampled>(mean().map(([name, value]) => [name, { value, resamples: new Float64Array(resamples) }]));
  for (let resample = 0; resample < resamples; resample++) {
    const times = drawn(size, resample);
    const weights = Float64Array.from(of, (patient) => times[patient] as number);
    for (const [name, value] of mean(weights)) (found.get(name) as Sampled).resamples[resample] = value;
  }
  return found;
}

/**
 * @param runs of each variant, one per seed: the same images in the same order
 * @param alone the variant that the others are compared with
 */
export function summariseRegions(
  runs: ReadonlyMap<string, readonly (readonly ScoredImage[])[]>,
  { region, alone, resamples }: { region: string; alone: string; resamples: number },
): RegionSummary | undefined {
  const scorers = new Map([...runs].map(([name, own]) => [name, own.map((run) => new RegionScorer(run, [region]))]));
  const first = scorers.values().next().value?.[0];
  if (!first) return undefined;
  const [kind] = first.kinds();
  const sampled = new Map([...scorers].map(([name, own]) => [name, sampledRegions(own, resamples)]));
  const reference = sampled.get(alone);
  const names = [...first.named().keys()];
  const each = (of: (name: string) => Interval) => Object.fromEntries(names.map((name) => [name, of(name)]));
  return {
    ...{
      region,
      images: first.images.length,
      patients: first.groups.size,
      share: kind?.share ?? Number.NaN,
      bothEmpty: kind?.bothEmpty ?? 0,
    },
    rows: [...sampled].map(([name, own]) => ({ name, scores: each((score) => intervalOf(own.get(score) as Sampled)) })),
    differences: [...sampled]
      .filter(([name]) => reference && name !== alone)
      .map(([name, own]) => ({ of: name, from: alone, scores: each((score) => differenceOf(own, reference as SampledScores, score)) })),
  };
}

const POOLED = Object.freeze([
  ['precision', 'precision'],
  ['recall', 'recall'],
  ['dice', 'Dice'],
  ['iou', 'IoU'],
  ['boundaryF1', 'boundary F1'],
] as const);

const EACH_IMAGE = Object.freeze([
  ['imagePrecision', 'precision'],
  ['imageRecall', 'recall'],
  ['imageDice', 'Dice'],
  ['imageIou', 'IoU'],
  ['imageBoundaryF1', 'boundary F1'],
] as const);

/** A summary as Markdown; the note stands wherever a number does. */
export function regionsText({ region, images, patients, share, bothEmpty, rows, differences }: RegionSummary, note: string): string {
  const scores = (head: string, keys: typeof POOLED | typeof EACH_IMAGE) =>
    table(
      [head, ...keys.map(([, text]) => text)],
      rows.map(({ name, scores }) => [name, ...keys.map(([key]) => between(scores[`${key}:${region}`] as Interval))]),
    );
  const facts =
    `${images} images of ${patients} patients; ${(100 * share).toFixed(1)} % of the pixels lie in the region: calling all of them has the ` +
    `precision ${three(share)} and the Dice ${three((2 * share) / (1 + share))}; ${bothEmpty} images neither have nor are called any by the first variant. Boundaries match within 4 \u00b5m.`;
  const parts = [
    `Regions, **masks ${note}**. ${facts}`,
    scores(`${region}, pixels pooled (masks derived)`, POOLED),
    scores(`${region}, mean over images (masks derived)`, EACH_IMAGE),
    ...(differences.length > 0
      ? [
          'Paired differences, mean over the seeds (masks derived):',
          table(
            ['difference, pixels pooled', ...POOLED.map(([, text]) => text)],
            differences.map(({ of, from, scores: own }) => [
              `${of} \u2212 ${from}`,
              ...POOLED.map(([key]) => difference(own[`${key}:${region}`])),
            ]),
          ),
        ]
      : []),
  ];
  return parts.join('\n\n');
}
