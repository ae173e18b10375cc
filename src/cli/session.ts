// What a command has of the process that it runs in: its messages, its end after a signal, standard output.
import { UamError } from '../errors.js';
import { removeUnfinished } from '../files/output_file.js';
import { exitCodeOf, isBrokenPipe, signalExit } from './exit_codes.js';
import { Log, type LogFormat } from './log.js';
import { Progress } from './progress.js';

export interface Session {
  log: Log;
  progress: Progress;
  /** Aborted when the user or the scheduler wants an end. */
  signal: AbortSignal;
  /** Files that are being written, by the names that they will get: what is unfinished of them goes when the process ends at once. */
  unfinished: Set<string>;
  /** What a signal says to the user; a command that leaves something to go on from says so here. */
  farewell: string;
  /** Milliseconds that the work has to end in order after a signal. */
  patience: number;
  /** Standard output. */
  print(text: string): Promise<void>;
}

export interface SessionOptions {
  format: LogFormat;
  quiet: boolean;
}

/** Gives a command its session; turns what it throws into an exit code. */
export async function withSession({ format, quiet }: SessionOptions, work: (session: Session) => Promise<number>): Promise<number> {
  const progress = new Progress(process.stderr, !quiet && format === 'text');
  const log = new Log({ format, quiet, write: toStderr, before: () => progress.clear() });
  const ending = new AbortController();
  const session: Session = {
    ...{ log, progress, signal: ending.signal, unfinished: new Set(), farewell: 'nothing is written', patience: 3000, print },
  };
  const signals = new Signals(session, ending);
  try {
    return await work(session);
  } catch (error) {
    progress.clear();
    if (signals.code !== undefined) return signals.code;
    if (!isBrokenPipe(error)) log.error(error);
    return exitCodeOf(error);
  } finally {
    signals.dispose();
  }
}

/** What SIGINT and SIGTERM do: the run ends in order, or, where it does not soon or the signal comes again, at once. */
class Signals {
  /** The exit code, once a signal has come. */
  code: number | undefined;

  constructor(
    private readonly session: Session,
    private readonly ending: AbortController,
  ) {
    process.on('SIGINT', this.#signal);
    process.on('SIGTERM', this.#signal);
    process.on('exit', this.#clean); // also after an exception that nobody caught
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
    this.session.log.info(`${signal}: ending; ${this.session.farewell}`);
    this.ending.abort(new UamError('UAM_ABORTED', `the run was ended by ${signal}`));
    setTimeout(() => process.exit(code), this.session.patience).unref();
  };

  readonly #clean = (): void => {
    for (const path of this.session.unfinished) removeUnfinished(path);
  };
}

export const toStderr = (text: string): void => void process.stderr.write(text);

const print = (text: string): Promise<void> =>
  new Promise((done, fail) => {
    process.stdout.on('error', () => {}); // the callback is told
    process.stdout.write(text, (error) =>
      error ? fail(new UamError('UAM_IO', `cannot write standard output: ${error.message}`, { cause: error })) : done(),
    );
  });
