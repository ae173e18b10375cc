import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { sizeOf } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { activationFunction } from './activation.js';
import { floats, optionalFloats } from './check.js';

interface BiasActivationBwdParams {
  activation: number;
  rows: number;
  columns: number;
  offsets: Int32Array;
  dy: FloatArray;
  pre?: FloatArray;
  dPre?: FloatArray;
  dBias?: FloatArray;
}

const biasActivationBwd = kernel<BiasActivationBwdParams>('bias_activation_bwd', (p) => {
  const { slope } = activationFunction(p.activation);
  for (let sequence = 0; sequence + 1 < p.offsets.length; sequence++) {
    for (let j = 0; j < p.columns; j++) {
      let total = 0;
      for (let i = p.offsets[sequence] as number; i < (p.offsets[sequence + 1] as number); i++) {
        const at = i * p.columns + j;
        const d = (p.dy[at] as number) * (p.pre ? slope(p.pre[at] as number) : 1);
        if (p.dPre) p.dPre[at] = d;
        total += d;
      }
      if (p.dBias) p.dBias[sequence * p.columns + j] = total;
    }
  }
});

/**
 * The way back through y = activation(pre), pre = ... + bias: gradients of `pre` and of the bias.
 *
 * @param dy gradient of y, [rows, columns]
 * @param pre what the activation was applied to; absent where there is no activation, and then dPre is dy
 * @param offsets groups of rows with a bias of their own; dBias is [groups, columns]
 */
export function biasActivationGradients(
  activation: number,
  dy: Tensor,
  pre: Tensor | undefined,
  { columns, offsets, needsBias }: { columns: number; offsets: Int32Array; needsBias: boolean },
): { dPre: Tensor; dBias: Tensor | undefined } {
  const dPre = pre ? Tensor.empty(dy.shape, dy.dtype, dy.device) : dy;
  const dBias = needsBias ? Tensor.empty([offsets.length - 1, columns], dy.dtype, dy.device) : undefined;
  if (pre || dBias) {
    biasActivationBwd({
      activation,
      rows: sizeOf(dy.shape.slice(0, -1)),
      columns,
      offsets,
      dy: floats(dy),
      pre: optionalFloats(pre),
      dPre: pre && floats(dPre),
      dBias: optionalFloats(dBias),
    });
  }
  return { dPre, dBias };
}
