// `uam features`: images and masks in, a table of cells out.
import { realpath } from 'node:fs/promises';
import { UamError } from '../errors.js';
import type { RasterImage } from '../image/image.js';
import { features as catalogue, knownFeatures } from '../radiomics/catalogue.js';
import type { ExtractOptions } from '../radiomics/extract_options.js';
import { readParameterFile } from '../radiomics/parameter_file.js';
import type { FeatureTable } from '../radiomics/table.js';
import { STATUS_NAMES } from '../radiomics/table_columns.js';
import { formatOf, openTableWriter, type TableWriter } from '../radiomics/table_writer.js';
import type { Engine, Found } from './engine.js';
import { isAboutOneImage } from './exit_codes.js';
import { catalogueText, extractOptions, type FeatureFlags, numberFlag } from './feature_flags.js';
import { findInputs, type InputPair, type Inputs } from './inputs.js';
import type { Log } from './log.js';
import type { Progress, ProgressState } from './progress.js';

/** What a command has of the process that it runs in. */
export interface Session {
  log: Log;
  progress: Progress;
  /** Aborted when the user or the scheduler wants an end. */
  signal: AbortSignal;
  /** Writers with an unfinished file: whoever ends the process removes those files. */
  unfinished: Set<Pick<TableWriter, 'temporary'>>;
  /** Standard output. */
  print(text: string): Promise<void>;
}

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
  const options = extractOptions(flags, parameters);
  const inputs = await findInputs({ image: flags.image as string, mask: flags.mask, segment: flags.segment ?? false });
  for (const note of inputs.notes) session.log.warn(note);
  if (mpp !== undefined && inputs.pairs.some((pair) => pair.mpp !== undefined)) {
    throw new UamError('UAM_ARGUMENT', '--mpp must be left out: the manifest gives mpp');
  }
  await refuseOverwriting(out, flags, inputs);
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

/** The table must not take the place of a file that the run reads. */
async function refuseOverwriting(out: string, flags: FeatureFlags, { pairs }: Inputs): Promise<void> {
  const target = out === '-' ? undefined : await realpath(out).catch(() => undefined);
  if (target === undefined) return;
  for (const path of [flags.image, flags.settings, ...pairs.flatMap(({ image, mask }) => [image, mask])]) {
    if (path !== undefined && (await realpath(path).catch(() => undefined)) === target) {
      throw new UamError('UAM_ARGUMENT', `--out ${out} must be another file than ${path}, which the run reads`);
    }
  }
}

class Run {
  readonly counts: Counts = { images: 0, cells: 0, columns: 0, status: {}, warnings: [], failures: [] };
  readonly #progress: ProgressState;
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
    this.session.unfinished.add(writer);
    try {
      for (const pair of this.inputs.pairs) await this.#image(pair, writer);
      this.session.signal.throwIfAborted();
      if (this.counts.images === 0) throw this.#nothingDone();
      await writer.close();
    } catch (error) {
      await writer.abort();
      throw error;
    } finally {
      this.session.unfinished.delete(writer);
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
    this.session.progress.update(this.#progress);
  }

  async #extract(pair: InputPair, writer: TableWriter): Promise<void> {
    const { signal, progress } = this.session;
    signal.throwIfAborted();
    progress.update(this.#progress);
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
      progress.update(this.#progress);
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
