import ndarray from 'ndarray';
import t from 'tap';
import { memory, scope, square, Tensor } from '../../src/index.js';
import { Arena } from '../../src/tensor/arena.js';

t.test('typed arrays are used in place, lists are copied', async (t) => {
  const data = Float32Array.of(1, 2, 3, 4);
  const x = Tensor.from(data, [2, 2]);
  t.equal(x.data, data);
  t.same([x.shape, x.strides, x.size, x.dtype, x.device], [[2, 2], [2, 1], 4, 'float32', 'cpu']);
  t.equal(Tensor.from([1, 2]).dtype, 'float32');
  t.same(Tensor.from(7).shape, []);
  t.equal(Tensor.from(7).item(), 7);
  t.match(String(x), /Tensor\(float32 \[2, 2\]: 1, 2, 3, 4\)/);
});

t.test('what is not a tensor is refused', async (t) => {
  t.throws(() => Tensor.from([1, 2, 3], [2, 2]), { code: 'UAM_SHAPE', message: /one of 3 elements, received \[2, 2\]/ });
  t.throws(() => Tensor.from(new Int16Array(2) as unknown as Int32Array), { code: 'UAM_DTYPE' });
  t.throws(() => Tensor.from('abc' as unknown as number), { code: 'UAM_DTYPE' });
  t.throws(() => Tensor.zeros([-1]), { code: 'UAM_SHAPE' });
  t.throws(() => Tensor.zeros([1.5]), { code: 'UAM_SHAPE' });
  t.throws(() => Tensor.zeros([2 ** 40, 2 ** 40]), { code: 'UAM_SHAPE', message: /too many elements/ });
  t.throws(() => Tensor.zeros([2]).item(), { code: 'UAM_SHAPE' });
  const Resizable = ArrayBuffer as unknown as new (length: number, options: object) => ArrayBuffer;
  t.throws(() => Tensor.from(new Float32Array(new Resizable(8, { maxByteLength: 16 }))), { code: 'UAM_ARGUMENT', message: /resizable/ });
});

t.test('ndarray both ways, zero copy when contiguous', async (t) => {
  const data = Float32Array.of(0, 1, 2, 3, 4, 5);
  const array = ndarray(data, [2, 3]);
  const x = Tensor.fromNdarray(array);
  t.equal(x.data.buffer, data.buffer);
  x.data[1] = 9;
  t.equal(array.get(0, 1), 9);
  t.equal(x.toNdarray().data, x.data);
  t.equal(x.toNdarray().get(1, 2), 5);
  t.same([...Tensor.fromNdarray(array.transpose(1, 0)).data], [0, 3, 9, 4, 2, 5], 'a transpose is copied');
  t.same([...Tensor.fromNdarray(array.hi(2, 2).lo(0, 1)).data], [9, 4], 'an inner slice is copied');
  t.same([...Tensor.fromNdarray(array.pick(1, null)).data], [3, 4, 5]);
  t.same(Tensor.fromNdarray(array.step(-1, 1)).data[0], 3, 'negative strides');
  t.same(Tensor.fromNdarray(ndarray(new Float32Array(0), [0, 3])).shape, [0, 3]);
});

t.test('dispose, views and scopes', async (t) => {
  const x = Tensor.zeros([4, 2000]);
  const row = x.rows(1, 2);
  x.dispose();
  x.dispose();
  t.throws(() => x.data, { code: 'UAM_DISPOSED', message: /disposed or its scope has ended/ });
  t.equal(row.data.length, 2000, 'a view keeps the memory');
  const kept: Tensor[] = [];
  const result = scope(() => {
    const inner = Tensor.zeros([2]);
    kept.push(Tensor.zeros([2]).keep());
    kept.push(inner);
    const nested = scope(() => ({ list: [Tensor.zeros([3])], lost: Tensor.zeros([3]).size }));
    return { a: Tensor.zeros([2]), nested };
  });
  t.notOk(result.a.disposed);
  t.notOk(result.nested.list[0]?.disposed);
  t.same(
    kept.map((tensor) => tensor.disposed),
    [false, true],
  );
  t.throws(() => scope(async () => 1), { code: 'UAM_ARGUMENT', message: /must be synchronous/ });
  let lost: Tensor | undefined;
  t.throws(() =>
    scope(() => {
      lost = Tensor.zeros([2]);
      throw new Error('inside');
    }),
  );
  t.ok(lost?.disposed, 'a scope that throws frees what it made');
  t.throws(() => square(lost as Tensor), { code: 'UAM_DISPOSED' });
});

t.test('the arena recycles buffers, aligned, and lets go of what exceeds the peak', async (t) => {
  const arena = new Arena();
  const a = arena.allocate('float32', 5000);
  const { buffer } = a;
  arena.recycle(a);
  const b = arena.allocate('float32', 5100);
  t.equal(b.buffer, buffer, 'near sizes share a class');
  t.equal(b.byteOffset % 16, 0);
  arena.recycle(b);
  for (let n = 5000; n < 100_000; n += 1000) arena.recycle(arena.allocate('float32', n));
  const { freeBytes, liveBytes, peakBytes } = arena.stats();
  t.equal(liveBytes, 0);
  t.ok(freeBytes <= 1.25 * peakBytes, `${freeBytes} bytes free, peak ${peakBytes}`);
  arena.trim();
  t.equal(arena.stats().freeBytes, 0);
  arena.recycle(new Float32Array(5000));
  t.equal(arena.stats().freeBytes, 0, 'foreign arrays are left alone');
  memory.trim();
});
