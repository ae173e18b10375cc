import { mismatch } from '../errors.js';
import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { recordAll } from '../tensor/autograd.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, optionalFloats, requireOptions, requireShape, requireTensor } from './check.js';
import { rejectIndex } from './index_error.js';

interface MoeRouteParams {
  renormalize: boolean;
  tokens: number;
  experts: number;
  k: number;
  logits: FloatArray;
  indices: Int32Array;
  kept: Uint8Array;
  fraction: FloatArray;
}

interface MoeRouteFwdParams extends MoeRouteParams {
  capacity: number;
  weights: FloatArray;
  loadBalance: FloatArray;
  zLoss: FloatArray;
}

interface MoeRouteBwdParams extends MoeRouteParams {
  dWeights: FloatArray | undefined;
  dLoadBalance: FloatArray | undefined;
  dZLoss: FloatArray | undefined;
  dLogits: FloatArray;
}

/** The softmax of a token's logits, and the logarithm of the sum of their exponentials. */
function softmaxOfToken({ logits, experts }: MoeRouteParams, token: number): { p: number[]; logSum: number } {
  const x = Array.from(logits.subarray(token * experts, (token + 1) * experts));
  const highest = Math.max(...x);
  const e = x.map((value) => Math.exp(value - highest));
  const total = e.reduce((a, b) => a + b, 0);
  return { p: e.map((value) => value / total), logSum: highest + Math.log(total) };
}

/** Experts by falling logit; equal logits: the lower index first; NaN counts as greatest. */
function ranking({ logits, experts }: MoeRouteParams, token: number): number[] {
  const key = (e: number) => {
    const logit = logits[token * experts + e] as number;
    return Number.isNaN(logit) ? Number.POSITIVE_INFINITY : logit;
  };
  const isNaNAt = (e: number) => Number(Number.isNaN(logits[token * experts + e]));
  const order = Array.from({ length: experts }, (_, e) => e);
  return order.sort((a, b) => isNaNAt(b) - isNaNAt(a) || (key(b) === key(a) ? a - b : key(b) > key(a) ? 1 : -1));
}

const moeRouteFwd = kernel<MoeRouteFwdParams>('moe_route_fwd', (params) => {
  const { renormalize, tokens, experts, k, capacity, weights, indices, kept, fraction } = params;
  const meanP = new Float64Array(experts);
  const choices = new Float64Array(experts);
  const places = new Float64Array(experts);
  let squares = 0;
  for (let token = 0; token < tokens; token++) {
    const { p, logSum } = softmaxOfToken(params, token);
    const chosen = ranking(params, token).slice(0, k);
    const total = renormalize ? chosen.reduce((sum, e) => sum + (p[e] as number), 0) : 1;
    chosen.forEach((e, c) => {
      indices[token * k + c] = e;
      weights[token * k + c] = (p[e] as number) / total;
      (choices[e] as number)++;
    });
    p.forEach((value, e) => void ((meanP[e] as number) += value / tokens));
    squares += logSum * logSum;
  }
  // Places are given choice by choice: every token's first choice in token order, then every second choice.
  for (let c = 0; c < k; c++) {
    for (let token = 0; token < tokens; token++) {
      const at = token * k + c;
      const e = indices[at] as number;
      const free = capacity === 0 || (places[e] as number) < capacity;
      kept[at] = Number(free);
      if (free) (places[e] as number)++;
      else weights[at] = 0;
    }
  }
  let balance = 0;
  for (let e = 0; e < experts; e++) {
    fraction[e] = (choices[e] as number) / (Math.max(tokens, 1) * k);
    balance += ((choices[e] as number) / (Math.max(tokens, 1) * k)) * (meanP[e] as number);
  }
  params.loadBalance[0] = experts * balance;
  params.zLoss[0] = squares / Math.max(tokens, 1);
});

const moeRouteBwd = kernel<MoeRouteBwdParams>('moe_route_bwd', (params) => {
  const { renormalize, tokens, experts, k, indices, kept, fraction, dWeights, dLoadBalance, dZLoss, dLogits } = params;
  for (let token = 0; token < tokens; token++) {
    const { p, logSum } = softmaxOfToken(params, token);
    const dP = p.map((_, e) => (dLoadBalance ? ((dLoadBalance[0] as number) * experts * (fraction[e] as number)) / tokens : 0));
    if (dWeights) {
      const choices = Array.from({ length: k }, (_, c) => {
        const at = token * k + c;
        const expert = indices[at] as number;
        if (expert < 0 || expert >= experts) rejectIndex('moe_route_bwd', 'indices', at, expert, experts);
        return { expert, slope: kept[at] ? (dWeights[at] as number) : 0 };
      });
      const total = renormalize ? choices.reduce((sum, { expert }) => sum + (p[expert] as number), 0) : 1;
      // w = p / total: dp = (dw - <dw, w>) / total where the total depends on p
      const mean = renormalize ? choices.reduce((sum, { expert, slope }) => sum + (slope * (p[expert] as number)) / total, 0) : 0;
      for (const { expert, slope } of choices) (dP[expert] as number) += (slope - mean) / total;
    }
    const mean = dP.reduce((sum, value, e) => sum + value * (p[e] as number), 0);
    const dLogSum = dZLoss ? (2 * (dZLoss[0] as number) * logSum) / tokens : 0;
    for (let e = 0; e < experts; e++) dLogits[token * experts + e] = (p[e] as number) * ((dP[e] as number) - mean + dLogSum);
  }
});

export interface MoeRouteOptions {
  /** Experts per token, 1 to the number of experts. */
  k: number;
  /** Divides a token's weights by their sum. Default false. */
  renormalize?: boolean;
  /** The most choices an expert takes; later ones are dropped. Default 0: no limit. */
  capacity?: number;
}

export interface MoeRouting {
  /** Weight of every choice, [tokens, k]; 0 where it was dropped. */
  weights: Tensor;
  /** The chosen experts by falling logit, int32 [tokens, k]. */
  indices: Tensor;
  /** uint8 [tokens, k]: 0 where the expert was full. */
  kept: Tensor;
  /** experts * sum_e f_e mean_t p_te with f_e the share of choices that fell on e (Fedus et al. 2021); shape []. 1 when balanced. */
  loadBalance: Tensor;
  /** mean_t logsumexp(logits_t)^2 (Zoph et al. 2022); shape []. */
  zLoss: Tensor;
}

/**
 * Chooses k experts per token: with p = softmax(logits), the k greatest logits (equal ones: the lower index first), weighted by
 * their p. With a capacity, places are given choice by choice: all tokens' first choice in token order, then all second choices.
 * Gradients reach the logits through weights, loadBalance (its f is a constant) and zLoss.
 *
 * @param logits [tokens, experts]
 * @throws UamError `UAM_ARGUMENT` where k or capacity is out of range; `UAM_SHAPE`, `UAM_DTYPE`
 * @example
 * const { weights, indices } = moeRoute(Tensor.from([1, 3, 2, 0, 0, 5], [2, 3]), { k: 2 });
 */
export function moeRoute(logits: Tensor, options: MoeRouteOptions): MoeRouting {
  const op = 'moeRoute';
  requireOptions(op, options, ['k', 'renormalize', 'capacity']);
  const { k, renormalize = false, capacity = 0 } = options;
  requireShape(op, 'logits', requireTensor(op, 'logits', logits), ['tokens', 'experts']);
  const [tokens, experts] = logits.shape as [number, number];
  if (experts < 1) throw mismatch('UAM_SHAPE', `${op}: logits`, '[tokens, experts] with at least one expert', `[${logits.shape}]`);
  if (!(Number.isInteger(k) && k >= 1 && k <= experts))
    throw mismatch('UAM_ARGUMENT', `${op}: k`, `an integer from 1 to ${experts}`, String(k));
  if (!(Number.isInteger(capacity) && capacity >= 0))
    throw mismatch('UAM_ARGUMENT', `${op}: capacity`, 'an integer >= 0', String(capacity));
  const weights = Tensor.empty([tokens, k], logits.dtype, logits.device);
  const indices = Tensor.empty([tokens, k], 'int32', logits.device);
  const kept = Tensor.empty([tokens, k], 'uint8', logits.device);
  const fraction = Tensor.empty([experts], logits.dtype, logits.device);
  const loadBalance = Tensor.empty([], logits.dtype, logits.device);
  const zLoss = Tensor.empty([], logits.dtype, logits.device);
  const shared = () => ({
    ...{ renormalize, tokens, experts, k },
    ...{ logits: floats(logits), indices: indices.memory as Int32Array, kept: kept.memory as Uint8Array, fraction: floats(fraction) },
  });
  moeRouteFwd({ ...shared(), capacity, weights: floats(weights), loadBalance: floats(loadBalance), zLoss: floats(zLoss) });
  recordAll(op, [logits], [weights, loadBalance, zLoss], ([dWeights, dLoadBalance, dZLoss]) => {
    const dLogits = Tensor.empty(logits.shape, logits.dtype, logits.device);
    moeRouteBwd({
      ...shared(),
      dWeights: optionalFloats(dWeights),
      dLoadBalance: optionalFloats(dLoadBalance),
      dZLoss: optionalFloats(dZLoss),
      dLogits: floats(dLogits),
    });
    return [dLogits];
  });
  return { weights, indices, kept, loadBalance, zLoss };
}
