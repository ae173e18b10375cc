// What the commands refuse, and how they end: wrong flags, missing files, signals in the middle.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { runModule, sources } from '../support/child.js';
import { writeDemoFiles } from '../support/demo_files.js';
import { signalWhen, startUam, uam } from '../support/run_program.js';

const folder = mkdtempSync(join(tmpdir(), 'uam-commands-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);
const manifest = await writeDemoFiles(folder, 'a', { tiles: 6 });
const model = file('model.safetensors');
const small = ['--size', 'S', '--features', 'firstorder', '--channels', 'grey'];
const made = uam(['train', '--manifest', manifest, '--out', model, ...small, '--epochs', '1', '--quiet', '--validation', '0.3']);
t.equal(made.code, 0, made.stderr);

/** Runs many command lines in one process: each start costs a third of a second. */
function runAll(lists: readonly (readonly string[])[]): { code: number; stdout: string; stderr: string }[] {
  const { stdout, stderr } = runModule(`
    import { runProgram } from '${sources}cli/program.js';
    import { packageEngine } from '${sources}cli/package_engine.js';
    const results = [];
    const streams = { stdout: process.stdout.write, stderr: process.stderr.write };
    for (const args of ${JSON.stringify(lists)}) {
      const result = { stdout: '', stderr: '' };
      for (const name of Object.keys(streams)) process[name].write = (text, done) => ((result[name] += text), done?.(), true);
      result.code = await runProgram(args, async () => packageEngine);
      results.push(result);
    }
    for (const name of Object.keys(streams)) process[name].write = streams[name];
    console.log(JSON.stringify(results));
  `);
  t.equal(stderr, '');
  return JSON.parse(stdout);
}

t.test('wrong flags and missing files: the exit code, the reason, and nothing written', async (t) => {
  const train = ['train', '--manifest', manifest, '--out', file('new.safetensors')];
  const evaluate = ['evaluate', '--model', model, '--manifest', manifest];
  const image = ['--image', file('a0.png'), '--mask', file('a0_labels.png')];
  const predict = ['predict', ...image, '--model', model, '--mpp', '0.5'];
  writeFileSync(file('unknown.csv'), 'image,mask,classes\na0.png,a0_labels.png,a0_classes.csv\n');
  writeFileSync(file('other_class.csv'), 'image,mask,classes,mpp\na0.png,a0_labels.png,other.csv,0.5\n');
  writeFileSync(file('other.csv'), 'label,class\n1,dragon\n');
  writeFileSync(file('lost.csv'), 'image,mask,mpp\nnone.png,a0_labels.png,0.5\n');
  const cases: [string[], number, RegExp][] = [
    [['train'], 2, /--manifest is missing/],
    [['train', '--manifest', manifest], 2, /--out is missing/],
    [['train', '--manifest', manifest, '--table', manifest, '--out', 'x'], 2, /exclude each other/],
    [['train', '--manifest', manifest, '--out', file('m.bin')], 2, /must name a file that ends in \.safetensors/],
    [[...train, '--size', 'XL'], 2, /--size must be S or B or L, received 'XL'/],
    [[...train, '--architecture', 'rnn'], 2, /--architecture must be amamba or/],
    [[...train, '--tokens', 'word'], 2, /--tokens must be feature or cell/],
    [[...train, '--epochs', '0'], 2, /--epochs must be a whole number/],
    [[...train, '--seed', '-1'], 2, /--seed must be a whole number from 0/],
    [[...train, '--lr', 'fast'], 2, /--lr must be a number above 0/],
    [[...train, '--classes', 'tumour'], 2, /--classes must name at least two/],
    [[...train, '--validation', '1.5'], 2, /--validation must be a share/],
    [[...train, '--validation', file('none.csv')], 66, /none\.csv/],
    [[...train, '--curves', 'x.png'], 2, /--curves must name a file that ends in \.svg/],
    [[...train, '--features', 'glmc'], 2, /did you mean 'glcm'/],
    [[...train, '--resume', '--restart'], 2, /exclude each other/],
    [[...train, '--class-column', 'x'], 2, /--class-column is for --table/],
    [['train', '--table', manifest, '--out', file('new.safetensors'), '--ring', '3'], 2, /--ring is for --manifest/],
    [
      ['train', '--manifest', manifest, '--out', join(folder, 'none', 'm.safetensors')],
      74,
      /the folder .*none does not exist; make it first/,
    ],
    [['train', '--manifest', file('none.csv'), '--out', file('new.safetensors')], 66, /none\.csv/],
    [
      ['train', '--manifest', file('unknown.csv'), '--out', file('new.safetensors'), '--channels', 'grey'],
      65,
      /pixel size; give mpp.*--mpp/,
    ],
    [['train', '--manifest', file('lost.csv'), '--out', file('new.safetensors')], 66, /none\.png/],
    [['evaluate', '--manifest', manifest], 2, /--model is missing/],
    [[...evaluate, '--split', 'half'], 2, /--split must be test or/],
    [[...evaluate, '--split', 'test'], 65, /no line is of the split test/],
    [[...evaluate, '--out', file('report.pdf')], 2, /\.html or \.json, or a folder/],
    [[...evaluate, '--resamples', '0'], 2, /--resamples/],
    [['evaluate', '--model', manifest, '--manifest', manifest], 65, /not a safetensors file/],
    [['evaluate', '--model', model, '--manifest', file('other_class.csv')], 65, /there is no class 'dragon'; the classes are lymphocyte/],
    [['predict', '--model', model, '--out', file('x.csv')], 2, /--image is missing/],
    [['predict', ...image, '--out', file('x.csv')], 2, /--model is missing/],
    [['predict', ...image, '--model', model, '--out', file('x.csv')], 65, /does not tell its pixel size; give mpp.*--mpp/],
    [predict, 2, /--out is missing; name a file that ends in \.geojson/],
    [[...predict, '--out', file('x.txt')], 2, /must end in \.geojson, \.csv or \.parquet/],
    [[...predict, '--out', file('x.csv'), '--overlay', file('x.jpg')], 2, /--overlay must name a file that ends in \.png/],
    [[...predict, '--out', file('x.csv'), '--format', 'csv'], 2, /--format is for folders/],
    [[...predict, '--out', file('new_folder'), '--format', 'pdf'], 2, /no format 'pdf'/],
    [[...predict, '--out', file('x.csv'), '--at-least', '2'], 2, /--at-least must be a number from 0 to 1/],
    [[...predict, '--out', '-', '--json'], 2, /exclude each other/],
    [[...predict, '--out', file('x.csv'), '--measurements', 'firstorder_Maen'], 2, /did you mean 'firstorder_Mean'/],
    [[...predict, '--out', join(folder, 'none', 'x.csv')], 74, /does not exist/],
    [['predict', ...image, '--mpp', '0.5', '--model', file('none.safetensors'), '--out', file('x.csv')], 66, /none\.safetensors/],
    [
      ['predict', ...image, '--mpp', '0.5', '--model', model, '--overlay', file('a0.png')],
      2,
      /--overlay .*a0\.png must be another file than/,
    ],
    [['predict', '--image', file('a0.png'), '--model', model, '--mpp', '0.5', '--out', file('x.csv')], 2, /--mask is missing.*--segment/],
    [['info'], 2, /missing required argument 'model'/],
    [['doctor', 'now'], 2, /too many arguments/],
  ];
  const before = readdirSync(folder).sort();
  const results = runAll(cases.map(([args]) => args));
  for (const [i, [args, code, reason]] of cases.entries()) {
    const found = results[i];
    t.equal(found?.code, code, `${args.slice(0, 1)} ${args.slice(-2).join(' ')}: ${found?.stderr}`);
    t.match(found?.stderr, reason);
    t.equal(found?.stdout, '');
  }
  t.same(
    readdirSync(folder)
      .sort()
      .filter((name) => !before.includes(name)),
    [],
    'nothing was written',
  );
});

t.test('every command has its help, for people', async (t) => {
  const names = ['train', 'evaluate', 'predict', 'info', 'doctor', 'features'];
  const [all, ...each] = runAll([['--help'], ...names.map((name) => [name, '--help'])]);
  for (const [i, name] of names.entries()) {
    t.match(all?.stdout, new RegExp(`\\n +${name} .* {2}[A-Z]`), `${name} is in the list`);
    t.equal(each[i]?.code, 0);
    t.match(each[i]?.stdout, /Exit codes: 0 done, 2 usage/);
  }
  t.match(each[0]?.stdout, /The manifest is a CSV file\.[\s\S]*points +either: [\s\S]*--resume goes on from it/);
});

const long = ['--epochs', '5000', '--patience', '5000', '--batch', '1', '--validation', '0.3'];

t.test('Ctrl-C in a training: it is kept, and --resume goes on to the same model', async (t) => {
  const [out, whole] = [file('kept.safetensors'), file('whole.safetensors')];
  const args = ['train', '--manifest', manifest, ...small, '--epochs', '12', '--patience', '12', '--batch', '1', '--validation', '0.3'];
  const ended = await signalWhen(startUam([...args, '--out', out]), (stderr) => stderr.includes('epoch 2/'));
  t.equal(ended.code, 130, ended.stderr);
  t.match(ended.stderr, /SIGINT: ending; the run so far is kept in .*kept\.safetensors\.checkpoint; the same command with --resume/);
  t.equal(ended.stdout, '');
  t.notOk(existsSync(out), 'no half model');
  t.ok(existsSync(`${out}.checkpoint`));
  const careless = uam([...args, '--out', out]);
  t.equal(careless.code, 2);
  t.match(careless.stderr, /is of a run that was interrupted.*--resume.*--restart/);
  const other = uam([...args, '--out', out, '--resume', '--lr', '0.5']);
  t.equal(other.code, 65);
  t.match(other.stderr, /a run with other cells, settings or model/);
  const resumed = uam([...args, '--out', out, '--resume']);
  t.equal(resumed.code, 0, resumed.stderr);
  t.match(resumed.stderr, /going on from/);
  t.notMatch(resumed.stderr, /epoch 1\/12/);
  t.equal(uam([...args, '--out', whole, '--quiet']).code, 0);
  t.ok(readFileSync(out).equals(readFileSync(whole)), 'bit for bit');
  t.same(
    readdirSync(folder).filter((name) => /checkpoint|tmp/.test(name)),
    [],
    'nothing else is left',
  );
});

/** Runs a command that sends itself a signal some turns after it listens for it: there is nothing on its standard error to wait for. */
const interrupted = (args: readonly string[], signal: NodeJS.Signals, turns: number) =>
  runModule(`
    import { runProgram } from '${sources}cli/program.js';
    import { packageEngine } from '${sources}cli/package_engine.js';
    let turns = 0;
    const watch = setInterval(() => {
      if (process.listenerCount('${signal}') === 0 || ++turns < ${turns}) return;
      clearInterval(watch);
      process.kill(process.pid, '${signal}');
    }, 5);
    process.exit(await runProgram(${JSON.stringify(args)}, async () => packageEngine));
  `);

t.test('signals in the middle of each command leave nothing half-written', async (t) => {
  const big = await writeDemoFiles(file('big'), 'b', { tiles: 3, first: 90, side: 512 });
  const before = readdirSync(folder).sort();
  const runs: [string[], NodeJS.Signals][] = [
    [['train', '--manifest', big, '--out', file('x.safetensors'), ...long], 'SIGTERM'],
    [['evaluate', '--model', model, '--manifest', big, '--out', file('x.json'), '--resamples', '1000000'], 'SIGINT'],
    [['predict', '--image', big, '--model', model, '--out', file('x.csv')], 'SIGINT'],
    [['predict', '--image', file('big/b0.png'), '--segment', '--mpp', '0.5', '--model', model, '--out', file('x.geojson')], 'SIGTERM'],
  ];
  for (const [args, signal] of runs) {
    for (const turns of [1, 30]) {
      const { code, stderr } = interrupted(args, signal, turns);
      const what = `${args[0]} after ${turns} turns: ${code}`;
      const done = code === 0; // a fast machine may be done before
      t.ok(done || code === (signal === 'SIGINT' ? 130 : 143), `${what} ${stderr}`);
      if (!done) t.match(stderr, new RegExp(`${signal}: ending; nothing is written`), what);
      const left = readdirSync(folder).filter((name) => !before.includes(name));
      t.same(
        left.sort(),
        done ? [`x${/\.\w+$/.exec(args.find((arg) => arg.startsWith(file('x.'))) ?? '')}`] : [],
        `${what}: nothing is left`,
      );
      for (const name of left) rmSync(file(name), { force: true });
    }
  }
});

t.test('messages as JSON', async (t) => {
  const { code, stderr } = uam([
    'train',
    '--manifest',
    manifest,
    '--out',
    file('j.safetensors'),
    ...small,
    '--epochs',
    '1',
    '--log-format',
    'json',
  ]);
  t.equal(code, 0);
  const lines = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.match(lines.at(-1), { level: 'info', epoch: 1, loss: Number, macroF1: Number });
});
