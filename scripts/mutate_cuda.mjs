// Do the emulated tests notice? Takes one barrier, wait or tail guard at a time out of the CUDA sources, builds the emulated addon, and
// runs the tests of what it belongs to: they must fail. Works on a copy, so the tree is never touched. Needs the native and the emulated
// build; a minute for each.
//   npm run mutate:cuda [-- text]      only the mutations whose file or name contains the text
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** [what is lost, file, code, what stands in its place, tests] */
const mutations = [
  [
    'barrier between two tiles of the scan',
    'cuda/selective_scan_forward.cuh',
    'if (more) stage(buffer ^ 1);\n    __syncthreads();',
    'if (more) stage(buffer ^ 1);',
    ['ops/selective_scan'],
  ],
  [
    'steps behind the end of a sequence',
    'cuda/selective_scan_forward.cuh',
    'const bool there = at.active && step < segment.steps;\n      const float dt',
    'const bool there = at.active;\n      const float dt',
    ['ops/selective_scan'],
  ],
  [
    'barrier before partial sums are read',
    'cuda/reduce.cuh',
    'if (lane == 0) partial[warp] = value;\n  __syncthreads();',
    'if (lane == 0) partial[warp] = value;',
    ['ops/l2_norm', 'ops/cross_entropy'],
  ],
  [
    'barrier before partial sums are overwritten',
    'cuda/reduce.cuh',
    '__syncthreads();  // the result of the call before may still be read',
    '',
    ['ops/l2_norm', 'ops/cross_entropy'],
  ],
  [
    'barrier before the next keys come',
    'cuda/attention.cu',
    '__syncthreads();  // the chunk is read',
    '// the chunk is read',
    ['ops/attention'],
  ],
  [
    'barrier before weights are summed',
    'cuda/attention.cu',
    'copy_async_wait<1>();\n    __syncthreads();',
    'copy_async_wait<1>();',
    ['ops/attention'],
  ],
  ['wait for the values', 'cuda/attention.cu', 'copy_async_wait<1>();\n    __syncthreads();', '__syncthreads();', ['ops/attention']],
  ['end of an elementwise loop', 'cuda/unary.cu', 'i < n; i += element_step()) y[i]', 'i <= n; i += element_step()) y[i]', ['ops/unary']],
  [
    'places are read before they move on',
    'cuda/stable_order.cuh',
    '__syncwarp();  // all have read',
    '// all have read',
    ['ops/moe_dispatch'],
  ],
  ['barrier before the sums of warps are added', 'cuda/row_group.cuh', /^ {2}__syncthreads\(\);$/m, '', ['ops/soft_dice']],
  [
    'barrier before running sums of warps are read',
    'cuda/prefix_sum.cuh',
    'of_warp[warp] = inclusive;\n  __syncthreads();',
    'of_warp[warp] = inclusive;',
    ['ops/sample_bilinear'],
  ],
  ['end of a row of outputs', 'cuda/upsample_bilinear.cu', 'if (at >= out_floats) return;', '', ['ops/upsample_bilinear']],
  ['barrier before a transposed tile is read', 'cuda/copy_strided.cu', /^ +__syncthreads\(\);$/m, '', ['ops/copy_strided']],
];

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const wanted = process.argv[2] ?? '';
const chosen = mutations.filter(([name, file]) => `${name} ${file}`.includes(wanted));
if (chosen.length === 0) throw new Error(`no mutation's file or name contains '${wanted}'`);

const copy = mkdtempSync(join(tmpdir(), 'uam-mutate-cuda-'));
const build = () => execFileSync(process.execPath, ['scripts/build_emulated.mjs'], { cwd: copy, stdio: 'pipe' });
const env = {
  ...process.env,
  UAM_ADDON: join(copy, 'build-emulated', 'Release', 'uam_native.node'),
  UAM_TEST_BACKENDS: 'cuda',
  TAP_TIMEOUT: '600',
  TAP_BAIL: '1',
};

/** The first of the tests that fails in the copy, and what it says; undefined where all pass. */
function failing(tests) {
  for (const test of tests) {
    const file = join('build', 'js', 'test', `${test}.test.js`);
    const { status, signal, stdout, stderr } = spawnSync(process.execPath, [file], { cwd: copy, env, encoding: 'utf8', timeout: 600_000 });
    if (status === 0) continue;
    const words =
      /emulated CUDA: .+/.exec(stderr)?.[0] ?? /^ *not ok \d+ - (.+)$/m.exec(stdout)?.[1] ?? `it ended with ${signal ?? status}`;
    return { test, words };
  }
  return undefined;
}

const rows = [];
try {
  for (const part of ['native', 'cuda', 'scripts', 'build/Release', 'build/js', 'build-emulated', 'test/fixtures', 'package.json']) {
    cpSync(join(root, part), join(copy, part), { recursive: true, preserveTimestamps: true });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  build();
  const broken = failing([...new Set(chosen.flatMap(([, , , , tests]) => tests))]);
  if (broken) throw new Error(`${broken.test} fails before anything is broken: ${broken.words}`);
  for (const [name, file, code, replacement, tests] of chosen) {
    const path = join(copy, file);
    const original = readFileSync(path, 'utf8');
    const mutated = original.replace(code, replacement);
    if (mutated === original) throw new Error(`${file} no longer holds: ${code}`);
    writeFileSync(path, mutated);
    build();
    const found = failing(tests);
    writeFileSync(path, original);
    rows.push([found ? 'noticed' : 'MISSED', file, name, found ? `${found.test}: ${found.words.slice(0, 100)}` : tests.join(', ')]);
    console.log(rows.at(-1).join(' | '));
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
const missed = rows.filter(([outcome]) => outcome === 'MISSED').length;
console.log(missed === 0 ? `each of ${rows.length} was noticed` : `${missed} of ${rows.length} went unnoticed`);
process.exitCode = missed === 0 ? 0 : 1;
