// What a command is: a file of this folder exports one, and program.ts has a line for it.
import type { Command } from 'commander';
import type { Engine } from './engine.js';
import { wordFlag } from './flag_values.js';
import { type Session, withSession } from './session.js';

/** The flags that every command has. */
export interface CommonFlags {
  quiet?: boolean;
  logFormat?: string;
}

/** What a command works with. */
export interface Surroundings {
  session: Session;
  /** The package, or what a test puts in its place; loaded when it is first asked for. */
  engine: () => Promise<Engine>;
}

export interface CliCommand<Flags extends CommonFlags = CommonFlags> {
  /** What stands after the command's name and is no flag: `<model>`. */
  arguments?: string;
  /** Adds its flags and what else its help says. */
  flags(command: Command): void;
  /**
   * Does the work. What it throws is told, and becomes the exit code.
   *
   * @param flags as commander gives them: texts, and true for what stands without a value
   * @param names what stands after the command's name and is no flag
   * @returns the exit code
   */
  run(flags: Flags, surroundings: Surroundings, names: readonly string[]): Promise<number>;
}

const exitCodes = `
Exit codes: 0 done, 2 usage, 65 data, 66 input missing, 69 no device, 70 bug, 74 cannot write, 75 try again; 130 and 143 after a signal.`;

/** Gives the command of commander its flags and its action. */
export function addCommand(target: Command, command: CliCommand, engine: Surroundings['engine'], done: (code: number) => void): void {
  if (command.arguments) target.arguments(command.arguments);
  command.flags(target);
  target
    .option('--quiet', 'no messages but errors, no progress bar')
    .option('--log-format <form>', 'text or json, for messages on standard error (default: text)')
    .addHelpText('after', exitCodes)
    .action(async () => {
      const flags = target.opts<CommonFlags>();
      const format = wordFlag('log-format', flags.logFormat, ['text', 'json'] as const) ?? 'text';
      const quiet = flags.quiet ?? false;
      done(await withSession({ format, quiet }, (session) => command.run(flags, { session, engine }, target.args)));
    });
}
