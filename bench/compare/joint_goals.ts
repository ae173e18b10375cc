// What was hoped for of the joint model on brca_m2c, beside what came out.
import type { Interval } from '../../src/report/evaluation_report.js';
import type { RegionSummary } from './joint_regions.js';
import { ALONE, IMAGE_ALONE } from './joint_study.js';
import { difference, table, three } from './results_tables.js';
import type { Summary } from './summary.js';

interface Goal {
  text: string;
  least: number;
  /** What was measured of a variant; undefined where it was not. */
  of(name: string): Interval | undefined;
  /** Whether it is a difference, told with its interval. */
  gain?: true;
}

/** A table of the goals, a column per variant that joins image and cells. */
export function jointGoals(cells: Summary, regions: RegionSummary | undefined): string {
  const score = (key: string) => (name: string) => cells.rows.find((row) => row.name === name)?.scores[key];
  const gain = (key: string, from: string) => (name: string) =>
    cells.differences.find((one) => one.of === name && one.from === from)?.scores[key];
  const regionGain = (key: string) => (name: string) =>
    regions?.differences.find((one) => one.of === name && one.from === ALONE)?.scores[`${key}:${regions.region}`];
  const goals: Goal[] = [
    { text: 'accuracy \u2265 0.81', least: 0.81, of: score('accuracy') },
    { text: 'macro-F1 \u2265 0.76', least: 0.76, of: score('macroF1') },
    { text: 'AUROC tumour \u2265 0.94', least: 0.94, of: score(`auroc:${cells.positive}`) },
    { text: 'macro-F1 above cells alone by 0.04', least: 0.04, of: gain('macroF1', ALONE), gain: true },
    { text: 'macro-F1 above the image alone by 0.03', least: 0.03, of: gain('macroF1', IMAGE_ALONE), gain: true },
    { text: 'region precision above the image alone by 0.05 (masks derived)', least: 0.05, of: regionGain('precision'), gain: true },
    { text: 'region Dice above the image alone by 0.05 (masks derived)', least: 0.05, of: regionGain('dice'), gain: true },
  ];
  const names = cells.rows.filter(({ uam }) => uam).map(({ name }) => name);
  const told = ({ least, of, gain: isGain }: Goal, name: string): string => {
    const found = of(name);
    if (!found) return '-';
    return `${isGain ? difference(found) : three(found.value)}${found.value >= least ? '' : ' (missed)'}`;
  };
  return table(
    ['goal', ...names],
    goals.map((goal) => [goal.text, ...names.map((name) => told(goal, name))]),
  );
}
