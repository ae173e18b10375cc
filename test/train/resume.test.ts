// A run that is killed and goes on ends with the bits of one that was never interrupted.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { readCheckpoint, writeCheckpoint } from '../../src/nn/checkpoint.js';
import { UAM } from '../../src/train/uam.js';
import { runModule } from '../support/child.js';
import { rejectsWith } from '../support/expect.js';
import { LITTLE, smallSet } from '../support/training_sets.js';

const folder = mkdtempSync(join(tmpdir(), 'uam-resume-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);
const bytes = (name: string) => readFileSync(file(name));

/** A program that trains, and kills itself without warning where it is told to. */
const program = (killAt: string) => `
  import { UAM } from '${new URL('../../src/train/uam.js', import.meta.url)}';
  import { LITTLE, smallSet } from '${new URL('../support/training_sets.js', import.meta.url)}';
  const model = UAM.create(LITTLE);
  await model.fit(smallSet(), {
    epochs: 12, patience: 400, batch: 1, checkpoint: ${JSON.stringify(file('killed.ckpt'))}, checkpointEvery: 3, log: ${JSON.stringify(file('killed.jsonl'))},
    onProgress: ({ phase, done }) => { if (${killAt}) process.kill(process.pid, 'SIGKILL'); },
  });`;

t.test('killed in the middle of a step', async (t) => {
  const options = { epochs: 12, patience: 400, batch: 1, checkpointEvery: 3 };
  const [whole, resumed] = [UAM.create(LITTLE), UAM.create(LITTLE)];
  const first = runModule(program("phase === 'train' && done >= 10"));
  t.equal(first.signal ?? first.code, 'SIGKILL', first.stderr);
  t.ok(existsSync(file('killed.ckpt')), 'it left a checkpoint');
  const { metadata } = await readCheckpoint(file('killed.ckpt'));
  const { step } = JSON.parse(metadata.get('uam.position') as string);
  t.ok(step >= 6 && step < 48, `which stands at step ${step}`);
  const last = await resumed.fit(smallSet(), { ...options, checkpoint: file('killed.ckpt'), log: file('killed.jsonl'), resume: true });
  const unbroken = await whole.fit(smallSet(), { ...options, checkpoint: file('whole.ckpt'), log: file('whole.jsonl') });
  t.same(last, unbroken, 'the same losses');
  await resumed.save(file('resumed.model'));
  await whole.save(file('whole.model'));
  t.ok(bytes('resumed.model').equals(bytes('whole.model')), 'the same weights');
  t.ok(bytes('killed.ckpt').equals(bytes('whole.ckpt')), 'the same moments');
  t.equal(bytes('killed.jsonl').toString(), bytes('whole.jsonl').toString(), 'the same log');
  t.same(
    readdirSync(folder).filter((name) => name.includes('.tmp')).length <= 1,
    true,
    'at most the file that was being written is left over',
  );
});

t.test('a finished run resumes to its end at once', async (t) => {
  const options = { epochs: 2, batch: 2, checkpoint: file('done.ckpt') };
  const [once, again] = [UAM.create(LITTLE), UAM.create(LITTLE)];
  const report = await once.fit(smallSet(), options);
  let steps = 0;
  t.same(
    await again.fit(smallSet(), { ...options, resume: true, onProgress: ({ phase }) => void (steps += phase === 'train' ? 1 : 0) }),
    report,
  );
  t.equal(steps, 0);
});

t.test('checkpoints of other runs, and broken ones, are refused', async (t) => {
  const options = { epochs: 1, batch: 2, checkpoint: file('other.ckpt') };
  await UAM.create(LITTLE).fit(smallSet(), options);
  const goOn = (more: object = {}, set = smallSet()) => UAM.create(LITTLE).fit(set, { ...options, resume: true, ...more });
  await rejectsWith(t, goOn({ epochs: 2 }), 'UAM_DATA', /other cells, settings or model/);
  await rejectsWith(t, goOn({}, smallSet({ seed: 2 })), 'UAM_DATA', /other cells/);
  const { tensors, metadata } = await readCheckpoint(file('other.ckpt'));
  const rewrite = (change: Record<string, string>, drop?: string) =>
    writeCheckpoint(file('other.ckpt'), new Map([...tensors].filter(([name]) => name !== drop)), {
      ...Object.fromEntries(metadata),
      ...change,
    });
  for (const position of [
    '',
    '{',
    'null',
    '{"step":-1}',
    JSON.stringify({ ...JSON.parse(metadata.get('uam.position') as string), draws: 0.5 }),
  ]) {
    await rewrite({ 'uam.position': position });
    await rejectsWith(t, goOn(), 'UAM_FORMAT', /position in the run/);
  }
  await rewrite({}, 'm.head.logits.bias');
  await rejectsWith(t, goOn(), 'UAM_FORMAT', /m\.head\.logits\.bias/);
  await rewrite({ 'uam.training': '2' });
  await rejectsWith(t, goOn(), 'UAM_FORMAT', /not a checkpoint/);
  writeFileSync(file('other.ckpt'), 'nonsense');
  await rejectsWith(t, goOn(), 'UAM_FORMAT', /safetensors/);
  await rejectsWith(t, goOn({ checkpoint: join(folder, 'none', 'x.ckpt') }), 'UAM_IO', /cannot write .*folder .* does not exist/);
  await rejectsWith(t, goOn({ checkpoint: file('new.ckpt'), log: join(folder, 'none', 'log') }), 'UAM_IO', /cannot write .*log/);
});

t.test('a run that its signal ends keeps every whole step', async (t) => {
  const options = { epochs: 6, patience: 400, batch: 1, tokenBudget: 8 };
  const [whole, stopped] = [UAM.create(LITTLE), UAM.create(LITTLE)];
  const checkpoint = file('ended.ckpt');
  const log = file('ended.jsonl');
  const ending = new AbortController();
  const end = ({ phase, done }: { phase: string; done: number }) => void (phase === 'train' && done >= 5 && ending.abort());
  await rejectsWith(
    t,
    stopped.fit(smallSet(), { ...options, checkpoint, log, signal: ending.signal, onProgress: end }),
    'UAM_ABORTED',
    /./,
  );
  const { metadata } = await readCheckpoint(checkpoint);
  const { step } = JSON.parse(metadata.get('uam.position') as string);
  t.ok(step >= 5 && step < 24, `it stands at step ${step}`);
  const last = await stopped.fit(smallSet(), { ...options, checkpoint, log, resume: true });
  t.same(last, await whole.fit(smallSet(), { ...options, checkpoint: file('one.ckpt'), log: file('one.jsonl') }), 'the same losses');
  t.ok(bytes('ended.ckpt').equals(bytes('one.ckpt')), 'the same moments');
  t.equal(bytes('ended.jsonl').toString(), bytes('one.jsonl').toString(), 'the same log');
});
