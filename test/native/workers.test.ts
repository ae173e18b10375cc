// Worker threads and process exit while kernels run. A mistake here aborts the whole process, so each program runs in a
// process of its own and must end with code 0 and its last words.
import t from 'tap';
import { runChild, sources } from '../support/child.js';

const REPEATS = process.env.UAM_SANITIZE ? 3 : 10; // a process starts slowly under a sanitizer
const LENGTH = 1 << 22; // some milliseconds on one thread

/** A worker that announces itself, then computes: for good, until it is terminated. */
const worker = (body: string) => `
  import { parentPort } from 'node:worker_threads';
  import { kernelTable } from '${sources}native/device.js';
  const cpu = kernelTable('cpu');
  const n = ${LENGTH}, x = new Float32Array(n), y = new Float32Array(n), params = { op: 7, n, x, y };
  cpu.unary_fwd({ op: 7, n: 1, x: x.subarray(0, 1), y: y.subarray(0, 1) });
  parentPort.postMessage('started');
  ${body}`;

/** Starts and terminates that worker, again and again. */
const terminating = (body: string) => `
  import { Worker } from 'node:worker_threads';
  import { once } from 'node:events';
  const source = new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(worker(body))}));
  let survived = 0;
  for (let i = 0; i < ${REPEATS}; i++) {
    const worker = new Worker(source);
    await once(worker, 'message');
    await new Promise((resolve) => setTimeout(resolve, i)); // at a different moment each time
    await worker.terminate();
    survived++;
  }
  console.log('survived', survived);
  console.log('main still computes', uam.square(uam.Tensor.from([3])).data[0]);`;

const survived = `survived ${REPEATS}\nmain still computes 9`;

const bodies: [string, string][] = [
  ['an async call', 'cpu.async.unary_fwd(params); setInterval(() => {}, 1000);'],
  ['many async calls', 'for (let i = 0; i < 10; i++) cpu.async.unary_fwd(params); setInterval(() => {}, 1000);'],
  ['sync calls', 'for (;;) cpu.unary_fwd(params);'],
  ['async calls whose promises are awaited', 'for (;;) await cpu.async.unary_fwd(params);'],
  [
    'async calls, some of which fail',
    'for (;;) { cpu.async.unary_fwd(params); try { await cpu.async.unary_fwd({ ...params, n: 3 }); } catch {} await cpu.async.unary_fwd(params); }',
  ],
];
for (const [name, body] of bodies) {
  t.test(`a worker terminated during ${name} does not take the process with it`, async (t) => {
    const { code, signal, stdout, stderr } = runChild(terminating(body));
    t.equal(stdout, survived, stderr);
    t.equal(code, 0, `exit code, signal ${signal}`);
  });
}

t.test('workers that end by themselves, one after the other and side by side', async (t) => {
  const { code, stdout, stderr } = runChild(`
    import { Worker } from 'node:worker_threads';
    import { once } from 'node:events';
    const text = \`
      import { parentPort } from 'node:worker_threads';
      import * as uam from '${sources}index.js';
      const x = uam.Tensor.from(Float32Array.from({ length: 100_000 }, (_, i) => i % 7));
      parentPort.postMessage(uam.square(x).data.reduce((sum, value) => sum + value, 0));\`;
    const source = new URL('data:text/javascript,' + encodeURIComponent(text));
    const once_ = async () => (await once(new Worker(source), 'message'))[0];
    const sums = [];
    for (let i = 0; i < 3; i++) sums.push(await once_());
    sums.push(...(await Promise.all(Array.from({ length: 8 }, once_))));
    console.log(new Set(sums).size, sums.length);`);
  t.equal(stdout, '1 11', stderr);
  t.equal(code, 0);
});

t.test('the process may exit during async calls', async (t) => {
  for (const wait of [0, 1, 5]) {
    const { code, signal, stdout } = runChild(`
      const n = ${LENGTH}, x = new Float32Array(n), y = new Float32Array(n);
      for (let i = 0; i < 6; i++) cpu.async.unary_fwd({ op: 7, n, x, y });
      setTimeout(() => { console.log('leaving'); process.exit(0); }, ${wait});`);
    t.match({ code, signal, stdout }, { code: 0, signal: null, stdout: 'leaving' });
  }
});

t.test('an uncaught exception during an async call is still just an exception', async (t) => {
  const { code, signal, stderr } = runChild(`
    const n = ${LENGTH}, x = new Float32Array(n), y = new Float32Array(n);
    cpu.async.unary_fwd({ op: 7, n, x, y });
    throw new Error('on purpose');`);
  t.match({ code, signal }, { code: 1, signal: null });
  t.match(stderr, /on purpose/);
});
