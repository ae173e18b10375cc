// Joint models from training to answers.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { setThreads } from '../../src/native/device.js';
import { JointDataset, type JointSampleInput } from '../../src/train/joint_dataset.js';
import { JointUAM } from '../../src/train/joint_uam.js';
import { TileModel } from '../../src/train/tile_model.js';
import { UAM } from '../../src/train/uam.js';
import { rejectsWith, throwsWith } from '../support/expect.js';
import { CLASSES, jointSet, jointTile, LITTLE_JOINT } from '../support/joint_sets.js';
import { LITTLE, smallSet, tilesOfCells } from '../support/training_sets.js';

const folder = mkdtempSync(join(tmpdir(), 'uam-joint-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);

const FIT = { epochs: 2, batch: 2, crop: 32, validation: 0 };

async function scoresOf(model: JointUAM, tiles: readonly (JointSampleInput & { region: Uint8Array })[]) {
  let [right, cells, both, sum] = [0, 0, 0, 0];
  for (const tile of tiles) {
    const { probabilities, regions } = await model.predict(tile);
    const truth = tile.classes as string[];
    truth.forEach((name, i) => {
      right += Number((probabilities[2 * i + 1] as number) > 0.5 === (name === 'tumour'));
      cells++;
    });
    regions?.forEach((p, i) => {
      both += p > 0.5 ? (tile.region[i] as number) : 0;
      sum += Number(p > 0.5) + (tile.region[i] as number);
    });
  }
  return { accuracy: right / cells, dice: (2 * both) / sum };
}

t.test('learns cells and regions of tiles it has not seen', async (t) => {
  const model = JointUAM.create(LITTLE_JOINT);
  const seen: string[] = [];
  const report = await model.fit(jointSet(12), {
    ...{ epochs: 7, batch: 2, crop: 64, learningRate: 5e-3, validation: 0.2 },
    onProgress: ({ phase, dice }) => void (phase === 'validate' && seen.push(typeof dice)),
  });
  t.same(new Set(seen), new Set(['number']));
  t.ok(report.history.every(({ macroF1, dice }) => Number.isFinite(macroF1) && Number.isFinite(dice)));
  t.ok((report.history.at(-1)?.loss as number) < (report.history[0]?.loss as number), 'the loss falls');
  const { accuracy, dice } = await scoresOf(
    model,
    [901, 902, 903].map((seed) => jointTile(seed)),
  );
  t.ok(dice > 0.9, `Dice ${dice}`);
  t.ok(accuracy > 0.8, `accuracy ${accuracy}`);
  t.same([model.classes, model.regions, model.mpp], [[...CLASSES], ['tumour'], 0.5]);
});

t.test('the same bits for any threads, after a stop, and from the file', async (t) => {
  const models = [1, 2].map(() => JointUAM.create(LITTLE_JOINT));
  for (const [i, model] of models.entries()) {
    setThreads(i + 1);
    await model.fit(jointSet(), FIT);
    await model.save(file(`threads${i}`));
  }
  setThreads(2);
  t.ok(readFileSync(file('threads0')).equals(readFileSync(file('threads1'))), 'threads');

  const ending = new AbortController();
  const options = { ...FIT, checkpoint: file('stopped.checkpoint'), checkpointEvery: 1, log: file('stopped.jsonl') };
  const resumed = JointUAM.create(LITTLE_JOINT);
  const onProgress = ({ phase, done }: { phase: string; done: number }) => void (phase === 'train' && done >= 2 && ending.abort());
  await rejectsWith(t, resumed.fit(jointSet(), { ...options, signal: ending.signal, onProgress }), 'UAM_ABORTED', /ended/);
  await resumed.fit(jointSet(), { ...options, resume: true });
  await resumed.save(file('resumed'));
  t.ok(readFileSync(file('resumed')).equals(readFileSync(file('threads0'))), 'a stop in the middle');
  await rejectsWith(t, JointUAM.create(LITTLE_JOINT).fit(jointSet(6, 2), { ...options, resume: true }), 'UAM_DATA', /other cells/);

  const tile = jointTile(77);
  const loaded = await JointUAM.load(file('resumed'));
  const answers = await Promise.all([resumed, loaded].map((model) => model.predict(tile)));
  t.same(answers[0], answers[1], 'a model from a file says the same');
  await loaded.save(file('again'));
  t.ok(readFileSync(file('again')).equals(readFileSync(file('resumed'))), 'and is written as it was read');

  const direct = await TileModel.load(file('resumed'));
  const { image, table, positions } = tile as Required<typeof tile>;
  const pixels = JointDataset.of([{ image }], { mpp: 0.5 }).samples[0]?.image;
  const { regions } = direct.answer({ image: pixels, cells: { table, positions: positions as Float64Array } });
  t.same(direct.side(0.5), 64);
  t.same([direct.reads, direct.classes, direct.regions, direct.mpp], [{ cells: true, image: true }, [...CLASSES], ['tumour'], 0.5]);
  t.equal(regions?.length, 64 * 64);
  direct.dispose();
});

t.test('one tile: TileModel and JointUAM say the same', async (t) => {
  const model = JointUAM.create(LITTLE_JOINT);
  await model.fit(jointSet(), { ...FIT, crop: 64 });
  await model.save(file('whole'));
  const direct = await TileModel.load(file('whole'));
  for (const part of ['both', 'image', 'cells'] as const) {
    const { image, table, positions, ...rest } = jointTile(31);
    const cells = { table, positions } as { table: NonNullable<typeof table>; positions: Float64Array };
    const pixels = JointDataset.of([{ image }], { mpp: 0.5 }).samples[0]?.image;
    const given = { ...(part !== 'cells' && { image }), ...(part !== 'image' && cells) };
    const expected = await model.predict({ name: rest.name, ...given });
    const found = direct.answer({ image: part === 'cells' ? undefined : pixels, cells: part === 'image' ? undefined : cells });
    t.same(found.regions, expected.regions, `${part}: regions`);
    t.equal(found.logits.length, expected.probabilities.length, `${part}: cells`);
    const order = (row: ArrayLike<number>, i: number) => (row[2 * i] as number) < (row[2 * i + 1] as number);
    for (let i = 0; 2 * i < found.logits.length; i++) t.equal(order(found.logits, i), order(expected.probabilities, i));
  }
  t.same(direct.answer({}), { logits: new Float32Array(0), regions: undefined }, 'nothing in, nothing out');
  direct.dispose();
});

t.test('TileModel of a model of cells alone', async (t) => {
  const model = UAM.create(LITTLE);
  await model.fit(smallSet(), { epochs: 1, validation: 0 });
  await model.save(file('cells'));
  const direct = await TileModel.load(file('cells'));
  const [tile] = tilesOfCells({ tiles: 1, seed: 9 });
  const { table, positions } = tile as { table: NonNullable<typeof tile>['table']; positions: Float64Array };
  const { logits, regions } = direct.answer({ cells: { table, positions } });
  const { probabilities } = await model.predict({ table, positions });
  t.same(direct.reads, { cells: true, image: false });
  t.equal(regions, undefined);
  for (let i = 0; 2 * i < logits.length; i++) {
    const p = 1 / (1 + Math.exp(((logits[2 * i] as number) - (logits[2 * i + 1] as number)) / direct.temperature));
    t.ok(Math.abs(p - (probabilities[2 * i + 1] as number)) < 1e-5);
  }
  direct.dispose();
});

t.test('large tiles are answered in windows, without seams', async (t) => {
  const model = JointUAM.create({ ...LITTLE_JOINT, task: 'region' });
  await model.fit(jointSet(6), { epochs: 3, batch: 2, crop: 64, learningRate: 5e-3, validation: 0 });
  const { image } = jointTile(55, { width: 200, height: 90, cells: 3 });
  const { regions, probabilities } = await model.predict({ image });
  t.equal(probabilities.length, 0, 'a model of regions alone says nothing of cells');
  t.equal(regions?.length, 200 * 90);
  const at = (x: number, y: number) => regions?.[y * 200 + x] as number;
  let [step, seam] = [0, 0];
  for (let y = 0; y < 90; y++) for (let x = 150; x < 199; x++) step = Math.max(step, Math.abs(at(x, y) - at(x + 1, y)));
  for (let y = 0; y < 90; y++)
    for (const x of [47, 63, 95, 111]) seam = Math.max(seam, at(x, y) < 0.3 && at(x + 1, y) < 0.3 ? Math.abs(at(x, y) - at(x + 1, y)) : 0);
  t.ok(seam <= step + 0.1, `steps at the windows' edges (${seam}) are no larger than others (${step})`);
});

t.test('any part of a tile may be missing', async (t) => {
  const tiles = [0, 1, 2, 3, 4].map((seed) => jointTile(seed));
  const [a, b, c, d, e] = tiles as [(typeof tiles)[0], (typeof tiles)[0], (typeof tiles)[0], (typeof tiles)[0], (typeof tiles)[0]];
  const mixed: JointSampleInput[] = [
    { ...a, image: undefined, region: undefined },
    { ...b, table: undefined, positions: undefined, classes: undefined },
    { ...c, region: c.region.map((value, i) => (i % 3 === 0 ? 255 : value)) },
    { ...d, classes: undefined, region: undefined },
    { ...e, classes: (e.classes as string[]).map((name, i) => (i % 2 === 0 ? name : null)) },
  ];
  const model = JointUAM.create(LITTLE_JOINT);
  const report = await model.fit(JointDataset.of(mixed, { mpp: 0.5, classes: CLASSES }), FIT);
  t.same([report.trainingTiles, report.trainingRegions], [5, 3]);
  for (const tile of mixed) {
    const { probabilities, regions } = await model.predict(tile);
    t.equal(probabilities.length, 2 * (tile.table?.length ?? 0));
    t.equal(regions === undefined, tile.image === undefined);
    t.ok(probabilities.every(Number.isFinite));
  }
});

t.test('settings: every fusion, sampler, learned weights of tasks', async (t) => {
  for (const options of [{ fusion: 'mean' }, { fusion: 'none' }, { uncertainty: true }, { architecture: 'amamba-moe' }] as const) {
    const model = JointUAM.create({ ...LITTLE_JOINT, ...options });
    const { history } = await model.fit(jointSet(4), { ...FIT, epochs: 1, balance: 'sampler' });
    t.ok(Number.isFinite(history[0]?.loss), JSON.stringify(options));
  }
  const saving = await Promise.all(
    [true, false].map(async (recompute) => {
      const model = JointUAM.create(LITTLE_JOINT);
      await model.fit(jointSet(4), { ...FIT, epochs: 1, recompute });
      return model.predict(jointTile(5));
    }),
  );
  t.same(saving[0], saving[1], 'computing again for the gradients changes nothing');
});

t.test('errors in the words of the caller', async (t) => {
  throwsWith(t, () => JointUAM.create({ task: 'both' as 'joint' }), 'UAM_ARGUMENT', /task.*joint or region/);
  throwsWith(t, () => JointUAM.create({ task: 'region', fusion: 'cross' }), 'UAM_ARGUMENT', /without cells/);
  throwsWith(t, () => JointUAM.create({ tokens: 'feature' }), 'UAM_ARGUMENT', /cell tokens/);
  const model = JointUAM.create(LITTLE_JOINT);
  await rejectsWith(t, model.predict({ image: jointTile(1).image }), 'UAM_ARGUMENT', /learned nothing/);
  await rejectsWith(t, model.fit(jointSet(), { crop: 100 }), 'UAM_ARGUMENT', /crop.*multiple of 32/);
  const unlabelled = JointDataset.of([{ ...jointTile(1), classes: undefined }], { mpp: 0.5, classes: CLASSES });
  await rejectsWith(t, model.fit(unlabelled, FIT), 'UAM_DATA', /no cell/);
  const regionless = JointDataset.of([{ ...jointTile(1), region: undefined }], { mpp: 0.5, classes: CLASSES });
  await rejectsWith(t, JointUAM.create({ ...LITTLE_JOINT, task: 'region' }).fit(regionless, FIT), 'UAM_DATA', /region mask/);
  await rejectsWith(t, JointUAM.create({ ...LITTLE_JOINT, encoder: 'maps' }).fit(jointSet(), FIT), 'UAM_DATA', /feature maps/);
  const wild = { ...FIT, epochs: 40, batch: 1, learningRate: 10, weightDecay: 10, warmup: 0, clipNorm: 1e12 };
  await rejectsWith(t, model.fit(jointSet(2), wild), 'UAM_NONFINITE', /learningRate/);
  throwsWith(t, () => JointDataset.of([{ ...jointTile(1), region: new Uint8Array(3) }], { mpp: 0.5 }), 'UAM_SHAPE', /region mask/);
  throwsWith(
    t,
    () => JointDataset.of([{ ...jointTile(1), region: new Uint8Array(4096).fill(7) }], { mpp: 0.5 }),
    'UAM_DATA',
    /0, 1, or 255/,
  );
  throwsWith(t, () => JointDataset.of([jointTile(1)], { mpp: 0.25 }), 'UAM_DATA', /pixel size.*resample/);
  await model.fit(jointSet(4), { ...FIT, epochs: 1 });
  const { image, ...others } = jointTile(2);
  await rejectsWith(t, model.predict({ ...others, image: { ...image, mpp: [0.25, 0.25] } as typeof image }), 'UAM_DATA', /pixel size/);
  await rejectsWith(t, UAM.load(file('whole')), 'UAM_FORMAT', /joint/);
  await rejectsWith(t, JointUAM.load(file('cells')), 'UAM_FORMAT', /no joint model|not a joint model/);
});
