// Models in the memory of a card, real or emulated: what they give there is what they give on the CPU, and so are their gradients.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { CellClassifier, type ClassifierOptions, classifierConfig } from '../../src/heads/cell_classifier.js';
import { type JointOptions, jointConfig } from '../../src/heads/joint_config.js';
import { jointLoss } from '../../src/heads/joint_loss.js';
import { type JointBatch, JointModel } from '../../src/heads/joint_model.js';
import { loadClassifier, saveClassifier } from '../../src/heads/model_file.js';
import { add, backward, cudaBytes, moeDispatch, mul, noGrad, scope, sum, synchronize, Tensor } from '../../src/index.js';
import { type Device, hasCuda } from '../../src/native/device.js';
import type { Module } from '../../src/nn/module.js';
import { bring } from '../../src/tensor/bring.js';
import { arrange } from '../../src/tokens/arrangement.js';
import type { CellBatch } from '../../src/tokens/cell_batch.js';
import { fitScaling } from '../../src/tokens/scaling.js';
import { TOKENISERS, type TokeniserKind } from '../../src/tokens/tokens_config.js';
import { ARCHITECTURES, type Architecture } from '../../src/uam/config.js';
import { imageBatch } from '../../src/uam/image_features.js';
import { noiseImage, randomFeatures } from '../support/images.js';
import { moved, TINY } from '../support/models.js';
import { relativeError, sameBits } from '../support/near.js';
import { randomTensor, uniform } from '../support/random.js';

const skip = !hasCuda() && 'there is no card';

/** What rounding in another order explains, against the largest number of a tensor. */
const TOLERANCE = 2e-5;
const TOLERANCE_OF_GRADIENTS = 3e-4;

type Numbers = Record<string, Float32Array>;

const onHost = (tensor: Tensor): Float32Array => Float32Array.from(bring(tensor, 'cpu').data);

/** What a model gives in training, and the gradients of its parameters; it is disposed of. */
function trained(model: Module, device: Device, forward: () => { named: Record<string, Tensor>; loss: Tensor }): Numbers {
  model.to(device).train();
  const found = scope(() => {
    const { named, loss } = forward();
    for (const [name, tensor] of Object.entries(named)) t.equal(tensor.device, device, `${name} is on ${device}`);
    backward(loss);
    const gradients = model.namedParameters().map(([name, { grad }]) => [`gradient of ${name}`, grad ? onHost(grad) : new Float32Array(0)]);
    return Object.fromEntries([...Object.entries(named).map(([name, tensor]) => [name, onHost(tensor)]), ...gradients]);
  });
  model.dispose();
  return found as Numbers;
}

function compare(t: Test, name: string, there: Numbers, here: Numbers): void {
  const wrong = Object.entries(here).flatMap(([key, expected]) => {
    const actual = there[key] as Float32Array;
    if (expected.length === 0 && actual.length === 0) return [];
    // Gradients that are zero but for rounding are measured against what is around them.
    const error = relativeError(actual, expected, 1e-4);
    return error < (key.startsWith('gradient') ? TOLERANCE_OF_GRADIENTS : TOLERANCE) ? [] : [`${key}: ${error}`];
  });
  t.same(wrong, [], name);
}

const CELLS = 9;
const FEATURES = 5;
const next = uniform(3);
const positions = Float64Array.from({ length: 2 * CELLS }, () => -1 + 17 * next());
const tiles = Int32Array.of(0, 5, CELLS);

function classifier(architecture: Architecture, kind: TokeniserKind, options: Partial<ClassifierOptions> = {}): CellClassifier {
  const config = { features: FEATURES, classes: 3, tokens: { kind }, backbone: { ...TINY, architecture }, ...options };
  return moved(new CellClassifier(classifierConfig(config), 5));
}

const cellsFor = (model: CellClassifier): CellBatch => ({
  features: randomTensor([CELLS, FEATURES], 8),
  missing: Tensor.from(
    Uint8Array.from({ length: CELLS * FEATURES }, (_, i) => Number(i % 7 === 3)),
    [CELLS, FEATURES],
  ),
  arrangement: model.arrange(positions, tiles),
});

function classified(architecture: Architecture, kind: TokeniserKind, device: Device, recompute = false): Numbers {
  const model = classifier(architecture, kind);
  return trained(model, device, () => {
    const out = model.forward(cellsFor(model), { at: { seed: 9, step: 3 }, recompute });
    const { logits, embeddings, loadBalance, zLoss } = out;
    const weighed = sum(mul(logits, bring(randomTensor(logits.shape, 12), device)));
    const loss = loadBalance && zLoss ? add(weighed, add(mul(loadBalance, 0.7), mul(zLoss, 0.3))) : weighed;
    return { named: { logits, embeddings, ...(loadBalance && { loadBalance }), ...(zLoss && { zLoss }) }, loss };
  });
}

// Every tokeniser with the first architecture, every architecture with cell tokens and some with feature tokens.
const PAIRS: [Architecture, TokeniserKind][] = [
  ...TOKENISERS.map((kind): [Architecture, TokeniserKind] => ['amamba', kind]),
  ...ARCHITECTURES.filter((name) => name !== 'amamba').map((name): [Architecture, TokeniserKind] => [name, 'cell']),
  ['amamba-moe', 'feature'],
];

t.test('cells: logits, states and gradients as on the CPU', { skip }, async (t) => {
  const before = cudaBytes();
  for (const [architecture, kind] of PAIRS) {
    compare(t, `${architecture}, ${kind} tokens`, classified(architecture, kind, 'cuda'), classified(architecture, kind, 'cpu'));
    t.equal(cudaBytes(), before, 'everything was given back');
  }
});

t.test('the same bits twice, recomputed or not', { skip }, async (t) => {
  const once = classified('amamba-moe', 'cell', 'cuda');
  for (const [name, other] of Object.entries({
    again: classified('amamba-moe', 'cell', 'cuda'),
    recomputed: classified('amamba-moe', 'cell', 'cuda', true),
  })) {
    t.ok(
      Object.entries(once).every(([key, data]) => sameBits(data, other[key] as Float32Array)),
      name,
    );
  }
});

const arrangement = arrange(positions, tiles);
const targets = {
  cells: Tensor.from(Int32Array.from({ length: CELLS }, (_, i) => (i % 5 === 0 ? -1 : i % 3))),
  regions: Tensor.from(
    Uint8Array.from({ length: 2 * 1024 }, (_, i) => (i % 11 === 0 ? 255 : Number(i % 32 > 17))),
    [2, 32, 32],
  ),
};

function jointly(given: Partial<JointOptions>, batch: (model: JointModel) => JointBatch, device: Device): Numbers {
  const cells = { features: FEATURES, classes: 3, backbone: TINY };
  const model = moved(new JointModel(jointConfig({ cells, image: { builtIn: { channels: [4, 6, 8], depths: [1, 0, 1] } }, ...given }), 5));
  return trained(model, device, () => {
    const output = model.forward(batch(model), { at: { seed: 9, step: 3 } });
    const { total } = jointLoss(output, targets, { taskScales: model.taskScales });
    const { regions } = output;
    return { named: { ...(output.cells && { cells: output.cells.logits }), ...(regions && { regions }) }, loss: total as Tensor };
  });
}

t.test('cells and regions: answers, loss and gradients as on the CPU', { skip }, async (t) => {
  const before = cudaBytes();
  const image = () => imageBatch([noiseImage(32, 32, 1), noiseImage(32, 32, 2)], { multiple: 16 });
  const both = (model: JointModel): JointBatch => ({
    cells: { ...cellsFor(model.classifier as CellClassifier), arrangement },
    image: image(),
  });
  for (const [fusion, uncertainty] of [
    ['cross', true],
    ['mean', false],
  ] as const) {
    const run = (device: Device) => jointly({ fusion, uncertainty }, both, device);
    compare(t, `fusion ${fusion}`, run('cuda'), run('cpu'));
  }
  t.equal(cudaBytes(), before, 'everything was given back');
});

t.test('feature maps of another encoder, tiles without cells', { skip }, async (t) => {
  const levels = [
    { name: 'res4', stride: 16, channels: 5 },
    { name: 'res5', stride: 32, channels: 7 },
  ];
  const external = { external: { levels, modelHash: 'another', channels: [4, 6] } };
  const run = (device: Device) => {
    const model = moved(new JointModel(jointConfig({ cells: { features: FEATURES, classes: 3, backbone: TINY }, image: external }), 5)).to(
      device,
    );
    const { regions } = scope(() => noGrad(() => model.forward({ image: randomFeatures(levels, [32, 32], { modelHash: 'another' }) })));
    model.dispose();
    const found = onHost(regions as Tensor);
    regions?.dispose();
    return { regions: found };
  };
  compare(t, 'maps', run('cuda'), run('cpu'));
});

t.test('a module goes to the card and comes back, as it was', { skip }, async (t) => {
  const before = cudaBytes();
  const model = classifier('amamba', 'cell');
  const start = model.parameters().map(onHost);
  t.equal(model.device, 'cpu');
  t.equal(model.to('cuda'), model);
  t.equal(model.device, 'cuda');
  t.ok(model.parameters().every((tensor) => tensor.device === 'cuda' && tensor.requiresGrad));
  t.equal(cudaBytes(), before + 4 * model.parameterCount, 'nothing else is there');
  const folder = mkdtempSync(join(tmpdir(), 'uam-card-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const scaling = fitScaling({
    length: 3,
    columns: Array.from({ length: FEATURES }, (_, f) => ({ name: `glcm_F${f}`, data: [1, 2, 9] })),
  });
  const facts = { scaling, classes: ['a', 'b', 'c'] };
  await saveClassifier(join(folder, 'there.safetensors'), model, facts);
  const loaded = (await loadClassifier(join(folder, 'there.safetensors'))).model;
  t.ok(loaded.parameters().every((tensor, i) => sameBits(onHost(tensor), start[i] as Float32Array)));
  const other = classifier('amamba', 'cell').to('cuda');
  for (const tensor of other.parameters()) tensor.memory.fill(0);
  other.load(new Map(loaded.namedParameters().map(([name, { shape, data }]) => [name, { shape, data: Float64Array.from(data) }])));
  t.ok(
    other.parameters().every((tensor, i) => sameBits(onHost(tensor), start[i] as Float32Array)),
    'doubles are rounded',
  );
  t.throws(() => model.cast('float64'), { code: 'UAM_DTYPE' });
  model.to('cpu');
  t.ok(model.parameters().every((tensor, i) => sameBits(onHost(tensor), start[i] as Float32Array)));
  for (const each of [model, loaded, other]) each.dispose();
  t.ok(cudaBytes() <= before, 'everything was given back');
});

t.test('a batch on the card, and a capacity there, are refused in words', { skip }, async (t) => {
  const model = classifier('amamba', 'feature').to('cuda');
  const features = Tensor.zeros([2, FEATURES], 'float32', 'cuda');
  t.throws(() => model.forward({ features }), { code: 'UAM_DEVICE', message: /lives on cuda; copy it with to\('cpu'\)/ });
  const indices = Tensor.from(Int32Array.of(0, 1), [2, 1], 'cuda');
  const kept = Tensor.from(Uint8Array.of(1, 0), [2, 1], 'cuda');
  t.throws(() => moeDispatch(features, indices, { experts: 2, kept }), { code: 'UAM_DEVICE', message: /on the CPU/ });
  model.dispose();
  synchronize();
});
