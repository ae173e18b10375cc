// A model works at the pixel size that it was trained at, whatever the pixels of the images that it is shown.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { loadClassifier, saveClassifier } from '../../src/heads/model_file.js';
import { encodeMask } from '../../src/image/write_mask.js';
import { analyseImage } from '../../src/pipeline.js';
import { extract } from '../../src/radiomics/extract.js';
import { CellDataset } from '../../src/train/dataset.js';
import { type DemoTile, demoTile } from '../../src/train/demo_tile.js';
import type { Predictions } from '../../src/train/predictions.js';
import { readDataset } from '../../src/train/read_manifest.js';
import { UAM } from '../../src/train/uam.js';
import { rejectsWith, sameValues } from '../support/expect.js';
import { LITTLE } from '../support/training_sets.js';

const folder = mkdtempSync(join(tmpdir(), 'uam-scale-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);

const recipe = { features: ['firstorder', 'shape2D', 'glcm'], channels: ['grey', 'haematoxylin'] };
/** The same tissue at any pixel size. */
const drawn = (seed: number, mpp: number): DemoTile => demoTile({ seed, patient: 1, width: 128 / mpp, height: 128 / mpp, mpp });

async function trained(): Promise<UAM> {
  const samples = [];
  for (const seed of [1, 2]) {
    const { image, mask, classes } = drawn(seed, 0.5);
    samples.push({ table: await extract(image, mask, recipe), mpp: 0.5, classes });
  }
  const { classNames } = drawn(1, 0.5);
  const model = UAM.create({ ...LITTLE, depth: 1, tokens: 'vector' });
  const dataset = CellDataset.from(samples, { classes: classNames, extraction: { ...recipe, mpp: 0.5 } });
  await model.fit(dataset, { epochs: 12, validation: 0, batch: 64, learningRate: 0.006 });
  return model;
}
const model = await trained();

const shares = ({ probabilities, length }: Predictions, { classes, mask }: DemoTile, ids: Uint32Array) => {
  let right = 0;
  for (let i = 0; i < length; i++) {
    const own = probabilities.subarray(3 * i, 3 * i + 3);
    if (own.indexOf(Math.max(...own)) === classes[(ids[i] as number) - 1]) right++;
  }
  t.ok(mask.data.length > 0 && ids.length === length);
  return right / length;
};

t.test('the same tissue in finer pixels', async (t) => {
  let [coarse, fine, unscaled] = [0, 0, 0];
  for (const seed of [11, 12]) {
    const [here, there] = [drawn(seed, 0.5), drawn(seed, 0.25)];
    const own = await model.predict(here);
    coarse += shares(own, here, own.table?.ids as Uint32Array) / 2;
    const scaled = await model.predict(there);
    fine += shares(scaled, there, scaled.table?.ids as Uint32Array) / 2;
    const table = await extract(there.image, there.mask, recipe);
    unscaled += shares(await model.predict({ table, mpp: 0.25 }), there, table.ids) / 2;
    t.same([scaled.table?.ids, scaled.table?.centroids], [table.ids, table.centroids]);
    const same = await model.predict({ table: await extract(there.image, there.mask, model.extraction), mpp: 0.25 });
    sameValues(t, same.probabilities, scaled.probabilities, 'model.extraction says it to extract');
  }
  t.comment(`right: ${coarse} at 0.5, ${fine} at 0.25, ${unscaled} at 0.25 without resampling`);
  t.ok(coarse > 0.8, `${coarse}`);
  t.ok(Math.abs(coarse - fine) < 0.08, `${coarse} and ${fine}`);
  t.ok(unscaled < fine - 0.15, `${unscaled} where features are measured at the image's own pixels`);
});

t.test('the whole flow keeps the pixels of the image', async (t) => {
  const { image, mask } = drawn(11, 0.25);
  const { cells, predictions, mask: kept } = await analyseImage({ image, mask, model }, { out: file('a.geojson'), overlay: file('a.png') });
  t.equal(kept, mask);
  t.same([predictions.table?.ids, predictions.table?.centroids], [cells.ids, cells.centroids]);
  await rejectsWith(t, analyseImage({ image, mask, model, mpp: 9 }), 'UAM_DATA', /more than 10 times larger or smaller/);
});

/** A tile as files. */
async function written(name: string, { image, mask }: DemoTile): Promise<void> {
  const data = Uint32Array.from({ length: mask.data.length }, (_, at) => image.data[3 * at] as number);
  writeFileSync(file(`${name}.png`), await encodeMask({ ...mask, data }));
  writeFileSync(file(`${name}_mask.png`), await encodeMask(mask));
}

t.test('a manifest of mixed pixel sizes is measured at one: that of its first image, or the one that is said', async (t) => {
  const tiles = { half: drawn(5, 0.5), quarter: drawn(5, 0.25) };
  await written('half', tiles.half);
  await written('quarter', tiles.quarter);
  const lines = ['half.png,half_mask.png,0.5', 'quarter.png,quarter_mask.png,0.25'];
  const read = async (order: number[], mpp?: number | 'own') => {
    writeFileSync(file('mixed.csv'), ['image,mask,mpp', ...order.map((i) => lines[i])].join('\n'));
    const extraction = { features: ['firstorder', 'shape2D'], channels: ['grey'], ...(mpp !== undefined && { mpp }) };
    return readDataset(file('mixed.csv'), { extraction });
  };
  const mean = ({ samples }: CellDataset, sample: number, name: string) => {
    const column = samples[sample]?.table.columns.find((column) => column.name === name);
    const values = Array.from(column?.data ?? []).filter((value) => !Number.isNaN(value));
    return values.reduce((a, b) => a + b, 0) / values.length;
  };
  const [first, turned, said, own] = [await read([0, 1]), await read([1, 0]), await read([1, 0], 0.5), await read([0, 1], 'own')];
  t.same(
    [first, turned, said, own].map(({ extraction }) => extraction?.mpp),
    [0.5, 0.25, 0.5, 'own'],
  );
  const energy = 'firstorder_Energy'; // a sum over pixels: it tells how many there are
  t.ok(Math.abs(mean(first, 1, energy) / mean(first, 0, energy) - 1) < 0.2, 'one scale');
  t.ok(mean(own, 1, energy) / mean(own, 0, energy) > 3, 'each its own');
  t.same([mean(said, 0, energy), mean(said, 1, energy)], [mean(first, 1, energy), mean(first, 0, energy)]);
  t.same(first.samples[1]?.positions, own.samples[1]?.positions, 'places are those of the image');
  t.ok(mean(turned, 1, energy) > 3 * mean(first, 0, energy));
});

t.test('models of before measure images as they are', async (t) => {
  await model.save(file('new.safetensors'));
  t.same((await UAM.load(file('new.safetensors'))).extraction, { ...recipe, mpp: 0.5 });
  const { model: classifier, ...facts } = await loadClassifier(file('new.safetensors'));
  const rewritten = async (extraction: object) => {
    await saveClassifier(file('old.safetensors'), classifier, {
      ...facts,
      notes: { ...facts.notes, extraction: JSON.stringify(extraction) },
    });
    return UAM.load(file('old.safetensors'));
  };
  const old = await rewritten(recipe);
  t.equal(old.extraction?.mpp, 'own');
  const { image, mask } = drawn(11, 0.25);
  const table = await extract(image, mask, recipe);
  sameValues(t, (await old.predict({ image, mask })).probabilities, (await model.predict({ table, mpp: 0.25 })).probabilities, 'old');
  for (const mpp of [0, -1, '0.5', null, [0.5, 0.5]]) {
    await rejectsWith(t, rewritten({ ...recipe, mpp }), 'UAM_FORMAT', /old\.safetensors: the pixel size of its extraction/);
  }
  classifier.dispose();
});
