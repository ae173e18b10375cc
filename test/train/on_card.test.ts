// Training and prediction on a card, real or emulated: near the run on the CPU, twice the same bits, and nothing is left there.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { classifierConfig } from '../../src/heads/cell_classifier.js';
import { cudaBytes } from '../../src/index.js';
import { hasCuda } from '../../src/native/device.js';
import { type FitTask, runFit } from '../../src/train/fit_loop.js';
import { fitSettings } from '../../src/train/fit_options.js';
import { JointDataset } from '../../src/train/joint_dataset.js';
import { JointUAM } from '../../src/train/joint_uam.js';
import { Pace } from '../../src/train/pace.js';
import { packCells } from '../../src/train/packed_cells.js';
import { TileModel } from '../../src/train/tile_model.js';
import { scalingOf } from '../../src/train/training_scaling.js';
import { UAM } from '../../src/train/uam.js';
import { rejectsWith } from '../support/expect.js';
import { relativeError, sameBits } from '../support/near.js';
import { LITTLE, smallSet, tilesOfCells } from '../support/training_sets.js';

const folder = mkdtempSync(join(tmpdir(), 'uam-card-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);
const bytes = (name: string) => readFileSync(file(name));

const skip = !hasCuda() && 'there is no card';
const TINY = { ...LITTLE, width: 8, ffn: 12, expertFfn: 6 };
const set = () => smallSet({ tiles: 6, cells: 8 });
const EPOCHS = { epochs: 2, batch: 3, patience: 100 };

t.test('without a card every way to one says why, before anything is computed', { skip: hasCuda() && 'there is a card' }, async (t) => {
  for (const device of ['cuda', 'cuda:0']) {
    t.throws(() => UAM.create({ device }), { code: 'UAM_DEVICE', message: /CUDA/ });
    t.throws(() => JointUAM.create({ device }), { code: 'UAM_DEVICE' });
    await rejectsWith(t, UAM.create(TINY).fit(set(), { device }), 'UAM_DEVICE', /CUDA/);
    await rejectsWith(t, UAM.load(file('none'), { device }), 'UAM_DEVICE', /CUDA/);
    await rejectsWith(t, TileModel.load(file('none'), { device }), 'UAM_DEVICE', /CUDA/);
  }
  t.throws(() => UAM.create({ device: 'gpu' }), { code: 'UAM_ARGUMENT', message: /'auto', 'cpu', 'cuda'/ });
  const model = UAM.create({ ...TINY, device: 'auto' });
  await model.fit(set(), { ...EPOCHS, epochs: 1 });
  await rejectsWith(t, model.predict(smallSet({ tiles: 1 }).samples[0] as never, { device: 'cuda' }), 'UAM_DEVICE', /CUDA/);
  process.env['UAM_DEVICE'] = 'cuda';
  try {
    await rejectsWith(t, UAM.create(TINY).fit(set(), EPOCHS), 'UAM_DEVICE', /CUDA/);
    await UAM.create(TINY).fit(set(), { ...EPOCHS, epochs: 1, device: 'cpu' });
  } finally {
    delete process.env['UAM_DEVICE'];
  }
});

t.test('fit, save, load and predict', { skip }, async (t) => {
  const [here, there, again] = [UAM.create(TINY), UAM.create({ ...TINY, device: 'cuda' }), UAM.create(TINY)];
  const [onCpu, onCard] = [await here.fit(set(), EPOCHS), await there.fit(set(), EPOCHS)];
  await again.fit(set(), { ...EPOCHS, device: 'cuda:0' });
  t.ok(
    onCard.history.every(({ loss }, i) => Math.abs(loss / (onCpu.history[i]?.loss as number) - 1) < 1e-3),
    'losses as on the CPU',
  );
  for (const [name, model] of Object.entries({ here, there, again })) await model.save(file(name));
  t.ok(bytes('there').equals(bytes('again')), 'twice the same bits');
  t.notOk(bytes('there').equals(bytes('here')), 'but not those of the CPU');
  const [sample] = smallSet({ tiles: 1, seed: 4 }).samples;
  const { table, positions } = sample as NonNullable<typeof sample>;
  const before = cudaBytes();
  const answers = await Promise.all([
    (await UAM.load(file('there'), { device: 'cuda' })).predict({ table, positions }),
    (await UAM.load(file('there'))).predict({ table, positions }),
  ]);
  const [a, b] = answers as [(typeof answers)[0], (typeof answers)[0]];
  t.ok(relativeError(a.probabilities, b.probabilities) < 1e-4, 'a model of the card answers on the CPU, too');
  t.ok(relativeError(a.embeddings, b.embeddings) < 1e-4);
  t.equal(cudaBytes(), before, 'nothing is left on the card');
  const tiles = await TileModel.load(file('there'), { device: 'cuda' });
  const { logits } = tiles.answer({ cells: { table, positions: positions as Float64Array } });
  t.equal(logits.length, 2 * table.length);
  tiles.dispose();
  t.equal(cudaBytes(), before);
});

/** A run on this thread, where what it holds on the card can be seen. */
async function taskOf(options: Partial<FitTask>, architecture: 'amamba' | 'amamba-moe' = 'amamba'): Promise<FitTask> {
  const pace = new Pace('fit', undefined);
  const dataset = set();
  const scaling = await scalingOf(dataset, {}, () => false, pace);
  const config = classifierConfig({
    features: scaling.names.length,
    classes: 2,
    tokens: { kind: 'cell' },
    backbone: { ...TINY, architecture },
  });
  const packed = await packCells(dataset.samples, scaling, true, pace);
  const settings = fitSettings({ ...EPOCHS, tokenBudget: 12 }, TINY.width, true, 3);
  const keeping = { checkpoint: undefined, checkpointEvery: undefined, resume: false, log: undefined };
  return { ...keeping, config, settings, training: packed, validation: packed, fingerprint: 'x', device: 'cuda', ...options };
}

t.test('a step in parts, with experts: as on the CPU, and everything is given back', { skip }, async (t) => {
  const before = cudaBytes();
  const held: number[] = [];
  const onProgress = ({ phase }: { phase: string }) => void (phase === 'train' && held.push(cudaBytes()));
  const there = await runFit(await taskOf({}, 'amamba-moe'), { onProgress });
  t.equal(cudaBytes(), before, 'nothing is left on the card');
  t.equal(new Set(held).size, 1, `every step ends with the same bytes: ${held}`);
  const here = await runFit(await taskOf({ device: 'cpu' }, 'amamba-moe'));
  for (const [name, { data }] of here.weights) {
    const error = relativeError((there.weights.get(name) as { data: Float32Array }).data, data, 1e-2);
    if (!(error < 0.02)) t.fail(`${name}: ${error}`);
  }
  t.ok(Math.abs(there.temperature / here.temperature - 1) < 0.05);
});

t.test('a run goes on on another device, and on the same one to the same bits', { skip }, async (t) => {
  const whole = await runFit(await taskOf({}));
  for (const [first, second] of [
    ['cuda', 'cuda'],
    ['cpu', 'cuda'],
    ['cuda', 'cpu'],
  ] as const) {
    const checkpoint = file(`${first}-${second}`);
    const ending = new AbortController();
    const stop = ({ phase }: { phase: string }) => void (phase === 'validate' && ending.abort());
    await rejectsWith(
      t,
      runFit(await taskOf({ device: first, checkpoint }), { signal: ending.signal, onProgress: stop }),
      'UAM_ABORTED',
      /fit/,
    );
    const rest = await runFit(await taskOf({ device: second, checkpoint, resume: true }));
    const pairs = [...whole.weights].map(([name, { data }]) => [data, rest.weights.get(name)?.data as Float32Array] as const);
    const errors = pairs.map(([a, b]) => (first === second ? Number(!sameBits(a, b)) : relativeError(a, b, 1e-2)));
    t.ok(Math.max(...errors) < (first === second ? 1e-9 : 0.02), `${first}, then ${second}: ${Math.max(...errors)}`);
  }
  t.equal(cudaBytes(), 0);
});

t.test('numbers that are not finite stop the run, in the same words', { skip }, async (t) => {
  const task = await taskOf({});
  task.settings.learningRate = 1e30;
  task.settings.warmup = 0;
  await rejectsWith(t, runFit(task), 'UAM_NONFINITE', /not finite|has norm/);
  t.equal(cudaBytes(), 0);
});

t.test('a joint model: fit and predict', { skip }, async (t) => {
  const width = 32;
  const samples = tilesOfCells({ tiles: 3, cells: 6 }).map(({ positions, ...sample }, i) => ({
    ...sample,
    patient: `patient ${i}`,
    positions: positions?.map((place) => place * 0.07),
    image: {
      width,
      height: width,
      channels: 3 as const,
      data: Uint8Array.from({ length: width * width * 3 }, (_, k) => (k * (i + 3)) % 251),
    },
    region: Uint8Array.from({ length: width * width }, (_, k) => Number(k % width > 15)),
  }));
  const dataset = () => JointDataset.of(samples as never, { mpp: 0.5 });
  const create = () => JointUAM.create({ ...TINY, encoder: { channels: [4, 4, 4], depths: [1, 0, 1] } });
  const options = { epochs: 1, batch: 2, validation: 0, crop: 32 };
  const [here, there] = [create(), create()];
  const onCpu = await here.fit(dataset(), options);
  const onCard = await there.fit(dataset(), { ...options, device: 'cuda' });
  t.ok(Math.abs((onCard.history[0]?.loss as number) / (onCpu.history[0]?.loss as number) - 1) < 1e-3);
  await there.save(file('joint'));
  const [sample] = dataset().samples;
  const { table, positions, image } = sample as NonNullable<typeof sample>;
  const tile = { table, positions, image } as never;
  const a = await (await JointUAM.load(file('joint'), { device: 'cuda' })).predict(tile);
  const b = await there.predict(tile);
  t.ok(relativeError(a.probabilities, b.probabilities) < 1e-4);
  t.ok(relativeError(a.regions as Float32Array, b.regions as Float32Array) < 1e-4);
});
