import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { ClassifierConfig } from '../../src/heads/cell_classifier.js';
import { CellClassifier } from '../../src/heads/cell_classifier.js';
import { type JointOptions, jointConfig, jointParameterCount } from '../../src/heads/joint_config.js';
import { loadJointModel, readJointFile, saveJointModel } from '../../src/heads/joint_file.js';
import { jointLoss } from '../../src/heads/joint_loss.js';
import { type JointBatch, JointModel } from '../../src/heads/joint_model.js';
import { backward, grad, memory, noGrad, scope, Tensor } from '../../src/index.js';
import { readCheckpoint, writeCheckpoint } from '../../src/nn/checkpoint.js';
import { arrange } from '../../src/tokens/arrangement.js';
import { fitScaling } from '../../src/tokens/scaling.js';
import { FUSIONS } from '../../src/uam/fusion.js';
import { type ImageBatch, imageBatch } from '../../src/uam/image_features.js';
import { onBackend, testBackends } from '../support/backends.js';
import { checkGradients } from '../support/directional.js';
import { rejectsWith } from '../support/expect.js';
import { noiseImage, randomFeatures } from '../support/images.js';
import { doubled, moved, TINY } from '../support/models.js';
import { sameBits } from '../support/near.js';
import { randomTensor, uniform } from '../support/random.js';

const encoder = { channels: [4, 6, 8], depths: [1, 0, 1] };
const options = (given: Partial<JointOptions> = {}): JointOptions => ({
  cells: { features: 5, classes: 3, backbone: { ...TINY, dropout: 0, dropPath: 0 } },
  image: { builtIn: encoder },
  ...given,
});
const joint = (given: Partial<JointOptions> = {}, seed = 5) => new JointModel(jointConfig(options(given)), seed);

// Two tiles of 40 x 40 pixels at 0.5 um: 11 and 9 cells, some outside of the image.
const next = uniform(3);
const CELLS = 20;
const positions = Float64Array.from({ length: 2 * CELLS }, () => -2 + 24 * next());
const tiles = Int32Array.of(0, 11, CELLS);
const arrangement = arrange(positions, tiles);
const cells = () => ({ features: randomTensor([CELLS, 5], 8), arrangement });
const image = () => imageBatch([noiseImage(40, 40, 1), noiseImage(40, 40, 2)], { multiple: 16 });
const both = (): JointBatch => ({ cells: cells(), image: image() });
const targets = {
  cells: Tensor.from(Int32Array.from({ length: CELLS }, (_, i) => (i % 5 === 0 ? -1 : i % 3))),
  regions: Tensor.from(
    Uint8Array.from({ length: 2 * 1600 }, (_, i) => (i % 11 === 0 ? 255 : Number(i % 40 > 17))),
    [2, 40, 40],
  ),
};
const logitsOf = (model: JointModel, batch: JointBatch) =>
  scope(() => {
    const { cells, regions } = noGrad(() => model.forward(batch));
    return { cells: cells?.logits.data.slice() as Float32Array, regions: regions?.data.slice() as Float32Array };
  });

t.test('parameters: as many as counted, under names that a classifier shares', async (t) => {
  const levels = [4, 8, 16, 32].map((stride, i) => ({ name: `res${i + 2}`, stride, channels: 192 * 2 ** i }));
  const external = { external: { levels, modelHash: 'biomedparse' } };
  for (const fusion of FUSIONS) {
    for (const given of [{}, { uncertainty: true, regions: 2 }, { image: external }] as Partial<JointOptions>[]) {
      const model = joint({ fusion, ...given });
      t.equal(model.parameterCount, jointParameterCount(model.config).total, `${fusion} ${JSON.stringify(given)}`);
      const names = model.namedParameters().map(([name]) => name.split('.')[0]);
      const image = given.image ? 'adapters' : 'encoder';
      const expected = ['tokens', 'backbone', 'head', image, ...(fusion === 'none' ? [] : ['fusion']), 'segmentation'];
      t.same([...new Set(names)].sort(), [...expected, ...(given.uncertainty ? ['task_scales'] : [])].sort());
      model.dispose();
    }
  }
  const full = jointConfig({ cells: { features: 102, classes: 2 } });
  const { cells, image, regions } = jointParameterCount(full);
  t.same([image, regions], [1899872, 800641]);
  const classifier = new CellClassifier(full.cells as ClassifierConfig, 1);
  t.equal(cells, classifier.parameterCount);
  classifier.dispose();
});

t.test('at the start both are what each is alone, bit by bit; the fusion opens', async (t) => {
  for (const fusion of FUSIONS) {
    const model = joint({ fusion });
    const alone = new CellClassifier(model.config.cells as ClassifierConfig, 5);
    const expected = noGrad(() => alone.forward(cells()).logits.data);
    const together = logitsOf(model, both());
    t.ok(sameBits(together.cells, expected as Float32Array), `${fusion}: cells`);
    t.ok(sameBits(together.cells, logitsOf(model, { cells: cells() }).cells));
    const none = joint({ fusion: 'none' });
    const shared = new Map(none.namedParameters());
    for (const [name, tensor] of model.namedParameters()) shared.get(name)?.data.set(tensor.data as Float32Array);
    t.ok(sameBits(together.regions, logitsOf(none, { image: image() }).regions), `${fusion}: regions`);
    t.ok(sameBits(together.regions, logitsOf(model, { image: image() }).regions));
    // Opened, cells see the image with cross, and regions see the cells with both.
    moved(model);
    const open = logitsOf(model, both());
    const blind = { cells: logitsOf(model, { cells: cells() }).cells, regions: logitsOf(model, { image: image() }).regions };
    t.equal(sameBits(open.cells, blind.cells), fusion !== 'cross', `${fusion}: cells see the image`);
    t.equal(sameBits(open.regions, blind.regions), fusion === 'none', `${fusion}: regions see the cells`);
    for (const each of [model, none, alone]) each.dispose();
  }
});

t.test('tiles without image, images without cells, none of either', async (t) => {
  for (const fusion of FUSIONS) {
    const model = moved(joint({ fusion }));
    const whole = logitsOf(model, both());
    // The second tile alone has an image; it is the same one.
    const second: ImageBatch = imageBatch([noiseImage(40, 40, 2)], { multiple: 16 });
    const part = logitsOf(model, { cells: cells(), image: second, imageOfTile: Int32Array.of(-1, 0) });
    const blind = logitsOf(model, { cells: cells() });
    const near = (a: Float32Array, b: Float32Array) => a.every((value, i) => Math.abs(value - (b[i] as number)) < 1e-4);
    const [first, rest] = [11 * 3, CELLS * 3];
    t.ok(near(part.cells.subarray(0, first), blind.cells.subarray(0, first)), `${fusion}: the first tile sees nothing`);
    t.ok(near(part.cells.subarray(first, rest), whole.cells.subarray(first, rest)), `${fusion}: the second sees its image`);
    t.ok(near(part.regions, whole.regions.subarray(1600)));
    const empty = { features: Tensor.zeros([0, 5]), arrangement: arrange(Float64Array.of(), Int32Array.of(0, 0, 0)) };
    const noCells = logitsOf(model, { cells: empty, image: image() });
    t.equal(noCells.cells.length, 0);
    t.ok(sameBits(noCells.regions, logitsOf(model, { image: image() }).regions), `${fusion}: no cells at all`);
    t.same(
      noGrad(() => model.forward({})),
      { cells: undefined },
    );
    t.same(noGrad(() => model.forward({ cells: cells() })).regions, undefined);
    model.dispose();
  }
});

t.test('cells without boxes, cells far away, one cell, a one-pixel image', async (t) => {
  const model = moved(joint());
  const boxes = Float64Array.from({ length: 4 * CELLS }, (_, i) => (positions[2 * (i >> 2) + (i & 1)] as number) + (i & 2 ? 5 : -5));
  t.ok(sameBits(logitsOf(model, { ...both(), boxes }).cells, logitsOf(model, both()).cells), '10 um around each');
  t.notOk(sameBits(logitsOf(model, { ...both(), boxes: boxes.map((at, i) => at + (i & 2 ? 3 : 0)) }).cells, logitsOf(model, both()).cells));
  const far = { features: randomTensor([2, 5], 8), arrangement: arrange(Float64Array.of(1e4, 1e4, -5e3, 0)) };
  const one = imageBatch([noiseImage(1, 1, 1)], { multiple: 16 });
  const out = logitsOf(model, { cells: far, image: one });
  t.ok(sameBits(out.cells, logitsOf(model, { cells: far }).cells));
  t.ok(sameBits(out.regions, logitsOf(model, { image: one }).regions));
  const single = { features: randomTensor([1, 5], 8), arrangement: arrange(Float64Array.of(0, 0)) };
  const seen = logitsOf(model, { cells: single, image: one });
  t.equal(seen.regions.length, 1);
  t.ok(seen.cells.every(Number.isFinite) && !sameBits(seen.cells, logitsOf(model, { cells: single }).cells));
  model.dispose();
});

t.test('finite differences through loss, heads, fusion, backbone and encoder', async (t) => {
  const small = {
    cells: { features: 5, classes: 3, backbone: { ...TINY, dropout: 0, dropPath: 0 } },
    image: { builtIn: { channels: [2, 3, 4], depths: [0, 0, 1] } },
  };
  for (const fusion of ['cross', 'mean'] as const) {
    const model = moved(joint({ ...small, fusion, uncertainty: true })).cast('float64');
    const tiny = imageBatch([noiseImage(16, 9, 1)], { multiple: 16 });
    const few = arrange(Float64Array.of(1, 1, 5, 2, 7, 4, 3, 3, 1, 4, 20, 20), Int32Array.of(0, 4, 6));
    const batch = {
      cells: { features: doubled(randomTensor([6, 5], 8)), arrangement: few },
      image: { ...tiny, pixels: doubled(tiny.pixels) },
      imageOfTile: Int32Array.of(0, -1),
    };
    const labels = {
      cells: Tensor.from(Int32Array.of(0, 1, 2, -1, 1, 0)),
      regions: Tensor.from(
        Uint8Array.from({ length: 144 }, (_, i) => (i % 7 === 0 ? 255 : i % 2)),
        [1, 9, 16],
      ),
    };
    const once = () => jointLoss(model.forward(batch), labels, { taskScales: model.taskScales }).total as Tensor;
    checkGradients(t, model.namedParameters(), once, { together: true });
    model.dispose();
  }
});

t.test('1, 2 and 4 threads, a second run, recomputed: the same bits, less memory', async (t) => {
  const fastest = testBackends().at(-1);
  if (fastest?.backend !== 'cpu') return t.pass('# without the addon there is one thread');
  const model = moved(joint({ image: { builtIn: { size: 'S' } }, uncertainty: true })).train();
  const large = imageBatch([noiseImage(96, 96, 1), noiseImage(96, 96, 2)]);
  const regions = Tensor.from(
    Uint8Array.from({ length: 2 * 96 * 96 }, (_, i) => Number(i % 96 > 40)),
    [2, 96, 96],
  );
  const peaks: number[] = [];
  const once = (threads: number, recompute = false) =>
    onBackend(fastest, threads, () => {
      memory.trim();
      const before = memory.stats().liveBytes;
      const result = scope(() => {
        const output = model.forward({ cells: cells(), image: large }, { at: { seed: 1, step: 2 }, recompute });
        const { total } = jointLoss(output, { ...targets, regions }, { taskScales: model.taskScales });
        return [total as Tensor, ...grad(total as Tensor, model.parameters())].map(({ data }) => data.slice());
      });
      peaks.push(memory.stats().peakBytes - before);
      t.equal(memory.stats().liveBytes, before, 'all memory comes back');
      return result;
    });
  const first = once(1);
  for (const [label, other] of Object.entries({ 2: once(2), 4: once(4), again: once(1), recomputed: once(2, true) })) {
    t.ok(
      first.every((data, i) => sameBits(data, other[i] as typeof data)),
      label,
    );
  }
  t.ok((peaks[4] as number) < 0.8 * (peaks[0] as number), `${peaks[4]} bytes recomputed, ${peaks[0]} kept`);
  model.dispose();
});

t.test('sixty steps lead downhill', async (t) => {
  const model = joint();
  // Features are noise; class and region are the bright half of the image.
  const bright = noiseImage(40, 40, 1);
  for (let i = 0; i < bright.data.length; i++) bright.data[i] = (i / 3) % 40 < 20 ? 40 : 220;
  const inside = arrange(
    Float64Array.from({ length: 60 }, (_, i) => (i % 2 ? next() : (Math.floor(i / 2) % 2) / 2 + 0.05 + 0.4 * next()) * 19.5),
  );
  const order = Array.from({ length: 30 }, (_, i) => i % 2);
  const batch = { cells: { features: randomTensor([30, 5], 8), arrangement: inside }, image: imageBatch([bright], { multiple: 16 }) };
  const labels = {
    cells: Tensor.from(Int32Array.from(order)),
    regions: Tensor.from(
      Uint8Array.from({ length: 1600 }, (_, i) => Number(i % 40 >= 20)),
      [1, 40, 40],
    ),
  };
  const losses: number[] = [];
  for (let step = 0; step < 60; step++) {
    scope(() => {
      const { total } = jointLoss(model.forward(batch), labels);
      losses.push((total as Tensor).item());
      backward(total as Tensor);
      for (const tensor of model.parameters()) {
        const { grad: slope } = tensor;
        if (slope)
          for (let i = 0; i < tensor.size; i++)
            (tensor.data[i] as number) -= (0.03 * (slope.data[i] as number)) / (1e-3 + Math.abs(slope.data[i] as number));
      }
      model.zeroGrad();
    });
  }
  t.ok((losses.at(-1) as number) < 0.5 * (losses[0] as number), `${losses[0]} to ${losses.at(-1)}`);
  model.dispose();
});

t.test('features from outside: of the encoder that the model knows, and no other', async (t) => {
  const levels = [8, 16].map((stride) => ({ name: `r${stride}`, stride, channels: 7 }));
  const model = moved(joint({ image: { external: { levels, modelHash: 'abc', channels: [4, 6] } } }));
  const features = randomFeatures(levels, [40, 40], { count: 2, modelHash: 'abc' });
  const out = noGrad(() => model.forward({ cells: cells(), image: features }));
  t.same(out.regions?.shape, [2, 40, 40, 1]);
  t.throws(() => model.forward({ image: { ...features, modelHash: 'abd' } }), {
    code: 'UAM_DATA',
    message: /encoder abc, received those of abd/,
  });
  t.throws(() => model.forward({ image: image() }), { code: 'UAM_ARGUMENT', message: /give it features/ });
  model.dispose();
  const builtIn = joint();
  t.throws(() => builtIn.forward({ image: features }), { code: 'UAM_ARGUMENT', message: /give it pixels/ });
  builtIn.dispose();
});

t.test('batches and configurations that cannot be', async (t) => {
  const model = joint();
  const wrong: [JointBatch, string, RegExp][] = [
    [{ cells: { features: Tensor.zeros([2, 5]) } }, 'UAM_ARGUMENT', /arrangement/],
    [{ cells: { features: Tensor.zeros([2, 5]), arrangement } }, 'UAM_SHAPE', /of 2 cells/],
    [{ cells: cells(), image: imageBatch([noiseImage(40, 40)], { multiple: 16 }) }, 'UAM_SHAPE', /one per tile \(2\)/],
    [{ ...both(), imageOfTile: Int32Array.of(0, 0) }, 'UAM_ARGUMENT', /two tiles/],
    [{ cells: cells(), imageOfTile: Int32Array.of(0, 1) }, 'UAM_ARGUMENT', /-1 to -1/],
    [{ ...both(), boxes: new Float64Array(3) }, 'UAM_SHAPE', /boxes/],
  ];
  for (const [batch, code, message] of wrong) t.throws(() => model.forward(batch), { code, message });
  model.dispose();
  const levels = [{ name: 'a', stride: 4, channels: 3 }];
  const configs: [object, RegExp][] = [
    [{ fusion: 'both' }, /cross, mean, none/],
    [{ regions: 0 }, /regions/],
    [{ uncertainty: 1 }, /true or false/],
    [{ fuse: 'mean' }, /'fuse'/],
    [{ cells: { features: 5, classes: 3, tokens: { kind: 'feature' } } }, /cell tokens/],
    [{ image: { builtIn: { channels: [4], depths: [1] } } }, /stride 16/],
    [{ image: { external: { levels, modelHash: 'a', channels: [1, 2] } } }, /one number per level \(1\)/],
    [{ image: { external: { levels, modelHash: '', channels: [1] } } }, /modelHash/],
    [{ image: { external: { modelHash: 'a' } } }, /a list/],
  ];
  for (const [given, message] of configs) t.throws(() => jointConfig(options(given)), { code: 'UAM_ARGUMENT', message });
});

t.test('files', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'uam-joint-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'model.safetensors');
  const table = { length: 4, columns: Array.from({ length: 5 }, (_, f) => ({ name: `glcm_F${f}`, data: [f, 1, 2, 5] })) };
  const facts = { scaling: fitScaling(table), classes: ['a', 'b', 'c'], regions: ['tumour'], mpp: 0.5, notes: { made: 'today' } };
  const model = moved(joint({ uncertainty: true }));
  await saveJointModel(path, model, facts);
  const loaded = await loadJointModel(path);
  t.same(loaded.config, model.config);
  t.same([loaded.classes, loaded.regions, loaded.mpp, loaded.notes], [facts.classes, facts.regions, 0.5, facts.notes]);
  const [mine, theirs] = [logitsOf(model, both()), logitsOf(loaded.model, both())];
  t.ok(sameBits(mine.cells, theirs.cells) && sameBits(mine.regions, theirs.regions));
  t.equal((await readJointFile(path)).classes[2], 'c');
  await rejectsWith(t, saveJointModel(path, model, { ...facts, regions: [] }), 'UAM_ARGUMENT', /1 kinds of regions/);
  await rejectsWith(t, saveJointModel(path, model, { ...facts, classes: ['a'] }), 'UAM_ARGUMENT', /3 classes/);
  await rejectsWith(t, saveJointModel(path, model, { ...facts, mpp: 0 }), 'UAM_ARGUMENT', /mpp/);
  await rejectsWith(t, saveJointModel(path, model, { ...facts, notes: { 'uam.x': '' } }), 'UAM_ARGUMENT', /uam\.x/);
  const { tensors, metadata } = await readCheckpoint(path);
  const rewritten = async (change: (facts: Record<string, string>) => void) => {
    const entries = Object.fromEntries(metadata);
    change(entries);
    await writeCheckpoint(path, tensors, entries);
    return loadJointModel(path);
  };
  const config = (change: object) => (entries: Record<string, string>) => {
    entries['uam.config'] = JSON.stringify({ ...JSON.parse(entries['uam.config'] as string), ...change });
  };
  await rejectsWith(t, rewritten(config({ regions: 2 })), 'UAM_FORMAT', /2 kinds of regions/);
  await rejectsWith(t, rewritten(config({ uncertainty: false })), 'UAM_FORMAT', /holds \d+ parameters/);
  await rejectsWith(t, rewritten(config({ fusion: 'x' })), 'UAM_FORMAT', /configuration/);
  await rejectsWith(t, rewritten(config({ image: 3 })), 'UAM_FORMAT', /configuration/);
  await rejectsWith(
    t,
    rewritten((entries) => void (entries['uam.format'] = '9')),
    'UAM_FORMAT',
    /joint-1, received 9/,
  );
  await rejectsWith(
    t,
    rewritten((entries) => void (entries['uam.config'] = '{')),
    'UAM_FORMAT',
    /its config/,
  );
  (tensors.get('fusion.alpha1')?.data as Float32Array)[0] = Number.NaN;
  await rejectsWith(
    t,
    rewritten(() => {}),
    'UAM_FORMAT',
    /fusion\.alpha1/,
  );
  model.dispose();
  loaded.model.dispose();
});
