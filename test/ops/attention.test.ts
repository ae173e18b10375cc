import t from 'tap';
import { type AttentionOptions, attention, type DataArray, grad, setMatmulPrecision, Tensor } from '../../src/index.js';
import { hasCuda } from '../../src/native/device.js';
import { bring } from '../../src/tensor/bring.js';
import { onBackend, testBackends } from '../support/backends.js';
import { sameBits } from '../support/near.js';
import { randomTensor } from '../support/random.js';
import { type OpCase, type Tensors, testOp } from '../support/spec.js';

/** Options where the inputs are: on a card, masks and lengths live there, too. */
function run({ q, k, v, bias }: Tensors, { kLens, keyMask, ...options }: AttentionOptions): Tensors {
  const { device } = q as Tensor;
  const hidden = { ...(kLens && { kLens: bring(kLens, device) }), ...(keyMask && { keyMask: bring(keyMask, device) }) };
  return { ...attention(q as Tensor, k as Tensor, v as Tensor, { ...options, ...hidden, ...(bias && { bias }) }) };
}

interface Sizes {
  lengthsQ: number[];
  lengthsK?: number[];
  heads?: number;
  headsKv?: number;
  dim?: number;
  dimV?: number;
}

const offsetsOf = (lengths: readonly number[]) =>
  Int32Array.from([0, ...lengths.map((_, i) => lengths.slice(0, i + 1).reduce((a, b) => a + b))]);
const total = (lengths: readonly number[]) => lengths.reduce((a, b) => a + b, 0);

/** A packed case with random inputs. */
function packed(
  name: string,
  { lengthsQ, lengthsK = lengthsQ, heads = 2, headsKv = heads, dim = 8, dimV = dim }: Sizes,
  options: AttentionOptions = {},
  bias?: Tensor,
): OpCase {
  const offsets = { offsetsQ: offsetsOf(lengthsQ), offsetsK: offsetsOf(lengthsK) };
  return {
    name: `${name}: queries ${lengthsQ}, keys ${lengthsK}, heads ${heads}/${headsKv}, dim ${dim}/${dimV}`,
    inputs: {
      q: randomTensor([total(lengthsQ), heads, dim], 1, -2, 2),
      k: randomTensor([total(lengthsK), headsKv, dim], 2, -2, 2),
      v: randomTensor([total(lengthsK), headsKv, dimV], 3),
      ...(bias && { bias }),
    },
    run: (inputs) => run(inputs, { ...options, ...offsets }),
    upstream: ['out'],
  };
}

t.test('lengths around the vectors, tiles and blocks, with and without the causal mask', async (t) => {
  const lengths = [0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 47, 49, 63, 64, 65, 96, 127, 128, 129, 140];
  const cases = lengths.map((length, i) => {
    const other = lengths[(i * 8 + 5) % lengths.length] as number;
    return packed(i % 2 ? 'causal' : 'plain', { lengthsQ: [length], lengthsK: [other] }, { causal: i % 2 === 1 });
  });
  testOp(t, cases);
  testOp(
    t,
    lengths.slice(1, 14).map((length) => packed('causal, self', { lengthsQ: [length], heads: 1 }, { causal: true })),
  );
});

t.test('any size of a head, of values other than keys, and heads that share keys', async (t) => {
  for (const dim of [1, 8, 16, 17, 31, 32, 64, 80, 128]) {
    testOp(t, [
      packed('dim', { lengthsQ: [19], lengthsK: [21], dim, heads: 1 }),
      packed('dimV', { lengthsQ: [5, 9], dim: 12, dimV: dim }, { causal: true }),
    ]);
  }
  testOp(t, [
    packed('grouped', { lengthsQ: [20, 3], lengthsK: [18, 9], heads: 6, headsKv: 2 }),
    packed('multi-query', { lengthsQ: [20, 3], heads: 4, headsKv: 1, dimV: 5 }, { causal: true, scale: 0.7 }),
  ]);
});

t.test('packed sequences: empty ones, rows that see nothing, hidden keys', async (t) => {
  const sizes = { lengthsQ: [3, 0, 20, 5, 0, 9], lengthsK: [4, 6, 11, 0, 0, 40] };
  const keyMask = Tensor.from(Uint8Array.from({ length: 61 }, (_, j) => (j % 3 && j > 9 ? 1 : 0)));
  const kLens = Tensor.from(Int32Array.of(4, 2, 0, 0, 0, 23));
  testOp(t, [
    packed('plain', sizes),
    packed('causal', sizes, { causal: true }),
    packed('kLens', sizes, { kLens }),
    packed('keyMask', sizes, { keyMask }),
    packed('all of them', sizes, { keyMask, kLens, causal: true }),
    packed('nothing', { lengthsQ: [], lengthsK: [] }),
  ]);
});

t.test('work that is cut into parts', async (t) => {
  testOp(t, [
    packed('one long sequence', { lengthsQ: [200], lengthsK: [400], heads: 2, headsKv: 1, dim: 32 }),
    packed('long and short', { lengthsQ: [3, 300, 20], heads: 1, dim: 24 }, { causal: true }),
    packed('many', { lengthsQ: Array.from({ length: 40 }, (_, i) => (i * 7) % 30), heads: 3, dim: 16 }),
  ]);
});

t.test('a bias, alone or shared by sequences and heads, with whatever else is hidden', async (t) => {
  const sizes = { lengthsQ: [18, 18, 18], lengthsK: [70, 70, 70] };
  const keyMask = Tensor.from(Uint8Array.from({ length: 210 }, (_, j) => (j % 5 ? 1 : 0)));
  for (const [batch, heads] of [
    [1, 1],
    [3, 1],
    [1, 2],
    [3, 2],
  ] as const) {
    const bias = randomTensor([batch, heads, 18, 70], 4);
    testOp(t, [
      packed(`bias ${batch}, ${heads}`, sizes, {}, bias),
      packed(`bias ${batch}, ${heads}, masks`, sizes, { keyMask, causal: batch === 3 }, bias),
    ]);
  }
  const minusInfinity = Tensor.from(
    Float32Array.from({ length: 18 * 70 }, (_, i) => (i < 70 || i % 4 === 0 ? Number.NEGATIVE_INFINITY : 0.5)),
    [1, 1, 18, 70],
  );
  testOp(t, [{ ...packed('bias of -Infinity hides keys', sizes, {}, minusInfinity), wrt: ['q', 'k', 'v'] }]);
});

t.test('a batch is packed sequences of one length', async (t) => {
  const [q, k, v] = [randomTensor([3, 10, 2, 8], 1), randomTensor([3, 12, 2, 8], 2), randomTensor([3, 12, 2, 4], 3)];
  testOp(t, [{ name: 'batch', inputs: { q, k, v }, run: (inputs) => run(inputs, { causal: true }), upstream: ['out'] }]);
  const batch = attention(q, k, v);
  const offsets = { offsetsQ: Int32Array.of(0, 10, 20, 30), offsetsK: Tensor.from(Int32Array.of(0, 12, 24, 36)) };
  const flat = attention(q.alias([30, 2, 8]), k.alias([36, 2, 8]), v.alias([36, 2, 4]), offsets);
  t.same(batch.out.shape, [3, 10, 2, 4]);
  t.same(batch.lse.shape, [2, 30]);
  t.ok(sameBits(batch.out.data, flat.out.data) && sameBits(batch.lse.data, flat.lse.data));
});

t.test('a packed sequence gives the bits that it gives alone', async (t) => {
  const lengths = [5, 130, 0, 33];
  const offsets = offsetsOf(lengths);
  const x = randomTensor([168, 2, 16], 5);
  for (const backend of testBackends()) {
    onBackend(backend, 2, () => {
      const together = attention(x, x, x, { offsetsQ: offsets, causal: true }).out;
      lengths.forEach((length, s) => {
        const alone = x.rows(offsets[s] as number, offsets[s + 1] as number);
        const { out } = attention(alone, alone, alone, { offsetsQ: Int32Array.of(0, length), causal: true });
        t.ok(sameBits(out.data, together.rows(offsets[s] as number, offsets[s + 1] as number).data), `sequence ${s} on ${backend.name}`);
      });
    });
  }
});

t.test('products rounded to bf16 stay near those of float32 on a card, in the same bits every time', { skip: !hasCuda() }, async (t) => {
  const keyMask = (n: number) => Tensor.from(Uint8Array.from({ length: n }, (_, j) => (j % 4 ? 1 : 0)));
  const even = { lengthsQ: [70, 70], lengthsK: [90, 90], dim: 16 };
  const cases = [
    ...[8, 30, 64, 100].map((dim) => packed('plain', { lengthsQ: [33, 70], lengthsK: [40, 66], heads: 1, dim })),
    ...[16, 32, 128].map((dim) => packed('causal', { lengthsQ: [130], heads: 1, dim }, { causal: true })),
    packed('one long sequence', { lengthsQ: [600], lengthsK: [70], heads: 2, headsKv: 1, dim: 16 }),
    packed('dimV', { lengthsQ: [5, 0, 64], lengthsK: [64, 3, 0], dim: 12, dimV: 40 }),
    packed('grouped', { lengthsQ: [70, 3], lengthsK: [20, 150], heads: 6, headsKv: 2, dim: 32 }, { causal: true }),
    packed(
      'hidden keys',
      { lengthsQ: [20, 65], lengthsK: [70, 30], dim: 16 },
      { keyMask: keyMask(100), kLens: Tensor.from(Int32Array.of(66, 0)) },
    ),
    packed('bias', even, { causal: true }, randomTensor([1, 2, 70, 90], 4)),
    packed('bias of each sequence, masked', even, { keyMask: keyMask(180) }, randomTensor([2, 1, 70, 90], 4)),
  ];
  const distance = (a: DataArray, b: DataArray) => Math.hypot(...a.map((x, i) => x - (b[i] as number))) / (Math.hypot(...b) || 1);
  for (const opCase of cases) {
    const names = Object.keys(opCase.inputs);
    const evaluate = (precision: 'float32' | 'bf16') =>
      onBackend({ name: 'cuda', backend: 'cuda' }, 1, () => {
        setMatmulPrecision(precision);
        try {
          const inputs = names.map((name) => (opCase.inputs[name] as Tensor).clone().requireGrad());
          const { out, lse } = opCase.run(Object.fromEntries(names.map((name, i) => [name, inputs[i] as Tensor]))) as Tensors;
          const gradients = grad(out as Tensor, inputs, { upstream: randomTensor((out as Tensor).shape, 9) });
          return [out as Tensor, lse as Tensor, ...gradients].map((tensor) => tensor.data.slice());
        } finally {
          setMatmulPrecision('float32');
        }
      });
    const [exact, rounded, again] = [evaluate('float32'), evaluate('bf16'), evaluate('bf16')];
    ['out', 'lse', ...names].forEach((name, i) => {
      const [want, got] = [exact[i] as DataArray, rounded[i] as DataArray];
      const finite = (x: number) => (Number.isFinite(x) ? x : 0);
      t.ok(sameBits(got, again[i] as DataArray), `${opCase.name}: ${name}, again`);
      const error = distance(got.map(finite), want.map(finite));
      if (!(error < (i < 2 ? 5e-3 : 1e-2))) t.fail(`${opCase.name}: ${name} is off by ${error.toExponential(2)}`);
      if (!want.every((x, j) => Number.isFinite(x) === Number.isFinite(got[j]))) t.fail(`${opCase.name}: ${name} is finite elsewhere`);
    });
    t.notOk(sameBits(rounded[0] as DataArray, exact[0] as DataArray), 'they are rounded indeed');
  }
});

t.test('lengths on a card are looked at there, and told of when somebody waits', { skip: !hasCuda() }, async (t) => {
  onBackend({ name: 'cuda', backend: 'cuda' }, 1, () => {
    const [q, k] = [randomTensor([6, 2, 8], 1).to('cuda'), randomTensor([6, 2, 8], 2).to('cuda')];
    for (const length of [-1, 5]) {
      const kLens = Tensor.from(Int32Array.of(2, length)).to('cuda');
      const { out } = attention(q, k, k, { offsetsQ: Int32Array.of(0, 2, 6), kLens });
      t.throws(() => out.to('cpu'), { code: 'UAM_ARGUMENT', message: /kLens\[1\] must lie in 0\.\.4/ });
    }
  });
});

t.test('scores of ten thousand', async (t) => {
  const integers = (seed: number) => Tensor.from(Float32Array.from(randomTensor([40, 1, 16], seed, -30, 30).data, Math.round), [40, 1, 16]);
  const [q, k] = [integers(1), integers(2)]; // whole numbers: float32 computes these scores exactly
  testOp(t, [
    {
      name: 'large scores',
      inputs: { q, k, v: randomTensor([40, 1, 16], 3) },
      run: (inputs) => run(inputs, { scale: 1, offsetsQ: offsetsOf([40]) }),
      wrt: ['v'],
      upstream: ['out'],
    },
  ]);
});

t.test('NaN and infinities reach the rows that see them and no other', async (t) => {
  const options = { offsetsQ: offsetsOf([20, 20]) };
  const [x, clean] = [randomTensor([40, 2, 8], 1), randomTensor([40, 2, 8], 2)];
  const withValue = (value: number, token: number) => {
    const copy = x.clone();
    copy.data[token * 16] = value; // head 0
    return copy;
  };
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
    testOp(
      t,
      ['q', 'k', 'v'].map((name) => ({
        name: `${value} in ${name}`,
        inputs: { q: x, k: x, v: clean, [name]: withValue(value, 5) },
        run: (inputs: Tensors) => ({ out: run(inputs, options).out as Tensor }),
        skipFiniteDifferences: true,
      })),
    );
  }
  for (const backend of testBackends()) {
    onBackend(backend, 1, () => {
      const keyMask = Tensor.from(Uint8Array.from({ length: 40 }, (_, j) => (j === 5 ? 0 : 1)));
      const { out } = attention(clean, withValue(Number.NaN, 5), withValue(Number.NaN, 5), { ...options, keyMask });
      t.ok(out.data.every(Number.isFinite), `a hidden key may hold anything, on ${backend.name}`);
    });
  }
});

t.test('what does not fit is refused in the words of the caller', async (t) => {
  const [q, k, v] = [randomTensor([6, 4, 8], 1), randomTensor([6, 2, 8], 2), randomTensor([6, 2, 3], 3)];
  const offsetsQ = Int32Array.of(0, 2, 6);
  t.throws(() => attention(q, k, v), { code: 'UAM_ARGUMENT', message: /need offsetsQ/ });
  t.throws(() => attention(q, k, v, { offsetsQ: Int32Array.of(0, 7) }), { code: 'UAM_ARGUMENT', message: /queries.*end at 6/ });
  t.throws(() => attention(q, k, v, { offsetsQ, offsetsK: Int32Array.of(0, 6) }), {
    code: 'UAM_SHAPE',
    message: /as many sequences as offsetsQ \(2\)/,
  });
  t.throws(() => attention(q, randomTensor([6, 3, 8], 2), randomTensor([6, 3, 8], 2), { offsetsQ }), {
    code: 'UAM_SHAPE',
    message: /multiple of the 3/,
  });
  t.throws(() => attention(q, randomTensor([6, 2, 9], 2), v, { offsetsQ }), {
    code: 'UAM_SHAPE',
    message: /k must be \[tokensK, headsKv, 8\]/,
  });
  t.throws(() => attention(q, k, randomTensor([5, 2, 3], 2), { offsetsQ }), { code: 'UAM_SHAPE', message: /v must be/ });
  t.throws(() => attention(q, k, v, { offsetsQ, kLens: Tensor.from(Int32Array.of(1)) }), {
    code: 'UAM_SHAPE',
    message: /kLens must be \[2\]/,
  });
  t.throws(() => attention(q, k, v, { offsetsQ, keyMask: Tensor.from(Float32Array.of(1, 1, 1, 1, 1, 1)) }), {
    code: 'UAM_DTYPE',
    message: /keyMask/,
  });
  t.throws(() => attention(q, k, v, { offsetsQ, bias: randomTensor([1, 1, 3, 3], 1) }), {
    code: 'UAM_SHAPE',
    message: /every sequence must be 3 queries and 3 keys long/,
  });
  t.throws(() => attention(q, k, v, { offsetsQ, bias: randomTensor([1, 3, 2, 2], 1) }), {
    code: 'UAM_SHAPE',
    message: /bias must be \[1, 4/,
  });
  t.throws(() => attention(q, k, v, { offsetsQ, mask: 1 } as AttentionOptions), { code: 'UAM_ARGUMENT', message: /unknown option 'mask'/ });
  t.throws(() => attention(randomTensor([2, 3, 4, 8], 1), k, v, { offsetsQ }), { code: 'UAM_SHAPE' });
  for (const backend of testBackends()) {
    onBackend(backend, 1, () => {
      for (const length of [-1, 5]) {
        t.throws(() => attention(q, k, v, { offsetsQ, kLens: Tensor.from(Int32Array.of(2, length)) }), {
          code: 'UAM_ARGUMENT',
          message: /kLens\[1\] must lie in 0\.\.4/,
        });
      }
    });
  }
});
