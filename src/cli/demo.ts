// `uam demo`: the whole way from tissue to answers, offline and within a minute, on tiles that are drawn for it.
import { isAbsolute, relative, sep } from 'node:path';
import type { Command } from 'commander';
import { UamError } from '../errors.js';
import { ResultFolder } from '../files/result_folder.js';
import type { CliCommand, CommonFlags, Surroundings } from './command.js';
import { makeDemo } from './demo_flow.js';
import type { PictureSource } from './demo_picture.js';
import { DEMO_PLAN, type DemoPlan } from './demo_plan.js';
import { type DemoSummary, demoWords } from './demo_words.js';
import { EXIT } from './exit_codes.js';
import { numberFlag } from './flag_values.js';
import type { Session } from './session.js';

export interface DemoFlags extends CommonFlags {
  out?: string;
  seed?: string;
  image?: string;
  mask?: string;
  segment?: boolean;
  mpp?: string;
  threads?: string;
  json?: boolean;
}

const DEFAULT_OUT = 'uam-demo';

const help = `
It draws tiles of tissue with tumour nests, stroma and lymphocytes, extracts the features of their nuclei, trains a small UAM, tests it on
tiles that it has not seen, and writes pictures, masks, the answers for QuPath, the evaluation and the model into one folder. No network
is used, and the same seed gives the same bytes.

With --image the answers are about that picture instead. The model has still learned from drawings alone, so on real tissue its classes
mean little; to train on labelled images of your own see uam train --help.

The folder appears under its name when it is whole. One of an earlier demo, if untouched, is replaced; anything else never is: the
demo then takes uam-demo-2, or refuses where --out names the folder.`;

export const demoCommand: CliCommand<DemoFlags> = {
  flags(command: Command): void {
    command
      .option('--out <folder>', `where the results go (default: ${DEFAULT_OUT})`)
      .option('--seed <n>', 'another seed draws other tiles and starts from other weights, 0 to 4294967295 (default: 1)')
      .option('--image <file>', 'a picture of your own that the model answers for (PNG, JPEG, TIFF, SVS)')
      .option('--mask <file>', 'its nuclei: a label mask or polygons')
      .option('--segment', 'find its nuclei by the built-in classical segmentation (default without --mask)')
      .option('--mpp <um>', 'micrometres per pixel of the picture, in place of what it says (about 0.25 at 40x, 0.5 at 20x)')
      .option('--threads <n>', 'threads to use (default: what the cgroup, the affinity mask and Slurm allow)')
      .option('--json', 'print a summary of the run as JSON on standard output')
      .addHelpText('after', help);
  },

  async run(flags, surroundings) {
    await runDemo(flags, surroundings, DEMO_PLAN);
    return EXIT.ok;
  },
};

/**
 * Runs the command.
 *
 * @param plan how much is drawn and learned
 * @throws UamError for whatever ended the run; then nothing has been written
 */
export async function runDemo(flags: DemoFlags, { session, engine }: Surroundings, plan: DemoPlan): Promise<void> {
  const start = performance.now();
  const { seed, source } = understood(flags);
  const threads = numberFlag('threads', flags.threads, 'whole');
  if (threads !== undefined) (await engine()).setThreads(threads);
  const reads = source ? [source.image, ...(source.mask === undefined ? [] : [source.mask])] : [];
  const options = { maker: 'uam demo', freshName: flags.out === undefined, reads };
  const folder = await ResultFolder.begin(flags.out ?? DEFAULT_OUT, options);
  session.unfinished.add(folder.path);
  try {
    const summary = await makeDemo({ plan, seed, source, folder, session });
    await folder.writeText('README.txt', demoWords(summary, ''));
    session.signal.throwIfAborted();
    await folder.finish();
    await report(summary, { out: shortest(folder.path), seconds: (performance.now() - start) / 1000 }, flags, session);
  } catch (error) {
    await folder.abort();
    throw error;
  } finally {
    session.unfinished.delete(folder.path);
    session.progress.clear();
  }
}

function understood(flags: DemoFlags): { seed: number; source: PictureSource | undefined } {
  const refuse = (message: string): never => {
    throw new UamError('UAM_ARGUMENT', message);
  };
  const { out, image, mask, segment } = flags;
  for (const [flag, value] of Object.entries({ out, image, mask })) if (value === '') refuse(`--${flag} must not be empty`);
  if (image === undefined) {
    for (const flag of ['mask', 'segment', 'mpp'] as const)
      if (flags[flag] !== undefined) refuse(`--${flag} goes with --image, which is missing`);
  }
  if (mask !== undefined && segment) {
    refuse('--mask and --segment exclude each other: a mask holds the nuclei that --segment would look for');
  }
  const mpp = numberFlag('mpp', flags.mpp, 'above 0');
  return { seed: seedOf(flags.seed), source: image === undefined ? undefined : { image, mask, mpp } };
}

function seedOf(text = '1'): number {
  const seed = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (seed <= 0xffffffff) return seed;
  throw new UamError('UAM_ARGUMENT', `--seed must be a whole number from 0 to 4294967295, received '${text}'`);
}

/** As it is best typed from here. */
function shortest(path: string): string {
  const from = relative(process.cwd(), path);
  return from === '' || from.startsWith('..') || isAbsolute(from) ? path : from;
}

async function report(summary: DemoSummary, run: { out: string; seconds: number }, flags: DemoFlags, session: Session): Promise<void> {
  session.log.info(`${run.out} is ready, after ${run.seconds.toFixed(1)} s`);
  if (!flags.json) return session.print(`\n${demoWords(summary, run.out + sep)}`);
  const { scores, ...rest } = summary;
  const { accuracy: _, perClass, confusion, ...measures } = scores;
  await session.print(`${JSON.stringify({ ...run, ...rest, measures, perClass, confusion })}\n`);
}
