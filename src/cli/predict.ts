// `uam predict`: images, their nuclei and a model in; the class of every nucleus out.
import type { Command } from 'commander';
import { UamError } from '../errors.js';
import { type Analysis, analyseImage } from '../pipeline.js';
import { factorsTo } from '../radiomics/measuring_scale.js';
import { openTableWriter, type TableWriter } from '../radiomics/table_writer.js';
import { callCells, callsTable } from '../report/calls.js';
import type { FitProgress } from '../train/fit_options.js';
import { UAM } from '../train/uam.js';
import type { CliCommand, CommonFlags } from './command.js';
import { addDeviceFlag, type DeviceFlags, deviceFlag } from './device_flag.js';
import { EXIT, isAboutOneImage } from './exit_codes.js';
import { collect, items, numberFlag, shareFlag } from './flag_values.js';
import { findInputs, type InputPair, type Inputs } from './inputs.js';
import { makeFolder, refuseOverwriting, refuseUnwritable } from './outputs.js';
import { predictionTargets, type TargetFlags, type Targets } from './prediction_targets.js';
import { bar, clock } from './progress.js';
import type { Session } from './session.js';

export interface PredictFlags extends CommonFlags, TargetFlags, DeviceFlags {
  image?: string;
  mask?: string;
  segment?: boolean;
  model?: string;
  atLeast?: string;
  measurements?: string;
  mpp?: string;
  threads?: string;
  keepGoing?: boolean;
  json?: boolean;
}

const help = `
Examples:
  uam predict --image tile.png --mask tile_labels.png --model model.safetensors --mpp 0.25 --out cells.geojson --overlay cells.png
  uam predict --image tile.svs --segment --model model.safetensors --out cells.geojson --out cells.csv
  uam predict --image images/ --mask masks/ --model model.safetensors --out calls/ --format geojson,csv --overlay pictures/
  uam predict --image images.csv --model model.safetensors --out all.parquet

The GeoJSON file opens in QuPath 0.4 or later by dragging it onto the image. Probabilities are calibrated as the model's training found.
Features are extracted as they were for the model's training, at its pixel size: images of another one are resampled for it. Every file appears under its name only when it is whole.`;

export const predictCommand: CliCommand<PredictFlags> = {
  flags(command: Command): void {
    addDeviceFlag(command)
      .option(
        '--image <path>',
        'an image (PNG, JPEG, TIFF, SVS), a folder of them, or a manifest: a CSV file with the columns image, mask and perhaps mpp, ...',
      )
      .option(
        '--mask <path>',
        'the nuclei: a label mask (PNG, TIFF, NPY, NPZ, MAT) or polygons (GeoJSON, HoVer-Net JSON); a folder where --image is one',
      )
      .option('--segment', 'find the nuclei by the built-in classical segmentation, in place of --mask')
      .option('--model <file>', 'the model, as uam train has written it (.safetensors)')
      .option(
        '--out <path>',
        'where the answers go: .geojson (for QuPath), .csv, .parquet (also .geojson.gz, .csv.gz), - for CSV on standard output, ' +
          'or a folder with files for each image; may be given several times',
        collect,
      )
      .option('--format <list>', 'what a folder gets for each image, of geojson, geojson.gz, csv, csv.gz, parquet (default: geojson)')
      .option(
        '--overlay <path>',
        'a picture (.png) with the outline of each nucleus in the colour of its class; a folder with several images',
      )
      .option('--at-least <p>', 'nuclei whose likeliest class is less probable than this, 0 to 1, get no class (default: 0)')
      .option('--measurements <list>', 'features of the nuclei to write beside the probabilities, by name, with commas between, or all')
      .option('--mpp <um>', 'micrometres per pixel, in place of what the image says (about 0.25 at 40x, 0.5 at 20x)')
      .option('--threads <n>', 'threads to use (default: what the cgroup, the affinity mask and Slurm allow)')
      .option('--keep-going', 'leave out images that cannot be used, and end with exit code 65')
      .option('--json', 'print a summary of the run as JSON on standard output')
      .addHelpText('after', help);
  },

  async run(flags, { session, engine }) {
    const start = performance.now();
    const names = checkFlags(flags);
    const device = deviceFlag(flags, session);
    const mpp = numberFlag('mpp', flags.mpp, 'above 0');
    const atLeast = shareFlag('at-least', flags.atLeast);
    const threads = numberFlag('threads', flags.threads, 'whole');
    const inputs = await findInputs({ image: names.image, mask: flags.mask, segment: flags.segment ?? false });
    for (const note of inputs.notes) session.log.warn(note);
    if (mpp !== undefined && inputs.pairs.some((pair) => pair.mpp !== undefined)) {
      throw new UamError('UAM_ARGUMENT', '--mpp must be left out: the manifest gives mpp');
    }
    const targets = await predictionTargets(flags, inputs);
    await checkTargets(flags, inputs, targets);
    if (threads !== undefined) (await engine()).setThreads(threads);
    const model = await UAM.load(names.model, { device });
    if (!model.extraction) {
      session.log.warn(
        `${names.model} does not say how its features are extracted, as it was trained on a table; all features of grey, haematoxylin and eosin are computed`,
      );
    }
    const run = new Run(session, model, inputs, targets, {
      ...{ mpp, atLeast, measurements: measurementsOf(flags.measurements), keepGoing: flags.keepGoing ?? false },
    });
    await run.all();
    await run.report((performance.now() - start) / 1000, flags.json ?? false);
    return run.failures.length === 0 ? EXIT.ok : EXIT.data;
  },
};

function checkFlags({ image, model, out = [], json }: PredictFlags): { image: string; model: string } {
  if (!image) throw new UamError('UAM_ARGUMENT', '--image is missing; name an image, a folder of images or a manifest');
  if (!model) throw new UamError('UAM_ARGUMENT', '--model is missing; name the file that uam train has written');
  if (out.includes('-') && json) {
    throw new UamError('UAM_ARGUMENT', '--json and --out - exclude each other: both would write to standard output');
  }
  return { image, model };
}

const measurementsOf = (text: string | undefined): string[] | 'all' => (text?.trim() === 'all' ? 'all' : items(text ?? ''));

/** Sees that everything can be written before anything is computed. */
async function checkTargets(flags: PredictFlags, { pairs }: Inputs, { folders, tables, files, overlay }: Targets): Promise<void> {
  const reads = [flags.image, flags.model, ...pairs.flatMap(({ image, mask }) => [image, mask])];
  for (const folder of folders) await makeFolder(folder);
  const pictures = pairs.flatMap((pair) => overlay(pair) ?? []);
  for (const file of [...tables, ...pairs.flatMap(files), ...pictures]) {
    await refuseOverwriting(pictures.includes(file) ? 'overlay' : 'out', file, reads);
    await refuseUnwritable(file);
  }
}

/** What one image came to. */
interface ImageResult {
  image: string;
  cells: number;
  /** Cells per class; those without one are not in it. */
  classes: Record<string, number>;
  files: string[];
}

interface RunOptions {
  mpp: number | undefined;
  atLeast: number | undefined;
  measurements: readonly string[] | 'all';
  keepGoing: boolean;
}

class Run {
  readonly failures: { image: string; code: string; message: string }[] = [];
  readonly #results: ImageResult[] = [];
  #phase = '';
  #resampled = false;

  constructor(
    private readonly session: Session,
    private readonly model: UAM,
    private readonly inputs: Inputs,
    private readonly targets: Targets,
    private readonly options: RunOptions,
  ) {}

  async all(): Promise<void> {
    const { session, inputs, targets } = this;
    if (inputs.columns.length > 0 && targets.folders.length > 0) session.farewell = 'images that are done keep their files';
    const writers: TableWriter[] = [];
    try {
      for (const table of targets.tables) {
        session.unfinished.add(table);
        writers.push(await openTableWriter(table));
      }
      for (const pair of inputs.pairs) await this.#image(pair, writers);
      session.signal.throwIfAborted();
      if (this.#results.length === 0)
        throw new UamError('UAM_DATA', `nothing was written: none of the ${inputs.pairs.length} images could be used`);
      for (const writer of writers) await writer.close();
    } catch (error) {
      for (const writer of writers) await writer.abort();
      throw error;
    } finally {
      session.progress.clear();
    }
  }

  async #image(pair: InputPair, writers: readonly TableWriter[]): Promise<void> {
    const { session } = this;
    const rows = writers[0]?.rows;
    session.signal.throwIfAborted();
    try {
      this.#results.push(await this.#analyse(pair, writers));
    } catch (error) {
      // Rows that are in a table cannot be taken back.
      const clean = writers[0]?.rows === rows;
      if (!this.options.keepGoing || !isAboutOneImage(error) || !clean || session.signal.aborted) throw error;
      this.failures.push({ image: pair.image, code: error.code, message: error.message });
      session.log.warn(`${pair.image} is left out: ${error.code}: ${error.message}`, { image: pair.image, code: error.code });
    }
  }

  async #analyse(pair: InputPair, writers: readonly TableWriter[]): Promise<ImageResult> {
    const { session, model, targets, inputs } = this;
    const { atLeast, measurements, mpp = pair.mpp } = this.options;
    const [out, overlay] = [targets.files(pair), targets.overlay(pair)];
    const files = overlay === undefined ? out : [...out, overlay];
    for (const file of files) session.unfinished.add(file);
    const analysis = await analyseImage(
      { image: pair.image, mask: pair.mask, model, mpp },
      {
        ...{ out, measurements, signal: session.signal, onProgress: (progress) => this.#show(progress) },
        ...(overlay !== undefined && { overlay }),
        ...(atLeast !== undefined && { atLeast }),
      },
    );
    this.#warn(pair, analysis);
    this.#tellScale(analysis);
    const { classNames: classes, probabilities } = analysis.predictions;
    const labels = inputs.columns.map((name, i) => ({ name, values: pair.labels[i] as string }));
    const table = callsTable(analysis.cells, { classes, probabilities }, { atLeast, measurements: analysis.measurements }, labels);
    for (const writer of writers) await writer.write(table);
    for (const file of files) session.unfinished.delete(file);
    const counts: Record<string, number> = Object.fromEntries(classes.map((name) => [name, 0]));
    for (const name of callCells({ classes, probabilities }, atLeast).names) if (name !== undefined) counts[name]! += 1;
    return { image: pair.image, cells: analysis.cells.count, classes: counts, files: [...files, ...targets.tables] };
  }

  #show({ phase, done, total }: FitProgress): void {
    const { session, inputs } = this;
    const name: string = { extract: 'features', predict: 'classes' }[phase as string] ?? '';
    if (name !== this.#phase) session.progress.clear();
    this.#phase = name;
    const finished = this.#results.length + this.failures.length;
    const share = (0.8 * (phase === 'extract' ? done / Math.max(1, total) : 1) +
      (phase === 'predict' ? (0.2 * done) / Math.max(1, total) : 0)) as number;
    session.progress.update((seconds, width) =>
      [
        bar((finished + share) / inputs.pairs.length),
        ...(inputs.pairs.length > 1 ? [`${finished}/${inputs.pairs.length} images`] : []),
        `${name} of ${done.toLocaleString('en-US')}/${total.toLocaleString('en-US')} cells`,
        clock(seconds),
      ]
        .join('  ')
        .slice(0, Math.max(0, width)),
    );
  }

  #warn({ image }: InputPair, { warnings, cells }: Analysis): void {
    const all = cells.count === 0 ? [...warnings, { code: 'no_cells', message: 'the image has no cells' }] : warnings;
    for (const { code, message } of all) {
      this.session.log.warn(message.includes(image) ? message : `${image}: ${message}`, { image, code });
    }
  }

  /** Says once that images are resampled: their answers are those of another magnification. */
  #tellScale({ image }: Analysis): void {
    const scale = this.model.extraction?.mpp;
    if (this.#resampled || !factorsTo(scale, image)) return;
    this.#resampled = true;
    const own = [...new Set(image.mpp.map((size) => Number(size.toPrecision(3))))].join(' x ');
    this.session.log.info(`image at ${own} um/px measured at the model's ${scale}`, { image: image.name });
  }

  async report(seconds: number, json: boolean): Promise<void> {
    const { log, print } = this.session;
    const cells = this.#results.reduce((sum, result) => sum + result.cells, 0);
    const classes = this.model.classes.map((name): [string, number] => [
      name,
      this.#results.reduce((sum, result) => sum + (result.classes[name] as number), 0),
    ]);
    const share = (count: number) => (cells === 0 ? '' : ` (${((100 * count) / cells).toFixed(1)} %)`);
    const text = classes.map(([name, count]) => `${name} ${count}${share(count)}`).join(', ');
    const many = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
    log.info(`${many(cells, 'cell')} of ${many(this.#results.length, 'image')} in ${seconds.toFixed(1)} s: ${text}`);
    if (!json) return;
    const summary = { seconds: Math.round(seconds * 1000) / 1000, cells, classes: Object.fromEntries(classes) };
    await print(`${JSON.stringify({ ...summary, images: this.#results, failures: this.failures })}\n`);
  }
}
