// npm run vectors -- <folder> [--backend reference|cpu|cuda] [--op name]
import { parseArgs } from 'node:util';
import { type Backend, setBackend } from '../../src/index.js';
import { openFolder, runCase } from './vectors.js';

function main(): number {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { backend: { type: 'string', default: 'cpu' }, op: { type: 'string' }, verbose: { type: 'boolean', short: 'v' } },
  });
  const [path] = positionals;
  if (!path || positionals.length > 1) throw new Error('usage: npm run vectors -- <folder> [--backend reference|cpu|cuda] [--op name]');
  setBackend(values.backend as Backend);
  const folder = openFolder(path);
  const chosen = folder.cases.filter(({ op }) => !values.op || op === values.op);
  if (chosen.length === 0)
    throw new Error(`no case of op '${values.op}' in ${path}; it has ${[...new Set(folder.cases.map(({ op }) => op))].join(', ')}`);
  let passed = 0;
  let failed = 0;
  for (const op of new Set(chosen.map((vectorCase) => vectorCase.op))) {
    const results = chosen.filter((vectorCase) => vectorCase.op === op).map((vectorCase) => runCase(folder, vectorCase));
    const bad = results.filter((result) => !result.passed);
    const worst = results.reduce((a, b) => Math.max(a, b.worst), 0);
    const tolerance = results[0]?.tolerance ?? 0;
    console.log(
      `${bad.length === 0 ? 'ok  ' : 'FAIL'} ${op.padEnd(20)} ${String(results.length).padStart(3)} cases   worst error ${worst.toExponential(2)}   tolerance ${tolerance.toExponential(2)}`,
    );
    for (const result of values.verbose ? results : bad)
      console.log(`       ${result.id}: ${result.message || result.worst.toExponential(2)}`);
    passed += results.length - bad.length;
    failed += bad.length;
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

try {
  process.exitCode = main();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
