// npm run vectors -- <folder> [--backend reference|cpu|cuda] [--op name]   (in radiomics folders, --op names a class)
import { parseArgs } from 'node:util';
import { type Backend, setBackend } from '../../src/index.js';
import { ibsiFolder, isIbsiFolder, runIbsi } from './ibsi_vectors.js';
import {
  type ClassResult,
  composedCases,
  isRadiomicsFolder,
  matrixCases,
  roiCases,
  runDerived,
  runMatrices,
  runRois,
} from './radiomics_vectors.js';
import { openFolder, runCase } from './vectors.js';

/** Folders of radiomics: a row per region, setting and class. */
async function radiomics(folder: string, onlyClass: string | undefined, verbose: boolean): Promise<number> {
  let passed = 0;
  let failed = 0;
  const parts: Record<string, Iterable<ClassResult> | AsyncIterable<ClassResult>> = {
    regions: runRois(roiCases(folder), onlyClass),
    'cells of the image': runRois(composedCases(folder), onlyClass),
    'raw matrices': runMatrices(matrixCases(folder), onlyClass),
    'derived images': runDerived(folder, onlyClass),
  };
  for (const [part, results] of Object.entries(parts)) {
    const byClass = new Map<string, ClassResult[]>();
    for await (const result of results) byClass.set(result.class, [...(byClass.get(result.class) ?? []), result]);
    for (const [name, list] of byClass) {
      const bad = list.filter((result) => result.wrong.length > 0);
      const values = list.reduce((sum, result) => sum + result.features, 0);
      const worst = list.reduce((most, result) => Math.max(most, result.worst), 0);
      console.log(
        `${bad.length === 0 ? 'ok  ' : 'FAIL'} ${part.padEnd(19)} ${name.padEnd(11)} ${String(list.length).padStart(4)} rows ${String(values).padStart(6)} values   worst ${worst.toExponential(1)} of what is allowed`,
      );
      for (const { id, setting, wrong } of verbose ? bad : bad.slice(0, 10)) console.log(`       ${id} ${setting}: ${wrong.join('; ')}`);
      passed += list.length - bad.length;
      failed += bad.length;
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

/** The phantom: what agrees, what does not, and what is not applicable, by name. */
function ibsi(folder: string, verbose: boolean): number {
  const results = runIbsi(ibsiFolder(folder));
  const compared = results.filter(({ feature }) => feature !== undefined);
  const bad = compared.filter(({ passed }) => !passed);
  for (const { tag, feature, expected, received, passed } of verbose ? compared : bad)
    console.log(`${passed ? 'ok  ' : 'FAIL'} ${tag.padEnd(28)} ${feature?.padEnd(44)} consensus ${expected}   received ${received}`);
  console.log(
    `not applicable (volumes, and measures that are not computed): ${results
      .filter(({ feature }) => !feature)
      .map(({ tag }) => tag)
      .join(' ')}`,
  );
  console.log(`${compared.length - bad.length} passed, ${bad.length} failed, ${results.length - compared.length} not applicable`);
  return bad.length === 0 && compared.length > 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { backend: { type: 'string', default: 'cpu' }, op: { type: 'string' }, verbose: { type: 'boolean', short: 'v' } },
  });
  const [path] = positionals;
  if (!path || positionals.length > 1) throw new Error('usage: npm run vectors -- <folder> [--backend reference|cpu|cuda] [--op name]');
  setBackend(values.backend as Backend);
  if (isRadiomicsFolder(path)) return radiomics(path, values.op, values.verbose ?? false);
  if (isIbsiFolder(path)) return ibsi(path, values.verbose ?? false);
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

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: Error) => {
    console.error(error.message);
    process.exitCode = 1;
  },
);
