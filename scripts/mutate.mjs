// Do the tests notice? Breaks one line of native code at a time (a tail, a mask, a boundary, a barrier), builds, and runs the tests
// of what it belongs to: they must fail. Works on a copy, so the tree is never touched.
//   node scripts/mutate.mjs [text]      only the mutations whose file or name contains the text
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const kernels = 'native/kernels/';

/** [what is lost, file, code, what stands in its place, tests] */
const mutations = [
  ['tail of unary', `${kernels}unary.cpp`, 'if (i < end) store_n(y + i', 'if (false) store_n(y + i', ['ops/unary']],
  ['tail of binary', `${kernels}binary.cpp`, 'if (tail) store_n(', 'if (false) store_n(', ['ops/binary']],
  ['tail of accumulate', `${kernels}accumulate.cpp`, 'if (tail) store_n(', 'if (false) store_n(', ['tensor/accumulate']],
  ['tail of sums', `${kernels}reduce.cpp`, 'if (i < end) s1 =', 'if (false) s1 =', ['ops/reduce']],
  [
    'tail of rows (norms, softmax)',
    'native/rows.h',
    'const { store_n(p, v, n); }',
    'const { store_n(p, v, n - 1); }',
    ['ops/layernorm', 'ops/rmsnorm', 'ops/softmax'],
  ],
  ['mask of a row maximum', 'native/rows.h', 'select(loadi(kLaneIndex) < set1i(n), v, other)', 'v', ['ops/softmax', 'ops/layernorm']],
  ['tail of a dot product', 'native/gemm_dot.h', 'if (k < t.k)', 'if (false)', ['ops/gemm', 'ops/linear']],
  ['edge of a packed panel', 'native/gemm_pack.h', 'else if (i < rows) store(', 'else if (false) store(', ['ops/gemm']],
  [
    'edge of a convolution tile',
    'native/conv_core.h',
    'else store_n(to + (V - 1) * W, sums[m][V - 1], last);',
    'else store_n(to + (V - 1) * W, sums[m][V - 1], last - 1);',
    ['ops/conv2d'],
  ],
  [
    'edge of depthwise channels',
    `${kernels}depthwise_conv2d.cpp`,
    'else store_n(target + m * taps.out + c, sums[m], n);',
    'else store_n(target + m * taps.out + c, sums[m], n - 1);',
    ['ops/depthwise_conv2d', 'ops/conv2d'],
  ],
  ['causal mask of attention', `${kernels}attention.cpp`, 'if (p.causal) hide_future', 'if (false) hide_future', ['ops/attention']],
  ['causal mask of its gradient', `${kernels}attention_bwd.cpp`, 'if (p.causal) hide_future', 'if (false) hide_future', ['ops/attention']],
  [
    'tail of neighbour scores',
    `${kernels}neighbor_attention_list.h`,
    'if (c < width) m[r] =',
    'if (false) m[r] =',
    ['ops/neighbor_attention'],
  ],
  ['edges of neighbour runs', `${kernels}neighbor_attention_block.h`, 'sum[r], nothing);', 'sum[r], sum[r]);', ['ops/neighbor_attention']],
  [
    'lanes of the scan',
    `${kernels}selective_scan_steps.inc.h`,
    ': store_n(p, v, lanes);',
    ': store_n(p, v, lanes - 1);',
    ['ops/selective_scan'],
  ],
  ['start state of the scan', `${kernels}selective_scan.cpp`, 'if (p.h0) pack_tile', 'if (false) pack_tile', ['ops/selective_scan']],
  [
    'tail of the ssd gradient',
    `${kernels}ssd.cpp`,
    'if (dB) store_n(dB + n0, load_n(dB + n0, count) + sums_of(b_sums), count);',
    'if (dB) store_n(dB + n0, load_n(dB + n0, count) + sums_of(b_sums), count - 1);',
    ['ops/ssd'],
  ],
  [
    'direction of causal conv1d',
    `${kernels}causal_conv1d.cpp`,
    'for_sequences(p.offsets, p.reverse,',
    'for_sequences(p.offsets, false,',
    ['ops/causal_conv1d'],
  ],
  [
    'ignored targets',
    `${kernels}cross_entropy.cpp`,
    'const bool kept = y != p.ignore_index;',
    'const bool kept = true;',
    ['ops/cross_entropy'],
  ],
  ['tail of AdamW', `${kernels}adamw.cpp`, 'store_up_to(a.m.data + i, m, n);', 'store_up_to(a.m.data + i, m, n - 1);', ['ops/adamw']],
  [
    'tail of the expert sum',
    `${kernels}moe_combine.cpp`,
    'store_up_to(p.out.data + t * p.width + i, total, lanes);',
    'store_up_to(p.out.data + t * p.width + i, total, lanes - 1);',
    ['ops/moe_combine'],
  ],
  ['check of an index', `${kernels}gather_rows.cpp`, 'if (copy[j] < 0 || copy[j] >= rows)', 'if (copy[j] < 0)', ['ops/gather_rows']],
  [
    'barrier of the pool',
    'native/parallel.cpp',
    'done_.wait(lock, [&] { return job.inside == 0; });',
    '',
    ['ops/binary', 'ops/reduce', 'native/calls'],
  ],
];

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const copy = mkdtempSync(join(tmpdir(), 'uam-mutate-'));
const wanted = process.argv[2] ?? '';
const build = () => execFileSync('make', ['-s', '-C', join(copy, 'build'), 'BUILDTYPE=Release', '-j2'], { stdio: 'pipe' });

/** Whether the tests pass in the copy. */
function pass(tests) {
  const files = tests.map((test) => join('build', 'js', 'test', `${test}.test.js`));
  return spawnSync('npx', ['tap', '--reporter=silent', '--timeout=120', ...files], { cwd: copy, stdio: 'ignore' }).status === 0;
}

const chosen = mutations.filter(([name, file]) => `${name} ${file}`.includes(wanted));
let missed = 0;
try {
  for (const part of ['native', 'build', 'src', 'test', 'package.json', '.taprc', 'node_modules', 'binding.gyp', 'scripts']) {
    cpSync(join(root, part), join(copy, part), { recursive: true, verbatimSymlinks: true, preserveTimestamps: true });
  }
  build();
  const all = [...new Set(chosen.flatMap(([, , , , tests]) => tests))];
  if (!pass(all)) throw new Error(`the tests fail before anything is broken: ${all.join(', ')}`);
  for (const [name, file, code, replacement, tests] of chosen) {
    const path = join(copy, file);
    const original = readFileSync(path, 'utf8');
    if (!original.includes(code)) throw new Error(`${file} no longer holds: ${code}`);
    writeFileSync(path, original.replaceAll(code, replacement));
    build();
    const noticed = !pass(tests);
    if (!noticed) missed++;
    console.log(`${noticed ? 'noticed' : 'MISSED '}  ${name} (${file})`);
    writeFileSync(path, original);
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
console.log(missed === 0 ? 'every mutation was noticed' : `${missed} went unnoticed`);
process.exitCode = missed === 0 ? 0 : 1;
