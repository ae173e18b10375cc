// The plots of an evaluation, each as one SVG text.
import type { Rgb } from '../cells/palette.js';
import { UamError } from '../errors.js';
import { writeWhole } from '../files/write_whole.js';
import type { EvaluationReport, LearningCurve, ReliabilityBin, RocCurve } from './evaluation_report.js';
import { three } from './html_table.js';
import { chart, escaped, type Frame, lineStyle, place, polyline, rgb, sideBySide } from './svg_chart.js';

const unit = (label: string) => ({ label, low: 0, high: 1 });
const diagonal = (frame: Frame): string => polyline(frame, [0, 1], [0, 1], 'stroke="#999" stroke-dasharray="4 4"');

/** Confidence against accuracy, before and after calibration. */
export function reliabilityPlot({ calibrated, uncalibrated }: Pick<EvaluationReport, 'calibrated' | 'uncalibrated'>): string {
  const curves: [name: string, bins: readonly ReliabilityBin[], ece: number][] = [
    ...(uncalibrated ? [['before calibration', uncalibrated.bins, uncalibrated.scores.ece] as [string, ReliabilityBin[], number]] : []),
    [uncalibrated ? 'after calibration' : 'reliability', calibrated.bins, calibrated.scores.ece],
  ];
  return chart(
    {
      title: 'Reliability',
      description: curves.map(([name, , ece]) => `${name}: calibration error ${three(ece)}`).join('; '),
      x: unit('confidence'),
      y: unit('part of the calls that are right'),
      legend: curves.map(([name, , ece], i) => [lineStyle(i), `${name}, ECE ${three(ece)}`]),
    },
    (frame) =>
      diagonal(frame) +
      curves
        .map(([, bins], i) => {
          const dots = bins.map(
            ({ confidence, accuracy }) =>
              `<circle cx="${place(frame.x(confidence))}" cy="${place(frame.y(accuracy))}" r="3.5" fill="#fff" ${lineStyle(i).replace(/ stroke-dasharray.*/, '')} stroke-width="2"/>`,
          );
          const line = polyline(
            frame,
            bins.map(({ confidence }) => confidence),
            bins.map(({ accuracy }) => accuracy),
            lineStyle(i),
          );
          return line + dots.join('');
        })
        .join(''),
  );
}

/** ROC curves, a class against the rest each. */
export function rocPlot(curves: readonly RocCurve[], colors: Readonly<Record<string, Rgb>>): string {
  return chart(
    {
      title: 'ROC, each class against the rest',
      description: curves.map(({ name, auroc }) => `${name}: area ${three(auroc)}`).join('; '),
      x: unit('false positive rate'),
      y: unit('true positive rate'),
      legend: curves.map(({ name, auroc }, i) => [lineStyle(i, colors[name]), `${name}, AUROC ${three(auroc)}`]),
    },
    (frame) =>
      diagonal(frame) +
      curves
        .map(({ name, falsePositiveRate, truePositiveRate }, i) =>
          polyline(frame, falsePositiveRate, truePositiveRate, lineStyle(i, colors[name])),
        )
        .join(''),
  );
}

/** What the title of the table of confusion takes, in any font. */
const titleWidth = 400;

/** Counts of truth against calls, shaded by the share of the row. */
export function confusionPlot(classes: readonly string[], confusion: readonly (readonly number[])[]): string {
  const missed = confusion.some((row) => (row[classes.length] ?? 0) > 0);
  const columns = missed ? [...classes, 'no answer'] : classes;
  const cell = Math.max(46, Math.min(84, 420 / columns.length));
  const longest = Math.max(...columns.map((name) => name.length));
  const left = 40 + Math.min(190, 7 * longest);
  const slanted = columns.length > 4 || longest * 7 > cell;
  const top = 62 + (slanted ? Math.min(120, 5 * longest) : 12);
  const [width, height] = [
    Math.max(titleWidth, left + cell * columns.length + (slanted ? Math.min(100, 5 * longest) : 16)),
    top + cell * classes.length + 16,
  ];
  const body = confusion.map((row, y) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    const cells = columns.map((_, x) => {
      const share = total > 0 ? (row[x] as number) / total : 0;
      // From white to the palette's blue; the text turns white where it would not be read.
      const shade = [255, 255, 255].map((white, c) => Math.round(white + (([0, 114, 178][c] as number) - white) * share)) as [
        number,
        number,
        number,
      ];
      const [cx, cy] = [left + (x + 0.5) * cell, top + (y + 0.5) * cell];
      return (
        `<rect x="${place(left + x * cell)}" y="${place(top + y * cell)}" width="${place(cell)}" height="${place(cell)}" fill="${rgb(shade)}" stroke="#bbb"/>` +
        `<g text-anchor="middle" fill="${share > 0.85 ? '#fff' : '#222'}"><text x="${place(cx)}" y="${place(cy - 2)}" font-size="14">${row[x]}</text>` +
        `<text x="${place(cx)}" y="${place(cy + 14)}" font-size="11">${total > 0 ? `${(share * 100).toFixed(1)} %` : ''}</text></g>`
      );
    });
    return `${cells.join('')}<text x="${left - 8}" y="${place(top + (y + 0.5) * cell)}" dy="0.35em" text-anchor="end">${escaped(classes[y] as string)}</text>`;
  });
  const heads = columns.map((name, x) => {
    const at = `${place(left + (x + 0.5) * cell)} ${top - 8}`;
    return slanted
      ? `<text transform="translate(${at}) rotate(-35)">${escaped(name)}</text>`
      : `<text transform="translate(${at})" text-anchor="middle">${escaped(name)}</text>`;
  });
  const description = confusion
    .map((row, y) => `${classes[y]}: ${columns.map((name, x) => `${row[x]} called ${name}`).join(', ')}`)
    .join('; ');
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${place(width)} ${place(height)}" width="${place(width)}" height="${place(height)}" role="img" ` +
    `aria-label="${escaped(`Confusion. ${description}`)}" font-family="system-ui, sans-serif" font-size="12" fill="#222">` +
    `<title>Confusion</title><desc>${escaped(description)}</desc>` +
    `<text x="16" y="20" font-size="15" font-weight="600">Confusion: rows are true, columns are called</text>${heads.join('')}${body.join('')}</svg>`
  );
}

/**
 * Curves of a training as SVG texts, one per chart.
 *
 * @example
 * const [svg] = learningPlots([{ chart: 'loss', name: 'training', x: [1, 2, 3], y: [1.1, 0.6, 0.4] }]);
 * console.log(svg.startsWith('<svg')); // true
 */
export function learningPlots(curves: readonly LearningCurve[]): string[] {
  return [...new Set(curves.map((curve) => curve.chart))].map((name) => {
    const own = curves.filter((curve) => curve.chart === name);
    const range = (values: number[]): readonly [number, number] => {
      let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
      for (const value of values) {
        if (!Number.isFinite(value)) continue;
        low = Math.min(low, value);
        high = Math.max(high, value);
      }
      return low <= high ? [low, high] : [0, 1];
    };
    const [x0, x1] = range(own.flatMap(({ x }) => x));
    const [y0, y1] = range(own.flatMap(({ y }) => y));
    const room = (y1 - y0 || Math.abs(y1) || 1) * 0.05;
    return chart(
      {
        title: name,
        description: own
          .map(({ name, y }) => `${name}: from ${three(y.find(Number.isFinite) ?? NaN)} to ${three(y.findLast(Number.isFinite) ?? NaN)}`)
          .join('; '),
        x: { label: 'epoch', low: x0, high: x1 > x0 ? x1 : x0 + 1, whole: true },
        y: { label: name, low: y0 >= 0 ? Math.max(0, y0 - room) : y0 - room, high: y1 + room },
        legend: own.map((curve, i) => [lineStyle(i), curve.name]),
      },
      (frame) => own.map(({ x, y }, i) => polyline(frame, x, y, lineStyle(i))).join(''),
    );
  });
}

/**
 * Writes the curves of a training as one SVG file, a chart beside the other. The file appears under its name when it is whole.
 *
 * @throws UamError `UAM_ARGUMENT` for another ending, `UAM_IO`
 * @example
 * const { rm } = await import('node:fs/promises');
 * await writeLearningPlots('curves.svg', [{ chart: 'loss', name: 'training', x: [1, 2, 3], y: [1.1, 0.6, 0.4] }]);
 * await rm('curves.svg');
 */
export async function writeLearningPlots(path: string, curves: readonly LearningCurve[]): Promise<void> {
  if (!/\.svg$/i.test(path)) throw new UamError('UAM_ARGUMENT', `writeLearningPlots: the file must end in .svg, received ${path}`);
  await writeWhole(path, [Buffer.from(sideBySide(learningPlots(curves)))]);
}
