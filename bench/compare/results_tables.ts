// Summaries as Markdown tables, and their places in docs/results.md.
import type { Interval } from '../../src/report/evaluation_report.js';
import { comparedScores, type Row, type Summary } from './summary.js';

export const three = (value: number | undefined): string => (value === undefined || Number.isNaN(value) ? '-' : value.toFixed(3));
const signed = (value: number): string => `${value < 0 ? '\u2212' : '+'}${Math.abs(value).toFixed(3)}`;
export const between = ({ value, low, high }: Interval): string => `${three(value)} (${three(low)} to ${three(high)})`;

/** Bold where the interval does not hold 0. */
export function difference(interval: Interval | undefined): string {
  if (!interval || Number.isNaN(interval.value)) return '-';
  const { value, low, high } = interval;
  const text = `${signed(value)} (${signed(low)} to ${signed(high)})`;
  return low > 0 || high < 0 ? `**${text}**` : text;
}

/** A Markdown table: numbers to the right, the first column to the left. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

const countOf = (value: number | undefined): string => (value === undefined ? '-' : value.toLocaleString('en-US'));
const aurocOf = ({ positive }: Summary): string => `AUROC ${positive}`;

const at = ({ scores }: Row, name: string): Interval => scores[name] as Interval;

function scoreTable(summary: Summary): string {
  const auroc = `auroc:${summary.positive}`;
  const head = ['model', 'parameters', 'width x depth', 'accuracy', 'macro-F1', aurocOf(summary), 'balanced accuracy', 'macro AUROC'];
  const rows = summary.rows.map((row) => [
    row.uam ? `**${row.name}**` : row.name,
    ...[countOf(row.parameters), row.shape ?? '-'],
    ...['accuracy', 'macroF1', auroc].map((name) => between(at(row, name))),
    ...['balancedAccuracy', 'macroAuroc'].map((name) => three(at(row, name).value)),
  ]);
  return table(head, rows);
}

function detailTable(summary: Summary): string {
  const many = summary.classes.length > 4;
  const classes = many ? [] : summary.classes;
  const head = [
    'model',
    ...classes.map((name) => `F1 ${name}`),
    'ECE before',
    'ECE after',
    'spread of macro-F1 over seeds',
    'training, CPU s',
  ];
  const rows = summary.rows.map((row) => [
    row.name,
    ...classes.map((name) => three(at(row, `f1:${name}`).value)),
    ...[three(row.eceBefore), three(row.ece)],
    row.seeds > 1 ? three(row.spread['macroF1']) : '-',
    row.seconds.toFixed(1),
  ]);
  return table(head, rows);
}

function foldTable({ rows, budget }: Summary): string {
  const head = ['accuracy in each fold', ...Array.from({ length: budget.tested }, (_, fold) => `fold ${fold}`)];
  return table(
    head,
    rows.map(({ name, folds }) => [name, ...folds.map(three)]),
  );
}

function classTable(summary: Summary): string {
  const head = ['F1 of each class', ...summary.rows.map(({ name }) => name)];
  return table(
    head,
    summary.classes.map((name) => [name, ...summary.rows.map((row) => three(at(row, `f1:${name}`).value))]),
  );
}

function ensembleTable(summary: Summary): string | undefined {
  const rows = summary.rows.filter(({ ensemble }) => ensemble);
  if (rows.length === 0) return undefined;
  return table(
    ['mean of the seeds', 'accuracy', 'macro-F1', aurocOf(summary), 'ECE'],
    rows.map(({ name, ensemble, ensembleEce }) => [
      name,
      ...comparedScores(summary.positive).map((score) => between(ensemble?.[score] as Interval)),
      three(ensembleEce),
    ]),
  );
}

function differenceTable(summary: Summary, which: 'scores' | 'ensemble'): string {
  const head = ['difference', 'accuracy', 'macro-F1', aurocOf(summary)];
  const rows = summary.differences.map(({ of, from, ...kinds }) => [
    `${of} \u2212 ${from}`,
    ...comparedScores(summary.positive).map((name) => difference(kinds[which][name])),
  ]);
  return table(head, rows);
}

/** What was run, in a sentence. */
function facts({ budget, points, patients, unanswered, features, trainingPoints }: Summary): string {
  const { trials, folds, tested, seeds } = budget;
  const parts = tested === folds ? `${folds} folds` : `${tested} of ${folds} folds`;
  const some = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;
  const none = unanswered > 0 ? `, ${countOf(unanswered)} of them on no nucleus` : '';
  return `${countOf(points)} points of ${countOf(patients)} groups${none}; ${parts}, ${some(trials, 'trial')}, ${some(seeds, 'seed')}; ${features} features; about ${countOf(trainingPoints)} labels to learn from.`;
}

/** A summary as the text that stands between its marks. */
export function studyText(summary: Summary): string {
  const compared = summary.rows.some(({ seeds }) => seeds > 1);
  const blocks = [
    facts(summary),
    scoreTable(summary),
    detailTable(summary),
    summary.classes.length > 4 ? classTable(summary) : undefined,
    summary.budget.tested > 1 ? foldTable(summary) : undefined,
    summary.differences.length > 0 ? `Paired differences, mean over the seeds:` : undefined,
    summary.differences.length > 0 ? differenceTable(summary, 'scores') : undefined,
    compared ? 'The seeds\u2019 probabilities averaged:' : undefined,
    ensembleTable(summary),
    compared && summary.differences.length > 0 ? 'Paired differences of these:' : undefined,
    compared && summary.differences.length > 0 ? differenceTable(summary, 'ensemble') : undefined,
  ];
  return blocks.filter((block) => block !== undefined).join('\n\n');
}

const markOf = (name: string): [string, string] => [`<!-- compare: ${name} -->`, `<!-- end: ${name} -->`];

/** The document with new text between the marks of `name`; undefined where it has no such marks. */
export function withBlock(document: string, name: string, text: string): string | undefined {
  const [begin, end] = markOf(name);
  const [from, to] = [document.indexOf(begin), document.indexOf(end)];
  if (from < 0 || to < from) return undefined;
  return `${document.slice(0, from + begin.length)}\n\n${text}\n\n${document.slice(to)}`;
}
