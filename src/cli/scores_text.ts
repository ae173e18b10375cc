// The ends of `uam evaluate`: scores as text.
import type { EvaluationReport, Interval, RegionEvaluation } from '../report/evaluation_report.js';
import type { RegionReport } from '../report/region_report.js';
import { REGION_SCORES, regionFacts } from '../report/region_section.js';
import { grouped, textTable } from './text_table.js';

const three = (value: number): string => (Number.isFinite(value) ? value.toFixed(3) : '-');
const range = (interval: Interval | undefined): string =>
  interval && Number.isFinite(interval.low) ? `${three(interval.low)} to ${three(interval.high)}` : '-';

/** All of a report as text. */
export function reportText(report: EvaluationReport | RegionEvaluation): string {
  const cells = 'scores' in report ? scoresText(report) : '';
  const regions = report.regions ? regionsText(report.regions) : '';
  return [cells, regions].filter((text) => text !== '').join('\n');
}

/** The scores as text: what counts most, then a line per class. */
export function scoresText({ scores, intervals, level, patients, temperature, uncalibrated }: EvaluationReport): string {
  const named: readonly (readonly [key: string, text: string])[] = [
    ['accuracy', 'accuracy'],
    ['balancedAccuracy', 'balanced accuracy'],
    ['macroF1', 'macro-F1'],
    ['macroAuroc', 'macro AUROC'],
    ['macroAuprc', 'macro AUPRC'],
    ['brier', 'Brier score'],
    ['ece', 'calibration error'],
  ];
  const head = `${grouped(scores.count)} labelled points of ${patients} patients; ${scores.missed} on no nucleus, counted as errors\n\n`;
  const overall = textTable([
    ['', 'value', `${Math.round(level * 1000) / 10} % interval`],
    ...named.map(([key, text]) => [text, three(scores[key as 'accuracy']), range(intervals[key])]),
  ]);
  const warm =
    temperature === undefined || !uncalibrated
      ? ''
      : `temperature ${three(temperature)}; calibration error without it ${three(uncalibrated.scores.ece)}\n`;
  const classes = textTable([
    ['class', 'points', 'called', 'precision', 'recall', 'F1', 'AUROC'],
    ...scores.perClass.map(({ name, support, predicted, precision, recall, f1, auroc }) => [
      ...[name, String(support), String(predicted)],
      ...[precision, recall, f1, auroc].map(three),
    ]),
  ]);
  return `${head}${overall}${warm}\n${classes}`;
}

/** The scores of regions as text: what has to be known of the masks, then a table per kind. */
function regionsText(report: RegionReport): string {
  const { kinds, intervals, level, note } = report;
  const percent = `${Math.round(level * 1000) / 10} % interval`;
  const tables = kinds.map(({ name, pooled, perImage }) =>
    textTable([
      [name, 'pixels pooled', percent, 'mean over images'],
      ...REGION_SCORES.map(([key, text]) => [text, three(pooled[key]), range(intervals[`${key}:${name}`]), three(perImage[key])]),
    ]),
  );
  return [...(note ? [`region masks: ${note}\n`] : []), `${regionFacts(report)}\n\n`, tables.join('\n')].join('');
}
