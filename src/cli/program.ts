// The command line as a whole: commands and their flags, signals, messages, exit codes.
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { UamError } from '../errors.js';
import { packageRoot } from '../native/load.js';
import type { Engine } from './engine.js';
import { EXIT, exitCodeOf, isBrokenPipe, signalExit } from './exit_codes.js';
import { type FeatureFlags, logFormat } from './feature_flags.js';
import { runFeatures, type Session } from './features.js';
import { Log } from './log.js';
import { Progress } from './progress.js';

/**
 * Runs a command line.
 *
 * @param args what stands after the program's name
 * @param engine loaded only by a command that needs it
 * @returns the exit code
 */
export async function runProgram(args: readonly string[], engine: () => Promise<Engine>): Promise<number> {
  // Before the flags are understood, a mistake in them must already be told in the form that they ask for.
  const early = new Log({ format: asksForJson(args) ? 'json' : 'text', quiet: false, write: toStderr });
  let code: number = EXIT.ok;
  const program = new Command('uam')
    .description('Per-cell answers from H&E images.')
    .version(`uam ${packageVersion()}`)
    .exitOverride()
    .configureOutput({
      writeErr: toStderr,
      outputError: (text) => early.error(new UamError('UAM_ARGUMENT', `${text.replace(/^error: /, '').trim()} (see uam --help)`)),
    });
  addFeatures(program, async (flags) => {
    code = await withSession(flags, async (session) => ((await runFeatures(flags, await engine(), session)) ? EXIT.ok : EXIT.data));
  });
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    early.error(error);
    return exitCodeOf(error);
  }
  return code;
}

function addFeatures(program: Command, action: (flags: FeatureFlags) => Promise<void>): void {
  program
    .command('features')
    .description('Extracts the radiomics features of every cell.')
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
    .option('--quiet', 'no messages but errors, no progress bar')
    .option('--log-format <form>', 'text or json, for messages on standard error (default: text)')
    .addHelpText('after', exitCodes)
    .action(action);
}

const exitCodes = `
Exit codes: 0 done, 2 usage, 65 data, 66 input missing, 69 no device, 70 bug, 74 cannot write, 75 try again; 130 and 143 after a signal.
The table appears under its name only when it is whole.`;

/** Gives a command its log, its progress bar and its signals; turns what it throws into an exit code. */
async function withSession(flags: FeatureFlags, work: (session: Session) => Promise<number>): Promise<number> {
  const format = logFormat(flags);
  const quiet = flags.quiet ?? false;
  const progress = new Progress(process.stderr, !quiet && format === 'text');
  const log = new Log({ format, quiet, write: toStderr, before: () => progress.clear() });
  const ending = new Ending(log);
  try {
    return await work({ log, progress, signal: ending.signal, unfinished: ending.unfinished, print });
  } catch (error) {
    progress.clear();
    if (ending.code !== undefined) return ending.code;
    if (!isBrokenPipe(error)) log.error(error);
    return exitCodeOf(error);
  } finally {
    ending.dispose();
  }
}

/** What SIGINT and SIGTERM do: the run ends in order, or, where it does not soon or the signal comes again, at once. */
class Ending {
  /** The exit code, once a signal has come. */
  code: number | undefined;
  readonly unfinished: Session['unfinished'] = new Set();
  readonly #controller = new AbortController();
  readonly #patience = 3000; // ms

  constructor(private readonly log: Log) {
    process.on('SIGINT', this.#signal);
    process.on('SIGTERM', this.#signal);
    process.on('exit', this.#clean); // also after an exception that nobody caught
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  dispose(): void {
    process.off('SIGINT', this.#signal);
    process.off('SIGTERM', this.#signal);
    process.off('exit', this.#clean);
  }

  readonly #signal = (signal: NodeJS.Signals): void => {
    const code = signalExit(signal as 'SIGINT' | 'SIGTERM');
    if (this.code !== undefined) process.exit(code);
    this.code = code;
    this.log.info(`${signal}: ending; nothing is written`);
    this.#controller.abort(new UamError('UAM_ABORTED', `the run was ended by ${signal}`));
    setTimeout(() => process.exit(code), this.#patience).unref();
  };

  readonly #clean = (): void => {
    for (const { temporary } of this.unfinished) if (temporary !== undefined) rmSync(temporary, { force: true });
  };
}

const toStderr = (text: string): void => void process.stderr.write(text);

const print = (text: string): Promise<void> =>
  new Promise((done, fail) => {
    process.stdout.on('error', () => {}); // the callback is told
    process.stdout.write(text, (error) =>
      error ? fail(new UamError('UAM_IO', `cannot write standard output: ${error.message}`, { cause: error })) : done(),
    );
  });

const asksForJson = (args: readonly string[]): boolean =>
  args.includes('--log-format=json') || args.some((arg, i) => arg === '--log-format' && args[i + 1] === 'json');

function packageVersion(): string {
  return (JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string }).version;
}
