import t from 'tap';
import {
  concat,
  grad,
  noGrad,
  type SelectiveScanInputs,
  type SelectiveScanOptions,
  selectiveScan,
  slice,
  Tensor,
} from '../../src/index.js';
import { nativeRuntime } from '../../src/native/device.js';
import { relativeError, sameBits } from '../support/near.js';
import { randomTensor } from '../support/random.js';
import { type OpCase, type Tensors, testOp } from '../support/spec.js';

interface Dims {
  dim: number;
  state: number;
  groups?: number;
  /** Offsets of the packed sequences; the last is the number of tokens. */
  offsets: number[];
}

interface Variant extends SelectiveScanOptions {
  constantB?: boolean;
  constantC?: boolean;
  /** Which of the optional inputs are given. */
  optional?: readonly ('D' | 'z' | 'deltaBias' | 'h0')[];
}

const everything = ['D', 'z', 'deltaBias', 'h0'] as const;

function inputsOf({ dim, state, groups = 1, offsets }: Dims, variant: Variant, seed = 1): Tensors {
  const tokens = offsets.at(-1) as number;
  const optional = variant.optional ?? everything;
  const coefficient = (constant: boolean | undefined, from: number) =>
    randomTensor(constant ? [dim, state] : [tokens, groups, state], from);
  return {
    u: randomTensor([tokens, dim], seed),
    delta: variant.deltaSoftplus ? randomTensor([tokens, dim], seed + 1, -2, 1) : randomTensor([tokens, dim], seed + 1, 0.01, 0.5),
    A: randomTensor([dim, state], seed + 2, -3, -0.1),
    B: coefficient(variant.constantB, seed + 3),
    C: coefficient(variant.constantC, seed + 4),
    ...(optional.includes('D') && { D: randomTensor([dim], seed + 5) }),
    ...(optional.includes('z') && { z: randomTensor([tokens, dim], seed + 6, -3, 3) }),
    ...(optional.includes('deltaBias') && { deltaBias: randomTensor([dim], seed + 7, -0.1, 0.3) }),
    ...(optional.includes('h0') && { h0: randomTensor([offsets.length - 1, dim, state], seed + 8) }),
    offsets: Tensor.from(Int32Array.from(offsets)),
  };
}

const run = (variant: Variant) => (inputs: Tensors) => {
  const { deltaSoftplus = false, reverse = false } = variant;
  return { ...selectiveScan(inputs as unknown as SelectiveScanInputs, { deltaSoftplus, reverse }) };
};

function scanCase(name: string, dims: Dims, variant: Variant, more: Partial<OpCase> = {}): OpCase {
  return { name, inputs: inputsOf(dims, variant), run: run(variant), gradTolerance: 1e-5, tolerance: 4e-6, ...more };
}

const states = [1, 3, 4, 8, 16, 17, 64];
const dimensions = [1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 48]; // around the vector widths 4, 8 and 16
const pick = <T>(list: readonly T[], i: number) => list[i % list.length] as T;

t.test('the slope of the softplus of delta at exactly 0 is the true one, 1/2', async (t) => {
  const zero = scanCase('delta 0', { dim: 17, state: 4, offsets: [0, 9] }, { deltaSoftplus: true, optional: ['D'] });
  testOp(t, [{ ...zero, inputs: { ...zero.inputs, delta: Tensor.zeros([9, 17]) } }]); // against finite differences
});

t.test('offsets are read once: the caller may reuse the array before the backward pass', async (t) => {
  const gradient = (spoil: boolean) => {
    const { u, delta, A, B, C } = inputsOf({ dim: 3, state: 2, offsets: [0, 4, 9] }, {}) as Record<'u' | 'delta' | 'A' | 'B' | 'C', Tensor>;
    const offsets = Int32Array.of(0, 4, 9);
    const { out } = selectiveScan({ u: u.requireGrad(), delta, A, B, C, offsets });
    if (spoil) offsets.fill(0);
    return grad(out, [u], { upstream: Tensor.full([9, 3], 1) })[0] as Tensor;
  };
  t.ok(sameBits(gradient(true).data, gradient(false).data));
});

t.test('every length from 0 to 130, states and dims in turn', async (t) => {
  const cases = Array.from({ length: 131 }, (_, length): OpCase => {
    const dims = { dim: pick(dimensions, length), state: pick(states, length), offsets: [0, length] };
    const variant = {
      deltaSoftplus: length % 2 === 0,
      reverse: length % 3 === 0,
      optional: everything.filter((_, i) => (length >> i) % 2 === 0),
    };
    return scanCase(`length ${length}, dim ${dims.dim}, state ${dims.state}`, dims, variant, { skipFiniteDifferences: length % 16 !== 5 });
  });
  testOp(t, cases);
});

t.test('every state size with every dim, across a chunk boundary', async (t) => {
  testOp(
    t,
    states.flatMap((state) =>
      dimensions.map((dim) =>
        scanCase(`dim ${dim}, state ${state}`, { dim, state, offsets: [0, 70] }, { deltaSoftplus: true }, { skipFiniteDifferences: true }),
      ),
    ),
  );
});

t.test('groups, constants in time, empty sequences and both directions', async (t) => {
  const offsets = [0, 0, 5, 37, 37, 101, 102, 102];
  const shapes: [string, Dims][] = [
    ['one group', { dim: 20, state: 5, offsets }],
    ['groups of 5', { dim: 20, state: 6, groups: 4, offsets }],
    ['groups of 1', { dim: 6, state: 16, groups: 6, offsets }],
    ['groups wider than a vector', { dim: 60, state: 4, groups: 3, offsets }],
    ['no sequence', { dim: 3, state: 2, offsets: [0] }],
    ['only empty sequences', { dim: 3, state: 2, offsets: [0, 0, 0] }],
    ['no channel', { dim: 0, state: 2, offsets: [0, 3] }],
  ];
  const variants: [string, Variant][] = [
    ['', {}],
    [', reverse', { reverse: true, deltaSoftplus: true }],
    [', constant B', { constantB: true, deltaSoftplus: true }],
    [', constant C, reverse', { constantC: true, reverse: true }],
    [', constant B and C, nothing optional', { constantB: true, constantC: true, optional: [] }],
  ];
  const cases = shapes.flatMap(([shape, dims]) =>
    variants.flatMap(([what, variant]) => {
      if (variant.constantB && variant.constantC && dims.groups) return []; // without a B or C per token there are no groups
      return [scanCase(shape + what, dims, variant, { skipFiniteDifferences: dims.dim > 20 })];
    }),
  );
  testOp(t, cases);
});

t.test('many sequences and wide rows share out the work in other ways', async (t) => {
  const uneven = Array.from({ length: 81 }, (_, i) => Math.floor((i * i) / 9));
  testOp(t, [
    scanCase('80 uneven sequences', { dim: 40, state: 4, offsets: uneven }, { deltaSoftplus: true }, { skipFiniteDifferences: true }),
    scanCase('one wide sequence', { dim: 300, state: 4, offsets: [0, 150] }, { deltaSoftplus: true }, { skipFiniteDifferences: true }),
    scanCase('50 groups, 3 sequences', { dim: 100, state: 3, groups: 50, offsets: [0, 9, 80, 99] }, {}, { skipFiniteDifferences: true }),
  ]);
});

t.test('long sequences beside short ones, which a card cuts over time; more states than pass at once', async (t) => {
  const offsets = [0, 0, 800, 803, 1000];
  const rest = { skipFiniteDifferences: true };
  testOp(t, [
    scanCase('cut', { dim: 5, state: 3, offsets }, { deltaSoftplus: true }, rest),
    scanCase('cut, reverse, 17 states', { dim: 3, state: 17, offsets }, { deltaSoftplus: true, reverse: true }, rest),
    scanCase('cut, constant B and C', { dim: 3, state: 2, offsets }, { constantB: true, constantC: true, optional: ['h0', 'z'] }, rest),
    scanCase('70 states', { dim: 3, state: 70, offsets: [0, 9, 20] }, { deltaSoftplus: true }, rest),
  ]);
});

t.test('gradients of the output alone, of the last state alone, and of single inputs', async (t) => {
  const dims = { dim: 5, state: 4, offsets: [0, 7, 45] };
  const variant = { deltaSoftplus: true };
  testOp(t, [
    scanCase('out', dims, variant, { upstream: ['out'] }),
    scanCase('lastState', dims, variant, { upstream: ['lastState'] }),
    ...['u', 'delta', 'A', 'B', 'C', 'D', 'z', 'deltaBias', 'h0'].map((name) => scanCase(`by ${name}`, dims, variant, { wrt: [name] })),
  ]);
});

t.test('rates that are zero, positive, huge or infinite; steps from -100 to 100', async (t) => {
  const dims = { dim: 17, state: 5, offsets: [0, 40] };
  const cases = (
    [
      ['zero', 0, 0],
      ['positive', 0.01, 0.3],
      ['huge', -1e6, -1e3],
    ] as const
  ).map(([name, low, high]) => {
    const inputs = { ...inputsOf(dims, { deltaSoftplus: true }), A: randomTensor([17, 5], 5, low, high) };
    return { name, inputs, run: run({ deltaSoftplus: true }), skipFiniteDifferences: true, tolerance: 1e-5, gradTolerance: 2e-5 };
  });
  const steps = { ...inputsOf(dims, { deltaSoftplus: true }), delta: randomTensor([40, 17], 6, -100, 100) };
  const infinite = { ...inputsOf(dims, {}), A: Tensor.full([17, 5], Number.NEGATIVE_INFINITY) };
  testOp(t, [
    ...cases,
    { name: 'steps', inputs: steps, run: run({ deltaSoftplus: true }), skipFiniteDifferences: true, gradTolerance: 1e-5 },
    { name: 'infinite', inputs: infinite, run: run({}), wrt: [], skipFiniteDifferences: true },
  ]);
});

t.test('NaN and infinity reach what depends on them, and nothing else', async (t) => {
  const dims = { dim: 18, state: 4, offsets: [0, 50, 90] };
  for (const name of ['u', 'delta', 'z']) {
    for (const poison of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const inputs = inputsOf(dims, {});
      const clean = run({})(inputs).out.data.slice();
      const spoilt = inputs[name] as Tensor;
      spoilt.data[20 * 18 + 17] = poison;
      const { data } = run({})(inputs).out;
      const upTo = name === 'z' ? 21 : 50; // a gate acts on its own token, the state on the rest of its sequence
      for (let token = 0; token < 90; token++) {
        for (let channel = 0; channel < 18; channel++) {
          const at = token * 18 + channel;
          const hit = channel === 17 && token >= 20 && token < upTo;
          if (hit === Number.isFinite(data[at])) t.fail(`${name} = ${poison}: out[${token}, ${channel}] is ${data[at]}`);
          if (!hit && data[at] !== clean[at]) t.fail(`${name} = ${poison} changes out[${token}, ${channel}]`);
        }
      }
    }
  }
  t.pass('checked');
});

const packedInputs = (dims: Dims, variant: Variant) => inputsOf(dims, variant) as unknown as SelectiveScanInputs;

t.test('packed sequences give the bits of single ones', async (t) => {
  const offsets = [0, 33, 33, 40, 140];
  const all = packedInputs({ dim: 19, state: 6, offsets }, { deltaSoftplus: true });
  const packed = selectiveScan(all, { deltaSoftplus: true });
  for (let s = 0; s + 1 < offsets.length; s++) {
    const [begin, end] = [offsets[s] as number, offsets[s + 1] as number];
    const part = (x: Tensor | undefined) => (x as Tensor).rows(begin, end);
    const single = selectiveScan(
      {
        ...all,
        u: part(all.u),
        delta: part(all.delta),
        B: part(all.B),
        C: part(all.C),
        z: part(all.z),
        h0: all.h0?.rows(s, s + 1),
        offsets: undefined,
      },
      { deltaSoftplus: true },
    );
    t.ok(sameBits(single.out.data, packed.out.rows(begin, end).data), `sequence ${s}`);
    t.ok(sameBits(single.lastState.data, packed.lastState.rows(s, s + 1).data), `state of sequence ${s}`);
  }
});

t.test('a batch is packed sequences of one length', async (t) => {
  const { u, delta, A, B, C, D, z } = packedInputs({ dim: 6, state: 3, offsets: [0, 7, 14, 21] }, {});
  const packed = selectiveScan({ u, delta, A, B, C, D, z, offsets: Int32Array.of(0, 7, 14, 21) });
  const batched = (x: Tensor) => x.alias([3, 7, ...x.shape.slice(1)]);
  const batch = selectiveScan({ u: batched(u), delta: batched(delta), A, B: batched(B), C: batched(C), D, z: batched(z as Tensor) });
  t.same(batch.out.shape, [3, 7, 6]);
  t.same(batch.lastState.shape, [3, 6, 3]);
  t.ok(sameBits(batch.out.data, packed.out.data));
});

const flipped = (x: Tensor) => {
  const rows = Array.from({ length: x.shape[0] as number }, (_, i) => x.rows(i, i + 1));
  return noGrad(() => concat(rows.reverse()));
};

t.test('reverse is the scan of the flipped sequence', async (t) => {
  const inputs = packedInputs({ dim: 18, state: 16, offsets: [0, 75] }, { deltaSoftplus: true });
  const { u, delta, B, C, z } = inputs;
  const reversed = selectiveScan(inputs, { deltaSoftplus: true, reverse: true });
  const forward = selectiveScan(
    { ...inputs, u: flipped(u), delta: flipped(delta), B: flipped(B), C: flipped(C), z: flipped(z as Tensor) },
    { deltaSoftplus: true },
  );
  t.ok(sameBits(reversed.out.data, flipped(forward.out).data));
  t.ok(sameBits(reversed.lastState.data, forward.lastState.data));
});

t.test('lastState as h0 continues the scan, gradients included', async (t) => {
  const inputs = packedInputs({ dim: 9, state: 4, offsets: [0, 70] }, { deltaSoftplus: true });
  const { u, delta, B, C, z, A } = inputs;
  A.requireGrad();
  const whole = selectiveScan(inputs, { deltaSoftplus: true });
  const part = (begin: number, end: number, h0: Tensor | undefined) => {
    const rows = (x: Tensor) => slice(x, [begin], [end]);
    const parts = { u: rows(u), delta: rows(delta), B: rows(B), C: rows(C), z: rows(z as Tensor) };
    return selectiveScan({ ...inputs, ...parts, h0, offsets: undefined }, { deltaSoftplus: true });
  };
  const first = part(0, 29, inputs.h0);
  const second = part(29, 70, first.lastState);
  const joined = concat([first.out, second.out]);
  t.ok(relativeError(joined.data, whole.out.data) < 1e-6);
  t.ok(relativeError(second.lastState.data, whole.lastState.data) < 1e-6);
  const upstream = randomTensor([70, 9], 3);
  const [expected] = grad(whole.out, [A], { upstream });
  const [actual] = grad(joined, [A], { upstream });
  t.ok(relativeError((actual as Tensor).data, (expected as Tensor).data) < 5e-6);
});

t.test('bad inputs are refused with what was expected', async (t) => {
  const good = () => packedInputs({ dim: 4, state: 3, offsets: [0, 5] }, {});
  const refuses = (change: object, code: string, message: RegExp) =>
    t.throws(() => selectiveScan({ ...good(), ...change }), { name: 'UamError', code, message });
  refuses({ offsets: Int32Array.of(0, 6) }, 'UAM_ARGUMENT', /offsets must be numbers that start at 0, never fall and end at 5/);
  refuses({ offsets: Int32Array.of(1, 5) }, 'UAM_ARGUMENT', /offsets/);
  refuses({ offsets: Int32Array.of(0, 4, 2, 5) }, 'UAM_ARGUMENT', /offsets/);
  refuses({ offsets: new Int32Array(0) }, 'UAM_ARGUMENT', /offsets/);
  refuses({ offsets: [0, 5] }, 'UAM_DTYPE', /offsets/);
  refuses({ offsets: Tensor.from([0, 5]) }, 'UAM_DTYPE', /offsets/);
  refuses({ delta: Tensor.zeros([5, 3]) }, 'UAM_SHAPE', /delta must be \[5, 4\]/);
  refuses({ A: Tensor.zeros([3, 3]) }, 'UAM_SHAPE', /A must be \[4, state\]/);
  refuses({ A: Tensor.zeros([4, 0]) }, 'UAM_SHAPE', /at least one state/);
  refuses({ B: Tensor.zeros([5, 3, 3]), C: Tensor.zeros([5, 3, 3]) }, 'UAM_SHAPE', /groups must be a divisor of dim 4/);
  refuses({ C: Tensor.zeros([5, 2, 3]) }, 'UAM_SHAPE', /C must be \[5, 1, 3\]/);
  refuses({ h0: Tensor.zeros([2, 4, 3]) }, 'UAM_SHAPE', /h0 must be \[1, 4, 3\]/);
  refuses({ z: Tensor.zeros([4, 5]) }, 'UAM_SHAPE', /z/);
  refuses({ D: Tensor.zeros([5]) }, 'UAM_SHAPE', /D/);
  refuses({ u: Tensor.zeros([5]) }, 'UAM_SHAPE', /u must be \[tokens, dim\]/);
  refuses({ u: Tensor.zeros([5, 4], 'float64') }, 'UAM_DTYPE', /all/);
  refuses({ gate: Tensor.zeros([1]) }, 'UAM_ARGUMENT', /unknown option 'gate'/);
  t.throws(() => selectiveScan(good(), { softplus: true } as SelectiveScanOptions), { code: 'UAM_ARGUMENT' });
});

t.test('the kernel refuses checkpoints that do not fit the offsets', { skip: !nativeRuntime() }, async (t) => {
  const { kernelTable } = await import('../../src/native/device.js');
  const kernel = kernelTable('cpu')?.selective_scan_fwd as (params: object) => void;
  const f = (n: number) => new Float32Array(n);
  const params = {
    tokens: 65,
    dim: 2,
    state: 1,
    groups: 1,
    chunks: 2,
    offsets: Int32Array.of(0, 65),
    u: f(130),
    delta: f(130),
    A: f(2),
    B: f(65),
    C: f(65),
    out: f(130),
  };
  kernel({ ...params, checkpoints: f(4) });
  t.throws(() => kernel({ ...params, chunks: 1, checkpoints: f(2) }), { code: 'UAM_SHAPE', message: /chunks must be 2/ });
  t.throws(() => kernel({ ...params, groups: 0, B: f(0), C: f(0) }), { code: 'UAM_SHAPE', message: /groups must divide dim 2/ });
});
