// The training run: it learns, repeats to the bit, keeps patients apart, leaves the event loop free and says what is wrong.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { CellClassifier, classifierConfig } from '../../src/heads/cell_classifier.js';
import { setThreads, Tensor } from '../../src/index.js';
import { CellDataset } from '../../src/train/dataset.js';
import type { FitOptions } from '../../src/train/fit_options.js';
import { firstNonFinite } from '../../src/train/nonfinite.js';
import { UAM, type UamOptions } from '../../src/train/uam.js';
import { longestHolds } from '../support/event_loop.js';
import { rejectsWith } from '../support/expect.js';
import { LITTLE, smallSet, tilesOfCells } from '../support/training_sets.js';

const folder = mkdtempSync(join(tmpdir(), 'uam-fit-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

const set = smallSet();

/** Trains a little model; the bytes of its file. */
async function trained(options: FitOptions, model: UamOptions = {}, dataset = set): Promise<Buffer> {
  const uam = UAM.create({ ...LITTLE, ...model });
  await uam.fit(dataset, options);
  const path = join(folder, 'model.safetensors');
  await uam.save(path);
  return readFileSync(path);
}

t.test('a small set is learned by heart, whatever the tokens', async (t) => {
  for (const tokens of ['cell', 'feature', 'chunk', 'vector'] as const) {
    const model = UAM.create({ ...LITTLE, tokens, dropout: 0, dropPath: 0 });
    const batch = tokens === 'cell' ? 2 : 40;
    const { history } = await model.fit(set, {
      ...{ epochs: 60, batch, learningRate: 1e-2, validation: 0, augment: false, ema: 0.9, labelSmoothing: 0 },
    });
    t.ok(
      (history.at(-1)?.loss as number) < 0.2 * (history[0]?.loss as number),
      `${tokens}: loss ${history[0]?.loss} to ${history.at(-1)?.loss}`,
    );
    let right = 0;
    for (const { table, positions, truth } of set.samples) {
      const { classes } = await model.predict({ table, positions });
      right += classes.filter((found, i) => found === truth.classes[i]).length;
    }
    t.ok(right >= 0.97 * set.cells, `${tokens}: ${right} of ${set.cells}`);
  }
});

t.test('equal seeds give equal bits in 1, 2 and 4 threads; other seeds, other bits', async (t) => {
  const options: FitOptions = { epochs: 3, batch: 2, tokenBudget: 25 };
  const run = (threads: number, seed = 1) => {
    setThreads(threads);
    return trained({ ...options, seed });
  };
  const first = await run(1);
  for (const threads of [2, 4, 2]) t.ok((await run(threads)).equals(first), `${threads} threads`);
  setThreads(2);
  t.notOk((await run(2, 2)).equals(first));
});

t.test('with experts, with a sampler, with weights', async (t) => {
  for (const balance of ['weights', 'sampler', 'none'] as const) {
    const run = () => trained({ epochs: 2, batch: 3, balance }, { architecture: 'amamba-moe' });
    t.ok((await run()).equals(await run()), balance);
  }
});

t.test('parts of a step add up to the step', async (t) => {
  const options: FitOptions = { epochs: 2, batch: 3, augment: false, validation: 0, balance: 'weights' };
  const still = { dropout: 0, dropPath: 0 };
  const loss = async (tokenBudget: number) =>
    (await UAM.create({ ...LITTLE, ...still }).fit(set, { ...options, tokenBudget })).history[1]?.loss;
  const [whole, parts] = [await loss(1000), await loss(20)];
  t.ok(Math.abs((whole as number) - (parts as number)) < 1e-5 * (whole as number), `${whole} and ${parts}`);
});

t.test('scaling knows the training patients alone', async (t) => {
  const tiles = tilesOfCells().map((tile, i) => ({ ...tile, split: i < 4 ? ('train' as const) : ('validation' as const) }));
  const odd = tiles.map((tile) => ({
    ...tile,
    table: {
      ...tile.table,
      columns: tile.table.columns.map(({ name, data }) => ({
        name,
        data: Array.from(data, (value) => (tile.split === 'train' ? value : value * 1e4)),
      })),
    },
  }));
  const [plain, spoiled] = [UAM.create(LITTLE), UAM.create(LITTLE)];
  await plain.fit(CellDataset.from(tiles), { epochs: 1 });
  const report = await spoiled.fit(CellDataset.from(odd), { epochs: 1 });
  t.same(report.validationPatients, ['patient 2']);
  const scalingOf = async (model: UAM) => {
    const path = join(folder, 'scaling.safetensors');
    await model.save(path);
    const bytes = readFileSync(path);
    const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE())).toString());
    return JSON.parse(header.__metadata__['uam.scaling']);
  };
  t.same(await scalingOf(plain), await scalingOf(spoiled));
});

t.test('a patient on both sides ends the run; test samples are in neither', async (t) => {
  const tiles = tilesOfCells().map((tile, i) => ({ ...tile, split: i % 2 === 0 ? ('train' as const) : ('validation' as const) }));
  await rejectsWith(
    t,
    UAM.create(LITTLE).fit(CellDataset.from(tiles)),
    'UAM_DATA',
    /patients are in training and in validation: patient 0/,
  );
  await rejectsWith(t, UAM.create(LITTLE).fit(set, { validation: set }), 'UAM_DATA', /keep each on one side/);
  const withTest = tilesOfCells().map((tile, i) => ({ ...tile, split: i < 2 ? ('test' as const) : ('train' as const) }));
  const report = await UAM.create(LITTLE).fit(CellDataset.from(withTest), { epochs: 1, validation: 0 });
  t.same(report.trainingPatients, ['patient 1', 'patient 2']);
});

t.test('the event loop turns at least every 50 ms, in training and in prediction', async (t) => {
  const large = smallSet({ tiles: 4, cells: 700, features: 40 });
  const model = UAM.create({ size: 'B' });
  const heard: string[] = [];
  const usage = process.cpuUsage();
  const holds = await longestHolds(async () => {
    await model.fit(large, { epochs: 4, batch: 4, onProgress: ({ phase }) => void heard.push(phase) });
    const [sample] = large.samples as [(typeof large.samples)[number]];
    await model.predict({ table: sample.table, positions: sample.positions });
  });
  const { user } = process.cpuUsage(usage);
  t.ok(user / 1000 > 150, `it took ${user / 1000} ms of work`);
  t.same([...new Set(heard)], ['prepare', 'train', 'validate']);
  // Code that is compiled or memory that is collected may take a turn; steps here would do so far oftener.
  t.ok((holds[2] as number) < 50, `the longest holds were ${holds.map(Math.round).join(', ')} ms`);
});

t.test('a signal ends the run, and nothing of it stays', async (t) => {
  const model = UAM.create(LITTLE);
  const ending = new AbortController();
  const run = model.fit(set, {
    epochs: 100_000,
    patience: 100_000,
    signal: ending.signal,
    onProgress: ({ epoch = 0 }) => epoch > 1 && ending.abort(),
  });
  await rejectsWith(t, run, 'UAM_ABORTED', /fit was ended/);
  t.notOk(model.trained);
  await rejectsWith(t, model.fit(set, { signal: AbortSignal.abort() }), 'UAM_ABORTED', /ended/);
});

t.test('what is wrong is said', async (t) => {
  const model = UAM.create(LITTLE);
  const bad: [FitOptions, RegExp][] = [
    [{ epochs: 0 }, /epochs must be a whole number/],
    [{ learningRate: Number.NaN }, /learningRate/],
    [{ balance: 'both' as 'none' }, /weights, sampler or none/],
    [{ betas: [0.9, 1] }, /betas/],
    [{ augment: { nose: 1 } as object }, /nose/],
    [{ epoch: 3 } as FitOptions, /no option 'epoch'/],
    [{ validation: 1 }, /share from 0/],
    [{ resume: true }, /resume needs checkpoint/],
    [{ checkpointEvery: 0 }, /checkpointEvery/],
  ];
  for (const [options, text] of bad) await rejectsWith(t, model.fit(set, options), 'UAM_ARGUMENT', text);
  await rejectsWith(t, model.predict({ length: 0, columns: [] }), 'UAM_ARGUMENT', /learned nothing yet/);
  await rejectsWith(t, model.save(join(folder, 'never')), 'UAM_ARGUMENT', /learned nothing yet/);
  const nowhere = CellDataset.from(tilesOfCells().map(({ positions: _, ...tile }) => tile));
  await rejectsWith(t, model.fit(nowhere), 'UAM_DATA', /tile 0: cell tokens need/);
  const unnamed = CellDataset.from(
    tilesOfCells().map((tile) => ({ ...tile, classes: undefined })),
    { classes: ['a', 'b'] },
  );
  await rejectsWith(t, model.fit(unnamed), 'UAM_DATA', /no cell of the training part has a class/);
  t.throws(() => UAM.create({ seed: -1 }), { code: 'UAM_ARGUMENT' });
  t.throws(() => UAM.create({ size: 'XL' as 'L' }), { code: 'UAM_ARGUMENT' });
  t.throws(() => UAM.create({ tokens: 'word' as 'cell' }), { code: 'UAM_ARGUMENT' });
});

t.test('a run that explodes names the place', async (t) => {
  await rejectsWith(
    t,
    UAM.create({ ...LITTLE, tokens: 'vector' }).fit(set, {
      learningRate: 10,
      epochs: 400,
      weightDecay: 10,
      warmup: 0,
      patience: 400,
      clipNorm: 1e12,
    }),
    'UAM_NONFINITE',
    /fit: .*(step \d+|validation).*(parameter|output of|loss)/,
  );
});

t.test('the guard finds the first numbers that are not finite', async (t) => {
  const config = classifierConfig({ features: 3, classes: 2, tokens: { kind: 'vector' }, backbone: LITTLE });
  const spoil = (name: string, value: number) => {
    const model = new CellClassifier(config, 1);
    new Map(model.namedParameters()).get(name)?.data.fill(value);
    const found = firstNonFinite(model, { features: Tensor.full([2, 3], 1) });
    model.dispose();
    return found;
  };
  t.equal(spoil('backbone.layers.1.in_proj', Number.NaN), 'the parameter backbone.layers.1.in_proj');
  t.equal(spoil('tokens.second.weight', 3e38), 'the output of tokens');
  t.equal(spoil('backbone.layers.1.ffn_w1', 3e38), 'the output of backbone.layers.1');
  t.equal(spoil('head.logits.weight', 3e38), 'the output of head');
});
