// The model's file: what a stranger may have written into it, and what it may not do.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { readCheckpoint, writeCheckpoint } from '../../src/nn/checkpoint.js';
import { CellDataset } from '../../src/train/dataset.js';
import { UAM } from '../../src/train/uam.js';
import { rejectsWith } from '../support/expect.js';
import { LITTLE, smallSet, tilesOfCells } from '../support/training_sets.js';

const folder = mkdtempSync(join(tmpdir(), 'uam-model-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'model.safetensors');

t.test('a file that was tampered with is refused, and leaves the process as it was', async (t) => {
  const model = UAM.create(LITTLE);
  await model.fit(CellDataset.from(tilesOfCells(), { extraction: { features: ['glcm'] } }), { epochs: 1 });
  await model.save(path);
  const { tensors, metadata } = await readCheckpoint(path);
  const changed = join(folder, 'changed.safetensors');
  const facts = Object.fromEntries(metadata);
  const cases: [Record<string, string>, RegExp][] = [
    [{ temperature: '0' }, /temperature/],
    [{ temperature: 'NaN' }, /temperature/],
    [{ extraction: '{' }, /not JSON/],
    [{ extraction: '[]' }, /recipe/],
    [{ extraction: '{"__proto__":{"polluted":1},"onProgress":"x"}' }, /unknown option/],
    [{ 'uam.scaling': '{}' }, /scaling/],
    [{ 'uam.config': '{"features":1e9}' }, /configuration/],
    [{ 'uam.classes': '[1,2]' }, /classes/],
  ];
  for (const [change, text] of cases) {
    await writeCheckpoint(changed, tensors, { ...facts, ...change });
    await rejectsWith(t, UAM.load(changed), 'UAM_FORMAT', text);
  }
  t.equal(({} as { polluted?: number }).polluted, undefined);
  t.same(readdirSync(folder).sort(), ['changed.safetensors', 'model.safetensors'], 'no temporary file is left');
});

t.test('a model does not depend on the order of columns or samples in memory, nor on other columns', async (t) => {
  const model = UAM.create(LITTLE);
  const set = smallSet();
  await model.fit(set, { epochs: 2, batch: 2 });
  const [{ table, positions }] = set.samples as [(typeof set.samples)[number]];
  const extra = { name: 'glcm_Other', data: new Float64Array(table.length).fill(7) };
  const turned = { length: table.length, columns: [extra, ...table.columns].reverse() };
  const wanted = await model.predict({ table, positions });
  t.same((await model.predict({ table: turned, positions })).probabilities, wanted.probabilities);
  t.equal(wanted.classOf(0), set.classes[wanted.classes[0] as number]);
  t.ok(wanted.confidenceOf(0) >= 0.5);
  await rejectsWith(
    t,
    model.predict({ table: { length: 2, columns: [] }, positions: new Float64Array(4) }),
    'UAM_DATA',
    /lacks 5 of the model's 5 features/,
  );
  await rejectsWith(t, model.predict({ table, positions: new Float64Array(3) }), 'UAM_SHAPE', /positions/);
  const none = { length: 0, columns: table.columns.map(({ name }) => ({ name, data: [] })) };
  t.equal((await model.predict({ table: none, positions: new Float64Array(0) })).length, 0, 'no cells, no answers');
});

t.test('training anew forgets; a failed run does not', async (t) => {
  const model = UAM.create(LITTLE);
  await model.fit(smallSet(), { epochs: 1 });
  await model.save(path);
  const before = readFileSync(path);
  await rejectsWith(t, model.fit(smallSet(), { epochs: 1, signal: AbortSignal.abort() }), 'UAM_ABORTED', /./);
  await model.save(path);
  t.ok(readFileSync(path).equals(before));
  await model.fit(smallSet({ seed: 2, classes: ['a', 'b', 'c'] }), { epochs: 1 });
  t.same(model.classes, ['a', 'b', 'c']);
});
