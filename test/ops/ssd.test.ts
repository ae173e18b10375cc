import t from 'tap';
import { noGrad, type SsdOptions, slice, ssd, Tensor } from '../../src/index.js';
import { relativeError } from '../support/near.js';
import { randomTensor } from '../support/random.js';
import { type OpCase, type Tensors, testOp } from '../support/spec.js';

interface Sizes {
  tokens: number;
  heads?: number;
  headDim?: number;
  groups?: number;
  state?: number;
  sequences?: number;
}

function required({ tokens, heads = 2, headDim = 3, groups = 1, state = 4 }: Sizes): Tensors {
  return {
    x: randomTensor([tokens, heads, headDim], 1),
    dt: randomTensor([tokens, heads], 2, -1, 1),
    A: randomTensor([heads], 3, -2, -0.1),
    B: randomTensor([tokens, groups, state], 4),
    C: randomTensor([tokens, groups, state], 5),
  };
}

function everything(sizes: Sizes): Tensors {
  const { tokens, heads = 2, headDim = 3, state = 4, sequences = 1 } = sizes;
  return {
    ...required(sizes),
    dtBias: randomTensor([heads], 6),
    D: randomTensor([heads], 7),
    z: randomTensor([tokens, heads, headDim], 8, -3, 3),
    h0: randomTensor([sequences, heads, headDim, state], 9),
  };
}

const call = (inputs: Tensors, options: SsdOptions) => {
  const { x, dt, A, B, C, ...rest } = inputs as Record<'x' | 'dt' | 'A' | 'B' | 'C', Tensor>;
  return ssd(x, dt, A, B, C, { ...rest, ...options });
};

function scan(name: string, inputs: Tensors, options: SsdOptions = { dtSoftplus: true }, rest: Partial<OpCase> = {}): OpCase {
  return { name, inputs, run: (given) => ({ ...call(given, options) }), ...rest };
}

t.test('every length around the stretch of the backward', async (t) => {
  testOp(
    t,
    [0, 1, 2, 15, 16, 17, 31, 32, 33, 130].map((tokens) => scan(`${tokens} tokens`, everything({ tokens }))),
  );
});

t.test('every headDim and state around the vector and the strip', async (t) => {
  testOp(t, [
    ...[1, 2, 4, 5, 8, 15, 16, 17, 33, 64, 65, 84].map((headDim) => scan(`headDim ${headDim}`, everything({ tokens: 5, headDim }))),
    ...[1, 2, 3, 5, 8, 15, 16, 17, 33].map((state) => scan(`state ${state}`, everything({ tokens: 5, headDim: 5, state }))),
    scan('Mamba-2 sizes', everything({ tokens: 20, heads: 2, headDim: 64, state: 64 })),
  ]);
});

t.test('a long sequence, which a card cuts over time; more states than pass at once', async (t) => {
  const rest = { skipFiniteDifferences: true };
  const offsets = Int32Array.of(0, 850, 900);
  for (const reverse of [false, true])
    testOp(t, [scan(`reverse ${reverse}`, everything({ tokens: 900, sequences: 2 }), { dtSoftplus: true, offsets, reverse }, rest)]);
  testOp(t, [scan('70 states', everything({ tokens: 5, headDim: 3, state: 70 }), { dtSoftplus: true }, rest)]);
});

t.test('groups of heads, and more heads than shares of a gradient', async (t) => {
  testOp(t, [
    scan('6 heads in 3 groups', everything({ tokens: 7, heads: 6, groups: 3 })),
    scan('6 heads in 6 groups', everything({ tokens: 7, heads: 6, groups: 6 })),
    scan('20 heads in 1 group', everything({ tokens: 7, heads: 20 })),
    scan('34 heads in 2 groups', everything({ tokens: 5, heads: 34, groups: 2 })),
  ]);
});

t.test('each input on its own, steps with and without softplus, both directions', async (t) => {
  const full = everything({ tokens: 19 });
  const plain = { ...required({ tokens: 19 }), dt: randomTensor([19, 2], 2, 0.05, 0.8) };
  testOp(t, [
    scan('nothing optional', plain, {}),
    scan('nothing optional, reverse', plain, { reverse: true }),
    scan('everything, reverse', full, { dtSoftplus: true, reverse: true }),
    ...['dtBias', 'D', 'z', 'h0'].map((name) => scan(`with ${name}`, { ...required({ tokens: 19 }), [name]: full[name] as Tensor })),
    ...Object.keys(full).map((name) => scan(`gradient of ${name} only`, full, { dtSoftplus: true }, { wrt: [name] })),
    scan('only the last state flows back', full, { dtSoftplus: true }, { upstream: ['lastState'] }),
    scan('only the output flows back', full, { dtSoftplus: true }, { upstream: ['out'] }),
  ]);
});

t.test('packed sequences give what each gives alone; an empty one keeps its state', async (t) => {
  const offsets = Int32Array.of(0, 0, 1, 20, 20, 37);
  const inputs = everything({ tokens: 37, heads: 4, groups: 2, sequences: 5 });
  for (const reverse of [false, true]) {
    testOp(t, [scan(`reverse ${reverse}`, inputs, { dtSoftplus: true, offsets, reverse })]);
    noGrad(() => {
      const packed = call(inputs, { dtSoftplus: true, offsets, reverse });
      for (let s = 0; s < 5; s++) {
        const part = (tensor: Tensor, begin: number, end: number) =>
          slice(tensor, [begin, ...tensor.shape.slice(1).map(() => 0)], [end, ...tensor.shape.slice(1)]);
        const from = offsets[s] as number;
        const to = offsets[s + 1] as number;
        const own = Object.fromEntries(
          Object.entries(inputs).map(([name, tensor]) => {
            if (name === 'h0') return [name, part(tensor, s, s + 1)];
            return [name, tensor.shape[0] === 37 ? part(tensor, from, to) : tensor];
          }),
        );
        const alone = call(own, { dtSoftplus: true, reverse });
        t.equal(relativeError(part(packed.out, from, to).data, alone.out.data), 0, `output of sequence ${s}`);
        t.equal(relativeError(part(packed.lastState, s, s + 1).data, alone.lastState.data), 0, `state of sequence ${s}`);
      }
    });
  }
});

t.test('NaN and infinities go through as in the definition', async (t) => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    for (const name of ['x', 'z', 'dt'] as const) {
      const inputs = everything({ tokens: 9 });
      (inputs[name] as Tensor).data[7] = bad;
      testOp(t, [scan(`${name} ${bad}`, inputs, { dtSoftplus: true }, { wrt: [] })]);
    }
  }
});

t.test('bad arguments are named', async (t) => {
  const good = required({ tokens: 5, heads: 4 });
  const bad =
    (change: Tensors, options: SsdOptions = {}) =>
    () =>
      call({ ...good, ...change }, options);
  t.throws(bad({ x: Tensor.zeros([5, 4]) }), { code: 'UAM_SHAPE', message: /ssd: x must be \[tokens, heads, headDim\]/ });
  t.throws(bad({ dt: Tensor.zeros([5, 3]) }), { code: 'UAM_SHAPE', message: /ssd: dt must be \[5, 4\]/ });
  t.throws(bad({ A: Tensor.zeros([4, 2]) }), { code: 'UAM_SHAPE', message: /ssd: A must be \[4\]/ });
  t.throws(bad({ C: Tensor.zeros([5, 2, 4]) }), { code: 'UAM_SHAPE', message: /ssd: C must be \[5, 1, 4\]/ });
  t.throws(bad({ B: Tensor.zeros([5, 3, 4]), C: Tensor.zeros([5, 3, 4]) }), {
    code: 'UAM_SHAPE',
    message: /groups must be a divisor of the 4 heads/,
  });
  t.throws(bad({ h0: Tensor.zeros([1, 4, 3, 4]) }, { offsets: Int32Array.of(0, 2, 5) }), {
    code: 'UAM_SHAPE',
    message: /h0 must be \[2, 4, 3, 4\]/,
  });
  t.throws(bad({}, { offsets: Int32Array.of(0, 6) }), { code: 'UAM_ARGUMENT', message: /offsets/ });
  t.throws(bad({}, { softplus: true } as SsdOptions), { code: 'UAM_ARGUMENT', message: /unknown option 'softplus'/ });
});
