// `uam evaluate` of models that see images: cells and regions, or regions alone.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { encodeMask } from '../../src/image/write_mask.js';
import { demoTile } from '../../src/train/demo_tile.js';
import { JointUAM } from '../../src/train/joint_uam.js';
import { readJointDataset } from '../../src/train/read_joint_manifest.js';
import { DEFAULT_RECIPE } from '../../src/train/recipe.js';
import { writeDemoFiles } from '../support/demo_files.js';
import { LITTLE_JOINT } from '../support/joint_sets.js';
import { uam } from '../support/run_program.js';

const folder = mkdtempSync(join(tmpdir(), 'uam-joint-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);

/** A manifest of demo tiles with their region masks; the second tile has none. */
async function withRegions(name: string, tiles: number, first: number): Promise<string> {
  const manifest = await writeDemoFiles(folder, name, { tiles, first });
  const [head, ...lines] = readFileSync(manifest, 'utf8').trim().split('\n');
  const rows: string[] = [];
  for (const [i, line] of lines.entries()) {
    const { region } = demoTile({ seed: first + i, width: 96, height: 96, mpp: 0.5 });
    writeFileSync(file(`${name}${i}_region.png`), await encodeMask({ width: 96, height: 96, data: Uint32Array.from(region) }));
    rows.push(`${line},${i === 1 ? '' : `${name}${i}_region.png`}`);
  }
  writeFileSync(manifest, [`${head},region`, ...rows].join('\n'));
  return manifest;
}

const trainCsv = await withRegions('train', 3, 0);
const testCsv = await withRegions('test', 3, 50);
const classes = ['tumour', 'lymphocyte', 'stromal'];
const extraction = { ...DEFAULT_RECIPE, features: ['firstorder'], channels: ['grey'] as const, mpp: 0.5 };
const known = await readJointDataset(trainCsv, { extraction, classes });
const joint = JointUAM.create({ ...LITTLE_JOINT, seed: 1 });
await joint.fit(known, { epochs: 1, crop: 96, validation: 0 });
await joint.save(file('joint.safetensors'));
const region = JointUAM.create({ ...LITTLE_JOINT, task: 'region', seed: 1 });
await region.fit(known, { epochs: 1, crop: 96, validation: 0 });
await region.save(file('region.safetensors'));

t.test('cells and regions', async (t) => {
  const args = ['evaluate', '--model', file('joint.safetensors'), '--manifest', testCsv, '--resamples', '50'];
  const { code, stdout, stderr } = uam([...args, '--region-note', 'drawn by a program', '--out', file('report')]);
  t.equal(code, 0, stderr);
  t.match(
    stdout,
    /labelled points of 3 patients[\s\S]*\naccuracy +0\.\d{3}[\s\S]*region masks: drawn by a program\n2 images of 2 patients/,
  );
  t.match(stdout, /\ntumour +pixels pooled +95 % interval +mean over images\nprecision /);
  t.match(readFileSync(join(file('report'), 'evaluation.html'), 'utf8'), /<strong>Region masks: drawn by a program\.<\/strong>/);
  const report = JSON.parse(readFileSync(join(file('report'), 'evaluation.json'), 'utf8'));
  t.same([report.patients, report.regions.images.length, report.regions.note], [3, 2, 'drawn by a program']);
  t.match(report.notes[0], /cells and regions, fusion cross; amamba, width 16/);
  const strict = uam([...args, '--region-threshold', '1', '--region-tolerance', '2', '--json', '--quiet']);
  const { regions } = JSON.parse(strict.stdout);
  t.match(regions, { threshold: 1, tolerance: 2, kinds: [{ pooled: { recall: 0 } }] });
  const seen = uam(['evaluate', '--model', file('joint.safetensors'), '--manifest', trainCsv]);
  t.equal(seen.code, 65);
  t.match(seen.stderr, /UAM_DATA: the model has seen 3 of those it is tested on/);
});

t.test('regions alone', async (t) => {
  const args = ['evaluate', '--model', file('region.safetensors'), '--manifest', testCsv, '--resamples', '50'];
  const { code, stdout, stderr } = uam([...args, '--out', file('regions.html'), '--out', file('regions.json')]);
  t.equal(code, 0, stderr);
  t.match(stdout, /^2 images of 2 patients/);
  t.notMatch(stdout, /accuracy/);
  t.notMatch(readFileSync(file('regions.html'), 'utf8'), /labelled points|Confusion/);
  t.same(Object.keys(JSON.parse(readFileSync(file('regions.json'), 'utf8'))), ['title', 'regions', 'learning', 'notes']);
});

t.test('refusals', async (t) => {
  writeFileSync(file('bare.csv'), 'image,mpp\ntest0.png,0.5\n');
  writeFileSync(file('table.csv'), 'x,y\n1,2\n');
  const cases: [string[], number, RegExp][] = [
    [['joint', '--table', file('table.csv')], 2, /model of images/],
    [['joint', '--manifest', file('bare.csv')], 65, /there is nothing to measure the model by/],
    [['region', '--manifest', testCsv, '--region-threshold', '1.5'], 2, /--region-threshold must be/],
    [['region', '--manifest', testCsv, '--validation', trainCsv], 2, /tells no cells, so it has no temperature/],
  ];
  for (const [[name, ...rest], code, message] of cases) {
    const run = uam(['evaluate', '--model', file(`${name}.safetensors`), ...rest]);
    t.equal(run.code, code, run.stderr);
    t.match(run.stderr, message);
  }
});
