// What a page says of regions: tables, a dot per image, every image by name.
import { PALETTE, type Rgb } from '../cells/palette.js';
import { intervalHead, range, table, three } from './html_table.js';
import type { RegionCounts, RegionKindScores, RegionReport, SegmentationScores } from './region_report.js';
import { chart, escaped, place, polyline, rgb } from './svg_chart.js';

/** The scores in the order of tables. */
export const REGION_SCORES: readonly (readonly [key: keyof SegmentationScores, text: string])[] = Object.freeze([
  ['precision', 'precision'],
  ['recall', 'recall'],
  ['dice', 'Dice'],
  ['iou', 'IoU'],
  ['boundaryF1', 'boundary F1'],
] as const);

const perImage = (key: string): string => `image${key[0]?.toUpperCase()}${key.slice(1)}`;

/** Part of an image's known pixels that lie in the region. */
const shareOf = ({ tp, fp, fn, tn }: RegionCounts): number => (tp + fn) / (tp + fp + fn + tn);

/** What was counted, in a sentence. */
export function regionFacts({ threshold, tolerance, images, patients, kinds }: RegionReport): string {
  const empty = kinds.map(({ name, images, bothEmpty, trueEmpty, share }) => {
    const none = trueEmpty > 0 ? `; ${trueEmpty} have none of it, but are called somewhere` : '';
    return `${name}: ${(100 * share).toFixed(1)} % of the known pixels; of ${images} images ${bothEmpty} neither have nor are called any, and are left out of the means over images${none}`;
  });
  const how = `Called inside from a probability of ${threshold} on. Boundary pixels match within ${tolerance} \u00b5m.`;
  return `${images.length} images of ${patients} patients. ${how} ${empty.join('. ')}.`;
}

function kindTable({ intervals, level }: RegionReport, { name, pooled, perImage: means }: RegionKindScores): string {
  const rows = REGION_SCORES.map(([key, text]) => [
    text,
    ...[three(pooled[key]), range(intervals[`${key}:${name}`])],
    ...[three(means[key]), range(intervals[`${perImage(key)}:${name}`])],
  ]);
  const head = ['score', 'pixels pooled', intervalHead(level), 'mean over images', intervalHead(level)];
  return table(`${name}. Intervals: percentile bootstrap over patients.`, head, rows);
}

const ALL_CALLED = 'stroke="#999" stroke-dasharray="4 4"';
const SHARES: readonly number[] = Object.freeze(Array.from({ length: 41 }, (_, i) => i / 40));

/**
 * The Dice of each image against how much of it is region, as SVG, beside the line of who calls every pixel: 2 share / (1 + share).
 *
 * @param kind which of `report.kinds`
 */
export function dicePlot({ images, kinds }: RegionReport, kind: number, color: Rgb = PALETTE[kind % PALETTE.length] as Rgb): string {
  const { name = '', perImage: means } = kinds[kind] ?? {};
  const dots = images.flatMap(({ name: image, counts, scores }) => {
    const [own, dice] = [counts[kind], scores[kind]?.dice];
    return own && dice !== undefined && Number.isFinite(dice) ? [{ image, share: shareOf(own), dice }] : [];
  });
  return chart(
    {
      title: `Dice of each image: ${name}`,
      description: `${dots.length} images; mean ${three(means?.dice ?? Number.NaN)}`,
      x: { label: 'part of the image that lies in the region', low: 0, high: 1 },
      y: { label: 'Dice', low: 0, high: 1 },
      legend: [[ALL_CALLED, 'calling every pixel']],
    },
    (frame) =>
      polyline(
        frame,
        SHARES,
        SHARES.map((share) => (2 * share) / (1 + share)),
        ALL_CALLED,
      ) +
      dots
        .map(
          ({ image, share, dice }) =>
            `<circle cx="${place(frame.x(share))}" cy="${place(frame.y(dice))}" r="3.5" fill="${rgb(color)}" fill-opacity="0.6" stroke="#fff" stroke-width="0.5">` +
            `<title>${escaped(`${image}: Dice ${three(dice)}`)}</title></circle>`,
        )
        .join(''),
  );
}

function imageTable({ images, kinds }: RegionReport): string {
  const rows = images.flatMap(({ name, patient, counts, scores }) =>
    kinds.map((kind, k) => [
      escaped(name),
      escaped(patient),
      ...(kinds.length > 1 ? [escaped(kind.name)] : []),
      three(shareOf(counts[k] as RegionCounts)),
      ...REGION_SCORES.map(([key]) => three(scores[k]?.[key] as number)),
    ]),
  );
  const head = ['image', 'patient', ...(kinds.length > 1 ? ['region'] : []), 'true share', ...REGION_SCORES.map(([, text]) => text)];
  return table('A dash: there is nothing to compute it from.', head, rows);
}

/** The section as HTML. */
export function regionSection(report: RegionReport): string {
  const { kinds, note, images } = report;
  return `<h2>Regions</h2>${note ? `<p><strong>Region masks: ${escaped(note)}.</strong></p>` : ''}
<p class="remark">${escaped(regionFacts(report))}</p>
${kinds.map((kind) => kindTable(report, kind)).join('\n')}
<div class="plots">${kinds.map((_, k) => dicePlot(report, k)).join('\n')}</div>
<details><summary>Every image (${images.length})</summary>${imageTable(report)}</details>`;
}
