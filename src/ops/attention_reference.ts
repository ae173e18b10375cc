// Attention as it is defined, one query and head at a time: what the kernels are compared with.
import { UamError } from '../errors.js';
import type { FloatArray } from '../tensor/arena.js';

/** `AttentionProblem` of native/kernels/attention.h. */
export interface AttentionProblem {
  tokensQ: number;
  tokensK: number;
  heads: number;
  headsKv: number;
  dim: number;
  dimV: number;
  biasBatch: number;
  biasHeads: number;
  lengthQ: number;
  lengthK: number;
  scale: number;
  causal: boolean;
  offsetsQ: Int32Array;
  offsetsK: Int32Array;
  q: FloatArray;
  k: FloatArray;
  v: FloatArray;
  kLens?: Int32Array | undefined;
  keyMask?: Uint8Array | undefined;
  bias?: FloatArray | undefined;
}

export interface AttentionFwdParams extends AttentionProblem {
  out: FloatArray;
  lse: FloatArray;
}

export interface AttentionBwdParams extends AttentionProblem {
  out: FloatArray;
  dOut: FloatArray;
  lse: FloatArray;
  dQ?: FloatArray | undefined;
  dK?: FloatArray | undefined;
  dV?: FloatArray | undefined;
  dBias?: FloatArray | undefined;
}

/** One query and head: where its parts start, and the scores of the keys that it sees. */
interface Row {
  query: number; // start of its row in q
  out: number; // start of its row in out
  lse: number;
  keys: number[]; // starts of rows in k
  values: number[]; // starts of rows in v
  biases: number[]; // places in bias
  scores: number[];
}

/** <a, b> of `n` elements from i and j on. */
export function dot(a: FloatArray, i: number, b: FloatArray, j: number, n: number): number {
  let total = 0;
  for (let c = 0; c < n; c++) total += (a[i + c] as number) * (b[j + c] as number);
  return total;
}

/** to += factor * from, likewise. */
export function addScaled(to: FloatArray, i: number, factor: number, from: FloatArray, j: number, n: number): void {
  for (let c = 0; c < n; c++) (to[i + c] as number) += factor * (from[j + c] as number);
}

function checkLengths({ kLens, offsetsK }: AttentionProblem): void {
  kLens?.forEach((length, s) => {
    const keys = (offsetsK[s + 1] as number) - (offsetsK[s] as number);
    if (length < 0 || length > keys)
      throw new UamError('UAM_ARGUMENT', `attention: kLens[${s}] must lie in 0..${keys}, received ${length}`);
  });
}

function forEachRow(p: AttentionProblem, visit: (row: Row) => void): void {
  checkLengths(p);
  const group = p.heads / p.headsKv;
  for (let s = 0; s + 1 < p.offsetsQ.length; s++) {
    const firstQ = p.offsetsQ[s] as number;
    const firstK = p.offsetsK[s] as number;
    const lengthQ = (p.offsetsQ[s + 1] as number) - firstQ;
    const lengthK = (p.offsetsK[s + 1] as number) - firstK;
    for (let head = 0; head < p.heads; head++) {
      const biasStart = ((p.biasBatch === 1 ? 0 : s) * p.biasHeads + (p.biasHeads === 1 ? 0 : head)) * lengthQ * lengthK;
      for (let i = 0; i < lengthQ; i++) {
        const at = (firstQ + i) * p.heads + head;
        const row: Row = {
          query: at * p.dim,
          out: at * p.dimV,
          lse: head * p.tokensQ + firstQ + i,
          keys: [],
          values: [],
          biases: [],
          scores: [],
        };
        for (let j = 0; j < Math.min(lengthK, p.kLens?.[s] ?? lengthK); j++) {
          if (p.causal && j > i + lengthK - lengthQ) break;
          if (p.keyMask?.[firstK + j] === 0) continue;
          const key = (firstK + j) * p.headsKv + Math.floor(head / group);
          const place = biasStart + i * lengthK + j;
          row.keys.push(key * p.dim);
          row.values.push(key * p.dimV);
          row.biases.push(place);
          row.scores.push(p.scale * dot(p.q, row.query, p.k, key * p.dim, p.dim) + (p.bias?.[place] ?? 0));
        }
        visit(row);
      }
    }
  }
}

export function attentionFwdReference(p: AttentionFwdParams): void {
  p.out.fill(0);
  forEachRow(p, ({ out, lse, values, scores }) => {
    const highest = scores.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const shift = Math.abs(highest) === Number.POSITIVE_INFINITY ? 0 : highest;
    const weights = scores.map((score) => Math.exp(score - shift));
    const total = weights.reduce((a, b) => a + b, 0);
    p.lse[lse] = shift + Math.log(total); // -Infinity where nothing is seen
    if (total === 0) return;
    const sum = new Float64Array(p.dimV);
    values.forEach((value, j) => {
      addScaled(sum, 0, (weights[j] as number) / total, p.v, value, p.dimV);
    });
    p.out.set(sum, out);
  });
}

export function attentionBwdReference(p: AttentionBwdParams): void {
  for (const gradient of [p.dQ, p.dK, p.dV, p.dBias]) gradient?.fill(0);
  forEachRow(p, (row) => {
    const lse = p.lse[row.lse] as number;
    if (lse === Number.NEGATIVE_INFINITY) return;
    const delta = dot(p.dOut, row.out, p.out, row.out, p.dimV);
    row.scores.forEach((score, j) => {
      const [key, value] = [row.keys[j] as number, row.values[j] as number];
      const probability = Math.exp(score - lse);
      const dScore = probability * (dot(p.dOut, row.out, p.v, value, p.dimV) - delta);
      if (p.dQ) addScaled(p.dQ, row.query, p.scale * dScore, p.k, key, p.dim);
      if (p.dK) addScaled(p.dK, key, p.scale * dScore, p.q, row.query, p.dim);
      if (p.dV) addScaled(p.dV, value, probability, p.dOut, row.out, p.dimV);
      if (p.dBias) (p.dBias[row.biases[j] as number] as number) += dScore;
    });
  });
}
