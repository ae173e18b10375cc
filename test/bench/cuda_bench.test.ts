// npm run bench:cuda: its table on the emulation (tiny sizes, no times), its words without a card, and how numbers are told.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { floorOf } from '../../bench/cuda/card_rates.js';
import { rateText } from '../../bench/cuda/table.js';
import { packageRoot } from '../../src/native/load.js';

const program = fileURLToPath(new URL('../../bench/cuda/main.js', import.meta.url));
const emulated = join(packageRoot(), 'build-emulated', 'Release', 'uam_native.node');

function bench(words: string[], addon: string | undefined) {
  const env: NodeJS.ProcessEnv = { ...process.env, NODE_OPTIONS: '' };
  if (addon) env.UAM_ADDON = addon;
  else delete env.UAM_ADDON;
  return spawnSync(process.execPath, [program, ...words], { cwd: packageRoot(), env, encoding: 'utf8', timeout: 300_000 });
}

t.test('the floor of a case is what takes longest', async (t) => {
  const rates = { copy: 1e12, fma: 1e13, exp2: 1e12, matrix: { bf16: 1e14 } };
  t.same(floorOf({ bytes: 2e6, exps: 1e6 }, 'float32', rates), { seconds: 2e-6, bound: 'memory' });
  t.same(floorOf({ bytes: 1e6, matrix: 1e9 }, 'bf16', rates), { seconds: 1e-5, bound: 'matrix' });
  t.same(floorOf({ bytes: 1e6, matrix: 1e9 }, 'float32', rates), { seconds: 1e-4, bound: 'matrix' });
  t.equal(floorOf({ exps: 1 }, 'float32', { ...rates, exp2: undefined }), undefined);
});

t.test('rates are told in steps of a thousand', async (t) => {
  t.equal(rateText(3.21e14, 'FLOP'), '321 TFLOP/s');
  t.equal(rateText(4.3e12, 'B'), '4.30 TB/s');
  t.equal(rateText(12, 'cells'), '12.0 cells/s');
});

t.test('without a card it says so, and ends with 69', async (t) => {
  const { status, stderr } = bench([], join(packageRoot(), 'build', 'Release', 'uam_native.node'));
  t.equal(status, 69);
  t.match(stderr, /no CUDA device: .+\n.*npm run build:cuda/);
});

t.test(
  'every case runs on the emulation, and is right',
  { skip: !existsSync(emulated) && 'npm run build:emulated was not run' },
  async (t) => {
    const { status, stdout, stderr } = bench(['--emulated'], emulated);
    t.equal(status, 0, stderr);
    t.notMatch(stdout, /left out:/);
    const errors = [...stdout.matchAll(/^(selective scan|attention|gemm).*?(float32|bf16|tf32|-) .* (\d\.\de[+-]\d+|NaN) /gm)];
    t.ok(errors.length >= 13, `${errors.length} cases`);
    for (const [line, , precision, error] of errors) {
      const allowed = precision === 'bf16' ? 2e-2 : precision === 'tf32' ? 2e-3 : 2e-6;
      t.ok(Number(error) < allowed, line);
    }
    t.match(stdout, /0 of \d+ values differ in a bit from the CPU's/);
    t.match(stdout, /UAM-S, 8 cells, cell tokens/);
  },
);
