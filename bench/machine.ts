// Where and on what a result was measured.
import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus } from 'node:os';
import { runtimeInfo } from '../src/native/device.js';

export interface Machine {
  cpu: string;
  cores: number;
  isa: string;
  node: string;
  platform: string;
}

export function machine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    isa: runtimeInfo().isa,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
  };
}

/** The commit that is checked out, with a plus where tracked files beside the results differ from it. */
export function commit(root: string): string {
  const git = (...words: string[]) => execFileSync('git', words, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no', '--', '.', ':!bench/results') !== '';
    return git('rev-parse', '--short=12', 'HEAD') + (changed ? '+' : '');
  } catch {
    return 'unknown';
  }
}
