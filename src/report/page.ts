import { UamError } from '../errors.js';
import { writeWhole } from '../files/write_whole.js';
import { classColors } from './class_colors.js';
import type { EvaluationReport, RegionEvaluation } from './evaluation_report.js';
import { intervalHead, range, table, three } from './html_table.js';
import { confusionPlot, learningPlots, reliabilityPlot, rocPlot } from './plots.js';
import { regionSection } from './region_section.js';
import { escaped, rgb } from './svg_chart.js';

const style = `
:root { color-scheme: light }
body { font: 15px/1.5 system-ui, sans-serif; color: #222; background: #fff; max-width: 960px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin-bottom: .2rem } h2 { font-size: 1.15rem; margin-top: 2rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0 }
th, td { padding: .25rem .8rem; text-align: right; border-bottom: 1px solid #ddd } th:first-child, td:first-child { text-align: left }
thead th { border-bottom: 2px solid #555 } .swatch { display: inline-block; width: .8em; height: .8em; margin-right: .5em }
.plots { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: flex-start } svg { max-width: 100%; height: auto }
.remark { color: #555 } @media print { body { margin: 0 } }
`;

const named: readonly (readonly [key: string, text: string])[] = Object.freeze([
  ['accuracy', 'accuracy'],
  ['balancedAccuracy', 'balanced accuracy'],
  ['macroF1', 'macro F1'],
  ['macroAuroc', 'macro AUROC'],
  ['macroAuprc', 'macro AUPRC'],
  ['brier', 'Brier score'],
  ['logLoss', 'log loss'],
  ['ece', 'calibration error (ECE)'],
] as const);

function scoreTable({ scores, intervals, level, uncalibrated }: EvaluationReport): string {
  const before = uncalibrated?.scores as Record<string, number> | undefined;
  const rows = named.map(([key, text]) => [
    text,
    three(scores[key as 'accuracy']),
    range(intervals[key]),
    ...(before ? [Object.hasOwn(before, key) ? three(before[key] as number) : ''] : []),
  ]);
  return table(
    'Intervals: percentile bootstrap over patients.',
    ['score', 'value', intervalHead(level), ...(before ? ['before calibration'] : [])],
    rows,
  );
}

function classTable({ scores, intervals }: EvaluationReport, colorOf: (name: string) => string): string {
  const cell = (name: string, key: string, value: number): string => {
    const known = intervals[`${key}:${name}`];
    return `${three(value)}${known ? `<br><span class="remark">${range(known)}</span>` : ''}`;
  };
  return table(
    'Each class against the rest.',
    ['class', 'points', 'called', 'precision', 'recall', 'F1', 'AUROC', 'AUPRC'],
    scores.perClass.map(({ name, support, predicted, precision, recall, f1, auroc, auprc }) => [
      `<span class="swatch" style="background:${colorOf(name)}"></span>${escaped(name)}`,
      String(support),
      String(predicted),
      ...Object.entries({ precision, recall, f1, auroc, auprc }).map(([key, value]) => cell(name, key, value)),
    ]),
  );
}

/**
 * An evaluation as one HTML page that needs nothing else: tables, and plots as SVG (reliability, ROC, confusion, learning curves), in
 * colours that are told apart also with impaired colour vision. Where regions were scored they have a section: tables, a dot per image,
 * and every image by name.
 *
 * @param report what `evaluate` gives; or the scores of regions alone, of a model that classifies no cells
 * @example
 * const points = { classes: ['tumour', 'other'], truth: [0, 1, 1, 0], patients: ['a', 'a', 'b', 'c'] };
 * const probabilities = Float64Array.of(0.9, 0.1, 0.2, 0.8, 0.7, 0.3, 0.6, 0.4);
 * const html = evaluationPage(await evaluate({ ...points, probabilities }, { resamples: 50 }));
 * console.log(html.slice(0, 15)); // <!doctype html>
 */
export function evaluationPage(report: EvaluationReport | RegionEvaluation): string {
  const { title, notes = [], learning = [], regions } = report;
  const cells = 'scores' in report ? cellSections(report) : undefined;
  const curves = cells ? [] : learningPlots(learning);
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title><style>${style}</style></head><body><main>
<h1>${escaped(title)}</h1>${cells ?? ''}
${regions ? regionSection(regions) : ''}
${curves.length > 0 ? `<h2>Training</h2><div class="plots">${curves.join('\n')}</div>` : ''}
${notes.length > 0 ? `<h2>Notes</h2><ul>${notes.map((note) => `<li>${escaped(note)}</li>`).join('')}</ul>` : ''}
</main></body></html>
`;
}

/** What is said of cells. */
function cellSections(report: EvaluationReport): string {
  const { classes, scores, patients, temperature, learning = [], regions } = report;
  const colors = classColors(classes);
  const colorOf = (name: string) => rgb(colors[name] ?? [100, 100, 100]);
  const plots = [
    confusionPlot(classes, scores.confusion),
    rocPlot(report.roc, colors),
    reliabilityPlot(report),
    ...learningPlots(learning),
  ];
  const summary = [
    `${scores.count} labelled points${patients > 0 ? ` of ${patients} patients` : ''}`,
    `${scores.missed} without an answer, counted as errors`,
    ...(temperature === undefined ? [] : [`temperature ${three(temperature)}`]),
  ];
  return `<p class="remark">${escaped(summary.join('; '))}.</p>
<h2>${regions ? 'Cells: scores' : 'Scores'}</h2>${scoreTable(report)}
<h2>Classes</h2>${classTable(report, colorOf)}
<h2>Plots</h2><div class="plots">${plots.join('\n')}</div>`;
}

/**
 * Writes an evaluation: `.html` is the page, `.json` the numbers (those that do not exist are null). The file appears under its name when
 * it is whole; there is no date in it, so equal evaluations are equal files.
 *
 * @throws UamError `UAM_ARGUMENT` for another ending, `UAM_IO` where it cannot be written
 * @example
 * const { rm } = await import('node:fs/promises');
 * const points = { classes: ['tumour', 'other'], truth: [0, 1], probabilities: Float64Array.of(0.9, 0.1, 0.2, 0.8) };
 * await writeEvaluation('evaluation.html', await evaluate(points, { resamples: 50 }));
 * await rm('evaluation.html');
 */
export async function writeEvaluation(path: string, report: EvaluationReport | RegionEvaluation): Promise<void> {
  const text = /\.html?$/i.test(path) ? evaluationPage(report) : /\.json$/i.test(path) ? `${JSON.stringify(report, null, 2)}\n` : undefined;
  if (text === undefined) throw new UamError('UAM_ARGUMENT', `writeEvaluation: the file must end in .html or .json, received ${path}`);
  await writeWhole(path, [Buffer.from(text)]);
}
