// `uam features` with an engine that makes its numbers up: everything around the numbers.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import t from 'tap';
import { packageRoot } from '../../src/native/load.js';
import { runModule, sources } from '../support/child.js';

/** A program that runs `uam` with the arguments, and prints what the engine was asked, where `UAM_CALLS` names a file. */
const program = (args: readonly string[]): string => `
  import { writeFileSync } from 'node:fs';
  import { runProgram } from '${sources}cli/program.js';
  import { FakeEngine } from '${sources}../test/support/fake_engine.js';
  const engine = new FakeEngine();
  const code = await runProgram(${JSON.stringify(args)}, async () => engine);
  if (process.env.UAM_CALLS) writeFileSync(process.env.UAM_CALLS, JSON.stringify(engine.calls));
  process.exitCode = code;
`;
const uam = (args: readonly string[], env: Record<string, string> = {}) => runModule(program(args), env);
const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'));
const lines = (path: string): string[] => readFileSync(path, 'utf8').trim().split('\n');

t.test('--version, --help, --list', async (t) => {
  t.same(uam(['--version']), { code: 0, signal: null, stdout: `uam ${version}`, stderr: '' });
  const help = uam(['features', '--help']);
  t.equal(help.code, 0);
  t.match(help.stdout, /--keep-going[\s\S]*Exit codes: 0 done, 2 usage/);
  const list = uam(['features', '--list']);
  t.equal(list.code, 0);
  t.match(list.stdout, /^feature +unit +default +definition[\s\S]*\nfirstorder_Mean +intensity +yes +mean intensity {2}\[PyRadiomics/);
  const mean = JSON.parse(uam(['features', '--list', '--json']).stdout).find(({ name }: { name: string }) => name === 'firstorder_Mean');
  t.match(mean, { class: 'firstorder', feature: 'Mean', unit: 'intensity', default: true });
});

t.test('wrong flags: exit code 2, the reason on stderr, nothing on stdout', async (t) => {
  const folder = t.testdir({ 'a.png': 'cells 5', 'm.png': 'cells 5' });
  const [image, mask, out] = ['a.png', 'm.png', 'o.csv'].map((name) => join(folder, name)) as [string, string, string];
  const good = ['features', '--image', image, '--mask', mask, '--out', out];
  const cases: [string[], RegExp][] = [
    [[], /Usage: uam/],
    [['nothing'], /unknown command 'nothing'/],
    [['features', '--imgae', image], /unknown option '--imgae'[\s\S]*--image/],
    [['features', '--image'], /argument missing/],
    [['features', 'extra'], /too many arguments/],
    [['features'], /UAM_ARGUMENT: --image is missing/],
    [['features', '--image', image], /--out is missing/],
    [['features', '--image', image, '--out', out], /--mask is missing.*--segment/],
    [[...good, '--segment'], /exclude each other/],
    [[...good.slice(0, -1), join(folder, 'o.txt')], /must end in \.csv/],
    [[...good.slice(0, -1), '-', '--json'], /--json and --out - exclude/],
    [[...good.slice(0, -1), ''], /--out must name a file/],
    [[...good, '--threads', '0'], /--threads must be a whole number of at least 1, received '0'/],
    [[...good, '--block', '2.5'], /--block/],
    [[...good, '--mpp', 'x'], /--mpp must be a number above 0, received 'x'/],
    [[...good, '--channels', 'grey,infrared'], /no channel 'infrared'; the channels are grey, r, g, b/],
    [[...good, '--channels', ','], /at least one channel/],
    [[...good, '--features', 'firstorder,glmc'], /--features: there is no class or feature 'glmc'; did you mean 'glcm'/],
    [[...good, '--features', 'firstorder_mean'], /did you mean 'firstorder_Mean'/],
    [[...good, '--stains', 'vahadane'], /--stains must be ruifrok or macenko/],
    [[...good, '--standard', 'x'], /--standard must be pyradiomics or ibsi/],
    [[...good, '--log-format', 'xml'], /--log-format must be text or json/],
    [['features', '--image', image, '--mask', mask, '--out', mask], /must end in/],
  ];
  // In one process: each start costs a third of a second.
  const { stdout } = runModule(`
    import { runProgram } from '${sources}cli/program.js';
    import { FakeEngine } from '${sources}../test/support/fake_engine.js';
    const results = [];
    const streams = { stdout: process.stdout.write, stderr: process.stderr.write };
    for (const args of ${JSON.stringify(cases.map(([args]) => args))}) {
      const result = { stdout: '', stderr: '' };
      for (const name of Object.keys(streams)) process[name].write = (text, done) => ((result[name] += text), done?.(), true);
      result.code = await runProgram(args, async () => new FakeEngine());
      results.push(result);
    }
    process.stdout.write = streams.stdout;
    console.log(JSON.stringify(results));
  `);
  const results = JSON.parse(stdout) as { code: number; stdout: string; stderr: string }[];
  for (const [i, [args, message]] of cases.entries()) {
    t.equal(results[i]?.code, 2, args.slice(1).join(' '));
    t.equal(results[i]?.stdout, '');
    t.match(results[i]?.stderr, message);
    t.notMatch(results[i]?.stderr, /\n\s+at /, 'no stack');
  }
  t.equal(uam(['features', '--nonsense']).code, 2, 'and as the exit code of the process');
  t.same(readdirSync(folder).sort(), ['a.png', 'm.png']);
});

t.test('one image: a CSV without an image column; stdout stays clean', async (t) => {
  const folder = t.testdir({ 'a.png': 'cells 0', 'm.png': 'cells 250' });
  const out = join(folder, 'o.csv');
  const calls = join(folder, 'calls.json');
  const args = ['features', '--image', join(folder, 'a.png'), '--mask', join(folder, 'm.png'), '--out', out];
  const more = ['--channels', 'gray,h,e,H', '--features', 'glcm,firstorder_Mean', '--mpp', '0.25', '--threads', '2', '--block', '64'];
  const { code, stdout, stderr } = uam([...args, ...more, '--standard', 'ibsi', '--stains', 'macenko'], { UAM_CALLS: calls });
  t.equal(code, 0, stderr);
  t.equal(stdout, '');
  t.match(stderr, /^uam: 250 cells of 1 image, 6 features, [\d.]+ s; \d+ single_pixel/);
  t.equal(lines(out).length, 251);
  t.match(lines(out)[0], /^label,x,y,touches_border,status,grey_firstorder_Mean/);
  const asked = JSON.parse(readFileSync(calls, 'utf8'));
  t.equal(asked.threads, 2);
  t.same(asked.images[0].mpp, [0.25, 0.25]);
  t.same(asked.options, [
    {
      settings: { standard: 'ibsi' },
      channels: ['grey', 'haematoxylin', 'eosin'],
      features: { glcm: null, firstorder: ['Mean'] },
      stains: 'macenko',
      blockSize: 64,
    },
  ]);
});

t.test('a parameter file, --json, --segment', async (t) => {
  const folder = t.testdir({
    'a.png': 'warn',
    'p.yaml': 'setting: {binWidth: 5, force2D: true}\nfeatureClass: {glcm: }\nimageType: {LoG: {sigma: [2]}}',
    'bad.yaml': 'setting: {binwidth: 5}',
  });
  const calls = join(folder, 'calls.json');
  const args = ['features', '--image', join(folder, 'a.png'), '--segment', '--out', join(folder, 'o.csv.gz'), '--json', '--settings'];
  const { code, stdout, stderr } = uam([...args, join(folder, 'p.yaml')], { UAM_CALLS: calls });
  t.equal(code, 0, stderr);
  t.match(stderr, /warning: .*force2D: without effect/);
  const summary = JSON.parse(stdout);
  t.match(summary, {
    images: 1,
    cells: 3,
    columns: 2,
    status: { ok: 3 },
    failures: [],
    warnings: [{ code: 'made_up', message: /made-up/ }],
  });
  t.equal(summary.out, join(folder, 'o.csv.gz'));
  t.type(summary.seconds, 'number');
  const asked = JSON.parse(readFileSync(calls, 'utf8'));
  t.equal(asked.segmented, 1);
  t.match(asked.options[0], {
    settings: { binWidth: 5 },
    features: { glcm: null },
    imageTypes: { LoG: { sigma: [2] } },
  });
  const refused = uam([...args, join(folder, 'bad.yaml')]);
  t.equal(refused.code, 2);
  t.match(refused.stderr, /UAM_ARGUMENT: .*bad\.yaml: setting\.binwidth: not supported; did you mean 'binWidth'/);
  t.equal(uam([...args, join(folder, 'none.yaml')]).code, 66);
});

t.test('--out -: the table on stdout, everything else on stderr', async (t) => {
  const folder = t.testdir({ 'a.png': 'warn', 'm.png': 'cells 250' });
  const args = ['features', '--image', join(folder, 'a.png'), '--mask', join(folder, 'm.png'), '--out', '-'];
  const { code, stdout, stderr } = uam(args);
  t.equal(code, 0);
  t.equal(stdout.split('\n').length, 251);
  t.match(stdout, /^label,/);
  t.match(stderr, /made-up warning/);
  const quiet = uam([...args, '--quiet']);
  t.same([quiet.code, quiet.stderr, quiet.stdout], [0, '', stdout]);
  const json = uam([...args, '--log-format', 'json'])
    .stderr.split('\n')
    .map((line) => JSON.parse(line));
  t.match(json, [
    { level: 'warning', code: 'made_up', image: join(folder, 'a.png') },
    { level: 'info', message: /250 cells/ },
  ]);
});

t.test('folders and manifests: rows carry the image', async (t) => {
  const folder = t.testdir({
    images: { 'a.png': '', 'b.png': '', 'c.png': 'cells 1' },
    masks: { 'a.png': 'cells 2', 'b.png': 'cells 0', 'c_labels.png': 'cells 1' },
    'm.csv': 'image,mask,patient\nimages/a.png,masks/a.png,"P,1"\nimages/c.png,masks/a.png,P2\n',
    'clash.csv': 'image,mask,grey_firstorder_Mean\nimages/a.png,masks/a.png,x\n',
  });
  const out = join(folder, 'o.csv');
  const first = uam(['features', '--image', join(folder, 'images'), '--mask', join(folder, 'masks'), '--out', out]);
  t.equal(first.code, 0, first.stderr);
  t.match(first.stderr, /b\.png: the image has no cells[\s\S]*3 cells of 3 images/);
  t.same(
    lines(out).map((line) => line.split(',')[0]),
    ['image', 'a.png', 'a.png', 'c.png'],
  );
  const second = uam(['features', '--image', join(folder, 'm.csv'), '--out', out]);
  t.equal(second.code, 0, second.stderr);
  t.match(lines(out), [/^image,patient,label/, /^images\/a\.png,"P,1",/, /^images\/a\.png,"P,1",/, /^images\/c\.png,P2,/]);
  const clash = uam(['features', '--image', join(folder, 'clash.csv'), '--out', out]);
  t.equal(clash.code, 65);
  t.match(clash.stderr, /'grey_firstorder_Mean' must have another name/);
  const over = uam(['features', '--image', join(folder, 'm.csv'), '--out', join(folder, 'm.csv')]);
  t.equal(over.code, 2);
  t.match(over.stderr, /must be another file than .*m\.csv/);
  t.equal(uam(['features', '--image', join(folder, 'images'), '--mask', join(folder, 'nowhere'), '--out', out]).code, 66);
});

t.test('an image that fails stops the run, or is left out with --keep-going', async (t) => {
  const folder = t.testdir({
    images: { 'a.png': '', 'b.png': 'fail UAM_DATA', 'c.png': '' },
    masks: { 'a.png': 'cells 2', 'b.png': 'cells 2', 'c.png': 'cells 2' },
    broken: { 'a.png': 'break UAM_SHAPE' },
    brokenMasks: { 'a.png': 'cells 250' },
  });
  const out = join(folder, 'o.csv');
  const args = ['features', '--image', join(folder, 'images'), '--mask', join(folder, 'masks'), '--out', out];
  const stopped = uam(args);
  t.equal(stopped.code, 65);
  t.match(stopped.stderr, /UAM_DATA: .*b\.png is made to fail/);
  t.notOk(existsSync(out));
  const kept = uam([...args, '--keep-going', '--json']);
  t.equal(kept.code, 65);
  t.match(JSON.parse(kept.stdout), { images: 2, cells: 4, failures: [{ image: join(folder, 'images', 'b.png'), code: 'UAM_DATA' }] });
  t.same(
    lines(out).map((line) => line.split(',')[0]),
    ['image', 'a.png', 'a.png', 'c.png', 'c.png'],
  );
  const half = uam([
    'features',
    '--image',
    join(folder, 'broken'),
    '--mask',
    join(folder, 'brokenMasks'),
    '--out',
    join(folder, 'h.csv'),
    '--keep-going',
  ]);
  t.equal(half.code, 65);
  t.same(readdirSync(folder).sort(), ['broken', 'brokenMasks', 'images', 'masks', 'o.csv'], 'nothing half-written');
});

t.test('exit codes', async (t) => {
  const codes: [string, number][] = [
    ['fail UAM_FORMAT', 65],
    ['fail UAM_DATA', 65],
    ['fail UAM_SHAPE', 65],
    ['fail UAM_INPUT', 66],
    ['fail UAM_DEVICE', 69],
    ['fail UAM_ADDON', 69],
    ['fail UAM_NATIVE', 70],
    ['crash', 70],
    ['fail UAM_IO', 74],
    ['fail UAM_MEMORY', 75],
  ];
  const folder = t.testdir({ 'a.png': '' });
  const args = ['features', '--image', join(folder, 'a.png'), '--segment', '--out', join(folder, 'o.csv')];
  for (const [text, expected] of codes) {
    writeFileSync(join(folder, 'a.png'), text);
    t.equal(uam(args).code, expected, text);
  }
  t.match(uam(args, { UAM_DEBUG: '1' }).stderr, /UAM_MEMORY: .*\n[\s\S]*\n\s+at /, 'UAM_DEBUG=1 shows the stack');
  t.equal(uam([...args.slice(0, -1), join(folder, 'no', 'o.csv')]).code, 74);
  const missing = uam(['features', '--image', join(folder, 'no.png'), '--segment', '--out', '-', '--log-format', 'json']);
  t.equal(missing.code, 66);
  t.match(JSON.parse(missing.stderr), { level: 'error', code: 'UAM_INPUT', message: /no\.png/ });
  t.match(JSON.parse(uam(['features', '--nonsense', '--log-format', 'json']).stderr), { level: 'error', code: 'UAM_ARGUMENT' });
});

/** Starts `uam`; tap's hooks are left out of it, as in `runModule`. */
function start(args: readonly string[]): { child: ChildProcess; ended: Promise<unknown[]>; stderr: () => string } {
  const child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, '--input-type=module', '--eval', program(args)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  child.stderr?.on('data', (bytes) => (text += bytes));
  return { child, ended: once(child, 'exit'), stderr: () => text };
}

async function until(test: () => boolean): Promise<void> {
  for (let i = 0; i < 400 && !test(); i++) await pause(25);
}

t.test('a signal in the middle leaves no file', async (t) => {
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    const folder = t.testdir({ 'a.png': 'wait 60000' });
    const { child, ended, stderr } = start(['features', '--image', join(folder, 'a.png'), '--segment', '--out', join(folder, 'o.csv')]);
    await until(() => readdirSync(folder).some((name) => name.endsWith('.tmp')));
    await pause(200);
    child.kill(signal);
    t.same(await ended, [code, null], signal);
    t.same(readdirSync(folder), ['a.png']);
    t.match(stderr(), new RegExp(`^uam: ${signal}: ending`));
  }
});

t.test('a second signal ends at once, even where nothing listens to the first', async (t) => {
  const folder = t.testdir({ 'a.png': 'deaf' });
  const deaf = program(['features', '--image', join(folder, 'a.png'), '--segment', '--out', join(folder, 'o.csv')]).replace(
    'const code',
    'engine.readImage = () => new Promise((done) => setTimeout(done, 60000)); const code',
  );
  const child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, '--input-type=module', '--eval', deaf], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  await until(() => readdirSync(folder).some((name) => name.endsWith('.tmp')));
  await pause(200);
  child.kill('SIGINT');
  await pause(300);
  child.kill('SIGINT');
  t.same(await ended, [130, null]);
  t.same(readdirSync(folder), ['a.png']);
});

t.test('a reader that goes away ends the run without noise', async (t) => {
  const folder = t.testdir({ 'a.png': 'wait 20', 'm.png': 'cells 100000' });
  const { child, ended, stderr } = start(['features', '--image', join(folder, 'a.png'), '--mask', join(folder, 'm.png'), '--out', '-']);
  await once(child.stdout as NodeJS.ReadableStream, 'data');
  child.stdout?.destroy();
  t.same(await ended, [141, null]);
  t.equal(stderr(), '');
});
