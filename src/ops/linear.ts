import { mismatch } from '../errors.js';
import { record } from '../tensor/autograd.js';
import { context } from '../tensor/context.js';
import { format, sizeOf } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { type Activation, activationIndex } from './activation.js';
import { biasActivationGradients } from './bias_activation.js';
import { floats, gradientOf, optionalFloats, requireOptions, requireSameDtype, requireShape, requireTensor } from './check.js';
import { gemm, product } from './gemm.js';

export interface LinearOptions {
  /** Applied to the result at no extra pass through memory. Default 'none'. */
  activation?: Activation;
}

/**
 * A linear layer: y = activation(x weight^T + bias), along the last axis of x.
 *
 * @param x [..., inputs]
 * @param weight [outputs, inputs], as PyTorch's `nn.Linear` keeps it
 * @param bias [outputs], or `undefined`
 * @returns [..., outputs]
 * @throws UamError `UAM_SHAPE` where the shapes do not fit, `UAM_DTYPE` for tensors that are not all of one float type,
 *   `UAM_ARGUMENT` for an unknown option or activation
 * @example
 * const y = linear(Tensor.from([1, 2, 3, 4], [2, 2]), Tensor.from([1, -1, 0, 2, 1, 1], [3, 2]), Tensor.from([0, 0, 5]));
 * y.data;   // [-1, 4, 8,  -1, 8, 12]
 */
export function linear(x: Tensor, weight: Tensor, bias?: Tensor, options: LinearOptions = {}): Tensor {
  requireTensor('linear', 'x', x);
  requireTensor('linear', 'weight', weight);
  if (bias) requireTensor('linear', 'bias', bias);
  requireOptions('linear', options, ['activation']);
  const dtype = requireSameDtype('linear', x, weight, bias);
  const inputs = x.shape.at(-1);
  if (inputs === undefined) throw mismatch('UAM_SHAPE', 'linear: x', '[..., inputs]', format(x.shape));
  requireShape('linear', 'weight', weight, ['outputs', inputs]);
  const outputs = weight.shape[0] as number;
  if (bias) requireShape('linear', 'bias', bias, [outputs]);

  const activation = activationIndex('linear', options.activation ?? 'none');
  const lead = x.shape.slice(0, -1);
  const rows = sizeOf(lead);
  const y = Tensor.empty([...lead, outputs], dtype, x.device);
  const keeps = activation !== 0 && context.recording && [x, weight, bias].some((tensor) => tensor?.node);
  const pre = keeps ? Tensor.empty(y.shape, dtype, x.device) : undefined;
  gemm({
    transposeB: true,
    activation,
    batch: 1,
    aBatch: 1,
    bBatch: 1,
    m: rows,
    n: outputs,
    k: inputs,
    a: floats(x),
    b: floats(weight),
    bias: optionalFloats(bias),
    c: floats(y),
    preActivation: optionalFloats(pre),
  });
  return record('linear', [x, weight, bias], y, (dy, [needsX, needsWeight, needsBias]) => {
    const { dPre, dBias } = biasActivationGradients(activation, dy, pre, {
      columns: outputs,
      offsets: Int32Array.of(0, rows),
      needsBias: needsBias === true,
    });
    const dx = gradientOf(x, needsX);
    if (dx) product(floats(dPre), floats(weight), floats(dx), [rows, inputs, outputs]);
    const dWeight = gradientOf(weight, needsWeight);
    if (dWeight) product(floats(dPre), floats(x), floats(dWeight), [outputs, inputs, rows], { transposeA: true });
    return [dx, dWeight, dBias?.alias([outputs])];
  });
}
