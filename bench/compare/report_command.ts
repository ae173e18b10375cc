// The store turned into bench/results/compare.json and the tables of docs/results.md.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeWhole } from '../../src/files/write_whole.js';
import { commit, machine } from '../machine.js';
import { assemble, resultsOf } from './assemble.js';
import { settingOf } from './do_job.js';
import { goalsText } from './goals.js';
import type { Budget } from './jobs.js';
import { studyText, withBlock } from './results_tables.js';
import { Store } from './store.js';
import type { Study } from './studies.js';
import { type Summary, summarise } from './summary.js';
import { type Log, type Places, TASKS } from './tasks.js';

const budgetFile = ({ store }: Places, study: string) => join(store, 'results', study, 'budget.json');

/** Keeps what a study was run with, for the report. */
export const keepBudget = (places: Places, study: string, budget: Budget): Promise<void> =>
  writeWhole(budgetFile(places, study), [Buffer.from(JSON.stringify(budget))]);

async function summaryOf(study: Study, places: Places, resamples: number, log: Log): Promise<Summary | undefined> {
  const file = budgetFile(places, study.name);
  const task = TASKS.find(({ name }) => name === study.task);
  if (!task || !existsSync(file)) return undefined;
  const budget = JSON.parse(await readFile(file, 'utf8')) as Budget;
  const store = new Store(places.store);
  const results = await resultsOf(study, budget, (job, contestant) =>
    store.read(job, settingOf(study, contestant, budget.folds, job.trial)),
  );
  const dataset = await task.make(places, log);
  return summarise(study, budget, assemble(study, budget, dataset, results), { positive: task.positive, resamples, log });
}

/** Numbers to five places: more would only differ from machine to machine. */
const rounded = (_key: string, value: unknown) =>
  typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(5)) : value;

/** What the document and the JSON file get. */
export interface Report {
  /** New text for the document, by the names of its marks. */
  blocks: readonly (readonly [name: string, text: string])[];
  /** A file of bench/results, and its members beside where and when it was made. */
  file: string;
  numbers: Record<string, unknown>;
}

/** Puts new text between the marks of docs/results.md, and writes the numbers behind it. */
export async function writeReport(root: string, { blocks, file, numbers }: Report, log: Log): Promise<void> {
  const page = join(root, 'docs', 'results.md');
  let document = await readFile(page, 'utf8');
  for (const [name, text] of blocks) {
    const changed = withBlock(document, name, text);
    if (changed === undefined) log(`docs/results.md has no place for ${name}:\n\n${text}`);
    else document = changed;
  }
  await writeWhole(page, [Buffer.from(document)]);
  const head = { date: new Date().toISOString().slice(0, 10), commit: commit(root), machine: machine() };
  const text = `${JSON.stringify({ ...head, ...numbers }, rounded, 1)}\n`;
  await writeWhole(join(root, 'bench', 'results', file), [Buffer.from(text)]);
}

export interface ReportTarget {
  root: string;
  resamples: number;
  /** Further blocks of the document by name, and further members of the JSON file. */
  others: ReadonlyMap<string, { text: string; numbers: unknown }>;
}

export async function report(
  studies: readonly Study[],
  places: Places,
  { root, resamples, others }: ReportTarget,
  log: Log,
): Promise<void> {
  const summaries: Summary[] = [];
  for (const study of studies) {
    const summary = await summaryOf(study, places, resamples, log);
    if (summary) summaries.push(summary);
    else log(`${study.name}: nothing that is complete`);
  }
  if (summaries.length + others.size === 0) return; // what was written before stays
  const main = summaries.find(({ study }) => study === 'brca_cell');
  const goals = main && goalsText(main);
  const blocks = [
    ...(goals ? [['goals', goals] as const] : []),
    ...summaries.map((summary) => [summary.study, studyText(summary)] as const),
    ...[...others].map(([name, { text }]) => [name, text] as const),
  ];
  const numbers = { studies: summaries, ...Object.fromEntries([...others].map(([name, one]) => [name, one.numbers])) };
  await writeReport(root, { blocks, file: 'compare.json', numbers }, log);
}
