import { mismatch, UamError } from '../errors.js';
import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { record } from '../tensor/autograd.js';
import { Tensor } from '../tensor/tensor.js';
import type { AttentionResult } from './attention.js';
import { addScaled, dot } from './attention_reference.js';
import { floats, gradientOf, optionalFloats, requireOptions, requireSameDtype, requireShape, requireTensor } from './check.js';
import { offsetsOf, type SequenceOffsets } from './sequences.js';

interface NeighborProblem {
  tokensQ: number;
  tokensK: number;
  edges: number;
  heads: number;
  headsKv: number;
  dim: number;
  dimV: number;
  scale: number;
  offsets: Int32Array;
  indices: Int32Array;
  q: FloatArray;
  k: FloatArray;
  v: FloatArray;
  bias?: FloatArray | undefined;
  distances?: FloatArray | undefined;
  slopes?: FloatArray | undefined;
}

interface NeighborAttentionFwdParams extends NeighborProblem {
  out: FloatArray;
  lse: FloatArray;
}

interface NeighborAttentionBwdParams extends NeighborAttentionFwdParams {
  dOut: FloatArray;
  dQ?: FloatArray | undefined;
  dK?: FloatArray | undefined;
  dV?: FloatArray | undefined;
  dBias?: FloatArray | undefined;
  dSlopes?: FloatArray | undefined;
}

/** One edge of one query and head: its number, its score, and where its key, its value and its bias begin. */
interface Edge {
  edge: number;
  score: number;
  key: number;
  value: number;
  bias: number;
}

/** Visits every query and head: where its rows begin in q, in out and in lse, and its edges. */
function forEachList(p: NeighborProblem, visit: (query: number, out: number, lse: number, edges: Edge[], head: number) => void): void {
  p.indices.forEach((j, e) => {
    if (j < 0 || j >= p.tokensK) {
      throw new UamError('UAM_ARGUMENT', `neighborAttention: indices[${e}] must be from 0 to ${p.tokensK - 1}, received ${j}`);
    }
  });
  for (let i = 0; i < p.tokensQ; i++) {
    for (let head = 0; head < p.heads; head++) {
      const at = i * p.heads + head;
      const edges: Edge[] = [];
      for (let e = p.offsets[i] as number; e < (p.offsets[i + 1] as number); e++) {
        const row = (p.indices[e] as number) * p.headsKv + Math.floor((head * p.headsKv) / p.heads);
        const bias = e * p.heads + head;
        const fade = p.slopes && p.distances ? (p.slopes[head] as number) * (p.distances[e] as number) : 0;
        const score = p.scale * dot(p.q, at * p.dim, p.k, row * p.dim, p.dim) + (p.bias?.[bias] ?? 0) + fade;
        edges.push({ edge: e, score, key: row * p.dim, value: row * p.dimV, bias });
      }
      visit(at * p.dim, at * p.dimV, head * p.tokensQ + i, edges, head);
    }
  }
}

const neighborAttentionFwd = kernel<NeighborAttentionFwdParams>('neighbor_attention_fwd', (p) => {
  p.out.fill(0);
  forEachList(p, (_, out, lse, edges) => {
    const highest = edges.reduce((most, { score }) => Math.max(most, score), Number.NEGATIVE_INFINITY);
    const shift = Math.abs(highest) === Number.POSITIVE_INFINITY ? 0 : highest;
    const total = edges.reduce((sum, { score }) => sum + Math.exp(score - shift), 0);
    p.lse[lse] = shift + Math.log(total); // -Infinity for an empty list
    if (total === 0) return;
    const sum = new Float64Array(p.dimV);
    for (const { score, value } of edges) addScaled(sum, 0, Math.exp(score - shift) / total, p.v, value, p.dimV);
    p.out.set(sum, out);
  });
});

const neighborAttentionBwd = kernel<NeighborAttentionBwdParams>('neighbor_attention_bwd', (p) => {
  for (const gradient of [p.dQ, p.dK, p.dV, p.dBias, p.dSlopes]) gradient?.fill(0);
  forEachList(p, (query, out, row, edges, head) => {
    const lse = p.lse[row] as number;
    if (lse === Number.NEGATIVE_INFINITY) return;
    const delta = dot(p.dOut, out, p.out, out, p.dimV);
    for (const { edge, score, key, value, bias } of edges) {
      const probability = Math.exp(score - lse);
      const dScore = probability * (dot(p.dOut, out, p.v, value, p.dimV) - delta);
      if (p.dQ) addScaled(p.dQ, query, p.scale * dScore, p.k, key, p.dim);
      if (p.dK) addScaled(p.dK, key, p.scale * dScore, p.q, query, p.dim);
      if (p.dV) addScaled(p.dV, value, probability, p.dOut, out, p.dimV);
      if (p.dBias) p.dBias[bias] = dScore;
      if (p.dSlopes) (p.dSlopes[head] as number) += dScore * (p.distances?.[edge] as number);
    }
  });
});

export interface NeighborAttentionOptions {
  /** Factor of the scores. Default 1 / sqrt(dim). */
  scale?: number;
  /** [edges, heads], added to the scores: what an edge says beside its ends, such as a distance. */
  bias?: Tensor;
  /** [edges]: how long each edge is. With `slopes`; gets no gradient. */
  distances?: Tensor;
  /** [heads]: slopes[h] * distances[e] is added to the scores. Costs far less than the same as a `bias`. */
  slopes?: Tensor;
}

/**
 * Attention in which every query sees a given list of keys (its neighbours): out[i] = softmax over the keys j on list i of
 * (scale <q[i], k[j]> + bias + slopes * distances) times v[j], for every head. Costs time and memory by the number of edges.
 *
 * A list may hold the query's own token or not, may hold a key twice, and may be empty: the result is then 0.
 *
 * @param q [tokensQ, heads, dim]
 * @param k [tokensK, headsKv, dim]; heads is a multiple of headsKv, as in `attention`
 * @param v [tokensK, headsKv, dimV]
 * @param offsets int32 [tokensQ + 1]: list i is indices[offsets[i]] to indices[offsets[i + 1] - 1]
 * @param indices int32 [edges], rows of k and v
 * @throws UamError `UAM_SHAPE`, `UAM_DTYPE`; `UAM_ARGUMENT` for an index out of range, offsets that do not fit, unknown options
 * @example
 * const x = randomNormal([3, 1, 8], { seed: 1, step: 0 });
 * const indices = Tensor.from(Int32Array.of(1, 0, 2));                     // 0 sees 1; 1 sees 0 and 2; 2 sees nothing
 * const { out } = neighborAttention(x, x, x, Int32Array.of(0, 1, 3, 3), indices);
 * out.shape;                                                               // [3, 1, 8]
 */
export function neighborAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  offsets: SequenceOffsets,
  indices: Tensor,
  options: NeighborAttentionOptions = {},
): AttentionResult {
  const op = 'neighborAttention';
  requireOptions(op, options, ['scale', 'bias', 'distances', 'slopes']);
  const { bias, distances, slopes } = options;
  for (const [name, tensor] of Object.entries({ q, k, v })) requireTensor(op, name, tensor);
  requireSameDtype(op, q, k, v, bias, distances, slopes);
  requireShape(op, 'q', q, ['tokensQ', 'heads', 'dim']);
  const [tokensQ = 0, heads = 0, dim = 0] = q.shape;
  requireShape(op, 'k', k, ['tokensK', 'headsKv', dim]);
  const [tokensK = 0, headsKv = 0] = k.shape;
  requireShape(op, 'v', v, [tokensK, headsKv, 'dimV']);
  if (headsKv === 0 ? heads > 0 : heads % headsKv !== 0) {
    throw mismatch('UAM_SHAPE', `${op}: the heads of q`, `a multiple of the ${headsKv} of k and v`, String(heads));
  }
  requireShape(op, 'indices', requireTensor(op, 'indices', indices, ['int32']), ['edges']);
  const edges = indices.size;
  const list = offsetsOf(op, offsets, edges);
  if (list.length !== tokensQ + 1)
    throw mismatch('UAM_SHAPE', `${op}: offsets`, `one list per query (${tokensQ})`, `${list.length - 1} lists`);
  if (bias) requireShape(op, 'bias', bias, [edges, heads]);
  if (!distances !== !slopes) throw new UamError('UAM_ARGUMENT', `${op}: distances and slopes go together`);
  if (distances) requireShape(op, 'distances', distances, [edges]);
  if (distances?.node) throw new UamError('UAM_ARGUMENT', `${op}: distances get no gradient; pass a bias where they need one`);
  if (slopes) requireShape(op, 'slopes', slopes, [heads]);
  const dimV = v.shape[2] as number;
  const problem = {
    ...{ tokensQ, tokensK, edges, heads, headsKv, dim, dimV, scale: options.scale ?? 1 / Math.sqrt(dim), offsets: list },
    ...{ indices: indices.memory as Int32Array, q: floats(q), k: floats(k), v: floats(v), bias: optionalFloats(bias) },
    ...{ distances: optionalFloats(distances), slopes: optionalFloats(slopes) },
  };
  const out = Tensor.empty([tokensQ, heads, dimV], q.dtype, q.device);
  const lse = Tensor.empty([heads, tokensQ], q.dtype, q.device);
  neighborAttentionFwd({ ...problem, out: floats(out), lse: floats(lse) });
  record(op, [q, k, v, bias, slopes], out, (dOut, needs) => {
    const [dQ, dK, dV, dBias, dSlopes] = [q, k, v, bias, slopes].map((input, i) => gradientOf(input, needs[i]));
    neighborAttentionBwd({
      ...{ ...problem, out: floats(out), dOut: floats(dOut), lse: floats(lse) },
      ...{ dQ: optionalFloats(dQ), dK: optionalFloats(dK), dV: optionalFloats(dV), dBias: optionalFloats(dBias) },
      dSlopes: optionalFloats(dSlopes),
    });
    return [dQ, dK, dV, dBias, dSlopes];
  });
  return { out, lse };
}
