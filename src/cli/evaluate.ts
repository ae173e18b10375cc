// `uam evaluate`: a model and images whose nuclei are known in, scores out.
import { join } from 'node:path';
import type { Command } from 'commander';
import { UamError } from '../errors.js';
import type { EvaluationReport, Interval } from '../report/evaluation_report.js';
import { writeEvaluation } from '../report/page.js';
import type { CellDataset } from '../train/dataset.js';
import { evaluate } from '../train/evaluate.js';
import { learningCurves } from '../train/learning_curves.js';
import { DEFAULT_RECIPE, type ExtractionRecipe } from '../train/recipe.js';
import { testModel } from '../train/test_model.js';
import type { TestedPoints } from '../train/tested_points.js';
import { UAM } from '../train/uam.js';
import type { CliCommand, CommonFlags } from './command.js';
import { addDatasetFlags, type DatasetFlags, datasetFile, manifestHelp, readCells } from './dataset_flags.js';
import { EXIT } from './exit_codes.js';
import { collect, numberFlag, wordFlag } from './flag_values.js';
import { kindAt, makeFolder, refuseOverwriting, refuseUnwritable } from './outputs.js';
import { bar, clock } from './progress.js';
import type { Session } from './session.js';
import { grouped, textTable } from './text_table.js';

export interface EvaluateFlags extends CommonFlags, DatasetFlags {
  model?: string;
  out?: string[];
  split?: string;
  validation?: string;
  resamples?: string;
  seed?: string;
  title?: string;
  threads?: string;
  json?: boolean;
}

const SPLITS = Object.freeze(['test', 'validation', 'train', 'all'] as const);

const help = `
Examples:
  uam evaluate --model model.safetensors --manifest test.csv --mpp 0.5 --out report/
  uam evaluate --model model.safetensors --manifest all.csv --split test --out report.html --out scores.json
${manifestHelp}

Scores are counted at the points of experts, or over the nuclei whose class is known. A point on no nucleus counts as an error.
Intervals come from drawing patients, not cells: 95 % of the draws lie inside. The model's file remembers, as hashes, the patients and
images that it has learned from; the run fails where one of them is tested, whatever the file is called.`;

export const evaluateCommand: CliCommand<EvaluateFlags> = {
  flags(command: Command): void {
    command.option('--model <file>', 'the model, as uam train has written it (.safetensors)');
    addDatasetFlags(command)
      .option(
        '--split <name>',
        `which lines count: ${SPLITS.join(', ')} (default: test where a line is of that split, else all; a line without a split is of none)`,
      )
      .option(
        '--out <path>',
        'the report: .html (a page with plots), .json (the numbers), or a folder for both; may be given several times',
        collect,
      )
      .option(
        '--validation <file>',
        'a manifest (with --table: a table) of patients who are not tested: the temperature of the probabilities is fitted on them ' +
          "(default: the model's own temperature)",
      )
      .option('--resamples <n>', 'how often patients are drawn for the intervals (default: 1000)')
      .option('--seed <n>', 'of these draws, from 1 (default: 1)')
      .option('--title <text>', 'the heading of the page')
      .option('--threads <n>', 'threads to use (default: what the cgroup, the affinity mask and Slurm allow)')
      .option('--json', 'print the numbers as JSON on standard output, in place of the table')
      .addHelpText('after', help);
  },

  async run(flags, { session, engine }) {
    const data = datasetFile(flags);
    if (!flags.model) throw new UamError('UAM_ARGUMENT', '--model is missing; name the file that uam train has written');
    const split = wordFlag('split', flags.split, SPLITS);
    const resamples = numberFlag('resamples', flags.resamples, 'whole') ?? 1000;
    const seed = numberFlag('seed', flags.seed, 'whole') ?? 1;
    const threads = numberFlag('threads', flags.threads, 'whole');
    const files = await reportFiles(flags.out ?? [], [flags.model, data, flags.validation]);
    if (threads !== undefined) (await engine()).setThreads(threads);

    const model = await UAM.load(flags.model);
    const reading = { classes: model.classes, extraction: recipeOf(model) };
    const dataset = chosen(await readCells(data, flags, { ...reading, what: 'tested cells' }, session), split, data);
    if ((await model.seenIn(dataset, session.signal)) === undefined) {
      session.log.warn(`${flags.model} does not say whom it was trained on: see to it that no tested patient was among them`);
    }
    const tested = await tell(session, 'tested cells', (onProgress) => testModel(model, dataset, { signal: session.signal, onProgress }));
    const validation = flags.validation && (await calibrationPoints(flags.validation, flags, model, session));
    const report = await evaluate(tested, {
      ...(validation ? { validation } : { temperature: model.temperature }),
      ...{ resamples, seed, signal: session.signal, learning: learningCurves(model.history) },
      title: flags.title ?? 'Evaluation',
      notes: notesOf(model, dataset, split),
    });
    for (const file of files) {
      session.unfinished.add(file);
      await writeEvaluation(file, report);
    }
    if (files.length > 0) session.log.info(`written: ${files.join(', ')}`);
    if (flags.json) await session.print(`${JSON.stringify(report)}\n`);
    else if (!flags.quiet) await session.print(scoresText(report));
    return EXIT.ok;
  },
};

/** Images are measured as in training; where that is not known, at their own pixel sizes. */
const recipeOf = ({ extraction }: UAM): ExtractionRecipe => extraction ?? { ...DEFAULT_RECIPE, mpp: 'own' };

/** The files of the report; folders are made. */
async function reportFiles(out: readonly string[], reads: readonly (string | undefined)[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of out) {
    if (path === '') throw new UamError('UAM_ARGUMENT', '--out must name a file or a folder');
    if (/\.(html?|json)$/i.test(path) && (await kindAt(path)) !== 'folder') files.push(path);
    else if (/\.[^./\\]+$/.test(path) && (await kindAt(path)) !== 'folder') {
      throw new UamError('UAM_ARGUMENT', `--out must name a file that ends in .html or .json, or a folder, received ${path}`);
    } else {
      await makeFolder(path);
      files.push(join(path, 'evaluation.html'), join(path, 'evaluation.json'));
    }
  }
  for (const file of files) {
    await refuseOverwriting('out', file, reads);
    await refuseUnwritable(file);
  }
  return files;
}

/** The samples that are to be tested. */
function chosen(dataset: CellDataset, split: EvaluateFlags['split'], path: string): CellDataset {
  const wanted = split ?? (dataset.samples.some((sample) => sample.split === 'test') ? 'test' : 'all');
  if (wanted === 'all') return dataset;
  const part = dataset.select((sample) => sample.split === wanted);
  if (part.samples.length === 0) throw new UamError('UAM_DATA', `${path}: no line is of the split ${wanted}; --split all takes every line`);
  return part;
}

/** The temperature's patients: the model may have been chosen by them, but not have learned from them. */
async function calibrationPoints(path: string, flags: DatasetFlags, model: UAM, session: Session): Promise<TestedPoints> {
  const reading = { classes: model.classes, extraction: recipeOf(model) };
  const all = await readCells(path, flags, { ...reading, what: 'validation cells' }, session);
  const marked = all.select((sample) => sample.split === 'validation');
  const dataset = marked.samples.length > 0 ? marked : all;
  const seen = (await model.seenIn(dataset, session.signal)) ?? [];
  const trained = seen.filter(({ as }) => as === 'training').map(({ name }) => name);
  if (trained.length > 0) {
    const names = trained.slice(0, 5).join(', ');
    throw new UamError(
      'UAM_DATA',
      `${path}: the model was trained on ${names}: no temperature can be fitted on what it has learned by heart`,
    );
  }
  return tell(session, 'validation cells', (onProgress) =>
    testModel(model, dataset, { seenAllowed: true, signal: session.signal, onProgress }),
  );
}

async function tell<T>(
  { progress }: Session,
  what: string,
  work: (onProgress: (state: { done: number; total: number }) => void) => Promise<T>,
): Promise<T> {
  const result = await work(({ done, total }) =>
    progress.update((seconds, width) =>
      [bar(done / Math.max(1, total)), `classes of the ${what}: ${grouped(done)}/${grouped(total)}`, clock(seconds)]
        .join('  ')
        .slice(0, Math.max(0, width)),
    ),
  );
  progress.clear();
  return result;
}

function notesOf(model: UAM, dataset: CellDataset, split: string | undefined): string[] {
  const { backbone, tokens } = model.config ?? {};
  return [
    `model: ${backbone?.architecture}, width ${backbone?.width}, ${backbone?.depth} layers, ${tokens?.kind} tokens, ${model.features.length} features`,
    `${dataset.cells} cells of ${dataset.samples.length} images or groups, ${dataset.patients.length} patients${split ? `, split ${split}` : ''}`,
    'none of these patients and images was used to train the model, or to choose its epoch',
  ];
}

const three = (value: number): string => (Number.isFinite(value) ? value.toFixed(3) : '-');
const range = (interval: Interval | undefined): string =>
  interval && Number.isFinite(interval.low) ? `${three(interval.low)} to ${three(interval.high)}` : '-';

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
