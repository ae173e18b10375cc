// Plain folders of tiles: which files belong together, what a table says of them, and what is no dataset at all.
import { existsSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { encodeMask } from '../../src/image/write_mask.js';
import { packageRoot } from '../../src/native/load.js';
import type { JointDataset, JointSample } from '../../src/train/joint_dataset.js';
import { openJointDataset } from '../../src/train/open_joint_dataset.js';
import { readTileFolder, type TileFolderOptions } from '../../src/train/read_tile_folder.js';
import { rejectsWith } from '../support/expect.js';
import { drawTile, png, SIDE, TestFolder } from '../support/tile_files.js';

const options: TileFolderOptions = { mpp: 0.5, extraction: { features: ['firstorder'], channels: ['grey'] } };
const { rgb, mask } = drawTile();
const image = png(SIDE, SIDE, rgb);
const left = Uint8Array.from({ length: SIDE * SIDE }, (_, at) => (at % SIDE < 10 ? 255 : 0));
const region = png(SIDE, SIDE, left);
const labels = encodeMask(mask);
const POINTS = 'x,y,class\n4,5,tumour\n16,4,stroma\n';
const CLASSES = 'label,class\n9,plasma\n70,tumour\n';

/** What there is of each tile: cells, labels, whether a region, patient, split. */
const summary = ({ samples }: JointDataset) =>
  samples.map(({ name, table, truth, region, patient, split }) =>
    [name, table.length, truth.cells.length, region ? 'region' : '-', patient, split ?? '-'].join(' '),
  );

t.test('folders of kinds', async (t) => {
  const folder = new TestFolder(t);
  for (const name of ['a.1', 'b', 'c']) folder.write(`images/${name}.png`, image);
  folder.write('images/notes.txt', 'no image');
  folder.write('masks/a.1.png', await labels);
  folder.write('masks/b.png', await labels);
  folder.write('masks/other.png', await labels);
  folder.write('points/a.1.csv', POINTS);
  folder.write('classes/b.csv', CLASSES);
  folder.write('regions/a.1.png', region);
  folder.write('images.csv', 'image,patient,split,mpp\na.1,P,train,0.5\nb.png,P,val,\n');
  const heard: string[] = [];
  const set = await openJointDataset(folder.path, { ...options, onWarning: ({ code, message }) => void heard.push(`${code} ${message}`) });
  t.same(summary(set), ['a.1 4 2 region P train', 'b 4 2 - P validation', 'c 0 0 - c -']);
  t.same(set.classes, ['plasma', 'stroma', 'tumour']);
  t.match(heard, [/files_without_image .*1 files .*other\.png/]);
  t.same(
    (set.samples[0] as JointSample).region,
    left.map((value) => value / 255),
  ); // prettier-ignore
  folder.write('regions/stroma/b.png', region);
  const two = await readTileFolder(folder.path, { ...options, regions: ['tumour', 'stroma'] });
  t.same(
    two.samples.map(({ region }) => region?.slice(0, 2)),
    [undefined, Uint8Array.of(255, 1), undefined],
  ); // prettier-ignore
  folder.write('masks/b.npy', '');
  await rejectsWith(t, readTileFolder(folder.path, options), 'UAM_DATA', /b: several files could be its mask: .*b\.npy, .*b\.png/);
});

t.test('files beside each other', async (t) => {
  const folder = new TestFolder(t);
  for (const name of ['a', 'a_2', 'b_region_1', 'plain']) folder.write(`${name}.png`, image);
  folder.write('a_labels.png', await labels);
  folder.write('a_classes.csv', CLASSES);
  folder.write('a_points.csv', POINTS);
  folder.write('a_2_autolabels.png', await labels);
  folder.write('a_2_points.csv', POINTS);
  folder.write('a_2_tumour_region_derived.png', region);
  folder.write('a_stroma_region.png', region);
  folder.write('b_region_1_region.png', region);
  folder.write('lost_labels.png', await labels);
  folder.write('README.md', 'words');
  const heard: string[] = [];
  const set = await readTileFolder(folder.path, { ...options, onWarning: ({ message }) => void heard.push(message) });
  t.same(summary(set), ['a 4 2 - a -', 'a_2 4 2 region a_2 -', 'b_region_1 0 0 region b_region_1 -', 'plain 0 0 - plain -']);
  t.match(heard, [/lost_labels\.png/]);
  t.same(set.classes, ['stroma', 'tumour'], 'points, where there are both');
  t.same((await readTileFolder(folder.path, { ...options, prefer: 'classes' })).classes, ['plasma', 'stroma', 'tumour']);
  const two = await readTileFolder(folder.path, { ...options, regions: ['stroma', 'tumour'], cells: false });
  t.same(
    two.samples.map(({ region }) => [...(region?.slice(0, 2) ?? [])]),
    [[1, 255], [255, 1], [], []],
  ); // prettier-ignore
  folder.write('a_autolabels.png', await labels);
  await rejectsWith(t, readTileFolder(folder.path, options), 'UAM_DATA', /a: several files could be its mask/);
});

t.test('what is no dataset', async (t) => {
  const folder = new TestFolder(t);
  await rejectsWith(
    t,
    openJointDataset(folder.path, options),
    'UAM_INPUT',
    /looked for manifest\.csv; .*CoNIC.*PanNuke.*Lizard.*plain folder/,
  );
  await rejectsWith(t, openJointDataset(folder.at('none'), options), 'UAM_INPUT', /none: cannot be read/);
  await rejectsWith(t, openJointDataset(folder.write('a.txt', ''), options), 'UAM_INPUT', /a\.txt: a dataset is a manifest/);
  await rejectsWith(t, readTileFolder(folder.path, options), 'UAM_INPUT', /no image in it/);
  const inside = folder.write('set/a.png', image);
  symlinkSync(folder.at('set'), folder.at('images'));
  t.equal((await openJointDataset(folder.path, options)).samples.length, 1, 'a folder may be a link');
  folder.write('set/images.csv', 'image\na\na.png\n');
  await rejectsWith(t, openJointDataset(folder.at('set'), options), 'UAM_DATA', /line 3 names a\.png again/);
  folder.write('set/manifest.csv', `image,patient\n${inside},A\n`);
  t.same((await openJointDataset(folder.at('set'), options)).patients, ['A']);
  t.same((await openJointDataset(folder.at('set', 'manifest.csv'), options)).patients, ['A']);
});

const data = join(packageRoot(), '..', 'shared', 'data');
const real = (name: string) => (existsSync(join(data, name)) ? {} : { skip: `${join(data, name)} is not there` });

t.test('real folders: brca_m2c without cells', real('brca_m2c'), async (t) => {
  const set = await openJointDataset(join(data, 'brca_m2c'), { ...options, cells: false });
  t.same([set.samples.length, set.patients.length, set.mpp], [90, 83, 0.5]);
  t.equal(set.samples.filter(({ region }) => region).length, 90);
  t.same(set.select(({ split }) => split === 'validation').samples.length, 10);
});

t.test('real folders: nucls and puma', { ...real('nucls'), ...real('puma') }, async (t) => {
  const nucls = await openJointDataset(join(data, 'nucls'), { ...options, mpp: 0.25 });
  const labelled = nucls.counts().reduce((sum, count) => sum + count, 0);
  t.equal(nucls.samples.length, 10);
  t.ok(nucls.classes.includes('sTIL') && labelled > 370 && nucls.samples.every(({ region }) => region), `${labelled} points`);
  const puma = await openJointDataset(join(data, 'puma'), { mpp: 0.23, extraction: { ...options.extraction, mpp: 0.5 } });
  const [tile] = puma.samples as [JointSample];
  t.same([tile.image?.width, tile.region?.length], [471, 471 * 471], '1024 pixels of 0.23 um');
  t.equal(puma.counts()[puma.classes.indexOf('lymphocyte')], 475);
});
