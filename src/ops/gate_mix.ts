import { mismatch } from '../errors.js';
import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { record } from '../tensor/autograd.js';
import { format } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, gradientOf, optionalFloats, requireSameDtype, requireShape, requireTensor } from './check.js';

interface GateMixParams {
  rows: number;
  groups: number;
  width: number;
  gate: FloatArray;
  a: FloatArray;
  b: FloatArray;
}

interface GateMixFwdParams extends GateMixParams {
  y: FloatArray;
}

interface GateMixBwdParams extends GateMixParams {
  dy: FloatArray;
  dGate?: FloatArray | undefined;
  dA?: FloatArray | undefined;
  dB?: FloatArray | undefined;
}

const gateMixFwd = kernel<GateMixFwdParams>('gate_mix_fwd', ({ width, gate, a, b, y }) => {
  for (let i = 0; i < y.length; i++) {
    const g = gate[Math.floor(i / width)] as number;
    y[i] = g * (a[i] as number) + (1 - g) * (b[i] as number);
  }
});

const gateMixBwd = kernel<GateMixBwdParams>('gate_mix_bwd', ({ width, gate, a, b, dy, dGate, dA, dB }) => {
  const sums = new Float64Array(gate.length);
  for (let i = 0; i < dy.length; i++) {
    const group = Math.floor(i / width);
    const [g, up] = [gate[group] as number, dy[i] as number];
    if (dA) dA[i] = g * up;
    if (dB) dB[i] = (1 - g) * up;
    (sums[group] as number) += up * ((a[i] as number) - (b[i] as number));
  }
  dGate?.set(sums);
});

/**
 * g a + (1 - g) b, where one gate serves a group of neighbouring columns: gates for each column, or for each head. One pass over
 * memory, and one for the gradients.
 *
 * @param gate [rows, groups]
 * @param a [rows, columns], a multiple of groups
 * @param b as `a`
 * @returns [rows, columns]
 * @throws UamError `UAM_SHAPE`, `UAM_DTYPE`
 * @example
 * const [a, b] = [Tensor.from([1, 2, 3, 4], [1, 4]), Tensor.zeros([1, 4])];
 * gateMix(Tensor.from([1, 0.5], [1, 2]), a, b).data;   // 1, 2, 1.5, 2
 */
export function gateMix(gate: Tensor, a: Tensor, b: Tensor): Tensor {
  const op = 'gateMix';
  for (const [name, tensor] of Object.entries({ gate, a, b })) requireTensor(op, name, tensor);
  const dtype = requireSameDtype(op, gate, a, b);
  requireShape(op, 'a', a, ['rows', 'columns']);
  const [rows, columns] = a.shape as [number, number];
  requireShape(op, 'b', b, [rows, columns]);
  requireShape(op, 'gate', gate, [rows, 'groups']);
  const groups = gate.shape[1] as number;
  if (groups === 0 ? columns > 0 : columns % groups !== 0) {
    throw mismatch('UAM_SHAPE', `${op}: gate`, `[${rows}, a divisor of ${columns}]`, format(gate.shape));
  }
  const y = Tensor.empty(a.shape, dtype, a.device);
  const params = (): GateMixParams => ({
    ...{ rows, groups, width: groups === 0 ? 0 : columns / groups },
    ...{ gate: floats(gate), a: floats(a), b: floats(b) },
  });
  gateMixFwd({ ...params(), y: floats(y) });
  return record(op, [gate, a, b], y, (dy, needs) => {
    const [dGate, dA, dB] = [gate, a, b].map((input, i) => gradientOf(input, needs[i]));
    gateMixBwd({ ...params(), dy: floats(dy), dGate: optionalFloats(dGate), dA: optionalFloats(dA), dB: optionalFloats(dB) });
    return [dGate, dA, dB];
  });
}
