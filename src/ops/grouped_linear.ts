import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { record } from '../tensor/autograd.js';
import { context } from '../tensor/context.js';
import { Tensor } from '../tensor/tensor.js';
import { type Activation, activationFunction, activationIndex } from './activation.js';
import { biasActivationGradients } from './bias_activation.js';
import { floats, gradientOf, optionalFloats, requireOptions, requireSameDtype, requireShape, requireTensor } from './check.js';
import { offsetsOf } from './sequences.js';

interface Layout {
  rows: number;
  inputs: number;
  outputs: number;
  offsets: Int32Array;
}

interface ForwardParams extends Layout {
  activation: number;
  x: FloatArray;
  weight: FloatArray;
  bias?: FloatArray;
  y: FloatArray;
  preActivation?: FloatArray;
}

interface BackwardParams extends Layout {
  x: FloatArray;
  weight: FloatArray;
  dPre: FloatArray;
  dx?: FloatArray;
  dWeight?: FloatArray;
}

/** The sum of term(i) for i in [begin, end). */
function sumOf(begin: number, end: number, term: (i: number) => number): number {
  let total = 0;
  for (let i = begin; i < end; i++) total += term(i);
  return total;
}

const groupedLinearFwd = kernel<ForwardParams>('grouped_linear_fwd', (p) => {
  const { f } = activationFunction(p.activation);
  const { inputs, outputs, offsets } = p;
  for (let group = 0; group + 1 < offsets.length; group++) {
    for (let row = offsets[group] as number; row < (offsets[group + 1] as number); row++) {
      for (let o = 0; o < outputs; o++) {
        const w = (group * outputs + o) * inputs;
        const total =
          (p.bias?.[group * outputs + o] ?? 0) + sumOf(0, inputs, (i) => (p.x[row * inputs + i] as number) * (p.weight[w + i] as number));
        if (p.preActivation) p.preActivation[row * outputs + o] = total;
        p.y[row * outputs + o] = f(total);
      }
    }
  }
});

const groupedLinearBwd = kernel<BackwardParams>('grouped_linear_bwd', (p) => {
  const { inputs, outputs, offsets } = p;
  for (let group = 0; group + 1 < offsets.length; group++) {
    const [begin, end] = [offsets[group] as number, offsets[group + 1] as number];
    const weightAt = (o: number, i: number) => (group * outputs + o) * inputs + i;
    const dPre = (row: number, o: number) => p.dPre[row * outputs + o] as number;
    for (let i = 0; i < inputs; i++) {
      for (let row = begin; p.dx && row < end; row++) {
        p.dx[row * inputs + i] = sumOf(0, outputs, (o) => dPre(row, o) * (p.weight[weightAt(o, i)] as number));
      }
      for (let o = 0; p.dWeight && o < outputs; o++) {
        p.dWeight[weightAt(o, i)] = sumOf(begin, end, (row) => dPre(row, o) * (p.x[row * inputs + i] as number));
      }
    }
  }
});

export interface GroupedLinearOptions {
  /** Applied to the result at no extra pass through memory. Default 'none'. */
  activation?: Activation;
}

/** On a card the offsets stay where moeDispatch made them: reading them would wait for it. Its kernels trust nothing in them. */
const groupOffsets = (offsets: Tensor, rows: number): Int32Array =>
  offsets.device === 'cpu' ? offsetsOf('groupedLinear', offsets, rows) : (offsets.memory as Int32Array);

/**
 * A linear layer with weights of its own for each group of rows, such as the experts of a mixture:
 * y[i] = activation(x[i] weight[g]^T + bias[g]) for the rows i in [offsets[g], offsets[g + 1]).
 *
 * @param x [rows, inputs], sorted by group
 * @param weight [groups, outputs, inputs]
 * @param bias [groups, outputs], or `undefined`
 * @param offsets int32 [groups + 1], from 0 to rows, never falling; a group may be empty
 * @returns [rows, outputs]
 * @throws UamError `UAM_SHAPE` where the shapes do not fit, `UAM_ARGUMENT` for offsets that are not as above
 * @example
 * const x = Tensor.from([1, 2, 3], [3, 1]);
 * const weight = Tensor.from([10, 100], [2, 1, 1]);
 * groupedLinear(x, weight, undefined, Tensor.from(Int32Array.of(0, 1, 3))).data;   // [10, 200, 300]
 */
export function groupedLinear(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | undefined,
  offsets: Tensor,
  options: GroupedLinearOptions = {},
): Tensor {
  requireTensor('groupedLinear', 'x', x);
  requireTensor('groupedLinear', 'weight', weight);
  if (bias) requireTensor('groupedLinear', 'bias', bias);
  requireTensor('groupedLinear', 'offsets', offsets, ['int32']);
  requireOptions('groupedLinear', options, ['activation']);
  const dtype = requireSameDtype('groupedLinear', x, weight, bias);
  requireShape('groupedLinear', 'x', x, ['rows', 'inputs']);
  const [rows, inputs] = x.shape as [number, number];
  requireShape('groupedLinear', 'weight', weight, ['groups', 'outputs', inputs]);
  const [groups, outputs] = weight.shape as [number, number];
  if (bias) requireShape('groupedLinear', 'bias', bias, [groups, outputs]);
  requireShape('groupedLinear', 'offsets', offsets, [groups + 1]);

  const layout: Layout = { rows, inputs, outputs, offsets: groupOffsets(offsets, rows) };
  const activation = activationIndex('groupedLinear', options.activation ?? 'none');
  const y = Tensor.empty([rows, outputs], dtype, x.device);
  const keeps = activation !== 0 && context.recording && [x, weight, bias].some((tensor) => tensor?.node);
  const pre = keeps ? Tensor.empty(y.shape, dtype, x.device) : undefined;
  groupedLinearFwd({
    ...layout,
    activation,
    x: floats(x),
    weight: floats(weight),
    bias: optionalFloats(bias),
    y: floats(y),
    preActivation: optionalFloats(pre),
  });
  return record('groupedLinear', [x, weight, bias], y, (dy, [needsX, needsWeight, needsBias]) => {
    const { dPre, dBias } = biasActivationGradients(activation, dy, pre, {
      columns: outputs,
      offsets: layout.offsets,
      needsBias: needsBias === true,
    });
    const dx = gradientOf(x, needsX);
    const dWeight = gradientOf(weight, needsWeight);
    if (dx || dWeight) {
      groupedLinearBwd({
        ...layout,
        x: floats(x),
        weight: floats(weight),
        dPre: floats(dPre),
        dx: optionalFloats(dx),
        dWeight: optionalFloats(dWeight),
      });
    }
    return [dx, dWeight, dBias];
  });
}
