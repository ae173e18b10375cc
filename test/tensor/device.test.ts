// Tensors in the memory of a card, real or emulated (npm run test:cuda-emulated).
import t from 'tap';
import {
  add,
  backward,
  callKernel,
  chooseDevice,
  cudaBytes,
  cudaCard,
  gather,
  grad,
  max,
  noGrad,
  runtimeInfo,
  scope,
  setMatmulPrecision,
  silu,
  softmax,
  sum,
  synchronize,
  Tensor,
} from '../../src/index.js';
import { deviceFunctions, hasCuda, kernelTable } from '../../src/native/device.js';
import { DeviceArray } from '../../src/native/device_array.js';

t.test('without a card every way to one says why', { skip: hasCuda() && 'there is a card' }, async (t) => {
  const { cuda } = runtimeInfo();
  const refused = { name: 'UamError', code: /UAM_DEVICE|UAM_ADDON/, message: cuda };
  t.throws(() => Tensor.from([1]).to('cuda'), refused);
  t.throws(() => Tensor.zeros([2], 'float32', 'cuda'), refused);
  t.throws(() => cudaCard(), refused);
  t.throws(() => chooseDevice('cuda'), refused);
  t.throws(() => chooseDevice('cuda:1'), refused);
  t.throws(() => setMatmulPrecision('bf16'), refused);
  t.equal(chooseDevice('auto'), 'cpu');
  t.equal(chooseDevice('cpu'), 'cpu');
  t.equal(cudaBytes(), 0);
  synchronize();
});

t.test('a device has a name', async (t) => {
  t.throws(() => chooseDevice('gpu'), { code: 'UAM_ARGUMENT', message: /'auto', 'cpu', 'cuda'/ });
  t.throws(() => chooseDevice('cuda:x'), { code: 'UAM_ARGUMENT' });
  t.throws(() => Tensor.from([1]).to('gpu' as 'cpu'), { code: 'UAM_ARGUMENT' });
});

const skip = !hasCuda() && 'there is no card';

t.test('a tensor goes to the card and comes back', { skip }, async (t) => {
  for (const data of [Float32Array.of(1.5, -2, Number.NaN), Int32Array.of(1, -2, 2 ** 31 - 1), Uint8Array.of(0, 255, 7)]) {
    const there = Tensor.from(data, [3, 1]).to('cuda');
    t.equal(there.device, 'cuda');
    t.strictSame(there.shape, [3, 1]);
    t.strictSame(there.to('cpu').data, data);
    t.strictSame((await there.toAsync('cpu')).data, data);
    t.strictSame(there.clone().to('cpu').data, data);
    t.strictSame(there.rows(1, 3).to('cpu').data, data.slice(1));
    t.equal(there.rows(1, 2).item(), data[1]);
  }
  t.strictSame(Tensor.full([3], -7, 'int32', 'cuda').to('cpu').data, Int32Array.of(-7, -7, -7));
  t.strictSame(Tensor.full([5], 200, 'uint8', 'cuda').to('cpu').data, new Uint8Array(5).fill(200));
  t.strictSame(Tensor.full([2], 0.5, 'float32', 'cuda').to('cpu').data, Float32Array.of(0.5, 0.5));
  t.equal(Tensor.zeros([0], 'float32', 'cuda').to('cpu').size, 0);
  t.match(String(Tensor.zeros([2], 'float32', 'cuda')), 'on cuda');
});

t.test('larger than the pinned ring, and more of them than it holds', { skip }, async (t) => {
  const big = Float32Array.from({ length: 2_500_003 }, (_, i) => Math.sin(i));
  const back = Tensor.from(big).to('cuda').to('cpu').data;
  t.ok(big.every((value, i) => value === back[i]));
  const small = Array.from({ length: 200 }, (_, i) => Tensor.from(new Float32Array(5000).fill(i)).to('cuda'));
  t.ok(small.every((tensor, i) => tensor.to('cpu').data.every((value) => value === i)));
});

t.test('elements cannot be looked at there, and nothing is copied silently', { skip }, async (t) => {
  const there = Tensor.from([1, 2]).to('cuda');
  t.throws(() => there.data, { code: 'UAM_DEVICE', message: /to\('cpu'\)/ });
  t.throws(() => add(there, Tensor.from([1, 2])), { code: 'UAM_DEVICE', message: /binary: all arrays must live on one device/ });
  t.throws(() => Tensor.from(Float64Array.of(1)).to('cuda'), { code: 'UAM_DTYPE' });
  t.throws(() => callKernel('accumulate', { n: 2, x: there.memory, y: new Float32Array(2) }), { code: 'UAM_DEVICE' });
});

t.test('what is disposed of is gone, and bytes are counted', { skip }, async (t) => {
  const before = cudaBytes();
  const there = Tensor.zeros([1000], 'float32', 'cuda');
  const view = there.rows(0, 10);
  t.equal(cudaBytes(), before + 4000);
  there.dispose();
  t.equal(cudaBytes(), before + 4000, 'a view still holds the memory');
  view.dispose();
  t.equal(cudaBytes(), before);
  t.throws(() => view.to('cpu'), { code: 'UAM_DISPOSED' });
  scope(() => void silu(Tensor.zeros([100], 'float32', 'cuda')));
  t.equal(cudaBytes(), before, 'a scope gives everything back');
  const raw = DeviceArray.allocate('float32', 4);
  raw.release();
  t.throws(() => raw.fill(1), { code: 'UAM_DISPOSED' });
  t.throws(() => callKernel('unary_fwd', { op: 0, n: 4, x: raw, y: new Float32Array(4) }), { code: /UAM_DISPOSED|UAM_DEVICE/ });
});

t.test('operations and gradients stay on the card', { skip }, async (t) => {
  const x = Tensor.from([0.5, -1, 2, 3], [2, 2]);
  const here = x.clone().requireGrad();
  const there = x.to('cuda').requireGrad();
  const y = sum(softmax(silu(there)), { axis: 0 });
  t.equal(y.device, 'cuda');
  const loss = (a: Tensor) => sum(silu(softmax(silu(a))));
  const [dHere] = grad(loss(here), [here]);
  const [dThere] = grad(loss(there), [there]);
  t.equal(dThere?.device, 'cuda');
  const [a, b] = [dHere?.data as Float32Array, dThere?.to('cpu').data as Float32Array];
  t.ok(a.every((value, i) => Math.abs(value - (b[i] as number)) < 1e-6));
  backward(loss(there));
  backward(loss(there));
  t.ok(there.grad?.to('cpu').data.every((value, i) => Math.abs(value - 2 * (b[i] as number)) < 1e-6));
  const top = max(there, { axis: 1 });
  t.strictSame(top.indices.to('cpu').data, Int32Array.of(0, 1));
  t.strictSame((grad(sum(top.values), [there])[0] as Tensor).to('cpu').data, Float32Array.of(1, 0, 0, 1));
});

t.test('what a kernel finds wrong is said when somebody waits, in the caller\u2019s words', { skip }, async (t) => {
  const x = Tensor.from([1, 2, 3]).to('cuda');
  const bad = Tensor.from(Int32Array.of(0, 7)).to('cuda');
  const said = { code: 'UAM_ARGUMENT', message: /gather_rows_fwd: index\[1\] must be from 0 to 2, received 7/ };
  const y = noGrad(() => gather(x, bad));
  t.throws(() => y.to('cpu'), said);
  t.strictSame(x.to('cpu').data, Float32Array.of(1, 2, 3), 'and only once');
  gather(x, bad);
  t.throws(() => synchronize(), said);
  const z = gather(x, bad);
  await t.rejects(z.toAsync('cpu'), said);
  synchronize();
});

t.test('an asynchronous copy leaves the event loop free and keeps its memory', { skip }, async (t) => {
  const there = Tensor.full([1 << 16], 3, 'float32', 'cuda');
  const coming = there.toAsync('cpu');
  there.dispose();
  const host = await coming;
  t.ok(host.data.every((value) => value === 3));
});

t.test('whatever JavaScript passes for a handle is refused', { skip }, async (t) => {
  const device = deviceFunctions();
  for (const nonsense of [undefined, null, 1, 'x', {}, [], { handle: 1 }, { handle: {} }, new Float32Array(2), () => 1]) {
    t.throws(() => device.view(nonsense as object, 0, 1, 'float32'), { code: 'UAM_ARGUMENT' });
    t.throws(() => device.download(nonsense as object, new Float32Array(1)), { code: 'UAM_ARGUMENT' });
    device.release(nonsense as object);
  }
  const array = DeviceArray.allocate('float32', 4);
  t.throws(() => device.view(array.handle, 3, 2, 'float32'), { code: 'UAM_ARGUMENT' });
  t.throws(() => device.view(array.handle, 0, 4, 'uint8'), { code: 'UAM_DTYPE' });
  t.throws(() => device.upload(array.handle, new Float32Array(3)), { code: 'UAM_SHAPE' });
  t.throws(() => device.upload(array.handle, new Int32Array(4)), { code: 'UAM_DTYPE' });
  t.throws(() => device.allocate('float32', -1), { code: 'UAM_ARGUMENT' });
  t.throws(() => device.allocate('float64', 1), { code: 'UAM_DTYPE' });
  t.throws(() => device.allocate('float32', 2 ** 52), { code: 'UAM_MEMORY' });
  // A getter that releases an array which was already read.
  const x = DeviceArray.allocate('float32', 4);
  x.fill(1);
  const trap = {
    op: 0,
    n: 4,
    x,
    get y() {
      x.release();
      return DeviceArray.allocate('float32', 4);
    },
  };
  kernelTable('cuda')?.unary_fwd?.(trap);
  synchronize();
});
