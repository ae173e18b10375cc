import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { CellClassifier, type ClassifierOptions, classifierConfig } from '../../src/heads/cell_classifier.js';
import { loadClassifier, readModelFile, saveClassifier } from '../../src/heads/model_file.js';
import { adamwState, adamwStep, backward, crossEntropy, grad, memory, noGrad, scope, Tensor } from '../../src/index.js';
import { readCheckpoint, writeCheckpoint } from '../../src/nn/checkpoint.js';
import { cellBatch } from '../../src/tokens/cell_batch.js';
import { applyScaling, fitScaling } from '../../src/tokens/scaling.js';
import { TOKENISERS } from '../../src/tokens/tokens_config.js';
import { ARCHITECTURES } from '../../src/uam/config.js';
import { onBackend } from '../support/backends.js';
import { rejectsWith } from '../support/expect.js';
import { doubled, moved, TINY } from '../support/models.js';
import { relativeError, sameBits } from '../support/near.js';
import { randomTensor, uniform } from '../support/random.js';

const CELLS = 20;
const next = uniform(11);
const table = {
  length: CELLS,
  columns: Array.from({ length: 6 }, (_, f) => ({
    name: `glcm_F${f}`,
    data: Float64Array.from({ length: CELLS }, () => (next() < 0.05 ? Number.NaN : next())),
  })),
};
const scaling = fitScaling(table);
const scaled = applyScaling(scaling, table);
const positions = Float64Array.from({ length: 2 * CELLS }, () => 200 * next());
const target = Tensor.from(Int32Array.from({ length: CELLS }, () => Math.floor(3 * next())));

const classifier = (options: Partial<ClassifierOptions> = {}, seed = 5) =>
  new CellClassifier(classifierConfig({ features: 6, classes: 3, ...options, backbone: { ...TINY, ...options.backbone } }), seed);

const batchFor = (model: CellClassifier) => cellBatch(scaled, undefined, model.arrange(positions, Int32Array.of(0, 12, CELLS)));

t.test('every tokeniser and architecture gives a row of logits per cell', async (t) => {
  for (const kind of TOKENISERS) {
    for (const architecture of ARCHITECTURES) {
      const model = classifier({ tokens: { kind }, backbone: { architecture } });
      const { logits, embeddings } = noGrad(() => model.forward(batchFor(model)));
      t.same(
        [logits.shape, embeddings.shape],
        [
          [CELLS, 3],
          [CELLS, TINY.width],
        ],
        `${kind} ${architecture}`,
      );
      t.ok(logits.data.every(Number.isFinite));
      model.dispose();
    }
  }
});

t.test('tiles together give what each gives alone, in whatever order cells come', async (t) => {
  const model = classifier({ tokens: { kind: 'cell', radius: 60, neighbours: 5 } });
  const together = noGrad(() => model.forward(batchFor(model)).logits);
  const second = Int32Array.from({ length: 8 }, (_, i) => 12 + i);
  const alone = noGrad(() => model.forward(cellBatch(scaled, second, model.arrange(positions.slice(24)))).logits);
  t.ok(relativeError(together.rows(12, CELLS).data, alone.data) < 1e-6);
  const turned = second.toReversed();
  const places = Float64Array.from([...turned].flatMap((cell) => [positions[2 * cell] as number, positions[2 * cell + 1] as number]));
  const reversed = noGrad(() => model.forward(cellBatch(scaled, turned, model.arrange(places))).logits);
  for (let i = 0; i < 8; i++) t.ok(relativeError(reversed.rows(7 - i, 8 - i).data, alone.rows(i, i + 1).data) < 1e-5, `cell ${i}`);
});

t.test('20 cells are learned by heart, in memory that does not grow', async (t) => {
  for (const kind of ['feature', 'cell'] as const) {
    const model = classifier({ tokens: { kind }, backbone: { width: 16, heads: 4, ffn: 32 } }).train();
    const batch = batchFor(model);
    const parameters = model.parameters();
    const state = adamwState(parameters);
    const losses: number[] = [];
    const used: number[] = [];
    for (let step = 0; step < 200; step++) {
      losses.push(
        scope(() => {
          const { logits } = model.forward(batch, { at: { seed: 3, step } });
          const loss = crossEntropy(logits, target);
          backward(loss);
          adamwStep(
            parameters,
            parameters.map(({ grad }) => grad),
            state,
            { learningRate: 5e-3, clipNorm: 1 },
          );
          model.zeroGrad();
          return loss.item();
        }),
      );
      if (step === 99 || step === 199) used.push(memory.stats().liveBytes);
    }
    t.equal(used[0], used[1], `${kind}: memory after 100 and 200 steps`);
    model.eval();
    const { logits } = noGrad(() => model.forward(batch));
    const right = Array.from(target.data).filter((wanted, i) => {
      const row = [...logits.data.subarray(3 * i, 3 * i + 3)];
      return row.indexOf(Math.max(...row)) === wanted;
    });
    t.equal(right.length, CELLS, `${kind}: from a loss of ${losses[0]?.toFixed(2)} to ${losses.at(-1)?.toFixed(3)}`);
    model.dispose();
  }
});

t.test('finite differences through tokens, neighbours, backbone and head', async (t) => {
  onBackend({ name: 'reference', backend: 'reference' }, 1, () => {
    for (const kind of TOKENISERS) {
      const options: Partial<ClassifierOptions> = { tokens: { kind, radius: 60, neighbours: 4 }, backbone: { depth: 2 } };
      const model = moved(classifier(options)).cast('float64');
      const rows = Int32Array.of(0, 5, 7, 12, 14);
      const places = Float64Array.from(rows, (_, i) => 7 * i * i).map((value, i) => value % (31 + i));
      const arrangement = model.arrange(Float64Array.from([...places, ...places].slice(0, 10)), Int32Array.of(0, 3, 5));
      const picked = cellBatch(scaled, rows, arrangement);
      const marks = Tensor.from(
        Uint8Array.from({ length: 30 }, (_, i) => (i % 7 === 3 ? 1 : 0)),
        [5, 6],
      );
      const batch = { ...picked, features: doubled(picked.features), missing: marks };
      const wanted = Tensor.from(Int32Array.of(0, 1, 2, 1, 0));
      const loss = () => crossEntropy(model.forward(batch).logits, wanted);
      const named = model.namedParameters();
      const gradients = scope(() =>
        grad(
          loss(),
          named.map(([, tensor]) => tensor),
        ).map(({ data }) => data.slice()),
      );
      named.forEach(([name, tensor], i) => {
        const direction = randomTensor(tensor.shape, 50 + i).data;
        const start = tensor.data.slice();
        const at = (scale: number) => {
          start.forEach((value, j) => {
            tensor.data[j] = value + scale * (direction[j] as number);
          });
          return scope(() => noGrad(() => loss().item()));
        };
        const measured = (at(1e-5) - at(-1e-5)) / 2e-5;
        at(0);
        const terms = Array.from(direction, (value, j) => value * (gradients[i]?.[j] as number));
        const claimed = terms.reduce((a, b) => a + b, 0);
        const size = terms.reduce((a, b) => a + Math.abs(b), 0);
        const error = Math.abs(measured - claimed) / Math.max(size, 1e-3);
        if (!(error < 1e-6)) t.fail(`${kind} ${name}: ${measured} measured, ${claimed} claimed`);
      });
      t.equal(named.filter(([name]) => name.endsWith('distance_beta')).length, kind === 'cell' ? 2 : 0, kind);
      model.dispose();
    }
  });
});

t.test('a batch of no cells', async (t) => {
  for (const kind of TOKENISERS) {
    for (const architecture of ['amamba', 'amamba-moe'] as const) {
      const model = classifier({ tokens: { kind }, backbone: { architecture } });
      const empty = cellBatch(scaled, new Int32Array(0), model.arrange(new Float64Array(0)));
      t.same(
        noGrad(() => model.forward(empty).logits.shape),
        [0, 3],
        `${kind} ${architecture}`,
      );
      model.dispose();
    }
  }
});

t.test('the same seed trains to the same bits', async (t) => {
  const weights = () => {
    const model = classifier().train();
    const parameters = model.parameters();
    const state = adamwState(parameters);
    for (let step = 0; step < 5; step++) {
      scope(() => {
        backward(crossEntropy(model.forward(batchFor(model), { at: { seed: 3, step } }).logits, target));
        adamwStep(
          parameters,
          parameters.map(({ grad }) => grad),
          state,
          { learningRate: 1e-3 },
        );
        model.zeroGrad();
      });
    }
    return parameters.map(({ data }) => data.slice());
  };
  const [first, again] = [weights(), weights()];
  t.ok(first.every((data, i) => sameBits(data, again[i] as typeof data)));
});

t.test('model files', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'uam-model-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'model.safetensors');
  const model = classifier({ tokens: { kind: 'cell' }, backbone: { architecture: 'amamba-moe' } });
  const facts = { scaling, classes: ['a', 'b', 'c'], notes: { training: 'hash' } };
  await saveClassifier(path, model, facts);
  const loaded = await loadClassifier(path);
  t.same(loaded.config, model.config);
  t.same([loaded.scaling, loaded.classes, loaded.notes], [scaling, facts.classes, facts.notes]);
  t.same(await readModelFile(path), { config: model.config, ...facts });
  const logits = (m: CellClassifier) => noGrad(() => m.forward(batchFor(m)).logits.data.slice());
  t.same(logits(loaded.model), logits(model));
  t.same(readdirSync(folder), ['model.safetensors']);

  const { tensors, metadata } = await readCheckpoint(path);
  const doubles = new Map([...tensors].map(([name, { shape, data }]) => [name, { shape, data: Float64Array.from(data) }]));
  await writeCheckpoint(path, doubles, Object.fromEntries(metadata));
  t.same(logits((await loadClassifier(path)).model), logits(model), 'float64 becomes float32');

  const damaged = async (change: Record<string, string>, text: RegExp, values = tensors) => {
    await writeCheckpoint(path, values, { ...Object.fromEntries(metadata), ...change });
    await rejectsWith(t, loadClassifier(path), 'UAM_FORMAT', text);
  };
  const config = (change: object) => ({ 'uam.config': JSON.stringify({ ...model.config, ...change }) });
  await damaged({ 'uam.format': '9' }, /format 9/);
  await damaged({ 'uam.config': '{' }, /no config/);
  await damaged({ 'uam.config': 'null' }, /configuration/);
  await damaged(config({ backbone: { ...model.config.backbone, width: 16384 } }), /holds \d+ parameters, and its configuration has/);
  await damaged(config({ backbone: { ...model.config.backbone, depth: 1e9 } }), /depth must be/);
  await damaged(config({ features: 1e12 }), /features must be/);
  await damaged({ 'uam.classes': '["a","b"]' }, /do not fit/);
  await damaged({ 'uam.scaling': '{}' }, /scaling/);
  const bad = new Map(tensors);
  const norm = tensors.get('head.norm') as { shape: number[]; data: Float32Array };
  bad.set('head.norm', { shape: norm.shape, data: norm.data.map(() => Number.NaN) });
  await damaged({}, /head.norm holds numbers that are not finite/, bad);
  const renamed = new Map([...tensors].map(([name, value]) => [name.replace('head.norm', 'head.mron'), value]));
  await damaged({}, /lack head.norm, and also hold head.mron/, renamed);
  await writeCheckpoint(path, tensors);
  await rejectsWith(t, loadClassifier(path), 'UAM_FORMAT', /not a model of this package/);
  await rejectsWith(t, saveClassifier(path, model, { scaling, classes: ['a'] }), 'UAM_ARGUMENT', /3 classes, received 6 and 1/);
  await rejectsWith(t, saveClassifier(path, model, { ...facts, notes: { 'uam.x': '' } }), 'UAM_ARGUMENT', /notes may not/);
});

t.test('what cannot be asked for', async (t) => {
  t.throws(() => classifierConfig({ features: 0, classes: 2 }), { code: 'UAM_ARGUMENT' });
  t.throws(() => classifierConfig({ features: 3, classes: 2, backbone: { distanceBias: true } }), {
    code: 'UAM_ARGUMENT',
    message: /no places/,
  });
  const model = classifier().train();
  t.throws(() => model.forward(batchFor(model)), { code: 'UAM_ARGUMENT', message: /training mode/ });
});
