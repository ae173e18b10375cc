// From images to a model, its scores and its answers, as a user does it: real runs on small made-up tiles.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { readGeoJson } from '../../src/cells/geojson.js';
import { UAM } from '../../src/train/uam.js';
import { writeDemoFiles } from '../support/demo_files.js';
import { uam } from '../support/run_program.js';

const folder = mkdtempSync(join(tmpdir(), 'uam-flow-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);
const text = (name: string) => readFileSync(file(name), 'utf8');

const trainCsv = await writeDemoFiles(folder, 'train', { tiles: 5 });
const testCsv = await writeDemoFiles(folder, 'test', { tiles: 2, first: 50 });
const small = [
  '--size',
  'S',
  '--epochs',
  '2',
  '--features',
  'firstorder,shape2D',
  '--channels',
  'grey',
  '--classes',
  'tumour,lymphocyte,stromal',
];
const model = file('model.safetensors');

t.test('train', async (t) => {
  const extra = ['--curves', file('curves.svg'), '--log', file('log.jsonl'), '--cache', file('cache')];
  const { code, stdout, stderr } = uam(['train', '--manifest', trainCsv, '--out', model, ...small, ...extra]);
  t.equal(code, 0, stderr);
  t.match(stdout, /^epochs +2 \(best: [12]\)\nmacro-F1 +0\.\d{3} on validation\n/);
  t.match(stdout, /patients +4 for training, 1 for validation/);
  t.match(stderr, /labels: tumour \d+, lymphocyte \d+, stromal \d+[\s\S]*epoch 2\/2: loss/);
  t.match(text('curves.svg'), /^<svg [\s\S]*loss[\s\S]*macro F1/);
  t.equal(JSON.parse(text('log.jsonl').trim().split('\n').at(-1) as string).event, 'epoch');
  t.notOk(existsSync(`${model}.checkpoint`), 'the checkpoint is gone when the model is there');
  t.same((await UAM.load(model)).classes, ['tumour', 'lymphocyte', 'stromal']);
  const again = uam([
    'train',
    '--manifest',
    trainCsv,
    '--out',
    file('again.safetensors'),
    ...small,
    '--json',
    '--quiet',
    '--threads',
    '1',
    '--cache',
    file('cache'),
  ]);
  t.equal(again.stderr, '');
  t.match(JSON.parse(again.stdout), { epochs: 2, trainingPatients: 4, validationPatients: 1, features: Number });
  t.ok(readFileSync(file('again.safetensors')).equals(readFileSync(model)), 'the same model, in any number of threads');
});

t.test('train with a validation manifest, and on a table', async (t) => {
  const out = file('other.safetensors');
  const held = uam([
    'train',
    '--manifest',
    trainCsv,
    '--validation',
    testCsv,
    '--out',
    out,
    ...small,
    '--tokens',
    'vector',
    '--json',
    '--quiet',
  ]);
  t.equal(held.code, 0, held.stderr);
  t.match(JSON.parse(held.stdout), { trainingPatients: 5, validationPatients: 2 });
  const rows = Array.from({ length: 60 }, (_, i) => `p${i % 6},${i % 2 ? 'a' : 'b'},${i % 2},${i * 7}`);
  writeFileSync(file('cells.csv'), `who,kind,glcm_A,glcm_B\n${rows.join('\n')}\n`);
  const columns = ['--class-column', 'kind', '--patient-column', 'who'];
  const table = uam(['train', '--table', file('cells.csv'), ...columns, '--out', out, '--size', 'S', '--epochs', '2', '--json', '--quiet']);
  t.equal(table.code, 0, table.stderr);
  t.match(JSON.parse(table.stdout), { classes: ['a', 'b'], features: 2, trainingPatients: 5 });
  t.match(uam(['info', out]).stdout, /tokens +feature\n[\s\S]*extraction +unknown: it was trained on a table/);
  const strange = uam([
    'predict',
    '--image',
    file('test0.png'),
    '--mask',
    file('test0_labels.png'),
    '--mpp',
    '0.5',
    '--model',
    out,
    '--out',
    file('x.csv'),
  ]);
  t.equal(strange.code, 65, 'a model that needs other features');
  t.match(strange.stderr, /does not say how its features are extracted[\s\S]*UAM_DATA: .*lacks 2 of the model's 2 features/);
  t.notOk(existsSync(file('x.csv')));
});

t.test('evaluate', async (t) => {
  const args = ['evaluate', '--model', model, '--manifest', testCsv, '--resamples', '50'];
  const { code, stdout, stderr } = uam([...args, '--out', file('report'), '--out', file('scores.json')]);
  t.equal(code, 0, stderr);
  t.match(stdout, /labelled points of 2 patients; 0 on no nucleus[\s\S]*\naccuracy +0\.\d{3} +0\.\d{3} to 0\.\d{3}\n[\s\S]*\ntumour +\d+/);
  t.same(readdirSync(file('report')).sort(), ['evaluation.html', 'evaluation.json']);
  t.equal(text('scores.json'), text('report/evaluation.json'));
  const report = JSON.parse(text('scores.json'));
  t.same([report.patients, report.learning.length], [2, 3]);
  t.ok(report.uncalibrated, 'before and after the temperature');
  t.same(JSON.parse(uam([...args, '--json', '--quiet']).stdout).scores, report.scores);
  const calibrated = uam([...args, '--validation', trainCsv, '--json', '--quiet']);
  t.equal(calibrated.code, 65);
  t.match(calibrated.stderr, /the model was trained on patient \d, .*no temperature can be fitted/);
});

t.test('a patient that the model has seen ends the evaluation', async (t) => {
  const seen = uam(['evaluate', '--model', model, '--manifest', trainCsv, '--out', file('leak.json')]);
  t.equal(seen.code, 65);
  t.match(seen.stderr, /UAM_DATA: the model has seen 5 of those it is tested on: patient patient \d/);
  t.notOk(existsSync(file('leak.json')));
  writeFileSync(file('hidden.csv'), readFileSync(trainCsv, 'utf8').replace(/patient (\d)/g, 'nobody $1'));
  const hidden = uam(['evaluate', '--model', model, '--manifest', file('hidden.csv')]);
  t.equal(hidden.code, 65, 'whatever the patients are called');
  t.match(hidden.stderr, /the same cells, whatever their name/);
});

t.test('predict: one image', async (t) => {
  const args = ['predict', '--image', file('test0.png'), '--mask', file('test0_labels.png'), '--model', model, '--mpp', '0.5'];
  const outs = ['--out', file('c.geojson'), '--out', file('c.csv'), '--out', file('c.parquet'), '--overlay', file('c.png')];
  const { code, stdout, stderr } = uam([...args, ...outs, '--json', '--measurements', 'firstorder_Mean']);
  t.equal(code, 0, stderr);
  const { cells, classes, images } = JSON.parse(stdout);
  t.equal(
    Object.values(classes as Record<string, number>).reduce((a, b) => a + b),
    cells,
  );
  t.equal(images[0].files.length, 4);
  t.equal((await readGeoJson(file('c.geojson'))).polygons.count, cells);
  const [feature] = JSON.parse(text('c.geojson')).features;
  t.match(feature.properties, { objectType: 'detection', classification: { name: String, color: [Number, Number, Number] } });
  t.same(Object.keys(feature.properties.measurements), [
    'Probability tumour',
    'Probability lymphocyte',
    'Probability stromal',
    'Confidence',
    'firstorder_Mean',
  ]);
  const [header = '', ...rows] = text('c.csv').trim().split('\n');
  t.equal(rows.length, cells);
  t.match(header, /^class,label,x,y,touches_border,status,probability_tumour,.*,confidence,firstorder_Mean$/);
  t.equal(readFileSync(file('c.png')).readUInt32BE(16) > 96, true, 'the picture is larger than the image');
  const printed = uam([...args, '--out', '-', '--quiet']);
  t.equal(printed.stdout.split('\n').length, cells + 2);
  const unsure = JSON.parse(uam([...args, '--out', file('u.csv'), '--at-least', '1', '--json', '--quiet']).stdout);
  t.same(Object.values(unsure.classes), [0, 0, 0], 'nothing is certain');
  const segmented = uam([...args.filter((_, i) => i !== 3 && i !== 4), '--segment', '--out', file('s.geojson')]);
  t.equal(segmented.code, 0, segmented.stderr);
  t.match(segmented.stderr, /\d+ cells? of 1 image in/);
});

t.test('predict: several images', async (t) => {
  const args = ['predict', '--image', testCsv, '--model', model];
  const inFolder = uam([...args, '--out', file('calls/'), '--format', 'geojson,csv.gz', '--overlay', file('calls')]);
  t.equal(inFolder.code, 0, inFolder.stderr);
  t.same(readdirSync(file('calls')).sort(), [
    ...['test0.csv.gz', 'test0.geojson', 'test0_overlay.png'],
    ...['test1.csv.gz', 'test1.geojson', 'test1_overlay.png'],
  ]);
  const table = uam([...args, '--out', file('all.csv')]);
  t.equal(table.code, 0, table.stderr);
  t.match(text('all.csv'), /^image,classes,patient,mpp,class,label,[\s\S]*\ntest0\.png,[\s\S]*\ntest1\.png,/);
  t.match(uam([...args, '--out', file('one.geojson')]).stderr, /holds the cells of one image; with several images name a folder/);
  writeFileSync(file('broken.png'), 'no picture');
  writeFileSync(file('some.csv'), 'image,mask,mpp\nbroken.png,test0_labels.png,0.5\ntest1.png,test1_labels.png,0.5\n');
  const some = ['predict', '--image', file('some.csv'), '--model', model, '--out', file('some_calls.csv')];
  const stopped = uam(some);
  t.equal(stopped.code, 65);
  t.notOk(existsSync(file('some_calls.csv')), 'nothing half-written');
  const kept = uam([...some, '--keep-going']);
  t.equal(kept.code, 65);
  t.match(kept.stderr, /broken\.png is left out/);
  t.match(text('some_calls.csv'), /\ntest1\.png,/);
});

t.test('images of another magnification are measured at the pixel size of the model', async (t) => {
  const fine = await writeDemoFiles(folder, 'fine', { tiles: 2, first: 60, side: 192, mpp: 0.25 });
  const args = ['predict', '--image', fine, '--model', model];
  const { code, stderr } = uam([...args, '--out', file('fine_calls.csv'), '--out', file('fine_calls')]);
  t.equal(code, 0, stderr);
  t.equal(stderr.match(/uam: image at 0\.25 um\/px measured at the model's 0\.5\n/g)?.length, 1, 'said once');
  t.notMatch(uam(['predict', '--image', testCsv, '--model', model, '--out', file('same.csv')]).stderr, /measured at/);
  const { features } = JSON.parse(readFileSync(file('fine_calls/fine0.geojson'), 'utf8'));
  const xs: number[] = features.flatMap((f: { geometry: { coordinates: number[][][] } }) => f.geometry.coordinates[0]?.map(([x]) => x));
  t.ok(Math.max(...xs) > 120, 'outlines are those of the image');
  const quick = ['--size', 'S', '--epochs', '1', '--features', 'firstorder', '--channels', 'grey', '--validation', testCsv];
  const coarse = uam(['train', '--manifest', fine, '--out', file('coarse.safetensors'), '--model-mpp', '1', ...quick]);
  t.equal(coarse.code, 0, coarse.stderr);
  t.match(coarse.stderr, /features are measured at 1 um per pixel/);
  t.match(uam(['info', file('coarse.safetensors')]).stdout, /pixel size +1 um\n/);
  const bad = ['train', '--manifest', fine, '--out', file('bad.safetensors'), '--model-mpp', 'x'];
  t.match(uam(bad), { code: 2, stderr: /--model-mpp must be a number above 0, received 'x'/ });
  t.match(uam(['train', '--table', fine, '--out', file('bad.safetensors'), '--model-mpp', '1']).stderr, /--model-mpp is for --manifest/);
});

t.test('info', async (t) => {
  const { code, stdout } = uam(['info', model]);
  t.equal(code, 0);
  t.match(
    stdout,
    /^model +.*model\.safetensors\narchitecture +amamba, width 64, 4 layers[\s\S]*classes +tumour, lymphocyte, stromal\n[\s\S]*pixel size +0\.5 um\n[\s\S]*trained on +4 patients for training, 1 for validation; 2 epochs/,
  );
  const info = JSON.parse(uam(['info', model, '--json']).stdout);
  t.match(info, {
    extraction: { channels: ['grey'], mpp: 0.5 },
    version: /\d/,
    sha256: /^[0-9a-f]{64}$/,
    training: { patients: { training: 4, validation: 1 } },
  });
  t.equal(uam(['info', model, '--features']).stdout.trim().split('\n').at(-1), info.features.at(-1));
  t.match(uam(['info', file('none')]), { code: 66, stderr: /UAM_INPUT: .*none/ });
  t.match(uam(['info', trainCsv]), { code: 65, stderr: /not a safetensors file/ });
  t.match(uam(['info']), { code: 2, stderr: /missing required argument 'model'/ });
});

t.test('doctor', async (t) => {
  const well = uam(['doctor', '--json']);
  t.equal(well.code, 0, well.stderr);
  const found = JSON.parse(well.stdout);
  t.match(found, { node: process.version, addon: { path: /uam_native\.node$/ }, threads: { count: Number }, problems: [] });
  t.ok(found.selfTest.length >= 6 && found.selfTest.every(({ ok }: { ok: boolean }) => ok));
  t.match(uam(['doctor'], { UAM_THREADS: '1' }).stdout, /threads +1: UAM_THREADS says so\n/);
  const without = uam(['doctor'], { UAM_ADDON: '/none.node' });
  t.equal(without.code, 69);
  t.match(without.stdout, /addon +does not load/);
  t.match(without.stderr, /tried\n +\/none\.node: no such file/);
});
