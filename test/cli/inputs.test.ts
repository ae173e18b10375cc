import { join } from 'node:path';
import t from 'tap';
import { findInputs } from '../../src/cli/inputs.js';

const rejects = (code: string, message: RegExp) => ({ code, message });
const names = (pairs: readonly { image: string; mask?: string | undefined }[], folder: string) =>
  pairs.map(({ image, mask }) => [image, mask].map((path) => path?.slice(folder.length + 1)));

t.test('one image and one mask', async (t) => {
  const folder = t.testdir({ 'a.png': '', 'm.tif': '', masks: { 'a_mask.npy': '', 'b.png': '' } });
  const image = join(folder, 'a.png');
  t.same(await findInputs({ image, mask: join(folder, 'm.tif'), segment: false }), {
    pairs: [{ image, mask: join(folder, 'm.tif'), labels: [] }],
    columns: [],
    notes: [],
  });
  const { pairs } = await findInputs({ image, mask: join(folder, 'masks'), segment: false });
  t.same(names(pairs, folder), [['a.png', 'masks/a_mask.npy']]);
  t.same(await findInputs({ image, segment: true }), { pairs: [{ image, labels: [] }], columns: [], notes: [] });
  await t.rejects(findInputs({ image, segment: false }), rejects('UAM_ARGUMENT', /--segment/));
  await t.rejects(findInputs({ image, mask: image, segment: true }), rejects('UAM_ARGUMENT', /exclude each other/));
  await t.rejects(findInputs({ image: join(folder, 'no.png'), segment: true }), rejects('UAM_INPUT', /no\.png: there is no such/));
  await t.rejects(findInputs({ image, mask: folder, segment: false }), rejects('UAM_INPUT', /has no mask/));
});

t.test('two folders are paired by stem', async (t) => {
  const folder = t.testdir({
    images: {
      'b.PNG': '',
      'a.jpg': '',
      'c.ome.tif': '',
      'a_1.png': '',
      'd.svs': '',
      '.hidden.png': '',
      'notes.txt': '',
      sub: { 'x.png': '' },
    },
    masks: { 'a_labels.png': '', 'b.npy': '', 'c_mask.ome.tif': '', 'a_1.mat': '', 'd.geojson': '', 'z.png': '', 'a.csv': '' },
  });
  const { pairs, columns, notes } = await findInputs({ image: join(folder, 'images'), mask: join(folder, 'masks'), segment: false });
  t.same(names(pairs, folder), [
    ['images/a.jpg', 'masks/a_labels.png'],
    ['images/a_1.png', 'masks/a_1.mat'],
    ['images/b.PNG', 'masks/b.npy'],
    ['images/c.ome.tif', 'masks/c_mask.ome.tif'],
    ['images/d.svs', 'masks/d.geojson'],
  ]);
  t.same(columns, ['image']);
  t.same(pairs[0]?.labels, ['a.jpg']);
  t.same(notes, []);
});

t.test('images without a mask are an error that lists them', async (t) => {
  const images = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`i${i}.png`, '']));
  const folder = t.testdir({ images, masks: { 'i3.png': '', 'i33.png': '' }, none: {}, file: '' });
  const image = join(folder, 'images');
  await t.rejects(
    findInputs({ image, mask: join(folder, 'masks'), segment: false }),
    rejects('UAM_INPUT', /^11 images have no mask in .*i0\.png, i1\.png.*and 1 more/),
  );
  await t.rejects(findInputs({ image: join(folder, 'none'), mask: image, segment: false }), rejects('UAM_INPUT', /holds no images/));
  await t.rejects(findInputs({ image, mask: join(folder, 'file'), segment: false }), rejects('UAM_ARGUMENT', /must be a folder too/));
  await t.rejects(findInputs({ image, mask: join(folder, 'nowhere'), segment: false }), rejects('UAM_INPUT', /nowhere/));
  await t.rejects(findInputs({ image, segment: false }), rejects('UAM_ARGUMENT', /--mask is missing/));
});

t.test('what cannot be decided is an error', async (t) => {
  const folder = t.testdir({
    images: { 'a.png': '' },
    masks: { 'a.png': '', 'a_labels.tif': '' },
    twins: { 'a.png': '', 'a.tif': '' },
    one: { 'a_mask.png': '' },
  });
  await t.rejects(
    findInputs({ image: join(folder, 'images'), mask: join(folder, 'masks'), segment: false }),
    rejects('UAM_INPUT', /could have the masks a\.png, a_labels\.tif; list the pairs in a manifest/),
  );
  await t.rejects(
    findInputs({ image: join(folder, 'twins'), mask: join(folder, 'one'), segment: false }),
    rejects('UAM_INPUT', /a\.png and .*a\.tif would both have the mask/),
  );
});

t.test('images and masks in one folder', async (t) => {
  const folder = t.testdir({
    'a.png': '',
    'a_labels.png': '',
    'a_tumour_region_derived.png': '',
    'a_classes.csv': '',
    'a_1.png': '',
    'a_1_autolabels.png': '',
    'b.tif': '',
    'b.geojson': '',
  });
  const { pairs, notes } = await findInputs({ image: folder, mask: folder, segment: false });
  t.same(names(pairs, folder), [
    ['a.png', 'a_labels.png'],
    ['a_1.png', 'a_1_autolabels.png'],
    ['b.tif', 'b.geojson'],
  ]);
  t.match(notes, [/left out.*a_tumour_region_derived\.png$/]);
  const segmented = await findInputs({ image: folder, segment: true });
  t.same(
    segmented.pairs.map(({ labels }) => labels[0]),
    ['a.png', 'a_1.png', 'a_tumour_region_derived.png', 'b.tif'],
  );
  t.match(segmented.notes, [/masks of other images: a_1_autolabels\.png, a_labels\.png/]);
});

t.test('a manifest', async (t) => {
  const folder = t.testdir({
    'a.png': '',
    sub: { 'a_labels.png': '', 'b.png': '' },
    'm.csv': '\ufeffimage, mask ,patient,mpp\na.png,sub/a_labels.png,"P, 1",0.25\n\nsub/b.png,sub/a_labels.png,P2,\n',
    'm.tsv': 'image\tmask\na.png\tsub/a_labels.png\n',
    'twice.csv': 'image,mask\na.png,a.png\na.png,a.png\n',
    'segment.csv': 'image,patient\na.png,1\n',
  });
  const manifest = (name: string, segment = false) => findInputs({ image: join(folder, name), segment });
  const { pairs, columns } = await manifest('m.csv');
  t.same(columns, ['image', 'patient', 'mpp']);
  t.same(names(pairs, folder), [
    ['a.png', 'sub/a_labels.png'],
    ['sub/b.png', 'sub/a_labels.png'],
  ]);
  t.same(
    pairs.map(({ labels, mpp }) => [labels, mpp]),
    [
      [['a.png', 'P, 1', '0.25'], 0.25],
      [['sub/b.png', 'P2', ''], undefined],
    ],
  );
  t.same(names((await manifest('m.tsv')).pairs, folder), [['a.png', 'sub/a_labels.png']]);
  t.match((await manifest('twice.csv')).notes, [/listed more than once: .*a\.png/]);
  t.same((await manifest('segment.csv', true)).pairs[0]?.mask, undefined);
  await t.rejects(findInputs({ image: join(folder, 'm.csv'), mask: folder, segment: false }), rejects('UAM_ARGUMENT', /is a manifest/));
});

t.test('manifests that cannot be used', async (t) => {
  const folder = t.testdir({
    'a.png': '',
    'missing.csv': 'image,mask\na.png,no.png\nnone.png,a.png\n',
    'noimage.csv': 'picture,mask\na.png,a.png\n',
    'nomask.csv': 'image,patient\na.png,1\n',
    'cell.csv': 'image,mask\na.png,\n',
    'taken.csv': 'image,mask,label\na.png,a.png,1\n',
    'twice.csv': 'image,mask,image\na.png,a.png,b\n',
    'ragged.csv': 'image,mask\na.png\n',
    'empty.csv': '',
    'header.csv': 'image,mask\n',
    'mpp.csv': 'image,mask,mpp\na.png,a.png,fine\n',
  });
  const manifest = (name: string) => findInputs({ image: join(folder, name), segment: false });
  await t.rejects(manifest('missing.csv'), rejects('UAM_INPUT', /do not exist: .*no\.png, .*none\.png/));
  await t.rejects(manifest('noimage.csv'), rejects('UAM_DATA', /column image; its columns are picture, mask/));
  await t.rejects(manifest('nomask.csv'), rejects('UAM_DATA', /column mask \(or say --segment\)/));
  await t.rejects(manifest('cell.csv'), rejects('UAM_DATA', /line 2 names no mask/));
  await t.rejects(manifest('taken.csv'), rejects('UAM_DATA', /'label' must have another name/));
  await t.rejects(manifest('twice.csv'), rejects('UAM_FORMAT', /two columns are named 'image'/));
  await t.rejects(manifest('ragged.csv'), rejects('UAM_FORMAT', /not a valid manifest/));
  await t.rejects(manifest('empty.csv'), rejects('UAM_DATA', /names no image/));
  await t.rejects(manifest('header.csv'), rejects('UAM_DATA', /names no image/));
  await t.rejects(manifest('mpp.csv'), rejects('UAM_DATA', /line 2: mpp must be a number above 0, received 'fine'/));
});
