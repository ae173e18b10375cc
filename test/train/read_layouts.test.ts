// Published layouts in small: PanNuke, CoNIC and Lizard, their ids and classes, and files that do not fit.
import { rmSync } from 'node:fs';
import t from 'tap';
import { encodeNpy } from '../../src/image/npy.js';
import type { JointSample } from '../../src/train/joint_dataset.js';
import { openJointDataset } from '../../src/train/open_joint_dataset.js';
import { readConic } from '../../src/train/read_conic.js';
import { readLizard } from '../../src/train/read_lizard.js';
import { readPanNuke } from '../../src/train/read_pannuke.js';
import { rejectsWith } from '../support/expect.js';
import { type MatMatrix, matFile } from '../support/mat_file.js';
import { npyOf, npyTexts } from '../support/npy_file.js';
import { CORNERS, drawTile, IDS, png, SIDE, TestFolder } from '../support/tile_files.js';

const extraction = { features: ['firstorder'], channels: ['grey'] };
const tiles = [drawTile(1), drawTile(2), drawTile(3)] as const;
const PIXELS = SIDE * SIDE;

/** Places of nuclei in pixels, with their classes: what must come out whatever the order in the file. */
const found = ({ positions, truth }: JointSample, classes: readonly string[], mpp: number) =>
  [...truth.cells]
    .map((cell, i) =>
      [...(positions?.slice(2 * cell, 2 * cell + 2) ?? [])].map((at) => Math.round(at / mpp)).concat(truth.classes[i] as number),
    )
    .map(([x, y, label]) => `${x},${y} ${classes[label as number]}`)
    .sort();

/** What `found` gives for the nuclei at `CORNERS` with these classes. */
const expected = (...classes: (string | undefined)[]) =>
  CORNERS.flatMap(([x, y], i) => (classes[i] === undefined ? [] : [`${x + 2},${y + 2} ${classes[i]}`])).sort();

/** Stacks side by side in one array of doubles. */
const doubles = (parts: readonly ArrayLike<number>[]) => Float64Array.from(parts.flatMap((part) => [...Array.from(part)]));

t.test('PanNuke', async (t) => {
  const folder = new TestFolder(t);
  // Each nucleus in the channel of its class; ids begin anew in each channel, and the last channel is what is left.
  const channels = [0, 4, 0, 2];
  const masks = tiles.map(({ mask }) => {
    const out = new Float64Array(6 * PIXELS);
    mask.data.forEach((id, at) => {
      const nucleus = (IDS as readonly number[]).indexOf(id);
      if (nucleus < 0) out[6 * at + 5] = 1;
      else out[6 * at + (channels[nucleus] as number)] = nucleus === 2 ? 8 : 1;
    });
    return out;
  });
  // Dead over connective: the later channel has the pixel.
  (masks[1] as Float64Array)[6 * (14 * SIDE + 15) + 3] = 1;
  const write = (fold: number, count: number) => {
    const shape = (depth: number) => [count, SIDE, SIDE, depth];
    const images = folder.write(
      `Fold ${fold}/images/fold${fold}/images.npy`,
      npyOf('<f8', shape(3), doubles(tiles.slice(0, count).map(({ rgb }) => rgb))),
    );
    folder.write(`Fold ${fold}/images/fold${fold}/types.npy`, npyTexts(['Breast', 'Bile-duct', 'Breast'].slice(0, count)));
    folder.write(`Fold ${fold}/masks/fold${fold}/masks.npy`, npyOf('<f8', shape(6), doubles(masks.slice(0, count))));
    return images;
  };
  write(1, 3);
  const images = write(3, 1);
  const kinds = ['Neoplastic', 'Epithelial', 'Neoplastic', 'Connective'];

  await t.test('all folds, as published', async (t) => {
    const seen: string[] = [];
    const set = await openJointDataset(folder.path, { extraction, onProgress: ({ name }) => void seen.push(name) });
    t.same(seen, ['fold1/Breast/0', 'fold1/Bile-duct/1', 'fold1/Breast/2', 'fold3/Breast/0']);
    t.same([set.classes, set.mpp, set.patients], [['Neoplastic', 'Inflammatory', 'Connective', 'Dead', 'Epithelial'], 0.25, seen]);
    set.samples.forEach(({ image, region }, i) => {
      t.same([image?.data, region], [tiles[i % 3]?.rgb, undefined]);
    });
    const [first, second] = set.samples as [JointSample, JointSample];
    t.equal(first.table.length, 4, 'equal ids in two channels are two nuclei');
    t.same(found(first, set.classes, 0.25), expected(...kinds));
    t.same(set.counts(), [8, 0, 4, 1, 4]);
    t.equal(second.table.length, 5);
    t.ok(found(second, set.classes, 0.25).includes('15,14 Dead'));
  });
  await t.test('splits, tissues, the files of a fold, and the cache', async (t) => {
    const splits = { fold1: 'train', fold3: 'test' } as const;
    const set = await readPanNuke(folder.path, { extraction, splits, tissues: ['Breast'], mpp: 0.5, cache: folder.at('cache') });
    t.same(
      set.samples.map(({ name, split }) => `${name} ${split}`),
      ['fold1/Breast/0 train', 'fold1/Breast/2 train', 'fold3/Breast/0 test'],
    );
    const cached: boolean[] = [];
    const again = {
      extraction,
      mpp: 0.5,
      cache: folder.at('cache'),
      onProgress: (progress: { cached: boolean }) => void cached.push(progress.cached),
    };
    const one = await readPanNuke({ images, masks: images.replaceAll('images', 'masks') }, again);
    t.same([one.samples[0]?.name, one.mpp, cached], ['0', 0.5, [true]], 'the same pixels and nuclei');
    t.same(one.samples[0]?.table.columns[3]?.data, set.samples[2]?.table.columns[3]?.data);
    t.same(one.samples[0]?.boxes, set.samples[2]?.boxes);
    await rejectsWith(t, readPanNuke(folder.path, { extraction, tissues: ['Brain'] }), 'UAM_DATA', /no image is of Brain/);
    await rejectsWith(t, readPanNuke(folder.path, { extraction, signal: AbortSignal.abort() }), 'UAM_ABORTED', /./);
  });
  await t.test('what does not fit', async (t) => {
    const mend = (name: string, bytes: Uint8Array) => folder.write(`one/${name}`, bytes);
    const sound = {
      images: encodeNpy(tiles[0].rgb, [1, SIDE, SIDE, 3]),
      masks: npyOf('<f8', [1, SIDE, SIDE, 6], masks[0] as Float64Array),
    };
    const refused = async (
      name: 'images' | 'masks' | 'types',
      bytes: Uint8Array,
      code: 'UAM_DATA' | 'UAM_SHAPE' | 'UAM_FORMAT',
      text: RegExp,
    ) => {
      rmSync(folder.at('one'), { recursive: true, force: true });
      mend('images.npy', sound.images);
      mend('masks.npy', sound.masks);
      mend(`${name}.npy`, bytes);
      await rejectsWith(t, readPanNuke(folder.at('one'), { extraction }), code, text);
    };
    await refused(
      'images',
      encodeNpy(new Uint8Array(PIXELS * 4), [1, SIDE, SIDE, 4]),
      'UAM_DATA',
      /images\.npy: its shape must be .*3\), received \(1, 24, 24, 4\)/,
    );
    await refused('masks', encodeNpy(new Uint8Array(PIXELS * 5), [1, SIDE, SIDE, 5]), 'UAM_DATA', /masks\.npy: its shape/);
    await refused('masks', encodeNpy(new Uint8Array(PIXELS * 12), [2, SIDE, SIDE, 6]), 'UAM_SHAPE', /2 x 24 x 24/);
    await refused('masks', sound.masks.subarray(0, sound.masks.length - 1), 'UAM_FORMAT', /truncated/);
    await refused(
      'masks',
      npyOf('<f8', [1, SIDE, SIDE, 6], new Float64Array(6 * PIXELS).fill(0.5)),
      'UAM_DATA',
      /image 0, Neoplastic.*0\.5/,
    );
    await refused(
      'images',
      npyOf('<f8', [1, SIDE, SIDE, 3], new Float64Array(3 * PIXELS).fill(0.9)),
      'UAM_DATA',
      /from 0 to 0\.9; colours from 0 to 255/,
    );
    await refused(
      'images',
      npyOf('<f8', [1, SIDE, SIDE, 3], new Float64Array(3 * PIXELS).fill(256)),
      'UAM_DATA',
      /from 0 to 255, received 256/,
    );
    await refused('types', npyTexts(['Breast', 'Skin']), 'UAM_SHAPE', /1, one per image, received 2/);
    rmSync(folder.at('one', 'masks.npy'));
    await rejectsWith(t, readPanNuke(folder.at('one')), 'UAM_INPUT', /no images\.npy with its masks\.npy/);
    await rejectsWith(t, readPanNuke({ images, masks: folder.at('none.npy') }), 'UAM_INPUT', /none\.npy/);
  });
});

t.test('CoNIC', async (t) => {
  const folder = new TestFolder(t);
  const numbers = [2, 6, 0, 3];
  const labels = tiles.map(({ mask }) => {
    const out = new Uint16Array(2 * PIXELS);
    mask.data.forEach((id, at) => {
      const nucleus = (IDS as readonly number[]).indexOf(id);
      if (nucleus >= 0) out.set([id, numbers[nucleus] as number], 2 * at);
    });
    return out;
  });
  (labels[0] as Uint16Array)[2 * (3 * SIDE + 2) + 1] = 5; // one pixel of 25 disagrees
  const stack = (parts: readonly Uint16Array[]) => Uint16Array.from(parts.flatMap((part) => [...part]));
  const put = () => {
    folder.write('images.npy', encodeNpy(Uint8Array.from(tiles.flatMap(({ rgb }) => [...rgb])), [3, SIDE, SIDE, 3]));
    folder.write('labels.npy', encodeNpy(stack(labels), [3, SIDE, SIDE, 2]));
    folder.write('counts.csv', 'neutrophil,epithelial,lymphocyte,plasma,eosinophil,connective\n0,1,1,0,0,1\n0,1,1,0,0,1\n0,1,1,0,0,1\n');
    folder.write('patch_info.csv', 'patch_info\nconsep_1-0000\nconsep_1-0001\ndpath-2_7-0000\n');
  };
  put();
  const set = await openJointDataset(folder.path, { extraction });
  t.same(set.classes, ['neutrophil', 'epithelial', 'lymphocyte', 'plasma', 'eosinophil', 'connective']);
  t.same([set.patients, set.mpp], [['consep_1', 'dpath-2_7'], 0.5]);
  for (const [i, sample] of set.samples.entries()) {
    t.same(sample.image?.data, tiles[i]?.rgb);
    t.same([sample.table.length, sample.region, sample.patientGiven], [4, undefined, true]);
    t.same(found(sample, set.classes, 0.5), expected('epithelial', 'connective', undefined, 'lymphocyte'));
  }
  t.same((await readConic(folder.path, { extraction, cells: false })).cells, 0);

  const refused = async (name: string, content: string | Uint8Array, code: 'UAM_DATA' | 'UAM_SHAPE' | 'UAM_FORMAT', text: RegExp) => {
    put();
    folder.write(name, content);
    await rejectsWith(t, readConic(folder.path, { extraction }), code, text);
  };
  const other = labels.map((part) => part.map((value, i) => (i % 2 === 1 && value === 6 ? 7 : value)));
  await refused('labels.npy', encodeNpy(stack(other), [3, SIDE, SIDE, 2]), 'UAM_DATA', /from 1 to 6, received 7/);
  await refused('labels.npy', encodeNpy(new Uint16Array(PIXELS * 2), [1, SIDE, SIDE, 2]), 'UAM_SHAPE', /1 x 24 x 24/);
  await refused('labels.npy', encodeNpy(new Uint16Array(PIXELS * 3), [1, SIDE, SIDE, 3]), 'UAM_DATA', /labels\.npy: its shape/);
  await refused('images.npy', Buffer.from('nothing of the kind'), 'UAM_FORMAT', /images\.npy/);
  await refused('patch_info.csv', 'patch_info\nconsep_1-0000\n', 'UAM_SHAPE', /3, one per image .*, received 1/);
  await refused('patch_info.csv', 'patch_info\na-0\nb-0\nc\n', 'UAM_DATA', /line 4 .*'c'/);
  await refused('counts.csv', 'plasma\n0\n0\n0\n', 'UAM_DATA', /columns/);
  rmSync(folder.at('labels.npy'));
  await rejectsWith(t, readConic(folder.path), 'UAM_INPUT', /no labels\.npy/);
});

t.test('Lizard', async (t) => {
  const folder = new TestFolder(t);
  const { mask } = tiles[0];
  const column = (name: string, values: readonly number[]): MatMatrix => {
    const bytes = Buffer.alloc(8 * values.length);
    values.forEach((value, i) => void bytes.writeDoubleLE(value, 8 * i));
    return { name, kind: 6, type: 9, shape: [values.length, 1], values: bytes };
  };
  const map = (): MatMatrix => {
    const bytes = Buffer.alloc(4 * PIXELS); // MATLAB's order: down the columns
    mask.data.forEach((id, at) => void bytes.writeInt32LE(id, 4 * ((at % SIDE) * SIDE + Math.floor(at / SIDE))));
    return { name: 'inst_map', kind: 12, type: 5, shape: [SIDE, SIDE], values: bytes };
  };
  // class[i] belongs to id[i]: not to label i, and not to the i-th label in rising order. 500 is in no pixel, 9 is not named.
  const named = [41, 500, 70, 3];
  const classes = [6, 1, 2, 3];
  const mat = (ids: readonly number[], kinds: readonly number[], compress = false) =>
    matFile([map(), column('id', ids), column('class', kinds), column('bbox', [0]), column('centroid', [0])], { compress });
  folder.write('lizard_images1/Lizard_Images1/consep_1.png', png(SIDE, SIDE, tiles[0].rgb));
  folder.write('lizard_images2/Lizard_Images2/glas_2.png', png(SIDE, SIDE, tiles[1].rgb));
  folder.write('lizard_labels/Lizard_Labels/Labels/consep_1.mat', mat(named, classes));
  folder.write('lizard_labels/Lizard_Labels/Labels/glas_2.mat', mat(named, classes, true));
  folder.write('lizard_labels/Lizard_Labels/Labels/gone_3.mat', mat(named, classes));
  folder.write('lizard_labels/Lizard_Labels/info.csv', 'Filename,Source,Split\nconsep_1,consep,1\nglas_2,glas,3\ngone_3,glas,2\n');
  const heard: string[] = [];
  const set = await openJointDataset(folder.path, { extraction, onWarning: ({ code }) => void heard.push(code) });
  t.same(heard, ['files_without_image']);
  t.same(
    set.samples.map(({ name, split, patientGiven }) => [name, split, patientGiven]),
    [
      ['consep_1', undefined, false],
      ['glas_2', undefined, false],
    ],
  );
  for (const [i, sample] of set.samples.entries()) {
    t.same(sample.image?.data, tiles[i]?.rgb);
    t.same(found(sample, set.classes, 0.5), expected('epithelial', 'lymphocyte', undefined, 'connective'));
  }
  t.same([set.mpp, set.classes.length, set.cells], [0.5, 6, 8]);
  const parts = await readLizard(folder.path, { extraction, splits: { 1: 'train', 3: 'test' } });
  t.same(
    parts.samples.map(({ split }) => split),
    ['train', 'test'],
  ); // prettier-ignore

  const refused = async (bytes: Uint8Array, code: 'UAM_DATA' | 'UAM_FORMAT', text: RegExp) => {
    folder.write('lizard_labels/Lizard_Labels/Labels/glas_2.mat', bytes);
    await rejectsWith(t, readLizard(folder.path, { extraction }), code, text);
  };
  await refused(mat(named, [1, 2]), 'UAM_DATA', /glas_2\.mat: its classes must be as many as its ids, 4, received 2/);
  await refused(mat(named, [1, 2, 3, 9]), 'UAM_DATA', /from 1 to 6, received 9/);
  await refused(matFile([map(), column('id', named)]), 'UAM_DATA', /no numbers 'class'.*inst_map, id/);
  const whole = mat(named, classes);
  await refused(whole.subarray(0, whole.length - 100), 'UAM_FORMAT', /glas_2\.mat/);
  folder.write('again/glas_2.png', png(SIDE, SIDE, tiles[1].rgb));
  await rejectsWith(t, readLizard(folder.path, { extraction }), 'UAM_DATA', /two images are called glas_2/);
  await rejectsWith(t, readLizard(folder.at('lizard_labels')), 'UAM_INPUT', /no image in it has a label file/);
});
