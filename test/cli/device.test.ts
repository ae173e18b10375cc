// `--device` of every command that has it, as a user gives it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { runtimeInfo } from '../../src/index.js';
import { hasCuda } from '../../src/native/device.js';
import { writeDemoFiles } from '../support/demo_files.js';
import { uam } from '../support/run_program.js';

const folder = mkdtempSync(join(tmpdir(), 'uam-device-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);

const COMMANDS = Object.freeze({
  train: ['train', '--manifest', file('none.csv'), '--out', file('none.safetensors')],
  predict: ['predict', '--image', file('none.png'), '--model', file('none.safetensors'), '--segment'],
  evaluate: ['evaluate', '--manifest', file('none.csv'), '--model', file('none.safetensors')],
  features: ['features', '--image', file('none.png'), '--segment', '--out', file('none.csv')],
  analyse: ['analyse', file('none.tif'), '--model', file('none.safetensors'), '--out', file('none')],
});

t.test(
  'a device that is not there ends the run with 69 and the driver\u2019s words',
  { skip: hasCuda() && 'there is a card' },
  async (t) => {
    for (const [name, args] of Object.entries(COMMANDS)) {
      const { code, stderr } = uam([...args, '--device', 'cuda']);
      t.equal(code, 69, name);
      t.match(stderr, runtimeInfo().cuda, name);
    }
    t.match(uam(COMMANDS.train, { UAM_DEVICE: 'cuda:1' }), { code: 69, stderr: runtimeInfo().cuda });
  },
);

t.test('a device that nobody knows', async (t) => {
  for (const args of Object.values(COMMANDS)) {
    t.match(uam([...args, '--device', 'gpu']), {
      code: 2,
      stderr: /device must be 'auto', 'cpu', 'cuda' or 'cuda:<number>', received 'gpu'/,
    });
  }
});

t.test('the first message says which device it is', async (t) => {
  const [auto, cpu, silent] = [['--device', 'auto'], ['--device', 'cpu'], []].map((flags) => uam([...COMMANDS.train, ...flags]));
  t.match(cpu, { code: 66, stderr: /^uam: computing on cpu\n/ });
  t.match(auto?.stderr, hasCuda() ? /^uam: computing on cuda:0: / : `uam: computing on cpu; no card: ${runtimeInfo().cuda}\n`);
  t.notMatch(silent?.stderr, 'computing on');
});

t.test('train and predict on the card', { skip: !hasCuda() && 'there is no card' }, async (t) => {
  const rows = Array.from({ length: 24 }, (_, i) => [
    `p${i % 4}`,
    i % 2 ? 'a' : 'b',
    (i % 2) * 3 + (i % 5),
    (i * 7) % 11,
    5 * (i % 6),
    9 * (i % 4),
  ]);
  writeFileSync(
    file('cells.csv'),
    `${[['patient', 'class', 'glcm_A', 'glcm_B', 'x', 'y'], ...rows].map((row) => row.join(',')).join('\n')}\n`,
  );
  const train = uam([
    ...['train', '--table', file('cells.csv'), '--mpp', '0.5', '--out', file('table.safetensors'), '--epochs', '1'],
    ...['--device', 'cuda'],
  ]);
  t.equal(train.code, 0, train.stderr);
  t.match(train.stderr, /^uam: computing on cuda:0: .+\n/);
  const csv = await writeDemoFiles(folder, 'train', { tiles: 2 });
  const model = file('model.safetensors');
  const flags = ['--features', 'shape2D', '--channels', 'grey', '--tokens', 'vector', '--architecture', 'mlp', '--epochs', '1'];
  t.equal(uam(['train', '--manifest', csv, '--out', model, '--validation', '0', ...flags, '--device', 'auto']).code, 0);
  const image = ['--image', csv, '--model', model, '--quiet', '--out', '-'];
  const [there, here] = [uam(['predict', ...image, '--device', 'cuda']), uam(['predict', ...image, '--device', 'cpu'])];
  t.equal(there.code, 0, there.stderr);
  const numbers = (stdout: string) => stdout.split(/[,\n]/).map(Number).filter(Number.isFinite);
  const [a, b] = [numbers(there.stdout), numbers(here.stdout)];
  t.ok(a.length > 0 && a.length === b.length && a.every((value, i) => Math.abs(value - (b[i] as number)) < 1e-4));
});

t.test('doctor lists the card and tests it', { skip: !hasCuda() && 'there is no card' }, async (t) => {
  const { code, stdout, stderr } = uam(['doctor', '--json']);
  t.equal(code, 0, stderr);
  const { card, selfTest } = JSON.parse(stdout);
  t.match(card, { name: String, index: 0, capability: /^\d+\.\d+$/, memory: Number, free: Number, architectures: String });
  t.equal(selfTest.filter(({ name }: { name: string }) => name.endsWith('on the card')).length, 4);
  t.match(
    uam(['doctor']).stdout,
    /card +cuda:0, .+compute capability \d+\.\d+.*\nCUDA versions +driver [\d.]+, runtime [\d.]+\ncompiled for /,
  );
});
