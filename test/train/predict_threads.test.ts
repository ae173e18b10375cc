// Prediction of more cells than a few: on threads of its own, with the same answers whatever their number.
import t from 'tap';
import { CellDataset, setThreads, UAM } from '../../src/index.js';
import { runtimeInfo } from '../../src/native/device.js';
import { uniform } from '../support/random.js';

const WIDTH = 32;

function cellsOf(count: number, seed: number) {
  const next = uniform(seed);
  const side = Math.sqrt(count / 0.005);
  const columns = ['glcm_Contrast', 'firstorder_Mean'].map((name) => ({ name, data: Float64Array.from({ length: count }, next) }));
  return { table: { length: count, columns }, positions: Float64Array.from({ length: 2 * count }, () => side * next()) };
}

async function trained(): Promise<UAM> {
  const few = cellsOf(40, 1);
  const model = UAM.create({ width: WIDTH, depth: 2, heads: 2, state: 4, ffn: WIDTH, tokens: 'cell' });
  await model.fit(CellDataset.from([{ ...few, classes: Int32Array.from({ length: 40 }, (_, i) => i % 2) }]), { epochs: 1, validation: 0 });
  return model;
}

t.test('the same answers from 1, 2 and 4 threads, in groups of any size', async (t) => {
  const model = await trained();
  const cells = cellsOf(4000, 2);
  const { threads } = runtimeInfo();
  t.teardown(() => setThreads(threads));
  const answers = [];
  for (const [count, tokenBudget] of [
    [1, 2048],
    [2, 2048],
    [4, 2048],
    [2, 100],
  ] as const) {
    setThreads(count);
    const seen: number[] = [];
    const { probabilities, embeddings } = await model.predict(cells, { tokenBudget, onProgress: ({ done }) => seen.push(done) });
    t.same(
      [...seen].sort((a, b) => a - b),
      seen,
      'progress rises',
    );
    t.equal(seen.at(-1), 4000, 'to the last cell');
    answers.push(Buffer.concat([Buffer.from(probabilities.buffer), Buffer.from(embeddings.buffer)]));
  }
  for (const other of answers.slice(1)) t.ok(answers[0]?.equals(other));
});

t.test('a signal ends all threads', async (t) => {
  const model = await trained();
  const { threads } = runtimeInfo();
  t.teardown(() => setThreads(threads));
  setThreads(2);
  const ending = new AbortController();
  const call = model.predict(cellsOf(20_000, 3), { signal: ending.signal, onProgress: () => ending.abort() });
  await t.rejects(call, { code: 'UAM_ABORTED' });
});
