// What was hoped for on brca_m2c, beside what came out.
import type { Interval } from '../../src/report/evaluation_report.js';
import { table } from './results_tables.js';
import { comparedScores, type Row, type Summary } from './summary.js';

interface Goal {
  score: string;
  text: string;
  reached(value: number): boolean;
}

const GOALS: readonly Goal[] = Object.freeze([
  { score: 'accuracy', text: 'accuracy \u2265 0.77', reached: (value) => value >= 0.77 },
  { score: 'macroF1', text: 'macro-F1 \u2265 0.70', reached: (value) => value >= 0.7 },
  { score: 'auroc:tumour_epithelial', text: 'AUROC tumour \u2265 0.89', reached: (value) => value >= 0.89 },
  { score: 'ece', text: 'ECE after calibration \u2264 0.05', reached: (value) => value <= 0.05 },
]);

const told = (goal: Goal, value: number | undefined): string =>
  value === undefined ? '-' : `${value.toFixed(3)}${goal.reached(value) ? '' : ' (missed)'}`;

/** In how many comparisons with the others the whole interval lies above 0. */
function ahead({ differences, rows, positive }: Summary, of: string, which: 'scores' | 'ensemble'): string {
  const baselines = new Set(rows.filter(({ uam }) => !uam).map(({ name }) => name));
  const own = differences.filter((one) => one.of === of && baselines.has(one.from));
  return comparedScores(positive)
    .map((name) => `${own.filter((one) => (one[which][name] as Interval).low > 0).length}`)
    .join(', ')
    .concat(` of ${own.length}`);
}

/** A table of the goals; undefined where the study has not the classes that they speak of. */
export function goalsText(summary: Summary): string | undefined {
  if (summary.positive !== 'tumour_epithelial') return undefined;
  const uam = summary.rows.filter((row) => row.uam);
  const columns: { name: string; row: Row; which: 'scores' | 'ensemble' }[] = uam.flatMap((row) => [
    { name: row.name, row, which: 'scores' as const },
    { name: `${row.name}, seeds averaged`, row, which: 'ensemble' as const },
  ]);
  const rows = GOALS.map((goal) => [
    goal.text,
    ...columns.map(({ row, which }) =>
      told(goal, goal.score === 'ece' ? (which === 'scores' ? row.ece : row.ensembleEce) : row[which]?.[goal.score]?.value),
    ),
  ]);
  const last = [
    'baselines left behind, interval above 0: accuracy, macro-F1, AUROC',
    ...columns.map(({ row, which }) => ahead(summary, row.name, which)),
  ];
  return table(['goal', ...columns.map(({ name }) => name)], [...rows, last]);
}
