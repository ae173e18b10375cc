// `uam analyse`: a slide and a model in, a folder of answers out.
import type { Command } from 'commander';
import { UamError } from '../errors.js';
import type { SlideAnalysis } from '../slides/analyse_slide.js';
import type { SlideProgress } from '../slides/slide_run.js';
import type { CliCommand, CommonFlags } from './command.js';
import { addDeviceFlag, type DeviceFlags, deviceFlag } from './device_flag.js';
import { EXIT } from './exit_codes.js';
import { bytesFlag, items, numberFlag, shareFlag, wordFlag } from './flag_values.js';
import { bar, clock } from './progress.js';
import type { Session } from './session.js';
import { bytesText, grouped, textList } from './text_table.js';

export interface AnalyseFlags extends CommonFlags, DeviceFlags {
  mask?: string;
  cells?: string;
  model?: string;
  out?: string;
  mpp?: string;
  threads?: string;
  maxMemory?: string;
  resume?: boolean;
  restart?: boolean;
  atLeast?: string;
  measurements?: string;
  gzip?: boolean;
  minRegion?: string;
  table?: string;
  overlay?: boolean;
  json?: boolean;
}

const help = `
Examples:
  uam analyse slide.svs --model model.safetensors --out answers/ --overlay
  uam analyse slide.tif --cells nuclei.geojson --model model.safetensors --out answers/ --max-memory 4G --threads 8
  uam analyse slide.tif --mask labels.tif --mpp 0.25 --model model.safetensors --out answers/ --resume

The model is one of cells, of regions, or of both (uam train --task). Slides are read at the model's pixel size, part by part: SVS and tiled
TIFF directly, PNG and JPEG after they were unpacked to the disk. The folder of answers appears when it is whole and holds
  cells.geojson, cells.parquet   every nucleus once: its class and probabilities, in pixels of the full resolution
  regions.geojson, regions.tif   the regions as outlines, and as a tiled pyramid (0 none, 1, 2, ... the model's regions)
  run.json                       inputs with checksums, settings, counts, times
The GeoJSON files open in QuPath by dragging them onto the slide. Until then the work lies in <out>.work: after Ctrl-C, a crash or a
full disk the same command with --resume goes on from there and ends with the same bytes.`;

export const analyseCommand: CliCommand<AnalyseFlags> = {
  arguments: '<slide>',

  flags(command: Command): void {
    addDeviceFlag(command)
      .option('--model <file>', 'the model, as uam train has written it (.safetensors)')
      .option('--out <folder>', 'the folder of answers: a new one, or one that uam analyse made before')
      .option('--mask <file>', "the nuclei as a label image of the slide's size (TIFF; PNG, NPY, ... where memory allows), or GeoJSON")
      .option(
        '--cells <file>',
        'the nuclei as GeoJSON polygons in pixels of the full resolution (default: they are found by the built-in segmentation)',
      )
      .option('--mpp <um>', 'micrometres per pixel of the full resolution, in place of what the slide says (about 0.25 at 40x, 0.5 at 20x)')
      .option(
        '--max-memory <size>',
        'memory that the process may take, such as 4G or 800M (default: half of what the cgroup or the machine allows)',
      )
      .option(
        '--threads <n>',
        'threads, each with its own copy of the model; fewer where memory is short (default: what the cgroup, the affinity mask and Slurm allow)',
      )
      .option('--resume', 'go on with the run that was interrupted, if there is one')
      .option('--restart', 'begin anew, and remove what an interrupted run has left')
      .option('--at-least <p>', 'nuclei whose likeliest class is less probable than this, 0 to 1, get no class (default: 0)')
      .option('--measurements <list>', 'features of the nuclei to write beside the probabilities, by name, with commas between, or all')
      .option('--table <form>', 'parquet or csv, for the table of cells (default: parquet)')
      .option('--min-region <um2>', 'regions of less square micrometres get no outline, and holes of less are filled (default: 0)')
      .option('--gzip', 'pack the GeoJSON of the cells (QuPath reads it so, too)')
      .option('--overlay', 'draw overlay.png: the slide, small, with its regions and cells')
      .option('--json', 'print a summary of the run as JSON on standard output')
      .addHelpText('after', help);
  },

  async run(flags, { session, engine }, names) {
    const [image, ...more] = names;
    if (image === undefined || more.length > 0)
      throw new UamError('UAM_ARGUMENT', 'name one slide: uam analyse slide.svs --model ... --out ...');
    const { model, out, mask, cells } = flags;
    if (!model) throw new UamError('UAM_ARGUMENT', '--model is missing; name the file that uam train has written');
    if (!out) throw new UamError('UAM_ARGUMENT', '--out is missing; name the folder for the answers');
    if (flags.resume && flags.restart) throw new UamError('UAM_ARGUMENT', '--resume and --restart exclude each other');
    const device = deviceFlag(flags, session);
    const threads = numberFlag('threads', flags.threads, 'whole');
    const options = {
      ...{ out, device, threads, maxMemory: bytesFlag('max-memory', flags.maxMemory), resume: flags.resume, restart: flags.restart },
      ...{ atLeast: shareFlag('at-least', flags.atLeast), measurements: measurementsOf(flags.measurements) },
      ...{ table: wordFlag('table', flags.table, ['parquet', 'csv'] as const), packed: flags.gzip, overlay: flags.overlay },
      minRegion: numberFlag('min-region', flags.minRegion, 'above 0'),
    };
    const mpp = numberFlag('mpp', flags.mpp, 'above 0');
    if (threads !== undefined) (await engine()).setThreads(threads);
    const { analyseSlide } = await import('../slides/analyse_slide.js');
    const view = new AnalysisView(session, out);
    session.patience = 60_000; // a tile of a large model takes seconds, and what is done is to be kept
    try {
      const { signal } = session;
      const done = await analyseSlide({ image, model, mask, cells, mpp }, { ...options, signal, onProgress: (state) => view.show(state) });
      session.progress.clear();
      for (const { code, message } of done.record.warnings) session.log.warn(message, { code });
      if (flags.json) await session.print(`${JSON.stringify({ out: done.out, files: done.files, ...done.record })}\n`);
      else if (!flags.quiet) await session.print(summary(done));
      return EXIT.ok;
    } finally {
      session.progress.clear();
    }
  },
};

const measurementsOf = (text: string | undefined): string[] | 'all' => (text?.trim() === 'all' ? 'all' : items(text ?? ''));

const PHASES = Object.freeze({ unpack: 'unpacking', scan: 'looking for tissue', analyse: 'analysing', write: 'writing' });

/** `[####......]  analysing 120/803  41,203 cells  1:23  4:10 left` on a terminal; a message per phase, or a tenth of it, in JSON. */
class AnalysisView {
  #phase = '';
  #tenth = -1;
  #begun = { done: 0, at: 0 };

  constructor(
    private readonly session: Session,
    private readonly out: string,
  ) {}

  show({ phase, done, total, cells }: SlideProgress): void {
    const { session } = this;
    session.farewell = `the work so far is kept in ${this.out.replace(/\/+$/, '')}.work; the same command with --resume goes on with it`;
    const tenth = Math.floor((10 * done) / Math.max(1, total));
    if (phase !== this.#phase) this.#begun = { done, at: performance.now() };
    if (phase !== this.#phase || (phase === 'analyse' && tenth > this.#tenth)) {
      this.#tenth = tenth;
      session.log.info(`${PHASES[phase]}: ${done} of ${total}`, { phase, done, total, cells });
    }
    this.#phase = phase;
    const since = (performance.now() - this.#begun.at) / 1000;
    const left =
      done > this.#begun.done && phase === 'analyse' ? [`${clock((since / (done - this.#begun.done)) * (total - done))} left`] : [];
    session.progress.update((seconds, width) =>
      [bar(done / Math.max(1, total)), `${PHASES[phase]} ${done}/${total}`, `${grouped(cells)} cells`, clock(seconds), ...left]
        .join('  ')
        .slice(0, Math.max(0, width)),
    );
  }
}

/** The run in a few lines. */
function summary({ out, files, record }: SlideAnalysis): string {
  const { counts, slide, seconds, peakMemory, threads } = record;
  const classes = Object.entries(counts.classes).map(([name, count]) => `${name} ${grouped(count)}`);
  const regions = Object.entries(counts.regions).map(([name, area]) => `${name} ${area.toFixed(3)} mm2`);
  const sizes = slide.gridMpp.map((size) => Number(size.toPrecision(3))).join(' x ');
  const empty = counts.skippedTiles > 0 ? `, of which ${grouped(counts.skippedTiles)} show no tissue` : '';
  const tiles = `${grouped(counts.tiles)}${empty}`;
  return textList([
    [
      'slide',
      `${grouped(slide.width)} x ${grouped(slide.height)} pixels, analysed as ${grouped(slide.gridWidth)} x ${grouped(slide.gridHeight)} of ${sizes} um`,
    ],
    ['tiles', tiles],
    ...(files.some((name) => name.startsWith('cells'))
      ? ([['cells', [grouped(counts.cells), ...classes].join(', ')]] as [string, string][])
      : []),
    ...(regions.length > 0 ? ([['regions', regions.join(', ')]] as [string, string][]) : []),
    ['time', `${clock(seconds)} on ${threads} thread${threads === 1 ? '' : 's'}${record.resumed ? ', since it was taken up again' : ''}`],
    ['memory', `${bytesText(peakMemory)} at most`],
    ['answers', `${out}: ${files.join(', ')}`],
  ]);
}
