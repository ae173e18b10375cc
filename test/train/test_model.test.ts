// Testing a model on others than those that it has seen: what it remembers of them, and what comes out.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { readCheckpoint, writeCheckpoint } from '../../src/nn/checkpoint.js';
import { learningPlots } from '../../src/report/plots.js';
import { CellDataset, type SampleInput } from '../../src/train/dataset.js';
import { evaluate } from '../../src/train/evaluate.js';
import { learningCurves } from '../../src/train/learning_curves.js';
import { testModel } from '../../src/train/test_model.js';
import { UAM } from '../../src/train/uam.js';
import { rejectsWith } from '../support/expect.js';
import { LITTLE, tilesOfCells } from '../support/training_sets.js';

const folder = mkdtempSync(join(tmpdir(), 'uam-test-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

const tiles = tilesOfCells({ tiles: 10 });
const split = (tile: SampleInput, i: number): SampleInput => ({ ...tile, split: i < 4 ? 'train' : 'validation' });
const known = CellDataset.from(tiles.slice(0, 6).map(split)); // patients 0 and 1, and 2 for validation
const fresh = CellDataset.from(tiles.slice(6));
const model = UAM.create({ ...LITTLE });
await model.fit(known, { epochs: 4, batch: 2 });
const path = join(folder, 'model.safetensors');
await model.save(path);

t.test('those that it has seen are known again, by patient and by their cells', async (t) => {
  const loaded = await UAM.load(path);
  t.same(await loaded.seenIn(fresh), []);
  t.same(await loaded.seenIn(known), [
    { name: 'patient 0', by: 'patient', as: 'training' },
    { name: 'patient 1', by: 'patient', as: 'training' },
    { name: 'patient 2', by: 'patient', as: 'validation' },
  ]);
  const renamed = CellDataset.from([{ ...(tiles[5] as SampleInput), name: 'x.png', patient: 'somebody else' }, tiles[6] as SampleInput]);
  t.same(await loaded.seenIn(renamed), [{ name: 'x.png', by: 'cells', as: 'validation' }]);
  await rejectsWith(
    t,
    testModel(loaded, known),
    'UAM_DATA',
    /has seen 3 .*patient patient 0 was trained on;.*patient 2 chose the best epoch/,
  );
  await rejectsWith(t, testModel(loaded, renamed), 'UAM_DATA', /x\.png \(the same cells, whatever their name\) chose/);
  t.ok(await testModel(loaded, known, { seenAllowed: true }));
});

t.test('names that nobody gave as a patient are no patients', async (t) => {
  const unnamed = (list: SampleInput[]) => CellDataset.from(list.map((tile, i) => ({ ...tile, patient: undefined, name: `${i}.png` })));
  const other = UAM.create(LITTLE);
  await other.fit(unnamed(tiles.slice(0, 4)), { epochs: 1, validation: 0 });
  t.same(await other.seenIn(unnamed(tiles.slice(6))), [], '0.png here is another one');
  t.same(
    (await other.seenIn(unnamed(tiles.slice(2, 4))))?.map(({ name, by }) => [name, by]),
    [
      ['0.png', 'cells'],
      ['1.png', 'cells'],
    ],
  );
});

t.test('the file holds no names', async (t) => {
  const { metadata } = await readCheckpoint(path);
  t.notMatch(JSON.stringify([...metadata]), /patient [0-9]|tile [0-9]/);
  for (const broken of [
    '{',
    '[]',
    '{"salt":1,"patients":{},"tiles":{}}',
    '{"salt":"","patients":{"training":[1],"validation":[]},"tiles":{}}',
  ]) {
    await writeCheckpoint(join(folder, 'broken'), (await readCheckpoint(path)).tensors, {
      ...Object.fromEntries(metadata),
      'training-marks': broken,
    });
    await rejectsWith(t, UAM.load(join(folder, 'broken')), 'UAM_FORMAT', /marks of training patients/);
  }
  for (const broken of ['{', '{}', '[{"epoch":0}]', '[{"epoch":0,"step":1,"loss":null}]']) {
    await writeCheckpoint(join(folder, 'broken'), (await readCheckpoint(path)).tensors, {
      ...Object.fromEntries(metadata),
      history: broken,
    });
    await rejectsWith(t, UAM.load(join(folder, 'broken')), 'UAM_FORMAT', /history of training/);
  }
  const { 'training-marks': _, ...without } = Object.fromEntries(metadata);
  await writeCheckpoint(join(folder, 'old'), (await readCheckpoint(path)).tensors, without);
  t.equal(await (await UAM.load(join(folder, 'old'))).seenIn(known), undefined, 'an older file does not tell');
});

t.test('answers are those of predict, before the temperature; a point on no cell has none', async (t) => {
  const points = CellDataset.from([
    {
      ...(tiles[6] as SampleInput),
      classes: undefined,
      points: { cells: [3, -1, 3, 0], classes: ['tumour', 'tumour', 'stroma', 'stroma'] },
    },
    { ...(tiles[8] as SampleInput) },
  ]);
  const tested = await testModel(model, points);
  t.same(Array.from(tested.truth).slice(0, 4), [1, 1, 0, 0]);
  t.equal(tested.patients?.length, 24);
  t.same(new Set(tested.patients), new Set(['patient 3', 'patient 4']));
  t.ok(Number.isNaN(tested.probabilities[2]));
  const own = await model.predict({ table: points.samples[0]!.table, positions: points.samples[0]!.positions });
  const report = await evaluate(tested, { temperature: model.temperature, resamples: 20 });
  t.equal(report.temperature, model.temperature);
  t.equal(report.scores.missed, 1);
  t.ok(report.uncalibrated);
  const warm = Array.from(own.probabilities.subarray(6, 8), (p) => p ** model.temperature);
  const expected = (warm[0] as number) / ((warm[0] as number) + (warm[1] as number));
  t.ok(Math.abs((tested.probabilities[0] as number) - expected) < 1e-5);
  await rejectsWith(t, evaluate(tested, { temperature: 1, validation: tested }), 'UAM_ARGUMENT', /not both/);
  const others = CellDataset.from(tilesOfCells({ tiles: 1, classes: ['a', 'b'] }));
  await rejectsWith(t, testModel(model, others), 'UAM_DATA', /classes are stroma, tumour, those of the tested cells a, b/);
  await rejectsWith(t, testModel(model, fresh, { signal: AbortSignal.abort() }), 'UAM_ABORTED', /ended/);
});

t.test('its training is kept as curves', async (t) => {
  const curves = learningCurves((await UAM.load(path)).history);
  t.same(
    curves.map(({ chart, name }) => `${chart}, ${name}`),
    ['loss, training', 'loss, validation', 'macro F1, validation'],
  );
  t.same(curves[0]?.x, [1, 2, 3, 4]);
  t.equal(learningPlots(curves).length, 2);
});
