// What the binding refuses: every value of a contract is checked before native code touches it, and every refusal has a code
// and says what was expected and what came.
import t from 'tap';
import { kernelTable, nativeRuntime, setThreads } from '../../src/native/device.js';

const cpu = kernelTable('cpu');
if (!cpu) throw new Error('these tests need the native addon: npm run build:native');
const call = cpu.unary_fwd as (params: unknown) => void;
const asynchronous = cpu.async.unary_fwd as (params: unknown, cancel?: unknown) => Promise<void>;
const good = () => ({ op: 5, n: 4, x: new Float32Array([1, 2, 3, 4]), y: new Float32Array(4) });

const refusals: [string, unknown, string, RegExp][] = [
  ['no parameters', undefined, 'UAM_ARGUMENT', /unary_fwd: expected an object of parameters/],
  ['null', null, 'UAM_ARGUMENT', /an object/],
  ['a number', 7, 'UAM_ARGUMENT', /an object/],
  ['an empty object', {}, 'UAM_ARGUMENT', /op must be a number, received undefined/],
  ['a missing dim', { ...good(), n: undefined }, 'UAM_ARGUMENT', /n must be a number, received undefined/],
  ['a negative dim', { ...good(), n: -1 }, 'UAM_ARGUMENT', /n must be an integer >= 0, received -1/],
  ['a NaN dim', { ...good(), n: Number.NaN }, 'UAM_ARGUMENT', /n must be an integer >= 0, received nan/i],
  ['an infinite dim', { ...good(), n: Infinity }, 'UAM_ARGUMENT', /n must be an integer >= 0, received inf/],
  ['a broken dim', { ...good(), n: 3.5 }, 'UAM_ARGUMENT', /n must be an integer >= 0, received 3.5/],
  ['a dim beyond 2^53', { ...good(), n: 2 ** 60 }, 'UAM_ARGUMENT', /n must be an integer >= 0/],
  ['a huge dim', { ...good(), n: 2 ** 53 - 1 }, 'UAM_SHAPE', /x must be 9007199254740991 elements, received 4/],
  ['a dim as text', { ...good(), n: '4' }, 'UAM_ARGUMENT', /n must be a number, received 4/],
  ['a dim as bigint', { ...good(), n: 4n }, 'UAM_ARGUMENT', /n must be a number/],
  ['a choice too large', { ...good(), op: 1000 }, 'UAM_ARGUMENT', /op must be an integer from 0 to \d+, received 1000/],
  ['a negative choice', { ...good(), op: -1 }, 'UAM_ARGUMENT', /op must be an integer from 0/],
  ['a broken choice', { ...good(), op: 0.5 }, 'UAM_ARGUMENT', /op must be an integer/],
  ['a NaN choice', { ...good(), op: Number.NaN }, 'UAM_ARGUMENT', /op must be an integer/],
  ['a missing array', { ...good(), x: undefined }, 'UAM_DTYPE', /x must be a Float32Array, received undefined/],
  ['a null array', { ...good(), y: null }, 'UAM_DTYPE', /y must be a Float32Array, received null/],
  ['a plain array', { ...good(), x: [1, 2, 3, 4] }, 'UAM_DTYPE', /x must be a Float32Array, received a plain array/],
  ['an ArrayBuffer', { ...good(), x: new ArrayBuffer(16) }, 'UAM_DTYPE', /x must be a Float32Array/],
  ['a DataView', { ...good(), x: new DataView(new ArrayBuffer(16)) }, 'UAM_DTYPE', /x must be a Float32Array/],
  ['float64', { ...good(), x: new Float64Array(4) }, 'UAM_DTYPE', /x must be a Float32Array, received another kind of typed array/],
  ['int32', { ...good(), y: new Int32Array(4) }, 'UAM_DTYPE', /y must be a Float32Array/],
  ['a symbol', { ...good(), x: Symbol('x') }, 'UAM_DTYPE', /x must be a Float32Array/],
  ['an object without prototype', { ...good(), x: Object.create(null) }, 'UAM_DTYPE', /x must be a Float32Array/],
  ['one element short', { ...good(), x: new Float32Array(3) }, 'UAM_SHAPE', /x must be 4 elements, received 3/],
  ['one element long', { ...good(), y: new Float32Array(5) }, 'UAM_SHAPE', /y must be 4 elements, received 5/],
  ['an empty array', { ...good(), x: new Float32Array(0) }, 'UAM_SHAPE', /x must be 4 elements, received 0/],
];

t.test('refused by sync calls', async (t) => {
  for (const [name, params, code, message] of refusals) t.throws(() => call(params), { code, message }, name);
});

t.test('refused by async calls', async (t) => {
  // The addon reads arguments before it makes a promise, so it throws; kernel() in src/native/call.ts makes that a rejection.
  for (const [name, params, code, message] of refusals) await t.rejects(async () => asynchronous(params), { code, message }, name);
});

t.test('a detached buffer has no elements', async (t) => {
  const params = good();
  structuredClone(params.x, { transfer: [params.x.buffer] });
  t.throws(() => call(params), { code: 'UAM_SHAPE' });
});

t.test('a getter that throws passes its own error on', async (t) => {
  const broken = Object.defineProperty(good(), 'x', {
    get() {
      throw new RangeError('mine');
    },
  });
  t.throws(() => call(broken), { name: 'RangeError', message: 'mine' });
});

t.test('views work at any element offset', async (t) => {
  const storage = new Float32Array(16).fill(-1);
  const y = storage.subarray(5, 9);
  call({ ...good(), y });
  t.same([...storage], [-1, -1, -1, -1, -1, 1, 4, 9, 16, -1, -1, -1, -1, -1, -1, -1]);
});

t.test('shared memory is either taken or refused with a code', async (t) => {
  const x = new Float32Array(new SharedArrayBuffer(16));
  x.set([1, 2, 3, 4]);
  const params = { ...good(), x };
  try {
    call(params);
    t.same([...params.y], [1, 4, 9, 16]);
  } catch (error) {
    t.match(error, { code: /^UAM_/ });
  }
});

t.test('an empty call is no error', async (t) => {
  call({ op: 5, n: 0, x: new Float32Array(0), y: new Float32Array(0) });
  await asynchronous({ op: 5, n: 0, x: new Float32Array(0), y: new Float32Array(0) });
  t.pass();
});

t.test('anything but an Int32Array as the stop flag is ignored', async (t) => {
  for (const flag of [undefined, null, 1, {}, new Float32Array([1]), new Int32Array(0)]) await asynchronous(good(), flag);
  t.pass();
});

t.test('runtime functions refuse nonsense', async (t) => {
  const runtime = nativeRuntime();
  t.throws(() => runtime?.setIsa('mmx'), { code: 'UAM_ARGUMENT', message: /baseline, avx2 or avx512, received 'mmx'/ });
  for (const threads of [0, -1, 1.5, 1025, Number.NaN]) t.throws(() => setThreads(threads), { name: 'UamError', code: 'UAM_ARGUMENT' });
  t.throws(() => runtime?.setThreads(0), { code: 'UAM_ARGUMENT' });
  t.throws(() => runtime?.misalignment([] as unknown as ArrayBuffer), { code: 'UAM_ARGUMENT' });
});
