// Programs that run in a Node process of their own: what they do to the process (exit, abort, grow) is then seen from outside.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { packageRoot } from '../../src/native/load.js';

/** The compiled `src/` beside these tests, as a URL that child programs import from. */
export const sources = new URL('../../src/', import.meta.url).href;

export interface ChildResult {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

/**
 * Runs `program`, an ES module's text, with everything of `src/index.ts` as `uam` and the addon's CPU kernels as `cpu`.
 * Settings of this process (UAM_THREADS and so on) are passed on unless `env` says otherwise; `undefined` removes one.
 */
export function runChild(program: string, env: Record<string, string | undefined> = {}, flags: string[] = []): ChildResult {
  const prelude = `
    import * as uam from '${sources}index.js';
    import { kernelTable, nativeRuntime } from '${sources}native/device.js';
    const cpu = kernelTable('cpu');
  `;
  return runModule(prelude + program, env, flags);
}

/** Runs an ES module's text as it is. */
export function runModule(text: string, env: Record<string, string | undefined> = {}, flags: string[] = []): ChildResult {
  // tap gives every child its own hooks through NODE_OPTIONS, at a price that each worker thread pays again: taken out here.
  const command = ['-u', 'NODE_OPTIONS', process.execPath, ...flags, '--input-type=module', '--eval', text];
  const { status, signal, stdout, stderr } = spawnSync('env', command, {
    cwd: packageRoot(),
    env: { ...process.env, ...env },
    encoding: 'utf8',
    timeout: 120_000,
    killSignal: 'SIGKILL',
  });
  return { code: status, signal, stdout: stdout.trim(), stderr: stderr.trim() };
}

/** The URL of a file of the package, for a child's import. */
export const fileUrl = (...parts: string[]): string => pathToFileURL(join(packageRoot(), ...parts)).href;
