import { UamError } from '../errors.js';
import type { FloatArray } from '../tensor/arena.js';

/** Tokens between two kept states, as in native/kernels/selective_scan.h. */
export const SCAN_CHUNK = 64;

interface ScanParams {
  tokens: number;
  dim: number;
  state: number;
  groups: number;
  chunks: number;
  deltaSoftplus: boolean;
  reverse: boolean;
  constantB: boolean;
  constantC: boolean;
  offsets: Int32Array;
  u: FloatArray;
  delta: FloatArray;
  A: FloatArray;
  B: FloatArray;
  C: FloatArray;
  D?: FloatArray;
  z?: FloatArray;
  deltaBias?: FloatArray;
  h0?: FloatArray;
}

export interface SelectiveScanFwdParams extends ScanParams {
  out: FloatArray;
  lastState?: FloatArray;
  checkpoints?: FloatArray;
}

export interface SelectiveScanBwdParams extends ScanParams {
  checkpoints: FloatArray;
  dOut?: FloatArray;
  dLastState?: FloatArray;
  dU?: FloatArray;
  dDelta?: FloatArray;
  dA?: FloatArray;
  dB?: FloatArray;
  dC?: FloatArray;
  dD?: FloatArray;
  dZ?: FloatArray;
  dDeltaBias?: FloatArray;
  dH0?: FloatArray;
}

/** How many chunks the sequences have: the first axis of the checkpoints. */
export function scanChunks(offsets: Int32Array): number {
  let chunks = 0;
  for (let s = 0; s + 1 < offsets.length; s++) chunks += Math.ceil(((offsets[s + 1] as number) - (offsets[s] as number)) / SCAN_CHUNK);
  return chunks;
}

const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));

/** One channel of one sequence: where its numbers lie, step by step in scan order. */
interface Channel {
  sequence: number;
  channel: number;
  length: number;
  token(step: number): number;
  /** Index in u, delta, z and out. */
  at(step: number): number;
  /** dt before softplus. */
  input(step: number): number;
  dt(step: number): number;
  /** Index of the first state's B, and C. */
  B(step: number): number;
  C(step: number): number;
  firstChunk: number;
}

function eachChannel(p: ScanParams, visit: (channel: Channel) => void): void {
  if (p.groups < 1 || p.dim % p.groups !== 0) throw new UamError('UAM_SHAPE', `selective_scan: groups must divide dim ${p.dim}, received ${p.groups}`);
  let firstChunk = 0;
  for (let sequence = 0; sequence + 1 < p.offsets.length; sequence++) {
    const begin = p.offsets[sequence] as number;
    const end = p.offsets[sequence + 1] as number;
    for (let channel = 0; channel < p.dim; channel++) {
      const group = Math.floor(channel / (p.dim / p.groups));
      const token = (step: number) => (p.reverse ? end - 1 - step : begin + step);
      const at = (step: number) => token(step) * p.dim + channel;
      const input = (step: number) => (p.delta[at(step)] as number) + (p.deltaBias?.[channel] ?? 0);
      const row = (constant: boolean, step: number) => (constant ? channel : token(step) * p.groups + group) * p.state;
      visit({
        ...{ sequence, channel, firstChunk, length: end - begin, token, at, input },
        dt: (step) => (p.deltaSoftplus ? softplus(input(step)) : input(step)),
        B: (step) => row(p.constantB, step),
        C: (step) => row(p.constantC, step),
      });
    }
    firstChunk += Math.ceil((end - begin) / SCAN_CHUNK);
  }
}

/** h[-1], h[0], h[1], ...: [length + 1, state]. */
function states(p: ScanParams, { sequence, channel, length, at, dt, B }: Channel): Float64Array {
  const N = p.state;
  const h = new Float64Array((length + 1) * N);
  for (let n = 0; n < N; n++) h[n] = p.h0?.[(sequence * p.dim + channel) * N + n] ?? 0;
  for (let t = 0; t < length; t++) {
    const step = dt(t);
    const u = p.u[at(t)] as number;
    for (let n = 0; n < N; n++) {
      const a = Math.exp(step * (p.A[channel * N + n] as number));
      h[(t + 1) * N + n] = a * (h[t * N + n] as number) + step * (p.B[B(t) + n] as number) * u;
    }
  }
  return h;
}

/** y[t] = sum_n C[t] h[t] + D u[t] */
function output(p: ScanParams, { channel, at, C }: Channel, h: Float64Array, t: number): number {
  let y = p.D ? (p.D[channel] as number) * (p.u[at(t)] as number) : 0;
  for (let n = 0; n < p.state; n++) y += (p.C[C(t) + n] as number) * (h[(t + 1) * p.state + n] as number);
  return y;
}

/** The definition of selective_scan_fwd. */
export function selectiveScanFwdReference(p: SelectiveScanFwdParams): void {
  const N = p.state;
  eachChannel(p, (c) => {
    const h = states(p, c);
    for (let t = 0; t < c.length; t++) {
      const z = p.z?.[c.at(t)];
      p.out[c.at(t)] = output(p, c, h, t) * (z === undefined ? 1 : z * sigmoid(z));
    }
    for (let n = 0; n < N; n++) {
      if (p.lastState) p.lastState[(c.sequence * p.dim + c.channel) * N + n] = h[c.length * N + n] as number;
      for (let t = 0; p.checkpoints && t < c.length; t += SCAN_CHUNK) {
        p.checkpoints[((c.firstChunk + t / SCAN_CHUNK) * N + n) * p.dim + c.channel] = h[t * N + n] as number;
      }
    }
  });
}

/** The definition of selective_scan_bwd. It computes every state again from h0 and needs no checkpoints. */
export function selectiveScanBwdReference(p: SelectiveScanBwdParams): void {
  const N = p.state;
  // Sums over tokens or channels are kept in float64 until the end.
  const sums = (array: FloatArray | undefined) => new Float64Array(array?.length ?? 0);
  const [dA, dB, dC, dD, dDeltaBias] = [sums(p.dA), sums(p.dB), sums(p.dC), sums(p.dD), sums(p.dDeltaBias)];
  const add = (to: Float64Array, i: number, value: number) => {
    if (i < to.length) (to[i] as number) += value;
  };
  eachChannel(p, (c) => {
    const h = states(p, c);
    const first = (c.sequence * p.dim + c.channel) * N;
    const carry = Float64Array.from({ length: N }, (_, n) => p.dLastState?.[first + n] ?? 0); // a[t+1] g[t+1]
    for (let t = c.length - 1; t >= 0; t--) {
      const at = c.at(t);
      const u = p.u[at] as number;
      const dt = c.dt(t);
      const z = p.z?.[at];
      const dOut = p.dOut?.[at] ?? 0;
      const gy = z === undefined ? dOut : dOut * z * sigmoid(z);
      let gB = 0;
      let dStep = 0;
      for (let n = 0; n < N; n++) {
        const A = p.A[c.channel * N + n] as number;
        const g = (p.C[c.C(t) + n] as number) * gy + (carry[n] as number);
        carry[n] = Math.exp(dt * A) * g;
        const w = (carry[n] as number) * (h[t * N + n] as number);
        gB += g * (p.B[c.B(t) + n] as number);
        dStep += w * A;
        add(dA, c.channel * N + n, w * dt);
        add(dB, c.B(t) + n, g * dt * u);
        add(dC, c.C(t) + n, gy * (h[(t + 1) * N + n] as number));
      }
      const dDelta = (dStep + u * gB) * (p.deltaSoftplus ? sigmoid(c.input(t)) : 1);
      if (p.dU) p.dU[at] = dt * gB + (p.D ? (p.D[c.channel] as number) * gy : 0);
      if (p.dDelta) p.dDelta[at] = dDelta;
      if (p.dZ && z !== undefined) p.dZ[at] = dOut * output(p, c, h, t) * sigmoid(z) * (1 + z * sigmoid(-z));
      add(dD, c.channel, gy * u);
      add(dDeltaBias, c.channel, dDelta);
    }
    p.dH0?.set(carry, first);
  });
  p.dA?.set(dA);
  p.dB?.set(dB);
  p.dC?.set(dC);
  p.dD?.set(dD);
  p.dDeltaBias?.set(dDeltaBias);
}
