// Selective scan, attention and products of matrices at the sizes of the plan, on tensors that live on the card. Errors are those of a
// part of each result against the TypeScript definition in float64: a few channels of the scan, a few queries, a few rows.
import { attention, grad, matmul, noGrad, scope, selectiveScan, Tensor } from '../../src/index.js';
import { setMatmulPrecision } from '../../src/native/device.js';
import { LINEAR_LAYERS } from '../uam_b.js';
import { type CudaCase, callAgain, captured, firstOf, type Precision, type Ready, relativeError } from './case.js';

/** Uniform in [-1, 1), the same in every run; they repeat after a million, which nothing here can tell. */
function numbers(count: number, seed: number): Float32Array {
  const data = new Float32Array(count);
  const period = Math.min(count, 1_048_583);
  let state = seed >>> 0;
  for (let i = 0; i < period; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    data[i] = state / 2 ** 31 - 1;
  }
  for (let at = period; at < count; at += period) data.set(data.subarray(0, Math.min(period, count - at)), at);
  return data;
}

const double = (data: ArrayLike<number>, shape: number[]): Tensor => Tensor.from(Float64Array.from(data), shape);

/** A case of one kernel: called again and again with what `body` called it with. */
function again(kernel: string, body: () => unknown, error: (params: Record<string, unknown>) => number): Ready {
  const params = captured(kernel, body);
  return { run: () => callAgain({ kernel, params }), error: () => scope(() => error(params)) };
}

// ---- selective scan ----
interface Scan {
  batch: number;
  dim: number;
  tokens: number;
  state: number;
}
const CHANNELS = 4; // of the first sequence, that float64 is asked for

function scanInputs({ batch, dim, tokens, state }: Scan): Record<string, { data: Float32Array; shape: number[] }> {
  const A = Float32Array.from({ length: dim * state }, (_, i) => -(1 + (i % state))); // as Mamba starts
  const large = [batch, tokens, dim];
  const rows = [batch, tokens, 1, state];
  const of = (shape: number[], seed: number) => ({
    data: numbers(
      shape.reduce((a, b) => a * b, 1),
      seed,
    ),
    shape,
  });
  return {
    ...{ u: of(large, 1), delta: of(large, 2), A: { data: A, shape: [dim, state] }, B: of(rows, 3), C: of(rows, 4) },
    ...{ D: of([dim], 5), z: of(large, 6), deltaBias: of([dim], 7) },
  };
}

/** The first channels of the first sequence, in float64. */
function fewChannels(inputs: ReturnType<typeof scanInputs>, { tokens, dim, state }: Scan): Record<string, Tensor> {
  const few: Record<string, Tensor> = {};
  for (const [name, { data }] of Object.entries(inputs)) {
    if (name === 'u' || name === 'delta' || name === 'z') few[name] = double(channelsOf(data, tokens, dim), [1, tokens, CHANNELS]);
    else if (name === 'A') few[name] = double(data.subarray(0, CHANNELS * state), [CHANNELS, state]);
    else if (name === 'B' || name === 'C') few[name] = double(data.subarray(0, tokens * state), [1, tokens, 1, state]);
    else few[name] = double(data.subarray(0, CHANNELS), [CHANNELS]);
  }
  return few;
}

function channelsOf(data: Float32Array, tokens: number, dim: number): Float64Array {
  return Float64Array.from({ length: tokens * CHANNELS }, (_, i) => data[Math.floor(i / CHANNELS) * dim + (i % CHANNELS)] as number);
}

type ScanInputs = Parameters<typeof selectiveScan>[0];
const scanned = (inputs: Record<string, Tensor>): Tensor => selectiveScan(inputs as unknown as ScanInputs, { deltaSoftplus: true }).out;

function scanCases(scan: Scan): CudaCase[] {
  const { batch, dim, tokens, state } = scan;
  const steps = batch * tokens * dim;
  const shape = `B${batch} D${dim} L${tokens} N${state}`;
  const peer = { op: 'selective_scan', batch, dim, tokens, state, gated: true } as const;
  const plan = (at2048: number) => (at2048 * steps * state) / (8 * 1536 * 2048 * 16);
  const make = (direction: 'forward' | 'backward') => (): Ready => {
    const inputs = scanInputs(scan);
    const there = Object.fromEntries(Object.entries(inputs).map(([name, { data, shape }]) => [name, Tensor.from(data, shape, 'cuda')]));
    const count = tokens * dim; // of the first sequence
    if (direction === 'forward') {
      return again(
        'selective_scan_fwd',
        () => noGrad(() => scanned(there)),
        ({ out }) => relativeError(channelsOf(firstOf(out, count), tokens, dim), noGrad(() => scanned(fewChannels(inputs, scan))).data),
      );
    }
    const upstream = numbers(steps, 9);
    const wrt = Object.values(there).map((tensor) => tensor.requireGrad());
    const body = () => grad(scanned(there), wrt, { upstream: Tensor.from(upstream, [batch, tokens, dim], 'cuda') });
    return again('selective_scan_bwd', body, ({ dU, dDelta }) => {
      const few = fewChannels(inputs, scan);
      const [u, delta] = [few.u as Tensor, few.delta as Tensor].map((tensor) => tensor.requireGrad()) as [Tensor, Tensor];
      const dOut = double(channelsOf(upstream, tokens, dim), [1, tokens, CHANNELS]);
      const expected = grad(scanned(few), [u, delta], { upstream: dOut });
      const actual = [dU, dDelta].map((array) => channelsOf(firstOf(array, count), tokens, dim));
      return Math.max(...expected.map((want, i) => relativeError(actual[i] as Float64Array, want.data)));
    });
  };
  return [
    {
      ...{ kernel: 'selective scan forward', shape, planned: plan(180), peer, setup: make('forward') },
      work: { exps: steps * (state + 2), flops: 8 * steps * state, bytes: 16 * steps },
      rate: { count: steps * state, unit: 'states' },
    },
    {
      ...{
        kernel: 'selective scan backward',
        shape,
        planned: plan(500),
        peer: { ...peer, direction: 'backward' },
        setup: make('backward'),
      },
      work: { exps: steps * (state + 2), flops: 22 * steps * state, bytes: 28 * steps },
      rate: { count: steps * state, unit: 'states' },
    },
  ];
}

// ---- attention ----
interface Attend {
  lengths: readonly number[];
  heads: number;
  dim: number;
  precision: Precision;
}
const QUERIES = 4; // of the first sequence, that float64 is asked for

function attentionCases({ lengths, heads, dim, precision }: Attend): CudaCase[] {
  const tokens = lengths.reduce((a, b) => a + b, 0);
  const pairs = heads * lengths.reduce((sum, length) => sum + length * length, 0);
  const equal = lengths.every((length) => length === lengths[0]);
  const [first = 0] = lengths;
  const shape = equal ? `B${lengths.length} L${first} H${heads} d${dim}` : `${lengths.length} tiles, ${tokens} tokens, H${heads} d${dim}`;
  const bytes = 4 * tokens * heads * dim;
  const make = (direction: 'forward' | 'backward') => (): Ready => {
    setMatmulPrecision(precision);
    const offsetsQ = Int32Array.from([0, ...lengths]);
    for (let s = 1; s < offsetsQ.length; s++) (offsetsQ[s] as number) += offsetsQ[s - 1] as number;
    const size = [tokens, heads, dim];
    const host = [1, 2, 3, 4].map((seed) => numbers(tokens * heads * dim, seed));
    const [q, k, v, upstream] = host.map((data) => Tensor.from(data, size, 'cuda')) as [Tensor, Tensor, Tensor, Tensor];
    /** The first queries against all keys of their sequence, in float64; queries are not packed alone, so keys are theirs. */
    const few = () => {
      const part = (data: Float32Array, rows: number) => double(data.subarray(0, rows * heads * dim), [1, rows, heads, dim]);
      const [query, dOut] = [part(host[0] as Float32Array, QUERIES), part(host[3] as Float32Array, QUERIES)];
      const y = () => attention(query, part(host[1] as Float32Array, first), part(host[2] as Float32Array, first)).out;
      return { query, dOut, y };
    };
    const count = QUERIES * heads * dim;
    if (direction === 'forward') {
      return again(
        'attention_fwd',
        () => noGrad(() => attention(q, k, v, { offsetsQ })),
        ({ out }) => relativeError(firstOf(out, count), noGrad(few().y).data),
      );
    }
    const wrt = [q, k, v].map((tensor) => tensor.requireGrad());
    return again(
      'attention_bwd',
      () => grad(attention(q, k, v, { offsetsQ }).out, wrt, { upstream }),
      ({ dQ }) => {
        const { query, dOut, y } = few();
        query.requireGrad();
        return relativeError(firstOf(dQ, count), (grad(y(), [query], { upstream: dOut })[0] as Tensor).data);
      },
    );
  };
  const peer = { op: 'attention', batch: lengths.length, heads, queries: first, keys: first, headDim: dim, precision } as const;
  const planned = (teraflops: number, flops: number) => (precision === 'bf16' && dim === 64 ? { planned: flops / teraflops / 1e6 } : {});
  return [
    {
      ...{ kernel: 'attention forward', shape, precision, ...planned(280, 4 * pairs * dim), setup: make('forward') },
      work: { matrix: 4 * pairs * dim, exps: pairs, bytes: 4 * bytes },
      rate: { count: 4 * pairs * dim, unit: 'FLOP' },
      ...(equal && { peer }),
    },
    {
      ...{ kernel: 'attention backward', shape, precision, ...planned(200, 10 * pairs * dim), setup: make('backward') },
      work: { matrix: 10 * pairs * dim, exps: pairs, bytes: 8 * bytes },
      rate: { count: 10 * pairs * dim, unit: 'FLOP' },
      ...(equal && { peer: { ...peer, direction: 'backward' as const } }),
    },
  ];
}

// ---- products of matrices ----
const ROWS = 4; // that float64 is asked for

export function productCase(name: string, m: number, k: number, n: number, precision: Precision): CudaCase {
  return {
    ...{ kernel: 'gemm', shape: `${name} ${m} x ${k} x ${n}`, precision },
    work: { matrix: 2 * m * k * n, bytes: 4 * (m * k + k * n + m * n) },
    rate: { count: 2 * m * k * n, unit: 'FLOP' },
    peer: { op: 'matmul', m, k, n, precision },
    setup: () => {
      setMatmulPrecision(precision);
      const [a, b] = [numbers(m * k, 1), numbers(k * n, 2)];
      const [there, weight] = [Tensor.from(a, [m, k], 'cuda'), Tensor.from(b, [k, n], 'cuda')];
      return again(
        'gemm',
        () => noGrad(() => matmul(there, weight)),
        ({ c }) => {
          const rows = Math.min(ROWS, m);
          const expected = noGrad(() => matmul(double(a.subarray(0, rows * k), [rows, k]), double(b, [k, n])));
          return relativeError(firstOf(c, rows * n), expected.data);
        },
      );
    },
  };
}

const lengthsOf = (batch: number, length: number): number[] => new Array<number>(batch).fill(length);

/** Tiles of cells: from 200 to 1,024 tokens each. */
const tiles = Array.from({ length: 64 }, (_, i) => 200 + ((i * 389) % 825));

/** Every case of the plan; `tiny`: the same at sizes for the emulation. */
export function kernelCases(tiny: boolean): CudaCase[] {
  if (tiny) {
    return [
      ...scanCases({ batch: 2, dim: 8, tokens: 70, state: 16 }),
      ...(['float32', 'bf16'] as const).flatMap((precision) => [
        ...attentionCases({ lengths: [33, 33], heads: 2, dim: 32, precision }),
        ...attentionCases({ lengths: [9, 40, 17], heads: 1, dim: 64, precision }),
      ]),
      ...(['float32', 'tf32', 'bf16'] as const).map((precision) => productCase('tiny', 33, 40, 24, precision)),
    ];
  }
  // 16,384 tokens of width 2,048 in all, as the published figures of attention have it; products in float32 are ten times slower.
  const attended = (precision: Precision, lengths: readonly number[]) =>
    [32, 64, 128].flatMap((dim) =>
      lengths.flatMap((length) => attentionCases({ lengths: lengthsOf(16_384 / length, length), heads: 2048 / dim, dim, precision })),
    );
  return [
    ...[2048, 4096, 8192, 16_384].flatMap((tokens) => scanCases({ batch: 8, dim: 1536, tokens, state: 16 })),
    ...attended('bf16', [512, 2048, 8192, 16_384]),
    ...attended('float32', [512, 2048]),
    ...(['bf16', 'float32'] as const).flatMap((precision) => attentionCases({ lengths: tiles, heads: 8, dim: 64, precision })),
    ...(['bf16', 'tf32', 'float32'] as const).flatMap((precision) =>
      LINEAR_LAYERS.map(({ name, rows, inputs, outputs }) => productCase(name, rows, inputs, outputs, precision)),
    ),
  ];
}
