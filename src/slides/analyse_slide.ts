// A slide from end to end: what is to be done, who does it, and the folder of answers.
import { readdir, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { mismatch, UamError } from '../errors.js';
import { ResultFolder } from '../files/result_folder.js';
import type { ImageWarning } from '../image/image.js';
import { runtimeInfo } from '../native/device.js';
import { deviceOf, type OnDevice } from '../train/devices.js';
import { defaultMaxMemory } from './memory_bound.js';
import { modelFacts } from './model_facts.js';
import { type PreparedSlide, prepareSlide, type SlideInput, type SlideSizes } from './prepare_slide.js';
import type { SlideModel } from './slide_model.js';
import { type SlideRecord, slideRecord } from './slide_record.js';
import { type RunTotals, type SlideProgress, SlideRun } from './slide_run.js';
import { type SlideTask, workFile } from './slide_task.js';
import { localThread, type SlideThread, startThreads } from './slide_threads.js';
import type { SplitFacts } from './split_polygons.js';
import { readRecord } from './work_files.js';
import { takeWorkFolder } from './work_folder.js';
import { RESULTS } from './write_cells.js';

export interface SlideOptions extends OnDevice {
  /** The folder of answers: a new one, or one of an earlier run. While the run lasts its work lies beside it, in `<out>.work`. */
  out: string;
  /** Bytes that the process may take; default half of what the machine or its cgroup allows, at least 1 GiB. */
  maxMemory?: number | undefined;
  /** Threads, each with its own model; fewer where memory is short. Default those of the kernels. */
  threads?: number | undefined;
  /** Goes on with an interrupted run. Default false: it is refused. */
  resume?: boolean | undefined;
  /** Removes an interrupted run first. */
  restart?: boolean | undefined;
  /** Cells less sure than this get no class, 0 to 1. Default 0. */
  atLeast?: number | undefined;
  /** Features to write beside the probabilities (as float32), by name; or `'all'`. Default: none. */
  measurements?: readonly string[] | 'all' | undefined;
  /** Packs the cells' GeoJSON: `cells.geojson.gz`. Default false. */
  packed?: boolean | undefined;
  /** What the table of cells is: `cells.parquet`, the default, or `cells.csv`. */
  table?: 'parquet' | 'csv' | undefined;
  /** Regions smaller than this get no outline, and holes smaller than this are filled in outlines: square micrometres. Default 0. */
  minRegion?: number | undefined;
  /** Draws `overlay.png`, a small picture of the slide with regions and cells. Default false. */
  overlay?: boolean | undefined;
  signal?: AbortSignal | undefined;
  onProgress?: ((progress: SlideProgress) => void) | undefined;
}

/** What tests put in the place of what a run has by itself. */
export interface SlideParts {
  sizes?: SlideSizes;
  /** Runs on this thread, with this model. */
  loadModel?: (path: string) => Promise<SlideModel>;
}

export interface SlideAnalysis {
  /** The folder, and the files in it. */
  out: string;
  files: readonly string[];
  record: SlideRecord;
}

/**
 * Analyses a slide of any size by a model of cells, of regions, or of both: finds its tissue and its nuclei, asks the model tile by tile,
 * blends what it says where tiles lie over each other, and writes a folder of answers.
 *
 * | file | what |
 * |---|---|
 * | `cells.geojson`, `cells.parquet` | every nucleus once: class, probabilities, place in pixels of the full resolution |
 * | `regions.geojson` | outlines of the regions |
 * | `regions.tif` | the same as a tiled pyramid: 0 for none, 1, 2, ... for the regions |
 * | `run.json` | inputs with their checksums, settings, counts, times |
 *
 * Memory does not grow with the slide. What is done is kept in `<out>.work`, so that an interrupted run goes on where it was (`resume`)
 * and ends with the same bytes; the folder of answers appears when it is whole. Neither the number of threads nor an interruption changes
 * what is written, but for times in `run.json`. Another device may change probabilities in their last digits; a run may go on on another.
 *
 * @throws UamError as `openImage`, `UAM.load`; `UAM_DATA` where the pixel size is not known, and for slides that are no 8-bit RGB;
 *   `UAM_SHAPE` for a mask of another size; `UAM_ARGUMENT` for options that cannot be, too little memory, or an interrupted run in the
 *   way; `UAM_DEVICE`; `UAM_IO`; `UAM_ABORTED`, with the work kept
 * @example
 * // Some minutes for a slide:
 * const analyse = () => analyseSlide({ image: 'slide.svs', model: 'model.safetensors' }, { out: 'answers', maxMemory: 4e9 });
 */
export async function analyseSlide(input: SlideInput, options: SlideOptions, parts: SlideParts = {}): Promise<SlideAnalysis> {
  const began = new Date();
  const { out, signal, atLeast = 0, measurements = [], packed = false, table = 'parquet', minRegion = 0, overlay = false } = options;
  const { resume = false, restart = false } = options;
  const { maxMemory = defaultMaxMemory(), threads = runtimeInfo().threads } = options;
  checkOptions(options);
  const device = deviceOf(options.device);
  const work = `${resolve(out)}.work`;
  const wishes = { maxMemory, threads, measurements, atLeast, packed, table, minRegion, overlay, work, signal, sizes: parts.sizes ?? {} };
  const model = await (parts.loadModel ?? modelFacts)(input.model);
  const prepared = await prepareSlide(input, model, wishes);
  const resumed = await takeWorkFolder(work, prepared.mark, { resume, restart });
  const reads = [input.image, input.model, ...(input.mask ? [input.mask] : []), ...(input.cells ? [input.cells] : [])];
  const folder = await beginFolder(out, work, reads, resumed);
  const { task } = prepared;
  const workers: SlideThread[] = parts.loadModel
    ? [localThread(task, signal, parts.loadModel)]
    : startThreads(task, prepared.threads, device.name, signal);
  const run = new SlideRun(task, workers, options.onProgress);
  try {
    for (const name of run.results) await folder.place(name);
    const totals = await run.all();
    const warnings = [...prepared.facts.warnings, ...warningsOf(totals, prepared, await splitFacts(task))];
    const record = slideRecord({ ...prepared, ...totals, began, resumed, maxMemory, warnings, device, threads: workers.length });
    await folder.writeText('run.json', `${JSON.stringify(record, null, 2)}\n`);
    await folder.finish();
    await rm(work, { recursive: true, force: true });
    return { out: folder.path, files: [...folder.files].sort(), record };
  } catch (error) {
    // Nothing to go on with: a slide that cannot be read, or is none.
    const useless = !resumed && !run.begun && !signal?.aborted;
    for (const worker of useless ? workers : []) await worker.close();
    if (useless) await rm(work, { recursive: true, force: true });
    throw error;
  } finally {
    for (const worker of workers) await worker.close();
  }
}

async function beginFolder(out: string, work: string, reads: readonly string[], resumed: boolean): Promise<ResultFolder> {
  const options = { maker: 'uam analyse', freshName: false, reads, unfinished: `${work}/${RESULTS}`, dated: ['run.json'] };
  try {
    return await ResultFolder.begin(out, options);
  } catch (error) {
    // Nothing was done yet: nothing is to be left.
    if (!resumed && (await readdir(work)).length <= 1) await rm(work, { recursive: true, force: true });
    throw error;
  }
}

/** What the split of the polygons knew, where there was one. */
const splitFacts = async (task: SlideTask): Promise<SplitFacts | undefined> =>
  task.origin.kind === 'polygons' ? (await readRecord<SplitFacts, object>(workFile(task.work, 'split', 0))).facts : undefined;

/** What the user should know of the answers. */
function warningsOf({ cells, tiles, skippedTiles }: RunTotals, { task }: PreparedSlide, split: SplitFacts | undefined): ImageWarning[] {
  const { name, origin } = task;
  const found = (code: string, message: string) => ({ code, message: `${name}: ${message}` });
  return [
    ...(split?.warnings ?? []),
    ...(split && split.outside > 0
      ? [found('polygons_outside', `${split.outside} of ${split.polygons} polygons lie outside the slide`)]
      : []),
    ...(split && cells && split.polygons - split.outside > cells.cells
      ? [found('polygons_lost', `${split.polygons - split.outside - cells.cells} polygons got no cell: too small, or under others`)]
      : []),
    ...(skippedTiles === tiles ? [found('no_tissue', 'there is no stained tissue and no cell: the model was not asked')] : []),
    ...(skippedTiles < tiles && cells?.cells === 0 ? [found('no_nuclei', 'no nucleus was found')] : []),
    ...(cells && cells.cut > 0
      ? [
          found(
            'cells_cut',
            `${cells.cut} cells are larger than ${origin.kind === 'segmented' ? 'nuclei' : 'what nuclei are'}, and were measured in part`,
          ),
        ]
      : []),
  ];
}

function checkOptions({ out, maxMemory, threads, resume, restart, table, minRegion = 0, atLeast = 0 }: SlideOptions): void {
  if (typeof out !== 'string' || out === '') throw new UamError('UAM_ARGUMENT', 'analyseSlide: out must name a folder');
  if (resume && restart) throw new UamError('UAM_ARGUMENT', 'analyseSlide: resume and restart exclude each other');
  if (maxMemory !== undefined && !(maxMemory > 0))
    throw mismatch('UAM_ARGUMENT', 'analyseSlide: maxMemory', 'a number of bytes', `${maxMemory}`);
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1)) {
    throw mismatch('UAM_ARGUMENT', 'analyseSlide: threads', 'a whole number of at least 1', `${threads}`);
  }
  if (table !== undefined && table !== 'parquet' && table !== 'csv') {
    throw mismatch('UAM_ARGUMENT', 'analyseSlide: table', "'parquet' or 'csv'", `'${String(table)}'`);
  }
  if (!(minRegion >= 0 && minRegion < 1e12)) {
    throw mismatch('UAM_ARGUMENT', 'analyseSlide: minRegion', 'an area in square micrometres', `${minRegion}`);
  }
  if (!(atLeast >= 0 && atLeast <= 1)) throw mismatch('UAM_ARGUMENT', 'analyseSlide: atLeast', 'from 0 to 1', `${atLeast}`);
}
