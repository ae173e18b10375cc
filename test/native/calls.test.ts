// Sync and async calls side by side: results, aborts, lifetimes, and memory over many calls.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { setThreads } from '../../src/index.js';
import { kernel } from '../../src/native/call.js';
import { kernelTable, nativeRuntime } from '../../src/native/device.js';
import { packageRoot } from '../../src/native/load.js';
import { runChild } from '../support/child.js';

const cpu = kernelTable('cpu');
if (!cpu) throw new Error('these tests need the native addon: npm run build:native');
const TANH = 7;
function params(n: number, seed = 0) {
  const x = new Float32Array(n);
  for (let i = 0; i < n; i++) x[i] = ((i * 7 + seed) % 31) / 31;
  return { op: TANH, n, x, y: new Float32Array(n).fill(Number.NaN) };
}
const tanhKernel = kernel<ReturnType<typeof params>>('unary_fwd', () => t.fail('the reference ran'));

t.test('many concurrent async calls give what sync calls give', async (t) => {
  const jobs = Array.from({ length: 200 }, (_, i) => params((i * 997) % 60_000, i));
  await Promise.all(jobs.map((job) => tanhKernel.async(job)));
  let wrong = 0;
  for (const job of jobs) {
    const y = new Float32Array(job.n);
    tanhKernel({ ...job, y });
    if (Buffer.compare(Buffer.from(y.buffer), Buffer.from(job.y.buffer)) !== 0) wrong++;
  }
  t.equal(wrong, 0);
});

t.test('a sync call while async calls are in flight', async (t) => {
  const jobs = Array.from({ length: 6 }, (_, i) => params(1 << 20, i));
  const running = jobs.map((job) => tanhKernel.async(job));
  const mine = params(1 << 18);
  for (let i = 0; i < 5; i++) tanhKernel(mine);
  t.notOk(mine.y.some(Number.isNaN));
  await Promise.all(running);
  t.notOk(jobs.some((job) => job.y.some(Number.isNaN)));
});

t.test('the number of threads may change while calls run, and does not change the bits', async (t) => {
  const before = nativeRuntime()?.threads() ?? 1;
  t.teardown(() => setThreads(before));
  const results: Float32Array[] = [];
  for (const threads of [1, 2, 4, 3, 1]) {
    const job = params(300_001);
    const running = tanhKernel.async(job);
    setThreads(threads);
    await running;
    results.push(job.y);
  }
  for (const y of results) t.ok(Buffer.compare(Buffer.from(y.buffer), Buffer.from((results[0] as Float32Array).buffer)) === 0);
});

t.test('an AbortSignal ends a call', async (t) => {
  const early = AbortSignal.abort('changed my mind');
  await t.rejects(tanhKernel.async(params(8), { signal: early }), { name: 'UamError', code: 'UAM_ABORTED', cause: 'changed my mind' });
  let aborted = 0;
  for (let attempt = 0; attempt < 10 && aborted === 0; attempt++) {
    // On a busy machine all of them may be over before this thread gets to abort them: then once more.
    const controller = new AbortController();
    const jobs = Array.from({ length: 8 }, () => params(1 << 22)); // more than libuv has threads: the last have to wait
    const running = jobs.map((job) => tanhKernel.async(job, { signal: controller.signal }));
    controller.abort();
    const outcomes = await Promise.allSettled(running);
    outcomes.forEach((outcome, i) => {
      const unfinished = Number.isNaN(jobs[i]?.y.at(-1));
      t.equal(unfinished, outcome.status === 'rejected', 'an aborted call leaves blocks out, another does not');
      if (outcome.status === 'fulfilled') return;
      t.match(outcome.reason, { name: 'UamError', code: 'UAM_ABORTED' });
      aborted++;
    });
  }
  t.ok(aborted > 0, `${aborted} of 8 calls were aborted`);
  const late = new AbortController();
  await tanhKernel.async(params(8), { signal: late.signal });
  late.abort();
  t.pass('aborting afterwards does nothing');
});

t.test('errors of async calls are UamErrors with the caller in their stack', async (t) => {
  const error = await tanhKernel.async({ ...params(4), n: 5 }).catch((error) => error);
  t.match(error, { name: 'UamError', code: 'UAM_SHAPE', message: /unary_fwd: x must be 5 elements, received 4/ });
  t.match(error.stack, /calls\.test/);
});

t.test('an async call keeps its arrays alive', async (t) => {
  const { code, stdout, stderr } = runChild(
    `
    const n = 1 << 20;
    const results = [];
    for (let i = 0; i < 30; i++) {
      const y = new Float32Array(n);
      results.push(cpu.async.unary_fwd({ op: 5, n, x: new Float32Array(n).fill(i), y }).then(() => y.every((value) => value === i * i)));
      globalThis.gc();
      new ArrayBuffer(4 * n); // would land where a freed array was
    }
    console.log((await Promise.all(results)).every(Boolean));`,
    {},
    ['--expose-gc'],
  );
  t.equal(stdout, 'true', stderr);
  t.equal(code, 0);
});

const sanitized = process.env.UAM_SANITIZE ? 'the sanitizer keeps freed memory' : false;

t.test('10,000 calls without growth', { skip: sanitized }, async (t) => {
  const { code, stdout, stderr } = runChild(
    `
    const n = 2000, x = new Float32Array(n), y = new Float32Array(n), params = { op: 7, n, x, y };
    const round = async () => {
      for (let i = 0; i < 2500; i++) {
        cpu.unary_fwd(params);
        await cpu.async.unary_fwd(params);
        try { cpu.unary_fwd({ ...params, n: 1 }); } catch {}
        try { await cpu.async.unary_fwd({ ...params, x: undefined }); } catch {}
      }
      for (let i = 0; i < 3; i++) { globalThis.gc(); await new Promise((resolve) => setTimeout(resolve, 20)); }
      return process.memoryUsage().rss;
    };
    await round();
    const before = await round();
    const after = await round();
    console.log(((after - before) / 2 ** 20).toFixed(1));`,
    {},
    ['--expose-gc'],
  );
  t.equal(code, 0, stderr);
  t.ok(Number(stdout) < 4, `grew by ${stdout} MiB`);
});

t.test('the addon is small', { skip: sanitized }, async (t) => {
  const path = join(packageRoot(), 'build', 'Release', 'uam_native.node');
  t.ok(statSync(path).size < 4 * 2 ** 20, `${(statSync(path).size / 2 ** 20).toFixed(2)} MiB, at most 4`);
});
