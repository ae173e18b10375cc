// `uam demo`: what it writes, that it does so whole or not at all, and the same bytes each time.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import sharp from 'sharp';
import t from 'tap';
import { findCells } from '../../src/cells/find_cells.js';
import { readGeoJson } from '../../src/cells/geojson.js';
import { readImage } from '../../src/image/read_image.js';
import { readMask } from '../../src/image/read_mask.js';
import { writeMask } from '../../src/image/write_mask.js';
import { readDataset } from '../../src/train/read_manifest.js';
import { UAM } from '../../src/train/uam.js';
import { runModule, sources } from '../support/child.js';
import { rejectsWith } from '../support/expect.js';
import { smallDemo } from '../support/small_demo.js';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'uam-demo-')));
t.teardown(() => rmSync(root, { recursive: true, force: true }));
const at = (...names: string[]) => join(root, ...names);
const text = (...names: string[]) => readFileSync(at(...names), 'utf8');
const json = (...names: string[]) => JSON.parse(text(...names));

/** A program that runs `uam` with the arguments, from the package's folder. */
const program = (args: readonly string[]): string => `
  import { packageEngine } from '${sources}cli/package_engine.js';
  import { runProgram } from '${sources}cli/program.js';
  process.exitCode = await runProgram(${JSON.stringify(args)}, async () => packageEngine);
`;

/** Starts it; tap's hooks are left out of it, as in `runModule`. */
function start(args: readonly string[]): { child: ChildProcess; ended: Promise<unknown[]>; said: { stdout: string; stderr: string } } {
  const command = ['-u', 'NODE_OPTIONS', process.execPath, '--input-type=module', '--eval', program(args)];
  const child = spawn('env', command, { stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  child.stdout?.on('data', (bytes) => (said.stdout += bytes));
  child.stderr?.on('data', (bytes) => (said.stderr += bytes));
  return { child, ended: once(child, 'close'), said };
}

t.test('the folder holds what the text says', async (t) => {
  const out = at('whole');
  const { stdout, stderr } = await smallDemo({ out });
  t.same(readdirSync(root), ['whole']);
  t.same(readdirSync(out).sort(), [
    ...['README.txt', 'cells.geojson', 'evaluation.html', 'files.json', 'learning_curves.svg', 'manifest.csv', 'metrics.json'],
    ...['model.safetensors', 'overlay.png', 'tile.png', 'tile_classes.csv', 'tile_labels.png', 'tile_tumour_region.png', 'tiles'],
  ]);
  t.equal(readdirSync(join(out, 'tiles')).length, 4 * 4, 'four files for each of the other tiles');
  t.match(stdout, /A UAM learned from [\d,]+ nuclei of 3 drawn tiles and classified [\d,]+ of 2 tiles/);
  t.match(stdout, /The tiles are drawings/);
  t.match(text('whole', 'README.txt'), /Open first:\n {2}overlay\.png/, 'and so does the folder, with its own names');
  for (const [name] of stdout.matchAll(/\S*whole\/[\w./]+/g)) t.ok(readdirSync(name.replace(/[^/]*$/, '')), `${name} is there`);
  t.equal(stderr.length, 5, 'a line per step');

  const mask = await readMask(join(out, 'tile_labels.png'));
  const image = await readImage(join(out, 'tile.png'));
  t.same([image.width, image.channels, image.mpp?.map((mpp) => Math.round(mpp * 1e4) / 1e4)], [mask.width, 3, [0.5, 0.5]]);
  const { polygons, classes } = await readGeoJson(join(out, 'cells.geojson'));
  const { count } = findCells(mask);
  t.equal(polygons.count, count, 'an outline for each nucleus');
  t.equal(text('whole', 'tile_classes.csv').trim().split('\n').length, count + 1);
  t.ok(classes.every((name) => ['tumour', 'lymphocyte', 'stromal'].includes(name as string)));
  const [feature] = json('whole', 'cells.geojson').features;
  t.match(feature.properties, { objectType: 'detection', measurements: { Confidence: Number, morphology_Area: Number } });
  const region = await sharp(join(out, 'tile_tumour_region.png')).toColourspace('b-w').raw().toBuffer();
  t.equal(region.length, mask.data.length);
  t.ok(region.every((value) => value === 0 || value === 255));

  t.match(json('whole', 'metrics.json'), { patients: 2, scores: { accuracy: Number }, learning: [{ chart: 'loss' }] });
  t.match(text('whole', 'evaluation.html'), /The tiles are drawings[\s\S]*exact masks/);
  const model = await UAM.load(join(out, 'model.safetensors'));
  t.same(model.classes, ['tumour', 'lymphocyte', 'stromal']);
  const again = await model.predict({ image: join(out, 'tile.png'), mask: join(out, 'tile_labels.png'), mpp: 0.5 });
  t.same(
    Array.from(again.classes, (_, i) => again.classOf(i)),
    classes,
    'the files give the same answers',
  );
  const dataset = await readDataset(join(out, 'manifest.csv'), { extraction: { features: ['shape2D'], channels: ['grey'] } });
  t.same(
    dataset.samples.map(({ split }) => split),
    ['train', 'train', 'validation', 'test', 'test'],
  );
  t.equal(dataset.patients.length, 5);
});

t.test('the same seed, the same bytes, whatever the threads; another seed, others', async (t) => {
  const files = async (flags: Record<string, string>) => {
    await smallDemo({ out: at('same'), ...flags });
    return json('same', 'files.json').sha256;
  };
  const first = await files({ threads: '1' });
  t.equal(Object.keys(first).length, 28);
  t.same(await files({ threads: '3' }), first);
  t.same(json('whole', 'files.json').sha256, first);
  const other = await files({ seed: '2' });
  t.same(
    Object.keys(first).filter((name) => first[name] === other[name]),
    ['manifest.csv'],
  );
});

t.test('folders of the user are left alone', async (t) => {
  mkdirSync(at('mine'));
  writeFileSync(at('mine', 'notes.txt'), 'mine');
  await rejectsWith(
    t,
    smallDemo({ out: at('mine') }),
    'UAM_ARGUMENT',
    /--out .*mine: the folder holds files, and 'uam demo' did not make it/,
  );
  t.same(readdirSync(at('mine')), ['notes.txt']);
  await rejectsWith(t, smallDemo({ out: at('no', 'where') }), 'UAM_IO', /does not exist; make it first/);
  const own = { image: at('whole', 'tile.png'), mask: at('whole', 'tile_labels.png') };
  await rejectsWith(t, smallDemo({ out: at('whole'), ...own }), 'UAM_ARGUMENT', /holds .*tile\.png, which the run reads/);
});

t.test('a picture of the user', async (t) => {
  const own = { image: at('whole', 'tile.png'), mask: at('whole', 'tile_labels.png') };
  const { stdout } = await smallDemo({ out: at('own'), ...own, json: true });
  const said = JSON.parse(stdout);
  t.match(said, { seed: 1, picture: { own: true, path: own.image }, segmented: false, measures: { macroF1: Number } });
  t.equal(said.picture.nuclei, findCells(await readMask(own.mask)).count);
  t.notOk(readdirSync(at('own')).some((name) => name.startsWith('tile.') || name.startsWith('tile_') || name === 'cells_labels.png'));
  t.match(text('own', 'README.txt'), /Your picture has [\d,]+ nuclei: [\s\S]*learned on drawings/);

  const found = await smallDemo({ out: at('found'), image: own.image, mpp: '0.25' });
  t.match(found.stdout, /as the built-in segmentation finds them/);
  t.match(found.stdout, /uam predict --image \S+tile\.png --mask \S+cells_labels\.png --mpp 0\.25 --model/);
  const mask = await readMask(at('found', 'cells_labels.png'));
  t.equal((await readGeoJson(at('found', 'cells.geojson'))).polygons.count, findCells(mask).count);
  t.match(text('found', 'manifest.csv'), /,0\.25\n/, 'tiles are drawn at its scale');
  const { width } = await readImage(at('found', 'tiles', 'training_01.png'));
  t.equal(width, 256);
});

t.test('a picture that cannot be used ends the run before anything is drawn', async (t) => {
  const grey = { create: { width: 64, height: 64, channels: 3, background: '#f3f0f4' } } as const;
  await sharp(grey).png().toFile(at('empty.png'));
  await sharp(grey).toColourspace('b-w').png().toFile(at('grey.png'));
  await writeMask(at('none.png'), { width: 64, height: 64, data: new Uint32Array(64 * 64) });
  const out = at('never');
  const cases: [flags: object, code: Parameters<typeof rejectsWith>[2], reason: RegExp][] = [
    [{ image: at('empty.png') }, 'UAM_DATA', /empty\.png: it does not tell its pixel size; give mpp/],
    [{ image: at('empty.png'), mpp: '0.5' }, 'UAM_DATA', /empty\.png: no nuclei were found; give --mask/],
    [{ image: at('empty.png'), mask: at('none.png'), mpp: '0.5' }, 'UAM_DATA', /none\.png: the mask has no nuclei/],
    [{ image: at('grey.png'), mpp: '0.5' }, 'UAM_DATA', /grey\.png: the demo needs an 8-bit colour image.*1 channel of 8 bits/],
    [{ image: at('missing.png') }, 'UAM_INPUT', /missing\.png/],
  ]; // prettier-ignore
  for (const [flags, code, reason] of cases) await rejectsWith(t, smallDemo({ out, ...flags }), code, reason);
  t.notOk(readdirSync(root).some((name) => name.includes('never')));
});

t.test('flags that mean nothing', async (t) => {
  const out = at('never');
  const cases: [flags: object, reason: RegExp][] = [
    [{ seed: '-1' }, /--seed must be a whole number from 0 to 4294967295, received '-1'/],
    [{ seed: '4294967296' }, /--seed/],
    [{ seed: '1.5' }, /--seed/],
    [{ mask: 'a.png' }, /--mask goes with --image/],
    [{ segment: true }, /--segment goes with --image/],
    [{ mpp: '0.5' }, /--mpp goes with --image/],
    [{ image: 'a.png', mask: 'b.png', segment: true }, /exclude each other/],
    [{ image: 'a.png', mpp: 'x' }, /--mpp must be a number above 0/],
    [{ image: '' }, /--image must not be empty/],
    [{ out: '' }, /--out must not be empty/],
    [{ threads: '0' }, /--threads/],
  ];
  for (const [flags, reason] of cases) await rejectsWith(t, smallDemo({ out, ...flags }), 'UAM_ARGUMENT', reason);
  const unknown = runModule(program(['demo', '--imgae', 'a.png']));
  t.equal(unknown.code, 2);
  t.match(unknown.stderr, /unknown option '--imgae'/);
  const help = runModule(program(['demo', '--help']));
  t.match(help.stdout, /No network\s+is used[\s\S]*Exit codes: 0 done/);
});

t.test('an end in the middle leaves nothing, whichever step it comes in', async (t) => {
  for (const step of [/tiles drawn/, /trained/, /scored/, /answered for/]) {
    const ending = new AbortController();
    const run = smallDemo({ out: at('ended') }, ending.signal, (message) => {
      if (step.test(message)) ending.abort();
    });
    await t.rejects(run, `after ${step}`);
    t.notOk(readdirSync(root).some((name) => name.includes('ended')));
  }
});

t.test('Ctrl-C leaves nothing', async (t) => {
  const { child, ended, said } = start(['demo', '--out', at('ctrl-c')]);
  for (let i = 0; i < 400 && !readdirSync(root).some((name) => name.includes('ctrl-c')); i++) await pause(25);
  await pause(300);
  child.kill('SIGINT');
  t.same(await ended, [130, null]);
  t.match(said.stderr, /^uam: SIGINT: ending; nothing is written/);
  t.notOk(readdirSync(root).some((name) => name.includes('ctrl-c')));
});

t.test('as it comes: good at tiles that it has not seen', async (t) => {
  const { ended, said } = start(['demo', '--out', at('real'), '--json']);
  t.same(await ended, [0, null], said.stderr);
  const { accuracy, measures, unseen, seconds } = JSON.parse(said.stdout);
  t.comment(`${seconds} s, accuracy ${accuracy.value}`);
  t.ok(accuracy.value > 0.9 && measures.macroF1 > 0.9, `accuracy ${accuracy.value}, macro F1 ${measures.macroF1}`);
  t.ok(unseen.nuclei > 2000);
  t.match(said.stderr, /14 tiles drawn[\s\S]*a UAM trained in \d+ epochs[\s\S]*real is ready/);
});
