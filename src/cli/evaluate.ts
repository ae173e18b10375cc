// `uam evaluate`: a model and images whose nuclei are known in, scores out.
import { join } from 'node:path';
import type { Command } from 'commander';
import { UamError } from '../errors.js';
import type { EvaluationReport, RegionEvaluation } from '../report/evaluation_report.js';
import { writeEvaluation } from '../report/page.js';
import type { CellDataset } from '../train/dataset.js';
import { evaluate } from '../train/evaluate.js';
import { type ScoreRegionsOptions, scoreRegions } from '../train/region_scores.js';
import type { BootstrapOptions } from '../train/resampled.js';
import type { TestedPoints } from '../train/tested_points.js';
import type { CliCommand, CommonFlags } from './command.js';
import { addDatasetFlags, datasetFile, manifestHelp } from './dataset_flags.js';
import { addDeviceFlag, type DeviceFlags, deviceFlag } from './device_flag.js';
import { EXIT } from './exit_codes.js';
import { collect, numberFlag, wordFlag } from './flag_values.js';
import { kindAt, makeFolder, refuseOverwriting, refuseUnwritable } from './outputs.js';
import { reportText } from './scores_text.js';
import type { Session } from './session.js';
import { loadTested, type Tested, type TestedModel } from './tested_model.js';
import type { TileFlags } from './tile_flags.js';

export interface EvaluateFlags extends CommonFlags, TileFlags, DeviceFlags {
  model?: string;
  regionNote?: string;
  regionThreshold?: string;
  regionTolerance?: string;
  out?: string[];
  split?: string;
  validation?: string;
  resamples?: string;
  seed?: string;
  title?: string;
  threads?: string;
  json?: boolean;
}

/** What concerns regions alone, by the names of its flags. */
const REGION_FLAGS = Object.freeze({
  ...{
    regionNote: 'region-note',
    regionThreshold: 'region-threshold',
    regionTolerance: 'region-tolerance',
    regionUnknown: 'region-unknown',
  },
} as const);

const SPLITS = Object.freeze(['test', 'validation', 'train', 'all'] as const);

const help = `
Examples:
  uam evaluate --model model.safetensors --manifest test.csv --mpp 0.5 --out report/
  uam evaluate --model model.safetensors --manifest all.csv --split test --out report.html --out scores.json
  uam evaluate --model joint.safetensors --manifest test.csv --region-note "derived from points" --out report/
${manifestHelp}

A model of cells and regions takes more columns: region, a mask of the image's size (0 outside, 1 or 255 inside), and region:NAME where there
are several; maps, the feature maps of another encoder. Every column but image may be absent, and every field empty. In place of the
manifest it also takes a folder: PanNuke, CoNIC, Lizard, or images, masks and regions as files.

Scores are counted at the points of experts, or over the nuclei whose class is known. A point on no nucleus counts as an error.
Intervals come from drawing patients, not cells: 95 % of the draws lie inside. The model's file remembers, as hashes, the patients and
images that it has learned from; the run fails where one of them is tested, whatever the file is called. Regions are scored over the
pixels of all images together and image by image: precision, recall, Dice, IoU, boundary F1.`;

export const evaluateCommand: CliCommand<EvaluateFlags> = {
  flags(command: Command): void {
    command.option('--model <file>', 'the model, as uam train has written it (.safetensors)');
    addDeviceFlag(addDatasetFlags(command))
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
      .option('--region-note <text>', 'what has to be known of the region masks, such as "derived from points": stands beside their scores')
      .option('--region-threshold <p>', 'call a pixel inside from this probability on (default: 0.5)')
      .option(
        '--region-tolerance <um>',
        'how far from each other boundaries of regions may lie and still match, in micrometres (default: 4)',
      )
      .option('--region-unknown <value>', 'the value of region masks where it is not known what a pixel is (default: there is none)')
      .option('--resamples <n>', 'how often patients are drawn for the intervals (default: 1000)')
      .option('--seed <n>', 'of these draws, from 1 (default: 1)')
      .option('--title <text>', 'the heading of the page')
      .option('--threads <n>', 'threads to use (default: what the cgroup, the affinity mask and Slurm allow)')
      .option('--json', 'print the numbers as JSON on standard output, in place of the table')
      .addHelpText('after', help);
  },

  async run(flags, { session, engine }) {
    const data = datasetFile(flags);
    const device = deviceFlag(flags, session);
    if (!flags.model) throw new UamError('UAM_ARGUMENT', '--model is missing; name the file that uam train has written');
    const split = wordFlag('split', flags.split, SPLITS);
    const resamples = numberFlag('resamples', flags.resamples, 'whole') ?? 1000;
    const seed = numberFlag('seed', flags.seed, 'whole') ?? 1;
    const threads = numberFlag('threads', flags.threads, 'whole');
    const counting = {
      threshold: thresholdFlag(flags.regionThreshold),
      tolerance: numberFlag('region-tolerance', flags.regionTolerance, 'above 0'),
    };
    const files = await reportFiles(flags.out ?? [], [flags.model, data, flags.validation]);
    if (threads !== undefined) (await engine()).setThreads(threads);

    const model = await loadTested(flags.model, flags, { ...counting, device }, session);
    if (model.regions.length === 0) refuseRegionFlags(flags);
    if (!model.tellsCells && flags.validation) {
      throw new UamError('UAM_ARGUMENT', `--validation: ${flags.model} tells no cells, so it has no temperature to be fitted`);
    }
    const dataset = chosen(await model.read(data, 'tested cells'), split, data);
    if ((await model.seenIn(dataset, session.signal)) === undefined) {
      session.log.warn(`${flags.model} does not say whom it was trained on: see to it that no tested patient was among them`);
    }
    const tested = await model.test(dataset, { what: 'tested cells' });
    const validation = flags.validation ? await calibrationPoints(flags.validation, model, session) : undefined;
    const drawing = { resamples, seed, signal: session.signal };
    const report = await reportOf(tested, {
      ...{ model, dataset, split, validation, drawing, title: flags.title ?? 'Evaluation' },
      regionOptions: { ...drawing, ...counting, regions: model.regions, note: flags.regionNote },
    });
    for (const file of files) {
      session.unfinished.add(file);
      await writeEvaluation(file, report);
    }
    if (files.length > 0) session.log.info(`written: ${files.join(', ')}`);
    if (flags.json) await session.print(`${JSON.stringify(report)}\n`);
    else if (!flags.quiet) await session.print(reportText(report));
    return EXIT.ok;
  },
};

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
async function calibrationPoints(path: string, model: TestedModel, { signal }: Session): Promise<TestedPoints | undefined> {
  const all = await model.read(path, 'validation cells');
  const marked = all.select((sample) => sample.split === 'validation');
  const dataset = marked.samples.length > 0 ? marked : all;
  const seen = (await model.seenIn(dataset, signal)) ?? [];
  const trained = seen.filter(({ as }) => as === 'training').map(({ name }) => name);
  if (trained.length > 0) {
    const names = trained.slice(0, 5).join(', ');
    throw new UamError(
      'UAM_DATA',
      `${path}: the model was trained on ${names}: no temperature can be fitted on what it has learned by heart`,
    );
  }
  return (await model.test(dataset, { what: 'validation cells', seenAllowed: true })).points;
}

/** A probability that calls a pixel. */
function thresholdFlag(text: string | undefined): number | undefined {
  const threshold = numberFlag('region-threshold', text, 'above 0');
  if (threshold === undefined || threshold <= 1) return threshold;
  throw new UamError('UAM_ARGUMENT', `--region-threshold must be a probability, above 0 to 1, received '${text}'`);
}

interface Parts {
  model: TestedModel;
  dataset: CellDataset;
  split: string | undefined;
  validation: TestedPoints | undefined;
  drawing: BootstrapOptions;
  title: string;
  regionOptions: ScoreRegionsOptions;
}

/** Cells where any has a label, regions where any image has a mask. */
async function reportOf(
  { points, regions }: Tested,
  { model, dataset, split, validation, drawing, title, regionOptions }: Parts,
): Promise<EvaluationReport | RegionEvaluation> {
  const { learning, temperature } = model;
  const notes = [
    ...model.notes,
    `${dataset.cells} cells of ${dataset.samples.length} images or groups, ${dataset.patients.length} patients${split ? `, split ${split}` : ''}`,
    'none of these patients and images was used to train the model, or to choose its epoch',
  ];
  const scored = regions.length > 0 ? await scoreRegions(regions, regionOptions) : undefined;
  if (points)
    return evaluate(points, { ...(validation ? { validation } : { temperature }), ...drawing, learning, title, notes, regions: scored });
  if (scored) return { title, regions: scored, learning, notes };
  throw new UamError(
    'UAM_DATA',
    'no tested nucleus has a class, and no tested image a region mask: there is nothing to measure the model by',
  );
}

/** @throws UamError `UAM_ARGUMENT` for flags that say nothing of a model of cells alone */
function refuseRegionFlags(flags: EvaluateFlags): void {
  const given = Object.keys(REGION_FLAGS).find((key) => flags[key as keyof typeof REGION_FLAGS] !== undefined);
  if (given === undefined) return;
  throw new UamError(
    'UAM_ARGUMENT',
    `--${REGION_FLAGS[given as keyof typeof REGION_FLAGS]}: ${flags.model} is a model of cells alone, which tells no regions`,
  );
}
