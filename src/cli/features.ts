// `uam features`: images and masks in, a table of cells out.
import type { Command } from 'commander';
import { UamError } from '../errors.js';
import type { RasterImage } from '../image/image.js';
import { features as catalogue, knownFeatures } from '../radiomics/catalogue.js';
import type { ExtractOptions } from '../radiomics/extract_options.js';
import { readParameterFile } from '../radiomics/parameter_file.js';
import type { FeatureTable } from '../radiomics/table.js';
import { STATUS_NAMES } from '../radiomics/table_columns.js';
import { formatOf, openTableWriter, type TableWriter } from '../radiomics/table_writer.js';
import type { CliCommand } from './command.js';
import { addDeviceFlag, deviceFlag } from './device_flag.js';
import type { Engine, Found } from './engine.js';
import { EXIT, isAboutOneImage } from './exit_codes.js';
import { catalogueText, extractOptions, type FeatureFlags } from './feature_flags.js';
import { numberFlag } from './flag_values.js';
import { findInputs, type InputPair, type Inputs } from './inputs.js';
import { refuseOverwriting } from './outputs.js';
import { type ProgressState, progressLine } from './progress.js';
import type { Session } from './session.js';

export const featuresCommand: CliCommand<FeatureFlags> = {
  flags(command: Command): void {
    addDeviceFlag(command, 'the features of the cells (not filters, rings and neighbours)')
      .option(
        '--image <path>',
        'an image (PNG, JPEG, TIFF, SVS), a folder of them, or a manifest: a CSV file with the columns image, mask, ...',
      )
      .option(
        '--mask <path>',
        'the label mask (PNG, TIFF, NPY, NPZ, MAT) or polygons (GeoJSON, HoVer-Net JSON); a folder where --image is one',
      )
      .option('--segment', 'find the nuclei by the built-in classical segmentation, in place of --mask')
      .option('--out <file>', 'where the table goes: .csv, .csv.gz, .parquet, or - for CSV on standard output')
      .option('--settings <file>', 'a PyRadiomics parameter file (YAML or JSON)')
      .option('--channels <list>', 'of grey, r, g, b, haematoxylin (h), eosin (e), with commas between (default: grey)')
      .option(
        '--features <list>',
        'classes such as firstorder,glcm, single features such as glcm_Contrast, or all (default: the 102 of PyRadiomics)',
      )
      .option('--mpp <um>', 'micrometres per pixel, in place of what the image says')
      .option('--ring <um>', 'width of the ring about each nucleus, for ring features (default: 2; in pixels where --mpp is unknown)')
      .option('--stains <method>', 'stain matrix for haematoxylin and eosin: ruifrok or macenko (default: ruifrok)')
      .option('--standard <name>', 'pyradiomics or ibsi, where the two differ (default: pyradiomics)')
      .option('--threads <n>', 'threads of the kernels (default: what the cgroup, the affinity mask and Slurm allow)')
      .option('--block <n>', 'cells per block: memory against overhead; the values do not depend on it')
      .option('--keep-going', 'leave out images that cannot be used, and end with exit code 65')
      .option('--list', 'print the catalogue of features')
      .option('--json', 'print a summary of the run (with --list: the catalogue) as JSON on standard output')
      .addHelpText('after', '\nThe table appears under its name only when it is whole.');
  },

  async run(flags, { session, engine }) {
    return (await runFeatures(flags, await engine(), session)) ? EXIT.ok : EXIT.data;
  },
};

interface Counts {
  images: number;
  cells: number;
  columns: number;
  status: Record<string, number>;
  warnings: { image: string; code: string; message: string }[];
  failures: { image: string; code: string; message: string }[];
}

/**
 * Runs the command.
 *
 * @returns whether every image was done
 * @throws UamError for whatever ended the run; then nothing has been written
 */
export async function runFeatures(flags: FeatureFlags, engine: Engine, session: Session): Promise<boolean> {
  if (flags.list) {
    await session.print(flags.json ? `${JSON.stringify(catalogue, null, 2)}\n` : catalogueText(catalogue));
    return true;
  }
  const start = performance.now();
  const out = refuseFlags(flags);
  const threads = numberFlag('threads', flags.threads, 'whole');
  const mpp = numberFlag('mpp', flags.mpp, 'above 0');
  const parameters = flags.settings === undefined ? undefined : await readParameterFile(flags.settings, knownFeatures());
  for (const { code, message } of parameters?.warnings ?? []) session.log.warn(message, { code });
  const device = deviceFlag(flags, session);
  const options = { ...extractOptions(flags, parameters), ...(device && { device }) };
  const inputs = await findInputs({ image: flags.image as string, mask: flags.mask, segment: flags.segment ?? false });
  for (const note of inputs.notes) session.log.warn(note);
  if (mpp !== undefined && inputs.pairs.some((pair) => pair.mpp !== undefined)) {
    throw new UamError('UAM_ARGUMENT', '--mpp must be left out: the manifest gives mpp');
  }
  const reads = inputs.pairs.flatMap(({ image, mask }) => [image, mask]);
  await refuseOverwriting('out', out, [flags.image, flags.settings, ...reads]);
  if (threads !== undefined) engine.setThreads(threads);

  const run = new Run(engine, session, options, inputs, { mpp, keepGoing: flags.keepGoing ?? false });
  await run.into(out);
  const seconds = Math.round(performance.now() - start) / 1000;
  await report(run.counts, { out, seconds }, flags, session);
  return run.counts.failures.length === 0;
}

/** Combinations that mean nothing. Gives where the table goes. */
function refuseFlags({ image, out, json, settings }: FeatureFlags): string {
  const refuse = (message: string): never => {
    throw new UamError('UAM_ARGUMENT', message);
  };
  if (image === undefined) refuse('--image is missing; name an image, a folder of images or a manifest');
  if (out === undefined) refuse('--out is missing; name a file ending in .csv, .csv.gz or .parquet, or - for CSV on standard output');
  if (out === '-' && json) refuse('--json and --out - exclude each other: both would write to standard output');
  for (const [flag, value] of Object.entries({ image, out, settings })) if (value === '') refuse(`--${flag} must name a file`);
  formatOf(out as string);
  return out as string;
}

class Run {
  readonly counts: Counts = { images: 0, cells: 0, columns: 0, status: {}, warnings: [], failures: [] };
  readonly #progress: ProgressState;
  readonly #line = (seconds: number, width: number): string => progressLine(this.#progress, seconds, width);
  /** Of the first image. */
  #units: string[] | undefined;

  constructor(
    private readonly engine: Engine,
    private readonly session: Session,
    private readonly extraction: ExtractOptions,
    private readonly inputs: Inputs,
    private readonly options: { mpp: number | undefined; keepGoing: boolean },
  ) {
    this.#progress = { images: inputs.pairs.length, imagesDone: 0, cells: 0, cellsDone: 0, totalCells: 0 };
  }

  /** Writes the table of all images, or nothing. */
  async into(out: string): Promise<void> {
    const writer = await openTableWriter(out);
    this.session.unfinished.add(out);
    try {
      for (const pair of this.inputs.pairs) await this.#image(pair, writer);
      this.session.signal.throwIfAborted();
      if (this.counts.images === 0) throw this.#nothingDone();
      await writer.close();
    } catch (error) {
      await writer.abort();
      throw error;
    } finally {
      this.session.unfinished.delete(out);
      this.session.progress.clear();
    }
  }

  #nothingDone(): UamError {
    const { length } = this.counts.failures;
    return new UamError('UAM_DATA', `no table was written: none of the ${length} images could be used`);
  }

  async #image(pair: InputPair, writer: TableWriter): Promise<void> {
    const before = writer.rows;
    const cells = this.counts.cells;
    try {
      await this.#extract(pair, writer);
      this.counts.images++;
    } catch (error) {
      // Once rows of an image are written they cannot be taken back: then the run ends, however patient it is.
      if (!this.options.keepGoing || !isAboutOneImage(error) || writer.rows !== before || this.session.signal.aborted) throw error;
      this.counts.failures.push({ image: pair.image, code: error.code, message: error.message });
      this.counts.cells = cells;
      this.session.log.warn(`${pair.image} is left out: ${error.code}: ${error.message}`, { image: pair.image, code: error.code });
    }
    this.#progress.imagesDone++;
    this.#progress.cells = 0;
    this.session.progress.update(this.#line);
  }

  async #extract(pair: InputPair, writer: TableWriter): Promise<void> {
    const { signal, progress } = this.session;
    signal.throwIfAborted();
    progress.update(this.#line);
    const image = this.#heed(pair, await this.engine.readImage(pair.image, signal));
    const given = this.options.mpp ?? pair.mpp;
    const scaled: RasterImage = given === undefined ? image : { ...image, mpp: [given, given] };
    signal.throwIfAborted();
    const found =
      pair.mask === undefined
        ? this.engine.segment(scaled, { ...this.extraction, signal })
        : this.engine.readMask(pair.mask, scaled, signal);
    const mask = this.#heed(pair, await found);
    signal.throwIfAborted();
    const started = this.#progress.totalCells;
    const onProgress = ({ done, total }: { done: number; total: number }): void => {
      Object.assign(this.#progress, { cells: total, cellsDone: done, totalCells: started + done });
      progress.update(this.#line);
    };
    let rows = 0;
    for await (const table of this.engine.extract(scaled, mask, { ...this.extraction, signal, onProgress })) {
      signal.throwIfAborted();
      await writer.write(this.#labelled(pair, table));
      rows += table.length;
      this.#count(table);
      this.#compareUnits(pair, table);
    }
    if (rows === 0) this.#warn(pair, 'no_cells', 'the image has no cells');
  }

  #labelled(pair: InputPair, table: FeatureTable): FeatureTable {
    const { columns } = this.inputs;
    const taken = columns.find((name) => table.names.includes(name));
    if (taken !== undefined)
      throw new UamError('UAM_DATA', `the manifest's column '${taken}' must have another name: a feature has this one`);
    return columns.length === 0 ? table : table.withLabels(columns.map((name, i) => ({ name, values: pair.labels[i] as string })));
  }

  #count(table: FeatureTable): void {
    this.counts.cells += table.length;
    this.counts.columns = table.columns.length;
    for (const code of table.status) {
      const name = STATUS_NAMES[code] as string;
      this.counts.status[name] = (this.counts.status[name] ?? 0) + 1;
    }
  }

  /** One column cannot be in micrometres for one image and in pixels for another. */
  #compareUnits(pair: InputPair, { columns }: FeatureTable): void {
    this.#units ??= columns.map(({ unit }) => unit);
    const at = columns.findIndex(({ unit }, i) => unit !== this.#units?.[i]);
    if (at < 0 || this.counts.warnings.some(({ code, image }) => code === 'mixed_units' && image === pair.image)) return;
    const text = `${columns[at]?.name} is in ${columns[at]?.unit} here and in ${this.#units[at]} in the images before`;
    this.#warn(pair, 'mixed_units', `${text}: the pixel size of some images is unknown; give --mpp`);
  }

  #heed<T>(pair: InputPair, { value, warnings }: Found<T>): T {
    for (const { code, message } of warnings) this.#warn(pair, code, message);
    return value;
  }

  #warn({ image, mask }: InputPair, code: string, message: string): void {
    this.counts.warnings.push({ image, code, message });
    const named = message.includes(image) || (mask !== undefined && message.includes(mask));
    this.session.log.warn(named ? message : `${image}: ${message}`, { image, code });
  }
}

async function report(counts: Counts, run: { out: string; seconds: number }, flags: FeatureFlags, { log, print }: Session): Promise<void> {
  const { images, cells, columns, status, failures } = counts;
  const rest = STATUS_NAMES.filter((name) => name !== 'ok' && status[name]).map((name) => `${status[name]} ${name}`);
  const statusText = rest.length === 0 ? '' : `; ${rest.join(', ')}`;
  const failed = failures.length === 0 ? '' : `; ${failures.length} left out: ${failures.map(({ image }) => image).join(', ')}`;
  const many = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;
  log.info(`${many(cells, 'cell')} of ${many(images, 'image')}, ${many(columns, 'feature')}, ${run.seconds} s${statusText}${failed}`);
  if (flags.json) await print(`${JSON.stringify({ ...run, ...counts })}\n`);
}
