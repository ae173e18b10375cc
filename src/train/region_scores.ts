import { mismatch, UamError } from '../errors.js';
import type { Interval } from '../report/evaluation_report.js';
import type { RegionCounts, RegionKindScores, RegionReport, SegmentationScores } from '../report/region_report.js';
import { REGION_SCORING } from './region_counts.js';
import { type BootstrapOptions, clusters, complete, interval, resampled } from './resampled.js';

/** What `regionCounts` found in one image. */
export interface ScoredImage {
  name: string;
  /** Else the slide: intervals keep the images of one together. */
  patient: string;
  /** Of each kind of region. */
  counts: readonly RegionCounts[];
}

export interface ScoreRegionsOptions extends BootstrapOptions {
  /** Names of the kinds of regions; default `['tumour']`. */
  regions?: readonly string[] | undefined;
  /** What the counts were made with, for the report; default 0.5. */
  threshold?: number | undefined;
  /** What the counts were made with, for the report; default 4 um. */
  tolerance?: number | undefined;
  /** What has to be known of the true regions, for the report. */
  note?: string | undefined;
}

const SCORES = Object.freeze(['precision', 'recall', 'dice', 'iou', 'boundaryF1'] as const);
const SUMS = Object.freeze(['tp', 'fp', 'fn', 'calledEdge', 'calledNear', 'trueEdge', 'trueNear'] as const);

type Sums = Pick<RegionCounts, (typeof SUMS)[number]>;

const noSums = (): Sums => ({ tp: 0, fp: 0, fn: 0, calledEdge: 0, calledNear: 0, trueEdge: 0, trueNear: 0 });

/** Of one image, or of the sums over several. */
function scoresOf({ tp, fp, fn, calledEdge, calledNear, trueEdge, trueNear }: Sums): SegmentationScores {
  const [p, r] = [calledNear / calledEdge, trueNear / trueEdge];
  // One boundary alone is not matched at all; without both there is nothing to say.
  const boundaryF1 = calledEdge + trueEdge === 0 ? Number.NaN : calledNear > 0 && trueNear > 0 ? (2 * p * r) / (p + r) : 0;
  return { precision: tp / (tp + fp), recall: tp / (tp + fn), dice: (2 * tp) / (2 * tp + fp + fn), iou: tp / (tp + fp + fn), boundaryF1 };
}

const knownPixels = ({ tp, fp, fn, tn }: RegionCounts): number => tp + fp + fn + tn;

/** Knows each image's own scores; then gives those of all images for any weights of them. A resample of patients is such a set of weights. */
export class RegionScorer {
  readonly images: readonly ScoredImage[];
  /** `[images][kinds]` */
  readonly scores: readonly (readonly SegmentationScores[])[];

  constructor(
    images: readonly ScoredImage[],
    readonly regions: readonly string[],
  ) {
    if (regions.length === 0 || new Set(regions).size !== regions.length) {
      throw mismatch('UAM_ARGUMENT', 'scoreRegions: regions', 'different names', `[${regions.join(', ')}]`);
    }
    const strange = images.find(({ counts }) => counts.length !== regions.length);
    if (strange) {
      throw mismatch(
        'UAM_SHAPE',
        `scoreRegions: counts of ${strange.name}`,
        `${regions.length} kinds of regions`,
        `${strange.counts.length}`,
      );
    }
    this.images = images.filter(({ counts }) => counts.some((own) => knownPixels(own) > 0));
    if (this.images.length === 0) throw new UamError('UAM_DATA', 'scoreRegions: no image has a region mask, so there is nothing to score');
    this.scores = this.images.map(({ counts }) => counts.map(scoresOf));
  }

  kinds(weights?: ArrayLike<number>): RegionKindScores[] {
    return this.regions.map((name, kind) => {
      const sums = noSums();
      const means = Object.fromEntries(SCORES.map((score) => [score, { sum: 0, weight: 0 }]));
      const seen = { images: 0, bothEmpty: 0, trueEmpty: 0 };
      let known = 0;
      this.images.forEach(({ counts }, i) => {
        const weight = weights ? (weights[i] as number) : 1;
        const own = counts[kind] as RegionCounts;
        if (weight === 0 || knownPixels(own) === 0) return;
        seen.images += weight;
        known += weight * knownPixels(own);
        if (own.tp + own.fn === 0) seen[own.fp === 0 ? 'bothEmpty' : 'trueEmpty'] += weight;
        for (const key of SUMS) sums[key] += weight * own[key];
        const scores = this.scores[i]?.[kind] as SegmentationScores;
        for (const score of SCORES) {
          const mean = means[score] as { sum: number; weight: number };
          if (Number.isNaN(scores[score])) continue;
          mean.sum += weight * scores[score];
          mean.weight += weight;
        }
      });
      const perImage = Object.fromEntries(Object.entries(means).map(([score, { sum, weight }]) => [score, sum / weight]));
      return {
        name,
        ...seen,
        share: (sums.tp + sums.fn) / known,
        pooled: scoresOf(sums),
        perImage: perImage as unknown as SegmentationScores,
      };
    });
  }

  /** Scores that are one number, by the name that intervals and differences use: `dice:tumour` pooled, `imageDice:tumour` over images. */
  named(weights?: ArrayLike<number>): Map<string, number> {
    const named = new Map<string, number>();
    for (const { name, pooled, perImage } of this.kinds(weights)) {
      for (const score of SCORES) {
        named.set(`${score}:${name}`, pooled[score]);
        named.set(`image${score[0]?.toUpperCase()}${score.slice(1)}:${name}`, perImage[score]);
      }
    }
    return named;
  }

  get groups() {
    return clusters(
      this.images.map(({ patient }) => patient),
      this.images.length,
    );
  }
}

/**
 * Scores regions over images: pooled (pixels of all images together) and per image (the mean over images that have the score), with
 * percentile intervals from resamples of the patients. An image in which a region neither is nor is called has no scores of its own:
 * it is left out of the means, and counted.
 *
 * @param images what `regionCounts` gave for each; images without a known pixel are left out
 * @throws UamError `UAM_ARGUMENT`, `UAM_SHAPE`; `UAM_DATA` where no image has a known pixel; `UAM_ABORTED`
 * @example
 * const called = Float32Array.of(0.9, 0.8, 0.7, 0.2);
 * const counts = await regionCounts(called, Uint8Array.of(1, 1, 0, 0), { width: 4, height: 1, mpp: 0.5 });
 * const { kinds, intervals } = await scoreRegions([{ name: 'a.png', patient: 'A', counts }], { resamples: 50 });
 * console.log(kinds[0].pooled.dice, intervals['dice:tumour'].low); // 0.8 0.8
 */
export async function scoreRegions(images: readonly ScoredImage[], options: ScoreRegionsOptions = {}): Promise<RegionReport> {
  const { regions = ['tumour'], note } = options;
  const { threshold = REGION_SCORING.threshold, tolerance = REGION_SCORING.tolerance } = options;
  const settings = complete('scoreRegions', options);
  const scorer = new RegionScorer(images, regions);
  const drawn = await resampled('scoreRegions', settings, scorer.groups, (weights) => scorer.named(weights));
  const over = (name: string) => drawn.map((scores) => scores.get(name) as number);
  const intervals = [...scorer.named()].map(([name, value]) => [name, interval(value, over(name), settings.level)] as const);
  return {
    ...{ threshold, tolerance, level: settings.level, patients: new Set(scorer.images.map(({ patient }) => patient)).size },
    kinds: scorer.kinds(),
    intervals: Object.fromEntries(intervals),
    images: scorer.images.map((image, i) => ({ ...image, scores: scorer.scores[i] as readonly SegmentationScores[] })),
    ...(note ? { note } : {}),
  };
}

/**
 * The difference in one score between two models on the same images, with a percentile interval: each resample of the patients scores
 * both, so what they share falls out. Several runs of a model (seeds) are given as a list of lists; their scores are averaged.
 *
 * @param score a name of `scoreRegions`' intervals, such as `'dice:tumour'` or `'imageDice:tumour'`
 * @returns `value` is the score of `a` minus that of `b`; an interval above 0 says that `a` is better
 * @throws UamError `UAM_ARGUMENT` for a score that there is not, `UAM_SHAPE` where the two do not speak of the same images or differ in
 *   what is true of them, `UAM_ABORTED`, and as `scoreRegions`
 * @example
 * const truth = Uint8Array.of(1, 1, 0, 0);
 * const image = async (...p) => ({ name: 'a', patient: 'A', counts: await regionCounts(Float32Array.from(p), truth, { width: 4, height: 1, mpp: 0.5 }) });
 * const [a, b] = [await image(0.9, 0.9, 0, 0), await image(0.9, 0.9, 0.9, 0)];
 * const { value } = await pairedRegionDifference([a], [b], 'precision:tumour', { resamples: 50 });
 * console.log(value); // 0.333...
 */
export async function pairedRegionDifference(
  a: readonly ScoredImage[] | readonly (readonly ScoredImage[])[],
  b: readonly ScoredImage[] | readonly (readonly ScoredImage[])[],
  score: string,
  options: BootstrapOptions & { regions?: readonly string[] | undefined } = {},
): Promise<Interval> {
  const { regions = ['tumour'] } = options;
  const settings = complete('pairedRegionDifference', options);
  const [first, second] = [a, b].map((runs) => runsOf(runs).map((run) => new RegionScorer(run, regions))) as [
    RegionScorer[],
    RegionScorer[],
  ];
  const shared = first[0] as RegionScorer;
  for (const other of [...first, ...second]) refuseOthers(shared, other);
  const names = [...shared.named().keys()];
  if (!names.includes(score)) {
    throw new UamError('UAM_ARGUMENT', `pairedRegionDifference: there is no score '${score}'; the scores are ${names.join(', ')}`);
  }
  const average = (scorers: readonly RegionScorer[], weights?: Float64Array) =>
    scorers.reduce((sum, scorer) => sum + (scorer.named(weights).get(score) as number), 0) / scorers.length;
  const difference = (weights?: Float64Array) => average(first, weights) - average(second, weights);
  return interval(difference(), await resampled('pairedRegionDifference', settings, shared.groups, difference), settings.level);
}

function runsOf(runs: readonly ScoredImage[] | readonly (readonly ScoredImage[])[]): readonly (readonly ScoredImage[])[] {
  if (runs.length === 0) throw new UamError('UAM_ARGUMENT', 'pairedRegionDifference: each side needs at least one run');
  return Array.isArray(runs[0]) ? (runs as readonly (readonly ScoredImage[])[]) : [runs as readonly ScoredImage[]];
}

/** Models are compared on the same images, of which the same is true. */
function refuseOthers({ images: own }: RegionScorer, { images: theirs }: RegionScorer): void {
  const truthOf = ({ name, patient, counts }: ScoredImage) =>
    JSON.stringify([name, patient, counts.map(({ tp, fp, fn, tn, unknown, trueEdge }) => [tp + fn, fp + tn, unknown, trueEdge])]);
  const other = own.find((image, i) => !theirs[i] || truthOf(image) !== truthOf(theirs[i]));
  if (!other && own.length === theirs.length) return;
  const where = other ? `; they differ from ${other.name} on` : `, received ${own.length} and ${theirs.length}`;
  throw new UamError('UAM_SHAPE', `pairedRegionDifference: all runs must speak of the same images in the same order${where}`);
}
