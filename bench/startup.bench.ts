// What `import 'uam-native'` costs a fresh process, and how large the addon is. Needs dist/: npm run build.
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { runtimeInfo } from '../src/index.js';
import { packageRoot } from '../src/native/load.js';
import type { FigureCase } from './harness.js';

const processes = 7; // per round: single starts vary by tens of per cent

function start(code: string): number {
  const from = performance.now();
  const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', code], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`node ended with ${status}: ${stderr}`);
  return performance.now() - from;
}

/**
 * Milliseconds of processes that run `code`, over the quickest that runs nothing. The two kinds start in turns; on a busy machine
 * the median is too high, and the best is right.
 */
function overEmpty(code: string, rounds: number): number[] {
  start(code); // brings the files into memory
  const empty: number[] = [];
  const full: number[] = [];
  for (let i = 0; i < processes * rounds; i++) {
    empty.push(start(''));
    full.push(start(code));
  }
  const quickest = Math.min(...empty);
  return full.map((milliseconds) => milliseconds - quickest);
}

const entry = JSON.stringify(pathToFileURL(join(packageRoot(), 'dist', 'esm', 'index.js')).href);

const cases: FigureCase[] = [
  {
    name: 'import, over an empty process',
    unit: 'ms',
    goal: 60,
    measure: (rounds) => overEmpty(`import ${entry}`, rounds),
  },
  {
    name: 'import and a first kernel call',
    unit: 'ms',
    goal: 60,
    measure: (rounds) => overEmpty(`import { exp, Tensor } from ${entry}; exp(Tensor.from([1]));`, rounds),
  },
  {
    name: 'addon',
    unit: 'MB',
    goal: 4,
    measure: () => [statSync(runtimeInfo().addon as string).size / 1e6],
  },
];

export default cases;
