// Manifests: images, masks, points and classes to a dataset; and a model from images to answers, on drawn and on real cells.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { encodeMask } from '../../src/image/write_mask.js';
import { packageRoot } from '../../src/native/load.js';
import { readDataset } from '../../src/train/read_manifest.js';
import { UAM } from '../../src/train/uam.js';
import { rejectsWith } from '../support/expect.js';
import { uniform } from '../support/random.js';
import { LITTLE } from '../support/training_sets.js';

const folder = mkdtempSync(join(tmpdir(), 'uam-manifest-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, text: string | Uint8Array) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

const SIDE = 96;
const STEP = 12;
const extraction = { features: ['firstorder', 'shape2D', 'neighbourhood'], channels: ['grey'] };

/** Square nuclei on a grid, dark ones (odd ids) and bright ones: image, mask, points and classes. */
async function draw(name: string, seed: number): Promise<void> {
  const next = uniform(seed);
  const mask = new Uint32Array(SIDE * SIDE);
  const image = Uint32Array.from(mask, () => 200 + Math.floor(20 * next()));
  const [points, classes] = [['x,y,class'], ['label,class']];
  let id = 0;
  for (let y = 2; y + 8 < SIDE; y += STEP) {
    for (let x = 2; x + 8 < SIDE; x += STEP) {
      id++;
      const kind = next() < 0.5 ? 'dark' : 'light';
      for (let v = y; v < y + 7; v++) {
        for (let u = x; u < x + 7; u++) {
          mask[v * SIDE + u] = id;
          image[v * SIDE + u] = (kind === 'dark' ? 40 : 120) + Math.floor(30 * next());
        }
      }
      points.push(`${x + 3},${y + 3},${kind}`);
      classes.push(`${id},${kind}`);
    }
  }
  file(`${name}_mask.png`, await encodeMask({ width: SIDE, height: SIDE, data: mask }));
  file(`${name}.png`, await encodeMask({ width: SIDE, height: SIDE, data: image }));
  file(`${name}_points.csv`, `${points.join('\n')}\n${points[1]}\n11,8,dark\n95,95,light\n`); // twice; 3 px from a nucleus; on none
  file(`${name}_classes.csv`, classes.join('\n'));
}

t.before(async () => {
  for (let i = 0; i < 4; i++) await draw(`tile${i}`, i + 1);
});

const line = (i: number, labels: string, split = '') => `tile${i}.png,tile${i}_mask.png,tile${i}_${labels}.csv,P${i},${split}`;

t.test('points and classes', async (t) => {
  const lines = [0, 1].map((i) => line(i, 'points', i === 0 ? 'train' : 'val'));
  const heard: string[] = [];
  const set = await readDataset(file('points.csv', ['image,mask,points,patient,split', ...lines].join('\n')), {
    ...{ mpp: 0.5, extraction, onProgress: ({ name }) => void heard.push(name) },
  });
  t.same(heard, ['tile0.png', 'tile1.png']);
  t.same(
    [set.classes, set.patients, set.samples.map(({ split }) => split)],
    [
      ['dark', 'light'],
      ['P0', 'P1'],
      ['train', 'validation'],
    ],
  );
  const [first] = set.samples;
  t.equal(first?.table.length, 64);
  t.equal(first?.truth.cells.length, 67);
  t.same([...(first?.truth.cells.slice(64) ?? [])], [0, 0, -1], 'a second point; one within 3 px; one on no nucleus');
  t.same([...(first?.positions?.slice(0, 4) ?? [])], [2.5, 2.5, 8.5, 2.5]);
  const named = await readDataset(file('classes.csv', `image,mask,classes\n${line(0, 'classes').split(',').slice(0, 3).join(',')}\n`), {
    mpp: 0.5,
    extraction,
  });
  t.same(named.patients, ['tile0.png']);
  t.equal(
    named.counts().reduce((a, b) => a + b, 0),
    64,
  );
});

t.test('a model from images to answers, through its file', async (t) => {
  const lines = [0, 1, 2].map((i) => line(i, 'classes'));
  const set = await readDataset(file('train.csv', ['image,mask,classes,patient,split', ...lines].join('\n')), { mpp: 0.5, extraction });
  const model = UAM.create(LITTLE);
  const { temperature } = await model.fit(set, { epochs: 40, batch: 1, learningRate: 1e-2, validation: 0.34, patience: 40 });
  const path = join(folder, 'model.safetensors');
  await model.save(path);
  const phases = new Set<string>();
  const input = { image: join(folder, 'tile3.png'), mask: join(folder, 'tile3_mask.png'), mpp: 0.5 };
  const found = await UAM.analyse({ ...input, model: path }, { onProgress: ({ phase }) => void phases.add(phase) });
  t.same([...phases], ['extract', 'predict']);
  t.equal(found.table?.length, 64);
  const truth = (
    await readDataset(file('test.csv', `image,mask,classes\n${line(3, 'classes').split(',').slice(0, 3).join(',')}\n`), {
      mpp: 0.5,
      extraction,
    })
  ).samples[0]?.truth;
  const right = found.classes.filter((c, i) => c === truth?.classes[i]).length;
  t.ok(right >= 60, `${right} of 64 cells of an unseen image`);
  for (let cell = 0; cell < 64; cell++) {
    const sum = [...found.probabilities.subarray(2 * cell, 2 * cell + 2)].reduce((a, b) => a + b, 0);
    t.ok(Math.abs(sum - 1) < 1e-6 && found.embeddings.subarray(16 * cell, 16 * cell + 16).every(Number.isFinite));
  }
  const loaded = await UAM.load(path);
  t.same([loaded.temperature, loaded.classes], [temperature, ['dark', 'light']]);
  t.same(loaded.extraction, { ...extraction, mpp: 0.5 }, 'it remembers at which pixel size it learned');
  t.same((await loaded.predict(input)).probabilities, (await model.predict(input)).probabilities, 'the file is the model');
  const bare = await model.predict(input, { embeddings: false });
  t.equal(bare.embeddings.length, 0);
  await rejectsWith(t, model.predict({ ...input, mpp: undefined }), 'UAM_DATA', /give mpp/);
  await rejectsWith(t, model.predict({ length: 1, columns: [] }), 'UAM_DATA', /lacks|places/);
});

t.test('what is wrong is said, with file and line', async (t) => {
  const read = (text: string, options: object = { mpp: 0.5, extraction }) => readDataset(file('bad.csv', text), options);
  const good = 'tile0.png,tile0_mask.png';
  await rejectsWith(t, readDataset(join(folder, 'none.csv')), 'UAM_INPUT', /none\.csv/);
  await rejectsWith(t, read('image\nx.png\n'), 'UAM_DATA', /image, mask/);
  await rejectsWith(t, read('image,mask\n"x\n'), 'UAM_FORMAT', /bad\.csv/);
  await rejectsWith(t, read('image,mask\nx.png,\n'), 'UAM_DATA', /line 2 must name/);
  await rejectsWith(t, read('image,mask\nx.png,y.png\n'), 'UAM_INPUT', /x\.png/);
  await rejectsWith(t, read(`image,mask\n${good}\n`, { extraction }), 'UAM_DATA', /tile0\.png: it does not tell its pixel size/);
  await rejectsWith(t, read(`image,mask,split\n${good},maybe\n`), 'UAM_DATA', /line 2: split/);
  await rejectsWith(t, read(`image,mask,mpp\n${good},x\n`), 'UAM_DATA', /line 2: mpp/);
  await rejectsWith(t, read(`image,mask,points,classes\n${good},a,b\n`), 'UAM_DATA', /not both/);
  file('p.csv', 'x,y,class\n1,,a\n');
  await rejectsWith(t, read(`image,mask,points\n${good},p.csv\n`), 'UAM_DATA', /p\.csv: line 2: y/);
  file('c.csv', 'label,class\n999,a\n');
  await rejectsWith(t, read(`image,mask,classes\n${good},c.csv\n`), 'UAM_DATA', /no nucleus 999/);
  await rejectsWith(t, read(`image,mask\n${good}\n`, { mpp: 0.5, extraction, signal: AbortSignal.abort() }), 'UAM_ABORTED', /./);
});

const brca = join(packageRoot(), '..', 'shared', 'data', 'brca_m2c');
const real = existsSync(brca) ? {} : { skip: `${brca} is not there` };
t.test('real cells: some tiles of brca_m2c', real, async (t) => {
  const names = ['TCGA-A7-A0D9_18001_13001', 'TCGA-A7-A0DA_11501_11001', 'TCGA-A7-A0DB_16001_32501'];
  const lines = names.map((name) =>
    [`${name}.png`, `${name}_autolabels.png`, `${name}_points.csv`]
      .map((path) => join(brca, path))
      .concat(name.slice(0, 12))
      .join(','),
  );
  const set = await readDataset(file('brca.csv', ['image,mask,points,patient', ...lines].join('\n')), {
    mpp: 0.5,
    extraction: { features: ['firstorder', 'shape2D'] },
  });
  t.same(set.classes, ['lymphocyte', 'stromal', 'tumour_epithelial']);
  t.equal(set.patients.length, 3);
  const lost = set.samples.flatMap(({ truth }) => [...truth.cells]).filter((cell) => cell < 0).length;
  const all = set.counts().reduce((a, b) => a + b, 0);
  t.ok(lost / all < 0.06, `${lost} of ${all} points lie on no nucleus`);
  const model = UAM.create({ ...LITTLE });
  const { history } = await model.fit(set, { epochs: 15, batch: 1, learningRate: 5e-3, validation: 0.3 });
  t.ok(
    (history.at(-1)?.loss as number) < (history[0]?.loss as number),
    `macro-F1 ${history.map(({ macroF1 }) => macroF1?.toFixed(2)).join(' ')}`,
  );
});
