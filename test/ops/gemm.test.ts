import t from 'tap';
import { type MatmulPrecision, setMatmulPrecision } from '../../src/native/device.js';
import { type GemmParams, gemm } from '../../src/ops/gemm.js';
import { onBackend, testBackends } from '../support/backends.js';
import { relativeError, sameBits } from '../support/near.js';
import { randomTensor } from '../support/random.js';

interface Product {
  m: number;
  n: number;
  k: number;
  transposeA?: boolean;
  transposeB?: boolean;
  accumulate?: boolean;
  bias?: boolean;
  activation?: number;
  batch?: number;
  aBatch?: number;
  bBatch?: number;
}

const natives = testBackends().filter(({ backend }) => backend !== 'reference');
const cuda = natives.find(({ backend }) => backend === 'cuda');
const random = (size: number, seed: number) => randomTensor([size], seed).data as Float32Array;
/** A copy that starts one element into its buffer. */
const misaligned = (data: Float32Array) => {
  const view = new Float32Array(data.length + 1).subarray(1);
  view.set(data);
  return view;
};

function paramsOf({ m, n, k, bias, ...rest }: Product): GemmParams {
  const { batch = 1, aBatch = batch, bBatch = batch } = rest;
  const c = rest.accumulate ? random(batch * m * n, 4) : new Float32Array(batch * m * n).fill(Number.NaN);
  const params: GemmParams = {
    activation: 0,
    ...rest,
    batch,
    aBatch,
    bBatch,
    m,
    n,
    k,
    a: random(aBatch * m * k, 1),
    b: random(bBatch * k * n, 2),
    c,
  };
  if (bias) params.bias = random(n, 3);
  if (params.activation) params.preActivation = new Float32Array(batch * m * n).fill(Number.NaN);
  return params;
}

/** The largest error of every instruction set against the definition in float64, and that threads and alignment change no bit. */
function errorOf(product: Product): number {
  const params = paramsOf(product);
  const expected = { ...params, c: Float64Array.from(params.c), preActivation: params.preActivation && Float64Array.from(params.c) };
  gemm.reference(expected as GemmParams);
  const run = (threads: number, backend: (typeof natives)[number], arrays: (data: Float32Array) => Float32Array) => {
    const copy = {
      ...params,
      a: arrays(params.a as Float32Array),
      b: arrays(params.b as Float32Array),
      c: arrays(params.c as Float32Array),
    };
    if (params.preActivation) copy.preActivation = params.preActivation.slice();
    onBackend(backend, threads, () => gemm(copy));
    return copy;
  };
  // Random sums may cancel, so errors are measured against the size that sums of k such products have.
  const scale = Math.sqrt(product.k + 1) / 2;
  let worst = 0;
  for (const backend of natives) {
    const first = run(1, backend, (data) => data.slice());
    worst = Math.max(worst, relativeError(first.c, expected.c, scale));
    if (expected.preActivation) worst = Math.max(worst, relativeError(first.preActivation ?? [], expected.preActivation, scale));
    for (const threads of [2, 4]) {
      if (!sameBits(first.c as Float32Array, run(threads, backend, misaligned).c as Float32Array)) return Number.POSITIVE_INFINITY;
    }
  }
  return worst;
}

const transposes = [0, 1, 2, 3].map((bits) => ({ transposeA: (bits & 1) === 1, transposeB: (bits & 2) === 2 }));
const name = (product: Product) => JSON.stringify(product);

t.test('every height and width of a tile, and one more', async (t) => {
  const failures: string[] = [];
  let turn = 0;
  for (let m = 1; m <= 29; m++) {
    for (const n of [1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 23, 24, 25, 31, 32, 33, 40, 48, 63, 64, 65]) {
      for (const k of [0, 1, 4, 5, 19]) {
        const product: Product = { m, n, k, ...transposes[turn % 4], bias: turn % 3 === 0, accumulate: turn % 3 === 1 };
        if (!(errorOf(product) < 2e-6)) failures.push(name(product));
        turn++;
      }
    }
  }
  t.same(failures, []);
});

t.test('past every block: rows, columns, chunks and parts of k', async (t) => {
  for (const orientation of transposes) {
    for (const [m, n, k] of [
      [130, 100, 33],
      [29, 260, 400],
      [3, 70, 900],
      [5, 40, 9000],
      [70, 9, 4100],
      [230, 64, 390],
      [1, 300, 1025],
      [300, 1, 700],
      [4, 4130, 20],
    ] as const) {
      for (const accumulate of [false, true]) {
        const product: Product = { m, n, k, ...orientation, accumulate, bias: !accumulate };
        const error = errorOf(product);
        t.ok(error < 4e-6, `${name(product)}: ${error}`);
      }
    }
  }
});

t.test('the largest tiles of a card: many of them, and cut along k', async (t) => {
  for (const orientation of transposes.slice(1, 3)) {
    const error = errorOf({ m: 68, n: 72, k: 20, batch: 96, bBatch: 1, bias: true, ...orientation });
    t.ok(error < 2e-6, `${name(orientation as Product)}: ${error}`);
  }
  const error = errorOf({ m: 132, n: 68, k: 12300, transposeA: true, accumulate: true });
  t.ok(error < 4e-6, `${error}`);
});

/** The nearest number of `bits` bits behind the first one: 7 for bf16, 10 for tf32. */
function rounded(data: Float32Array, bits: number): Float32Array {
  const words = new Uint32Array(data.slice().buffer);
  const unit = 2 ** (23 - bits);
  return new Float32Array(words.map((word) => Math.round(word / unit) * unit).buffer);
}

t.test('tensor cores: exact on factors that they hold, near on others', { skip: cuda ? false : 'no card' }, async (t) => {
  const shapes: Product[] = [
    { m: 29, n: 31, k: 40 },
    { m: 20, n: 100, k: 70 },
    { m: 100, n: 9, k: 71 },
    { m: 70, n: 70, k: 33 },
    { m: 40, n: 40, k: 1100 },
    { m: 68, n: 72, k: 20, batch: 96, bBatch: 1 },
    { m: 5, n: 6, k: 0 },
  ];
  const run = (precision: MatmulPrecision, params: GemmParams) => {
    const expected = { ...params, c: new Float64Array(params.c.length) };
    gemm.reference(expected);
    onBackend(cuda as (typeof natives)[number], 1, () => {
      setMatmulPrecision(precision);
      try {
        gemm(params);
      } finally {
        setMatmulPrecision('float32');
      }
    });
    return relativeError(params.c, expected.c, Math.sqrt(params.k + 1) / 2);
  };
  for (const [precision, bits, tolerance] of [
    ['tf32', 10, 1e-3],
    ['bf16', 7, 8e-3],
  ] as const) {
    for (const shape of shapes) {
      // every orientation of factors for the first shapes, one for those that take long to emulate
      for (const orientation of shape.m < 40 ? transposes : transposes.slice(shape.m % 3, (shape.m % 3) + 1)) {
        const params = paramsOf({ ...shape, ...orientation, bias: true });
        const error = run(precision, params);
        t.ok(error < tolerance && (error > 1e-5 || shape.k === 0), `${precision} ${name({ ...shape, ...orientation })}: ${error}`);
        const held = { ...params, a: rounded(params.a as Float32Array, bits), b: rounded(params.b as Float32Array, bits) };
        const exact = run(precision, held);
        t.ok(exact < 4e-6, `${precision} ${name({ ...shape, ...orientation })}, rounded before: ${exact}`);
      }
    }
  }
});

t.test('a row distance of a power of two', async (t) => {
  const error = errorOf({ m: 33, n: 160, k: 1024 });
  t.ok(error < 2e-6, `${error}`);
});

t.test('activations, with what they were applied to', async (t) => {
  for (let activation = 1; activation <= 6; activation++) {
    for (const [m, n, k] of [
      [37, 41, 10],
      [2, 9, 500],
      [40, 6, 4100],
    ] as const) {
      const error = errorOf({ m, n, k, activation, bias: true, transposeB: m === 2, transposeA: k > 4000 });
      t.ok(error < 3e-6, `activation ${activation}, ${m} x ${n} x ${k}: ${error}`);
    }
  }
});

t.test('batches, with one matrix for all of them', async (t) => {
  for (const orientation of transposes) {
    for (const [aBatch, bBatch] of [
      [5, 5],
      [1, 5],
      [5, 1],
    ] as const) {
      const error = errorOf({ m: 7, n: 19, k: 6, batch: 5, aBatch, bBatch, bias: true, ...orientation });
      t.ok(error < 2e-6, `${aBatch} and ${bBatch}: ${error}`);
    }
  }
  t.throws(() => gemm(paramsOf({ m: 1, n: 1, k: 1, batch: 3, aBatch: 2 })), {
    code: 'UAM_SHAPE',
    message: /aBatch and bBatch must be 1 or batch/,
  });
  t.throws(() => gemm({ ...paramsOf({ m: 2, n: 2, k: 2, bias: true }), accumulate: true }), { code: 'UAM_ARGUMENT' });
});

t.test('NaN and infinity stay in their rows and columns', async (t) => {
  for (const backend of natives) {
    for (const orientation of transposes) {
      const params = paramsOf({ m: 20, n: 37, k: 9, ...orientation });
      const at = (row: number, k: number) => (orientation.transposeA ? k * 20 + row : row * 9 + k);
      params.a[at(3, 2)] = Number.NaN;
      params.a[at(15, 8)] = Infinity;
      const expected = { ...params, c: new Float64Array(20 * 37) };
      gemm.reference(expected);
      onBackend(backend, 2, () => gemm(params));
      t.ok(relativeError(params.c, expected.c) < 2e-6, `${backend.name} ${name({ m: 20, n: 37, k: 9, ...orientation })}`);
    }
  }
});

t.test('empty products', async (t) => {
  for (const [m, n, k] of [
    [0, 3, 2],
    [3, 0, 2],
    [0, 0, 0],
    [3, 4, 0],
  ] as const) {
    t.equal(errorOf({ m, n, k, bias: true }), 0, `${m} x ${n} x ${k}`);
    t.equal(errorOf({ m, n, k, batch: 0 }), 0);
  }
});
