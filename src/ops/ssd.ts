import { mismatch } from '../errors.js';
import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { recordAll } from '../tensor/autograd.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, gradientOf, optionalFloats, requireOptions, requireSameDtype, requireShape, requireTensor } from './check.js';
import { forSequences, offsetsOf, type SequenceOffsets } from './sequences.js';

interface SsdInputs {
  tokens: number;
  heads: number;
  headDim: number;
  groups: number;
  state: number;
  dtSoftplus: boolean;
  reverse: boolean;
  offsets: Int32Array;
  x: FloatArray;
  dt: FloatArray;
  A: FloatArray;
  B: FloatArray;
  C: FloatArray;
  dtBias?: FloatArray | undefined;
  D?: FloatArray | undefined;
  z?: FloatArray | undefined;
  h0?: FloatArray | undefined;
}

interface SsdFwdParams extends SsdInputs {
  out: FloatArray;
  lastState: FloatArray;
}

interface SsdBwdParams extends SsdInputs {
  dOut: FloatArray;
  dLastState?: FloatArray | undefined;
  dX?: FloatArray | undefined;
  dZ?: FloatArray | undefined;
  dDt?: FloatArray | undefined;
  dB?: FloatArray | undefined;
  dC?: FloatArray | undefined;
  dA?: FloatArray | undefined;
  dD?: FloatArray | undefined;
  dDtBias?: FloatArray | undefined;
  dH0?: FloatArray | undefined;
}

const logistic = (x: number) => 1 / (1 + Math.exp(-x));
const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

/** One channel (a head's element of headDim) of one sequence: indices and values by position. */
interface Channel {
  head: number;
  length: number;
  token(i: number): number;
  /** In [tokens, heads, headDim]. */
  inner(i: number): number;
  /** In [tokens, groups, state], n = 0. */
  outer(i: number): number;
  /** In [sequences, heads, headDim, state], n = 0. */
  states: number;
  /** dt + dtBias at a position, and the step that comes of it. */
  rawStep(i: number): number;
  step(i: number): number;
}

function forChannels(p: SsdInputs, visit: (channel: Channel) => void): void {
  const { heads, headDim, groups, state, dtSoftplus, dt, dtBias } = p;
  forSequences(p.offsets, p.reverse, (s, token, length) => {
    for (let head = 0; head < heads; head++) {
      const group = Math.floor(head / (heads / groups));
      const rawStep = (i: number) => (dt[token(i) * heads + head] as number) + (dtBias?.[head] ?? 0);
      for (let q = 0; q < headDim; q++) {
        visit({
          head,
          length,
          token,
          inner: (i) => (token(i) * heads + head) * headDim + q,
          outer: (i) => (token(i) * groups + group) * state,
          states: ((s * heads + head) * headDim + q) * state,
          rawStep,
          step: (i) => (dtSoftplus ? softplus(rawStep(i)) : rawStep(i)),
        });
      }
    }
  });
}

/** The states of a channel, [length + 1, state]: before the first position and after every one. */
function statesOf(p: SsdInputs, channel: Channel): Float64Array {
  const { state, x, B, A } = p;
  const h = new Float64Array((channel.length + 1) * state);
  for (let n = 0; n < state; n++) h[n] = p.h0?.[channel.states + n] ?? 0;
  for (let i = 0; i < channel.length; i++) {
    const step = channel.step(i);
    const decay = Math.exp(step * (A[channel.head] as number));
    const input = step * (x[channel.inner(i)] as number);
    for (let n = 0; n < state; n++)
      h[(i + 1) * state + n] = decay * (h[i * state + n] as number) + input * (B[channel.outer(i) + n] as number);
  }
  return h;
}

/** y = sum_n C H + D x at a position. */
function yOf(p: SsdInputs, channel: Channel, h: Float64Array, i: number): number {
  let y = 0;
  for (let n = 0; n < p.state; n++) y += (p.C[channel.outer(i) + n] as number) * (h[(i + 1) * p.state + n] as number);
  return p.D ? y + (p.D[channel.head] as number) * (p.x[channel.inner(i)] as number) : y;
}

const ssdFwd = kernel<SsdFwdParams>('ssd_fwd', ({ out, lastState, ...p }) => {
  forChannels(p, (channel) => {
    const h = statesOf(p, channel);
    for (let i = 0; i < channel.length; i++) {
      const at = channel.inner(i);
      const z = p.z?.[at];
      out[at] = yOf(p, channel, h, i) * (z === undefined ? 1 : z / (1 + Math.exp(-z)));
    }
    lastState.set(h.subarray(channel.length * p.state), channel.states);
  });
});

const ssdBwd = kernel<SsdBwdParams>('ssd_bwd', (p) => {
  const { tokens, heads, groups, state, x, A, B, C, D, z, dOut } = p;
  const sums = {
    dB: new Float64Array(tokens * groups * state),
    dC: new Float64Array(tokens * groups * state),
    dDt: new Float64Array(tokens * heads),
    dA: new Float64Array(heads),
    dD: new Float64Array(heads),
    dDtBias: new Float64Array(heads),
  };
  forChannels(p, (channel) => {
    const { head } = channel;
    const h = statesOf(p, channel);
    const g = new Float64Array(state); // decay[i + 1] G[i + 1]
    for (let n = 0; n < state; n++) g[n] = p.dLastState?.[channel.states + n] ?? 0;
    for (let i = channel.length - 1; i >= 0; i--) {
      const at = channel.inner(i);
      const outer = channel.outer(i);
      const step = channel.step(i);
      const decay = Math.exp(step * (A[head] as number));
      const gate = z?.[at] as number;
      const e = (dOut[at] as number) * (z ? gate / (1 + Math.exp(-gate)) : 1);
      if (p.dZ && z) p.dZ[at] = (dOut[at] as number) * yOf(p, channel, h, i) * (logistic(gate) * (1 + gate * logistic(-gate)));
      let dInput = 0;
      let dDecay = 0;
      for (let n = 0; n < state; n++) {
        const gradient = (g[n] as number) + (C[outer + n] as number) * e;
        (sums.dC[outer + n] as number) += e * (h[(i + 1) * state + n] as number);
        (sums.dB[outer + n] as number) += gradient * step * (x[at] as number);
        dInput += gradient * (B[outer + n] as number);
        dDecay += gradient * (h[i * state + n] as number);
        g[n] = gradient * decay;
      }
      if (p.dX) p.dX[at] = step * dInput + (D ? (D[head] as number) * e : 0);
      const dStep = (x[at] as number) * dInput + dDecay * decay * (A[head] as number);
      const dRaw = p.dtSoftplus ? dStep * logistic(channel.rawStep(i)) : dStep;
      (sums.dDt[channel.token(i) * heads + head] as number) += dRaw;
      (sums.dDtBias[head] as number) += dRaw;
      (sums.dA[head] as number) += dDecay * decay * step;
      (sums.dD[head] as number) += e * (x[at] as number);
    }
    p.dH0?.set(g, channel.states);
  });
  for (const [name, values] of Object.entries(sums)) p[name as keyof typeof sums]?.set(values);
});

export interface SsdOptions {
  /** [heads], added to dt. Default zeros. */
  dtBias?: Tensor | undefined;
  /** [heads]: adds D x to the result. Default zeros. */
  D?: Tensor | undefined;
  /** Of x's shape: the result is multiplied by silu(z). */
  z?: Tensor | undefined;
  /** [sequences, heads, headDim, state]: the states to start from. Default zeros. */
  h0?: Tensor | undefined;
  /** Steps are softplus(dt + dtBias). Default false: dt + dtBias itself. */
  dtSoftplus?: boolean;
  /** Scans every sequence from its last token to its first. Default false. */
  reverse?: boolean;
  /** Where packed sequences begin and end, [sequences + 1] from 0 to tokens. Default one sequence. */
  offsets?: SequenceOffsets | undefined;
}

/**
 * State space duality, the scan of Mamba-2 (Dao & Gu 2024). Along each sequence, with steps d = dt + dtBias (or softplus of that),
 * every head h (in group h / (heads / groups)) keeps a state H [headDim, state]:
 * H[t] = exp(d[t] A) H[t-1] + d[t] x[t] B[t], out[t] = (C[t] H[t] + D x[t]) silu(z[t]).
 *
 * @param x [tokens, heads, headDim], packed sequences one after the other
 * @param dt [tokens, heads]
 * @param A [heads], usually negative
 * @param B [tokens, groups, state]; heads is a multiple of groups
 * @param C [tokens, groups, state]
 * @returns `out` [tokens, heads, headDim], and `lastState` [sequences, heads, headDim, state] after the last position of each
 *   sequence (its first token in reverse), both differentiable
 * @throws UamError `UAM_SHAPE`, `UAM_DTYPE`, `UAM_ARGUMENT` for offsets that do not fit and for unknown options
 * @example
 * const ones = (...shape: number[]) => Tensor.full(shape, 1);
 * const { out } = ssd(ones(3, 1, 1), ones(3, 1), Tensor.from([0]), ones(3, 1, 1), ones(3, 1, 1));
 * out.data;   // 1, 2, 3
 */
export function ssd(x: Tensor, dt: Tensor, A: Tensor, B: Tensor, C: Tensor, options: SsdOptions = {}): { out: Tensor; lastState: Tensor } {
  const op = 'ssd';
  requireShape(op, 'x', requireTensor(op, 'x', x), ['tokens', 'heads', 'headDim']);
  const [tokens, heads, headDim] = x.shape as [number, number, number];
  requireShape(op, 'dt', requireTensor(op, 'dt', dt), [tokens, heads]);
  requireShape(op, 'A', requireTensor(op, 'A', A), [heads]);
  requireShape(op, 'B', requireTensor(op, 'B', B), [tokens, 'groups', 'state']);
  const [, groups, state] = B.shape as [number, number, number];
  requireShape(op, 'C', requireTensor(op, 'C', C), [tokens, groups, state]);
  if (groups < 1 || heads % groups !== 0) throw mismatch('UAM_SHAPE', `${op}: groups`, `a divisor of the ${heads} heads`, String(groups));
  requireOptions(op, options, ['dtBias', 'D', 'z', 'h0', 'dtSoftplus', 'reverse', 'offsets']);
  const { dtBias, D, z, h0, dtSoftplus = false, reverse = false } = options;
  const offsets = offsetsOf(op, options.offsets, tokens);
  const stateShape = [offsets.length - 1, heads, headDim, state];
  if (dtBias) requireShape(op, 'dtBias', requireTensor(op, 'dtBias', dtBias), [heads]);
  if (D) requireShape(op, 'D', requireTensor(op, 'D', D), [heads]);
  if (z) requireShape(op, 'z', requireTensor(op, 'z', z), x.shape);
  if (h0) requireShape(op, 'h0', requireTensor(op, 'h0', h0), stateShape);
  const dtype = requireSameDtype(op, x, dt, A, B, C, dtBias, D, z, h0);
  const out = Tensor.empty(x.shape, dtype, x.device);
  const lastState = Tensor.empty(stateShape, dtype, x.device);
  const inputs = (): SsdInputs => ({
    ...{ tokens, heads, headDim, groups, state, dtSoftplus, reverse, offsets },
    ...{ x: floats(x), dt: floats(dt), A: floats(A), B: floats(B), C: floats(C) },
    ...{ dtBias: optionalFloats(dtBias), D: optionalFloats(D), z: optionalFloats(z), h0: optionalFloats(h0) },
  });
  ssdFwd({ ...inputs(), out: floats(out), lastState: floats(lastState) });
  recordAll(op, [x, dt, A, B, C, dtBias, D, z, h0], [out, lastState], ([dOut, dLastState], needs) => {
    const gradients = [x, dt, A, B, C, dtBias, D, z, h0].map((input, index) => gradientOf(input, needs[index]));
    const [dX, dDt, dA, dB, dC, dDtBias, dD, dZ, dH0] = gradients.map(optionalFloats);
    ssdBwd({
      ...inputs(),
      dOut: floats(dOut ?? Tensor.zeros(x.shape, dtype, x.device)),
      dLastState: optionalFloats(dLastState),
      ...{ dX, dDt, dA, dB, dC, dDtBias, dD, dZ, dH0 },
    });
    return gradients;
  });
  return { out, lastState };
}
