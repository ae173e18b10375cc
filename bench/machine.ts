// Where and on what a result was measured.
import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { runtimeInfo } from '../src/native/device.js';

export interface Machine {
  cpu: string;
  cores: number;
  isa: string;
  node: string;
  platform: string;
  /** Processes that wanted to run in the minute before: above a few tenths, best times say more than medians. */
  load: number;
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    isa: runtimeInfo().isa,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    load: Number(loadavg()[0]?.toFixed(2)),
  };
}

/** The commit that is checked out, with a plus where tracked files beside the results differ from it. */
export function commit(root: string): string {
  const git = (...words: string[]) =>
    execFileSync('git', words, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no', '--', '.', ':!bench/results') !== '';
    return git('rev-parse', '--short=12', 'HEAD') + (changed ? '+' : '');
  } catch {
    return 'unknown';
  }
}
