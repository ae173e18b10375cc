import type { Tensor } from '../tensor/tensor.js';
import { requireOptions, requireShape, requireTensor } from './check.js';
import { groupedLinear } from './grouped_linear.js';
import { linear } from './linear.js';
import { moeCombine } from './moe_combine.js';
import { moeDispatch } from './moe_dispatch.js';
import { type MoeRouteOptions, type MoeRouting, moeRoute } from './moe_route.js';

export interface MoeFfnResult extends MoeRouting {
  /** [tokens, width] */
  out: Tensor;
}

/**
 * A mixture of expert feed-forward networks: every token goes to the k experts that its gate logits x gate^T choose (`moeRoute`),
 * and comes back as out[t] = sum_c weights[t, c] (geluTanh(x[t] w1[e]^T + b1[e]) w2[e]^T + b2[e]) with e = indices[t, c], added in
 * order of experts. Choices beyond an expert's capacity contribute nothing and cost nothing. Add loadBalance and zLoss, times
 * small factors, to the training loss.
 *
 * @param x [tokens, width]
 * @param gate [experts, width]
 * @param w1 [experts, hidden, width]
 * @param b1 [experts, hidden], or `undefined`
 * @param w2 [experts, width, hidden]
 * @param b2 [experts, width], or `undefined`
 * @throws UamError `UAM_SHAPE`, `UAM_DTYPE`, `UAM_ARGUMENT`
 * @example
 * const x = Tensor.from([1, -1], [2, 1]);
 * const gate = Tensor.from([1, -1], [2, 1]);
 * const w = Tensor.from([1, 2], [2, 1, 1]);
 * const { out, indices } = moeFfn(x, gate, w, undefined, w, undefined, { k: 1, renormalize: true });
 * indices.data;   // 0, 1
 */
export function moeFfn(
  x: Tensor,
  gate: Tensor,
  w1: Tensor,
  b1: Tensor | undefined,
  w2: Tensor,
  b2: Tensor | undefined,
  options: MoeRouteOptions,
): MoeFfnResult {
  const op = 'moeFfn';
  requireOptions(op, options, ['k', 'renormalize', 'capacity']);
  requireShape(op, 'x', requireTensor(op, 'x', x), ['tokens', 'width']);
  const width = x.shape[1] as number;
  requireShape(op, 'gate', requireTensor(op, 'gate', gate), ['experts', width]);
  const experts = gate.shape[0] as number;
  requireShape(op, 'w1', requireTensor(op, 'w1', w1), [experts, 'hidden', width]);
  const hidden = w1.shape[1] as number;
  requireShape(op, 'w2', requireTensor(op, 'w2', w2), [experts, width, hidden]);
  if (b1) requireShape(op, 'b1', requireTensor(op, 'b1', b1), [experts, hidden]);
  if (b2) requireShape(op, 'b2', requireTensor(op, 'b2', b2), [experts, width]);
  const routing = moeRoute(linear(x, gate), options);
  const dispatch = moeDispatch(x, routing.indices, { experts, kept: options.capacity ? routing.kept : undefined });
  const inner = groupedLinear(dispatch.rows, w1, b1, dispatch.offsets, { activation: 'geluTanh' });
  const rows = groupedLinear(inner, w2, b2, dispatch.offsets);
  return { out: moeCombine(rows, routing.weights, dispatch), ...routing };
}
