import { mismatch } from '../errors.js';
import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { record } from '../tensor/autograd.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, gradientOf, optionalFloats, requireOptions, requireSameDtype, requireShape, requireTensor } from './check.js';
import { forSequences, offsetsOf, type SequenceOffsets } from './sequences.js';

interface Conv1dParams {
  tokens: number;
  dim: number;
  width: number;
  reverse: boolean;
  /** 0 none, 1 silu: `Conv1dActivation` in native/kernels/causal_conv1d.h. */
  activation: number;
  offsets: Int32Array;
  x: FloatArray;
  weight: FloatArray;
  bias?: FloatArray | undefined;
}

interface CausalConv1dFwdParams extends Conv1dParams {
  out: FloatArray;
}

interface CausalConv1dBwdParams extends Conv1dParams {
  dOut: FloatArray;
  dX?: FloatArray | undefined;
  dWeight?: FloatArray | undefined;
  dBias?: FloatArray | undefined;
}

const activations = ['none', 'silu'] as const;
const logistic = (x: number) => 1 / (1 + Math.exp(-x));

/** Calls visit(at, taps, pre) for every output: its place, the places its taps read (undefined outside the sequence), its sum. */
function forOutputs(
  { dim, width, reverse, offsets, x, weight, bias }: Conv1dParams,
  visit: (d: number, at: number, taps: (k: number) => number | undefined, pre: number) => void,
): void {
  forSequences(offsets, reverse, (_, token, length) => {
    for (let position = 0; position < length; position++) {
      for (let d = 0; d < dim; d++) {
        const taps = (k: number) => {
          const from = position - (width - 1) + k;
          return from < 0 ? undefined : token(from) * dim + d;
        };
        let pre = bias?.[d] ?? 0;
        for (let k = 0; k < width; k++) {
          const from = taps(k);
          pre += (weight[d * width + k] as number) * (from === undefined ? 0 : (x[from] as number));
        }
        visit(d, token(position) * dim + d, taps, pre);
      }
    }
  });
}

const causalConv1dFwd = kernel<CausalConv1dFwdParams>('causal_conv1d_fwd', ({ out, ...params }) => {
  forOutputs(params, (_, at, __, pre) => {
    out[at] = params.activation === 1 ? pre / (1 + Math.exp(-pre)) : pre;
  });
});

const causalConv1dBwd = kernel<CausalConv1dBwdParams>('causal_conv1d_bwd', ({ dOut, dX, dWeight, dBias, ...params }) => {
  const { tokens, dim, width, weight, x } = params;
  const xSums = new Float64Array(tokens * dim);
  const weightSums = new Float64Array(dim * width);
  const biasSums = new Float64Array(dim);
  forOutputs(params, (d, at, taps, pre) => {
    const slope = params.activation === 1 ? logistic(pre) * (1 + pre * logistic(-pre)) : 1;
    const g = (dOut[at] as number) * slope;
    (biasSums[d] as number) += g;
    for (let k = 0; k < width; k++) {
      const from = taps(k);
      (weightSums[d * width + k] as number) += g * (from === undefined ? 0 : (x[from] as number));
      if (from !== undefined) (xSums[from] as number) += g * (weight[d * width + k] as number);
    }
  });
  dX?.set(xSums);
  dWeight?.set(weightSums);
  dBias?.set(biasSums);
});

export interface CausalConv1dOptions {
  /** [dim]; default zeros. */
  bias?: Tensor | undefined;
  /** Applied to the result: 'none' (default) or 'silu', x / (1 + e^-x). */
  activation?: 'none' | 'silu';
  /** Looks at the tokens after each one instead of those before. Default false. */
  reverse?: boolean;
  /** Where packed sequences begin and end, [sequences + 1] from 0 to tokens; the filter does not look across. Default one sequence. */
  offsets?: SequenceOffsets | undefined;
}

/**
 * Depthwise causal convolution, the short filter of Mamba blocks (Gu & Dao 2023): every channel has its own filter, and sees its
 * own token and the width - 1 before it, zeros before the sequence's start.
 * out[t, d] = act(bias[d] + sum_k weight[d, k] x[t - (width - 1) + k, d]); in reverse x[t + (width - 1) - k, d].
 *
 * @param x [tokens, dim], packed sequences one after the other
 * @param weight [dim, width], width from 1 to 4
 * @returns [tokens, dim]
 * @throws UamError `UAM_SHAPE`, `UAM_DTYPE`, `UAM_ARGUMENT` for offsets that do not fit and for unknown options
 * @example
 * const x = Tensor.from([1, 2, 3], [3, 1]);
 * causalConv1d(x, Tensor.from([0.5, 1], [1, 2]));   // [[1], [2.5], [4]]
 */
export function causalConv1d(x: Tensor, weight: Tensor, options: CausalConv1dOptions = {}): Tensor {
  const op = 'causalConv1d';
  requireShape(op, 'x', requireTensor(op, 'x', x), ['tokens', 'dim']);
  const [tokens, dim] = x.shape as [number, number];
  requireShape(op, 'weight', requireTensor(op, 'weight', weight), [dim, 'width']);
  const width = weight.shape[1] as number;
  if (width < 1 || width > 4) throw mismatch('UAM_SHAPE', `${op}: weight`, `[${dim}, width] with a width from 1 to 4`, `width ${width}`);
  requireOptions(op, options, ['bias', 'activation', 'reverse', 'offsets']);
  const { bias, activation = 'none', reverse = false } = options;
  if (bias) requireShape(op, 'bias', requireTensor(op, 'bias', bias), [dim]);
  if (!activations.includes(activation)) throw mismatch('UAM_ARGUMENT', `${op}: activation`, "'none' or 'silu'", `'${String(activation)}'`);
  const dtype = requireSameDtype(op, x, weight, bias);
  const offsets = offsetsOf(op, options.offsets, tokens);
  const out = Tensor.empty(x.shape, dtype, x.device);
  const inputs = (): Conv1dParams => ({
    tokens,
    dim,
    width,
    reverse,
    activation: activations.indexOf(activation),
    offsets,
    x: floats(x),
    weight: floats(weight),
    bias: optionalFloats(bias),
  });
  causalConv1dFwd({ ...inputs(), out: floats(out) });
  return record(op, [x, weight, bias], out, (dOut, [needsX, needsWeight, needsBias]) => {
    const dX = gradientOf(x, needsX);
    const dWeight = gradientOf(weight, needsWeight);
    const dBias = gradientOf(bias, needsBias);
    causalConv1dBwd({
      ...inputs(),
      dOut: floats(dOut),
      dX: optionalFloats(dX),
      dWeight: optionalFloats(dWeight),
      dBias: optionalFloats(dBias),
    });
    return [dX, dWeight, dBias];
  });
}
