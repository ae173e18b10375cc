import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { record } from '../tensor/autograd.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, gradientOf, optionalFloats, requireSameDtype, requireShape, requireTensor } from './check.js';
import { rejectIndex } from './index_error.js';
import { type MoeDispatch, slotsOfToken } from './moe_dispatch.js';

interface MoeCombineParams {
  tokens: number;
  width: number;
  k: number;
  slots: number;
  rows: FloatArray;
  weights: FloatArray;
  slot: Int32Array;
}

interface MoeCombineFwdParams extends MoeCombineParams {
  out: FloatArray;
}

interface MoeCombineBwdParams extends MoeCombineParams {
  order: Int32Array;
  dOut: FloatArray;
  dRows: FloatArray | undefined;
  dWeights: FloatArray | undefined;
}

const moeCombineFwd = kernel<MoeCombineFwdParams>('moe_combine_fwd', ({ tokens, width, k, slots, rows, weights, slot, out }) => {
  for (let token = 0; token < tokens; token++) {
    const found = slotsOfToken('moe_combine_fwd', slot, token, k, slots);
    for (let i = 0; i < width; i++) {
      let total = 0;
      for (const { row, choice } of found) total += (weights[choice] as number) * (rows[row * width + i] as number);
      out[token * width + i] = total;
    }
  }
});

const moeCombineBwd = kernel<MoeCombineBwdParams>('moe_combine_bwd', (p) => {
  const { tokens, width, k, slots, rows, weights, order, slot, dOut, dRows, dWeights } = p;
  for (let row = 0; dRows && row < slots; row++) {
    const choice = order[row] as number;
    if (choice < 0 || choice >= tokens * k) rejectIndex('moe_combine_bwd', 'order', row, choice, tokens * k);
    const token = Math.floor(choice / k);
    for (let i = 0; i < width; i++) dRows[row * width + i] = (weights[choice] as number) * (dOut[token * width + i] as number);
  }
  if (!dWeights) return;
  dWeights.fill(0);
  for (let token = 0; token < tokens; token++) {
    for (const { row, choice } of slotsOfToken('moe_combine_bwd', slot, token, k, slots)) {
      let total = 0;
      for (let i = 0; i < width; i++) total += (rows[row * width + i] as number) * (dOut[token * width + i] as number);
      dWeights[choice] = total;
    }
  }
});

/**
 * Brings the experts' rows back to their tokens: out[t] = sum over the kept choices c of weights[t, c] * row of (t, c), added in
 * order of experts; 0 for a token whose choices were all dropped. Gradients reach rows and weights (0 for dropped choices).
 *
 * @param rows [slots, width], what the experts made of the rows of `moeDispatch`
 * @param weights [tokens, k]
 * @param dispatch what `moeDispatch` returned
 * @returns [tokens, width]
 * @throws UamError `UAM_SHAPE`, `UAM_DTYPE`, `UAM_ARGUMENT`
 * @example
 * const indices = Tensor.from(Int32Array.of(1, 0, 1), [3, 1]);
 * const dispatch = moeDispatch(Tensor.from([1, 2, 3], [3, 1]), indices, { experts: 2 });
 * moeCombine(dispatch.rows, Tensor.from([1, 1, 0.5], [3, 1]), dispatch).data;   // 1, 2, 1.5
 */
export function moeCombine(rows: Tensor, weights: Tensor, dispatch: Pick<MoeDispatch, 'order' | 'slot'>): Tensor {
  const op = 'moeCombine';
  const { order, slot } = dispatch;
  requireShape(op, 'rows', requireTensor(op, 'rows', rows), ['slots', 'width']);
  requireShape(op, 'weights', requireTensor(op, 'weights', weights), ['tokens', 'k']);
  const [slots, width] = rows.shape as [number, number];
  const [tokens, k] = weights.shape as [number, number];
  requireShape(op, 'dispatch.order', requireTensor(op, 'dispatch.order', order, ['int32']), [slots]);
  requireShape(op, 'dispatch.slot', requireTensor(op, 'dispatch.slot', slot, ['int32']), [tokens, k]);
  requireSameDtype(op, rows, weights);
  const out = Tensor.empty([tokens, width], rows.dtype, rows.device);
  const shared = () => ({
    ...{ tokens, width, k, slots },
    ...{ rows: floats(rows), weights: floats(weights), slot: slot.memory as Int32Array },
  });
  moeCombineFwd({ ...shared(), out: floats(out) });
  return record(op, [rows, weights], out, (dOut, [needsRows, needsWeights]) => {
    const dRows = gradientOf(rows, needsRows);
    const dWeights = gradientOf(weights, needsWeights);
    moeCombineBwd({
      ...shared(),
      order: order.memory as Int32Array,
      dOut: floats(dOut),
      dRows: optionalFloats(dRows),
      dWeights: optionalFloats(dWeights),
    });
    return [dRows, dWeights];
  });
}
