// The command line as a whole: which commands there are, and what becomes of a mistake in their flags.
import { Command, CommanderError } from 'commander';
import { UamError } from '../errors.js';
import { packageVersion } from '../native/load.js';
import { addCommand, type CliCommand } from './command.js';
import type { Engine } from './engine.js';
import { EXIT, exitCodeOf } from './exit_codes.js';
import { Log } from './log.js';
import { toStderr } from './session.js';

/** The commands, each with its line in `uam --help`; its file is read only where the command is named. */
const COMMANDS: Readonly<Record<string, readonly [summary: string, load: () => Promise<CliCommand>]>> = Object.freeze({
  demo: ['Shows the whole way in a minute, on tissue that it draws.', async () => (await import('./demo.js')).demoCommand],
  train: ['Trains a model on images whose nuclei are known.', async () => (await import('./train.js')).trainCommand],
  evaluate: ['Measures a model on patients that it has not seen.', async () => (await import('./evaluate.js')).evaluateCommand],
  predict: ['Tells the class of every nucleus of images, by a model.', async () => (await import('./predict.js')).predictCommand],
  analyse: [
    'Analyses a slide of any size, by a model of cells, of regions, or of both.',
    async () => (await import('./analyse.js')).analyseCommand,
  ],
  info: ["Tells what a model's file says about it.", async () => (await import('./info.js')).infoCommand],
  doctor: [
    'Tells what the package runs on, and tests whether it computes what it should.',
    async () => (await import('./doctor.js')).doctorCommand,
  ],
  features: ['Extracts the radiomics features of every cell.', async () => (await import('./features.js')).featuresCommand],
});

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
  try {
    for (const [name, [summary, load]] of Object.entries(COMMANDS)) {
      const target = program.command(name).description(summary);
      if (args.includes(name)) {
        addCommand(target, await load(), engine, (result) => {
          code = result;
        });
      }
    }
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    early.error(error);
    return exitCodeOf(error);
  }
  return code;
}

const asksForJson = (args: readonly string[]): boolean =>
  args.includes('--log-format=json') || args.some((arg, i) => arg === '--log-format' && args[i + 1] === 'json');
