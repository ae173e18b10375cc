// Worker threads that end while arrays live on the card, while kernels run there and copies are under way: the memory goes back, and
// the process goes on. Each program runs in a process of its own.
import t from 'tap';
import { hasCuda } from '../../src/native/device.js';
import { runChild, sources } from '../support/child.js';

const skip = !hasCuda() && 'there is no card';
const REPEATS = 4;

const worker = (body: string) => `
  import { parentPort } from 'node:worker_threads';
  import { silu, softmax, sum, Tensor } from '${sources}index.js';
  const there = Tensor.full([64, 100], 0.5, 'float32', 'cuda');
  silu(there);
  parentPort.postMessage('started');
  ${body}`;

const program = (body: string) => `
  import { Worker } from 'node:worker_threads';
  import { once } from 'node:events';
  const source = new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(worker(body))}));
  for (let i = 0; i < ${REPEATS}; i++) {
    const worker = new Worker(source);
    await once(worker, 'message');
    await new Promise((resolve) => setTimeout(resolve, i));
    await worker.terminate();
  }
  const here = uam.Tensor.from([3]).to('cuda');
  console.log('main still computes', uam.square(here).item());`;

const bodies: [string, string][] = [
  ['kernels', 'for (;;) silu(there);'],
  ['asynchronous copies', "for (let i = 0; i < 20; i++) there.toAsync('cpu'); setInterval(() => {}, 1000);"],
  ['asynchronous copies that are awaited', "for (;;) await softmax(there).toAsync('cpu');"],
  ['tensors that nobody disposes of', "for (let i = 0; ; i++) { silu(there); if (i % 50 === 0) await there.toAsync('cpu'); }"],
];
for (const [name, body] of bodies) {
  t.test(`a worker terminated amid ${name} on the card does not take the process with it`, { skip }, async (t) => {
    const { code, signal, stdout, stderr } = runChild(program(body));
    t.equal(stdout, 'main still computes 9', stderr);
    t.equal(code, 0, `exit code, signal ${signal}`);
  });
}

t.test('a process may end with arrays on the card and copies under way', { skip }, async (t) => {
  const { code, signal, stderr } = runChild(`
    const kept = Array.from({ length: 50 }, () => uam.Tensor.zeros([1000], 'float32', 'cuda'));
    kept[0].toAsync('cpu');
    process.exit(0);`);
  t.equal(code, 0, `${signal} ${stderr}`);
});

t.test('an array of one thread is refused in another', { skip }, async (t) => {
  const { code, stdout, stderr } = runChild(`
    import { Worker } from 'node:worker_threads';
    import { once } from 'node:events';
    const there = uam.Tensor.from([1]).to('cuda');
    try {
      new Worker('', { eval: true, workerData: there.memory.handle });
      console.log('taken');
    } catch ({ name }) { console.log('refused', name); }`);
  t.match(stdout, /^refused/, stderr);
  t.equal(code, 0);
});
