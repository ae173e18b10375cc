// Manifests of tiles with cells and regions: each part alone and together, pixel sizes, coordinates, the cache, and what is refused.
import t from 'tap';
import { encodeNpy } from '../../src/image/npy.js';
import { encodeMask } from '../../src/image/write_mask.js';
import type { ReadJointOptions } from '../../src/train/collect_tiles.js';
import type { JointSample } from '../../src/train/joint_dataset.js';
import { readJointDataset } from '../../src/train/read_joint_manifest.js';
import { readDataset } from '../../src/train/read_manifest.js';
import { rejectsWith } from '../support/expect.js';
import { CORNERS, drawTile, enlarged, IDS, png, SIDE, TestFolder } from '../support/tile_files.js';

const folder = new TestFolder(t);
const extraction = { features: ['firstorder', 'shape2D'], channels: ['grey'] };
const { rgb, mask } = drawTile();
/** Tumour on the left, unknown in the last row. */
const tumour = Uint8Array.from({ length: SIDE * SIDE }, (_, at) => (at >= SIDE * (SIDE - 1) ? 128 : at % SIDE < 10 ? 255 : 0));
const wanted = tumour.map((value) => (value === 128 ? 255 : value === 255 ? 1 : 0));
/** Rows of the table are in the rising order of ids. */
const ORDER = [...IDS.keys()].sort((a, b) => (IDS[a] as number) - (IDS[b] as number));
const cornersInOrder = ORDER.map((i) => CORNERS[i] as readonly [number, number]);

t.before(async () => {
  folder.write('a.png', png(SIDE, SIDE, rgb));
  folder.write('a_mask.png', await encodeMask(mask));
  folder.write('a_region.png', png(SIDE, SIDE, tumour));
  folder.write('classes.csv', 'label,class\n3,stroma\n70,tumour\n41,tumour\n');
  folder.write('points.csv', 'x,y,class\n4,5,tumour\n22,22,stroma\n');
  folder.write('maps.json', '{}');
});

const read = (text: string, options: ReadJointOptions = {}) =>
  readJointDataset(folder.write('manifest.csv', text), { mpp: 0.5, extraction, ...options });
const only = async (text: string, options?: ReadJointOptions) => (await read(text, options)).samples[0] as JointSample;

t.test('all parts of a tile', async (t) => {
  const text = 'image,mask,classes,region,maps,patient,split\na.png,a_mask.png,classes.csv,a_region.png,maps.json,P1,val\n';
  const set = await read(text, { regionUnknown: 128 });
  t.same([set.classes, set.regions, set.mpp, set.extraction?.mpp], [['stroma', 'tumour'], ['tumour'], 0.5, 0.5]);
  const sample = set.samples[0] as JointSample;
  t.match(sample, { name: 'a.png', patient: 'P1', patientGiven: true, split: 'validation', maps: folder.at('maps.json') });
  t.same([sample.image?.width, sample.image?.height, sample.image?.origin], [SIDE, SIDE, [0, 0]]);
  t.same(sample.image?.data, rgb);
  t.ok(sample.image?.data.buffer instanceof SharedArrayBuffer && sample.region?.buffer instanceof SharedArrayBuffer);
  t.same(sample.region, wanted);
  t.same(
    [...(sample.positions ?? [])],
    cornersInOrder.flatMap(([x, y]) => [(x + 2) / 2, (y + 2) / 2]),
  );
  t.same(
    [...(sample.boxes ?? [])],
    cornersInOrder.flatMap(([x, y]) => [x - 0.5, y - 0.5, x + 4.5, y + 4.5].map((edge) => edge / 2)),
  );
  t.same(
    [[...sample.truth.cells], [...sample.truth.classes]],
    [
      [0, 2, 3],
      [0, 1, 1],
    ],
    'ids 3, 41, 70; of 9 nothing is known',
  ); // prettier-ignore
});

t.test('any part may be absent', async (t) => {
  const lines = [
    'a.png,,,,',
    'a.png,a_mask.png,,,',
    'a.png,,,,a_region.png',
    'a.png,,points.csv,,a_region.png',
    'a.png,a_mask.png,points.csv,,',
  ];
  const heard: string[] = [];
  const seen: boolean[] = [];
  const set = await read(['image,mask,points,classes,region', ...lines].join('\n'), {
    ...{ regionUnknown: 128, onWarning: ({ code, image }) => void heard.push(`${code} ${image}`) },
    onProgress: ({ cached }) => void seen.push(cached),
  });
  t.same(
    set.samples.map(({ table }) => table.length),
    [0, 4, 0, 0, 4],
  );
  t.same(
    set.samples.map(({ boxes }) => boxes?.length),
    [undefined, 16, undefined, undefined, 16],
  );
  t.same(
    set.samples.map(({ region }) => region !== undefined),
    [false, false, true, true, false],
  );
  t.same(
    set.samples.map(({ truth }) => [...truth.cells]),
    [[], [], [], [], [3, -1]],
    'a point on no nucleus is one',
  );
  t.same(heard, [`points_without_mask ${folder.at('a.png')}`]);
  t.equal(seen.length, 5);
  t.equal(set.features.length, (await read('image,mask\na.png,a_mask.png\n')).features.length);
  t.same((await read('image\na.png\n')).samples[0]?.image?.data, rgb, 'the column image is enough');
  const without = await read('image,mask,classes,region\na.png,a_mask.png,classes.csv,a_region.png\n', {
    cells: false,
    regionUnknown: 128,
  });
  t.same([without.cells, without.classes, without.samples[0]?.region], [0, [], wanted], 'cells that nobody wants are not read');
});

t.test('grey and wide images become 8-bit RGB', async (t) => {
  const grey = rgb.filter((_, i) => i % 3 === 0);
  folder.write('grey.png', png(SIDE, SIDE, grey));
  folder.write(
    'wide.png',
    png(
      SIDE,
      SIDE,
      Uint16Array.from(rgb, (value) => 257 * value + (value < 255 ? 100 : 0)),
    ),
  );
  folder.write(
    'dark.png',
    png(
      SIDE,
      SIDE,
      Uint16Array.from(grey, (value) => 257 * value),
    ),
  );
  const images = (await read('image\ngrey.png\nwide.png\ndark.png\n')).samples.map(({ image }) => image?.data);
  const spread = rgb.map((_, i) => grey[Math.floor(i / 3)] as number);
  t.same(images, [spread, rgb, spread]);
});

t.test('one pixel size for all: cells lie where their pixels are', async (t) => {
  const large = { width: 2 * SIDE, height: 2 * SIDE };
  folder.write('fine.png', png(large.width, large.height, enlarged(rgb, SIDE, 2)));
  folder.write(
    'fine_mask.npy',
    encodeNpy(Uint32Array.from(mask.data.length ? enlarged(Uint8Array.from(mask.data), SIDE, 2) : []), [large.height, large.width]),
  );
  folder.write('fine_region.png', png(large.width, large.height, enlarged(tumour, SIDE, 2)));
  const lines = ['a.png,a_mask.png,a_region.png,0.5', 'fine.png,fine_mask.npy,fine_region.png,0.25', 'a.png,a_mask.png,a_region.png,0.49'];
  const set = await read(['image,mask,region,mpp', ...lines].join('\n'), { regionUnknown: 128 });
  const [coarse, fine, near] = set.samples as [JointSample, JointSample, JointSample];
  t.same(fine.image?.data, rgb, 'four pixels of one colour are one');
  t.same([fine.region, fine.image?.width], [wanted, SIDE]);
  t.same(fine.image?.origin, [0.125, 0.125], 'half a large pixel less half a small one from the first centre');
  const onPixels = ({ positions, boxes, image }: JointSample) =>
    [...(positions ?? []), ...(boxes ?? [])].map((at, i) => ((at - (image?.origin[i % 2] ?? 0)) / set.mpp).toFixed(9));
  t.same(onPixels(fine), onPixels(coarse), 'the same places on the same pixels');
  t.same([near.image?.data, near.image?.origin, near.region], [rgb, [0, 0], wanted], '2 % are no difference');
  t.same(onPixels(near), onPixels(coarse), 'and what stays as it is is measured with one yardstick');
  const third = await only('image,region,mpp\nfine.png,fine_region.png,0.25\n', {
    regionUnknown: 128,
    extraction: { ...extraction, mpp: 0.75 },
  });
  t.same([third.image?.width, third.image?.height, third.region?.length, third.image?.origin], [16, 16, 256, [0.25, 0.25]]);
  await rejectsWith(
    t,
    read(['image,mpp', 'a.png,0.5', 'fine.png,0.25'].join('\n'), { extraction: { ...extraction, mpp: 'own' } }),
    'UAM_DATA',
    /fine\.png: .* 0\.25 um/,
  );
  t.equal((await read('image,mpp\na.png,0.5\na.png,0.51\n', { extraction: { ...extraction, mpp: 'own' } })).mpp, 0.5);
});

t.test('features are those of readDataset, and from its cache', async (t) => {
  const manifest = folder.write('both.csv', 'image,mask,points\na.png,a_mask.png,points.csv\n');
  const options = { mpp: 0.5, extraction, cache: folder.at('cache') };
  const cached: boolean[] = [];
  const onProgress = (progress: { cached: boolean }) => void cached.push(progress.cached);
  const cells = (await readDataset(manifest, { ...options, onProgress })).samples[0];
  for (const cache of [options.cache, undefined]) {
    const joint = (await readJointDataset(manifest, { ...options, cache, onProgress })).samples[0] as JointSample;
    t.same(
      joint.table.columns.map(({ name, data }) => [name, data]),
      cells?.table.columns.map(({ name, data }) => [name, data]),
    );
    t.same([joint.positions, joint.truth], [cells?.positions, cells?.truth]);
    t.equal(joint.boxes?.length, 16);
  }
  t.same(cached, [false, true, false]);
});

t.test('several regions', async (t) => {
  folder.write(
    'b_region.npy',
    encodeNpy(
      Uint8Array.from(wanted, (value) => (value === 0 ? 1 : 0)),
      [SIDE, SIDE],
    ),
  );
  const text = 'image,region:tumour,region:stroma\na.png,a_region.png,b_region.npy\na.png,,b_region.npy\na.png,,\n';
  const set = await read(text, { regionUnknown: 128 });
  t.same(set.regions, ['tumour', 'stroma']);
  const [both, one, none] = set.samples as [JointSample, JointSample, JointSample];
  t.same(
    both.region,
    Uint8Array.from({ length: 2 * SIDE * SIDE }, (_, i) => (i % 2 === 0 ? (wanted[i / 2] as number) : Number(wanted[(i - 1) / 2] === 0))),
  );
  t.same(one.region?.slice(0, 4), [255, 0, 255, 0]);
  t.equal(none.region, undefined);
  t.same((await read(text, { regionUnknown: 128, regions: ['stroma', 'tumour'] })).samples[0]?.region?.slice(0, 2), [0, 1]);
  await rejectsWith(t, read(text, { regions: ['tumour'] }), 'UAM_DATA', /region:stroma must be of one of the regions tumour/);
  await rejectsWith(t, read('image,region\na.png,a_region.png\n', { regions: ['a', 'b'] }), 'UAM_DATA', /region:NAME/);
});

t.test('what is wrong is said, with file and line', async (t) => {
  const region = async (values: Uint8Array, text: RegExp, options: ReadJointOptions = {}) => {
    folder.write('bad.png', png(SIDE, values.length / SIDE, values));
    await rejectsWith(t, read('image,region\na.png,bad.png\n', options), values.length === SIDE * SIDE ? 'UAM_DATA' : 'UAM_SHAPE', text);
  };
  await region(tumour, /bad\.png: the value at x 0, y 23 .* received 128; .*--region-unknown/);
  await region(
    tumour.map((value) => (value === 128 ? 1 : value)),
    /both 1 and 255/,
  );
  await region(tumour.slice(SIDE), /24 x 24 pixels, received 24 x 23/);
  t.same((await only('image,region\na.png,a_region.png\n', { regionUnknown: 128 })).region, wanted);
  await rejectsWith(t, read('image\na.png\n', { regionUnknown: 0 }), 'UAM_ARGUMENT', /regionUnknown/);
  await rejectsWith(t, read('mask\na.png\n'), 'UAM_DATA', /columns must be image/);
  await rejectsWith(t, read('image\n'), 'UAM_DATA', /names no image/);
  await rejectsWith(t, read('image,mask\n,a_mask.png\n'), 'UAM_DATA', /line 2 must name an image/);
  await rejectsWith(t, read('image,points,classes\na.png,points.csv,classes.csv\n'), 'UAM_DATA', /line 2 .* not both/);
  await rejectsWith(
    t,
    read('image,classes\na.png,classes.csv\n'),
    'UAM_DATA',
    /classes\.csv names the classes of nuclei, but there is no mask/,
  );
  await rejectsWith(t, read('image,split\na.png,some\n'), 'UAM_DATA', /line 2: split/);
  await rejectsWith(t, read('image,mpp\na.png,x\n'), 'UAM_DATA', /line 2: mpp/);
  for (const column of ['mask', 'points', 'region', 'maps']) {
    const needs = column === 'points' ? 'a_mask.png' : '';
    const text = column === 'mask' ? 'image,mask\na.png,none.x\n' : `image,mask,${column}\na.png,${needs},none.x\n`;
    await rejectsWith(t, read(text), 'UAM_INPUT', /none\.x/);
  }
  await rejectsWith(t, read('image\na.png\nnone.png\n'), 'UAM_INPUT', /none\.png/);
  await rejectsWith(
    t,
    readJointDataset(folder.write('m.csv', 'image\na.png\n'), { extraction }),
    'UAM_DATA',
    /a\.png: it does not tell its pixel size/,
  );
  await rejectsWith(t, read('image\na.png\n', { signal: AbortSignal.abort() }), 'UAM_ABORTED', /./);
  const stop = new AbortController();
  await rejectsWith(t, read('image\na.png\na.png\na.png\n', { signal: stop.signal, onProgress: () => stop.abort() }), 'UAM_ABORTED', /./);
  const cut = png(SIDE, SIDE, rgb);
  folder.write('cut.png', cut.subarray(0, cut.length - 40));
  await rejectsWith(t, read('image\ncut.png\n'), 'UAM_FORMAT', /cut\.png/);
});
