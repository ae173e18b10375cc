// The command line in a process of its own, as a user runs it.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { sources } from './child.js';

const main = fileURLToPath(new URL('cli/main.js', sources));

/** tap's hooks are left out of it, as in `runModule`. */
const command = (args: readonly string[]): string[] => ['-u', 'NODE_OPTIONS', process.execPath, main, ...args];

export interface ProgramResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs the program to its end. */
export function uam(args: readonly string[], env: Record<string, string> = {}): ProgramResult {
  const { status, stdout, stderr } = spawnSync('env', command(args), {
    env: { ...process.env, ...env },
    encoding: 'utf8',
    timeout: 120_000,
  });
  return { code: status, stdout, stderr };
}

/** Starts the program. `env` runs it in its own place, so that a signal reaches it. */
export const startUam = (args: readonly string[]): ChildProcess => spawn('env', command(args), { stdio: ['ignore', 'pipe', 'pipe'] });

/** Sends a signal as soon as something is true of the run, and gives how it ended. */
export async function signalWhen(
  child: ChildProcess,
  ready: (stderr: string) => boolean,
  signal: NodeJS.Signals = 'SIGINT',
): Promise<ProgramResult> {
  const text = { stdout: '', stderr: '' };
  let sent = false;
  const look = () => {
    if (sent || !ready(text.stderr)) return;
    sent = true;
    child.kill(signal);
  };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.setEncoding('utf8').on('data', (part: string) => void (text[name] += part));
  const watch = setInterval(look, 5);
  try {
    const code = await new Promise<number | null>((done, fail) => child.on('close', done).on('error', fail));
    return { code, ...text };
  } finally {
    clearInterval(watch);
  }
}
