import { mismatch, UamError } from '../errors.js';
import { kernel } from '../native/call.js';
import { record } from '../tensor/autograd.js';
import { format } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import {
  type AttentionBwdParams,
  type AttentionFwdParams,
  type AttentionProblem,
  attentionBwdReference,
  attentionFwdReference,
} from './attention_reference.js';
import { floats, gradientOf, optionalFloats, requireOptions, requireSameDtype, requireShape, requireTensor } from './check.js';
import { offsetsOf, type SequenceOffsets } from './sequences.js';

const attentionFwd = kernel<AttentionFwdParams>('attention_fwd', attentionFwdReference);
const attentionBwd = kernel<AttentionBwdParams>('attention_bwd', attentionBwdReference);

export interface AttentionOptions {
  /** Factor of the scores. Default 1 / sqrt(dim). */
  scale?: number;
  /** Query i sees key j only where j <= i + (lengthK - lengthQ): the last query sees all keys. Default false. */
  causal?: boolean;
  /** int32 [sequences]: keys from this one on are hidden; 0 to the sequence's number of keys. */
  kLens?: Tensor;
  /** uint8 of k's tokens ([tokensK] or [batch, lengthK]): 0 hides a key. */
  keyMask?: Tensor;
  /** Added to the scores: [1 or batch, 1 or heads, lengthQ, lengthK]. All sequences must have these lengths. */
  bias?: Tensor;
  /** int32 [sequences + 1], for packed tensors: sequence s holds queries offsetsQ[s] to offsetsQ[s + 1]. */
  offsetsQ?: SequenceOffsets;
  /** The same for keys and values; default: offsetsQ. */
  offsetsK?: SequenceOffsets;
}

export interface AttentionResult {
  /** Shaped like q, with v's last axis. */
  out: Tensor;
  /** [heads, queries]: log of the sum of exp(score), -Infinity where a query sees nothing. Not differentiable. */
  lse: Tensor;
}

const optionNames = ['scale', 'causal', 'kLens', 'keyMask', 'bias', 'offsetsQ', 'offsetsK'];

/**
 * Scaled dot-product attention (Vaswani et al. 2017): out = softmax(scale q k^T + bias) v for every sequence and head, in blocks
 * that never hold the matrix of scores (Dao et al. 2022). Memory is linear in the number of tokens, forward and backward.
 *
 * Fewer key than query heads are shared (grouped and multi-query attention): head h uses key head floor(h headsKv / heads).
 * A query that sees no key gives 0. What hidden keys hold, NaN included, has no effect.
 *
 * @param q packed [tokensQ, heads, dim] with `offsetsQ`, or [batch, lengthQ, heads, dim]
 * @param k packed [tokensK, headsKv, dim] with `offsetsK`, or [batch, lengthK, headsKv, dim]; heads is a multiple of headsKv
 * @param v like k, with any last axis
 * @throws UamError `UAM_SHAPE`, `UAM_DTYPE`; `UAM_ARGUMENT` for offsets and kLens that do not fit and for unknown options
 * @example
 * const x = randomNormal([5, 2, 8], { seed: 1, step: 0 });                             // 5 tokens, 2 heads of 8
 * const { out } = attention(x, x, x, { offsetsQ: Int32Array.of(0, 3, 5), causal: true }); // sequences of 3 and 2 tokens
 * out.shape;                                                                           // [5, 2, 8]
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): AttentionResult {
  const problem = problemOf(q, k, v, options);
  const out = Tensor.empty([...q.shape.slice(0, -1), problem.dimV], q.dtype, q.device);
  const lse = Tensor.empty([problem.heads, problem.tokensQ], q.dtype, q.device);
  attentionFwd({ ...problem, out: floats(out), lse: floats(lse) });
  const { bias } = options;
  record('attention', [q, k, v, bias], out, (dOut, needs) => {
    const [dQ, dK, dV, dBias] = [q, k, v, bias].map((input, i) => gradientOf(input, needs[i]));
    attentionBwd({
      ...{ ...problem, out: floats(out), dOut: floats(dOut), lse: floats(lse) },
      ...{ dQ: optionalFloats(dQ), dK: optionalFloats(dK), dV: optionalFloats(dV), dBias: optionalFloats(dBias) },
    });
    return [dQ, dK, dV, dBias];
  });
  return { out, lse };
}

interface Offsets {
  offsetsQ: Int32Array;
  offsetsK: Int32Array;
}

/** Offsets of `batch` sequences of `length` tokens. */
const evenOffsets = (batch: number, length: number) => Int32Array.from({ length: batch + 1 }, (_, s) => s * length);

function offsetsOfBatch(options: AttentionOptions, batch: number, lengthQ: number, lengthK: number): Offsets {
  if (options.offsetsQ || options.offsetsK) {
    throw new UamError(
      'UAM_ARGUMENT',
      'attention: offsets are for packed tensors [tokens, heads, dim], received [batch, length, heads, dim]',
    );
  }
  return { offsetsQ: evenOffsets(batch, lengthQ), offsetsK: evenOffsets(batch, lengthK) };
}

function packedOffsets({ offsetsQ: givenQ, offsetsK: givenK = givenQ }: AttentionOptions, q: Tensor, k: Tensor): Offsets {
  if (!givenQ) {
    throw new UamError(
      'UAM_ARGUMENT',
      'attention: packed tensors [tokens, heads, dim] need offsetsQ; for a batch pass [batch, length, heads, dim]',
    );
  }
  const offsetsQ = offsetsOf('attention (queries)', givenQ, q.shape[0] as number);
  const offsetsK = offsetsOf('attention (keys)', givenK, k.shape[0] as number);
  if (offsetsQ.length !== offsetsK.length) {
    throw mismatch(
      'UAM_SHAPE',
      'attention: offsetsK',
      `of as many sequences as offsetsQ (${offsetsQ.length - 1})`,
      String(offsetsK.length - 1),
    );
  }
  return { offsetsQ, offsetsK };
}

/** The shape of a bias that fits: broadcast over sequences and heads, the lengths of all sequences alike. */
function checkBias(bias: Tensor, heads: number, { offsetsQ, offsetsK }: Offsets): void {
  requireTensor('attention', 'bias', bias);
  const sequences = offsetsQ.length - 1;
  const [lengthQ, lengthK] = bias.shape.slice(-2);
  requireShape('attention', 'bias', bias, [bias.shape[0] === 1 ? 1 : sequences, bias.shape[1] === 1 ? 1 : heads, 'lengthQ', 'lengthK']);
  for (let s = 0; s < sequences; s++) {
    const [queries, keys] = [offsetsQ, offsetsK].map((at) => (at[s + 1] as number) - (at[s] as number));
    if (queries !== lengthQ || keys !== lengthK) {
      const received = `a sequence of ${queries} queries and ${keys} keys`;
      throw mismatch(
        'UAM_SHAPE',
        `attention: with a bias ${format(bias.shape)} every sequence`,
        `${lengthQ} queries and ${lengthK} keys long`,
        received,
      );
    }
  }
}

/** Everything the kernels are told about the inputs, checked. */
function problemOf(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): AttentionProblem {
  requireOptions('attention', options, optionNames);
  const { kLens, keyMask, bias, causal = false } = options;
  for (const [name, tensor] of Object.entries({ q, k, v })) requireTensor('attention', name, tensor);
  requireSameDtype('attention', q, k, v, bias);
  const batched = q.shape.length === 4;
  if (!batched) requireShape('attention', 'q', q, ['tokensQ', 'heads', 'dim']);
  const [batch = 0, lengthQ = 0] = q.shape;
  const [heads = 0, dim = 0] = q.shape.slice(-2);
  requireShape('attention', 'k', k, batched ? [batch, 'lengthK', 'headsKv', dim] : ['tokensK', 'headsKv', dim]);
  requireShape('attention', 'v', v, [...k.shape.slice(0, -1), 'dimV']);
  const [headsKv = 0] = k.shape.slice(-2);
  if (headsKv === 0 ? heads > 0 : heads % headsKv !== 0) {
    throw mismatch('UAM_SHAPE', 'attention: the heads of q', `a multiple of the ${headsKv} of k and v`, String(heads));
  }
  const offsets = batched ? offsetsOfBatch(options, batch, lengthQ, k.shape[1] as number) : packedOffsets(options, q, k);
  const { offsetsQ, offsetsK } = offsets;
  const sequences = offsetsQ.length - 1;
  if (kLens) requireShape('attention', 'kLens', requireTensor('attention', 'kLens', kLens, ['int32']), [sequences]);
  if (keyMask) requireShape('attention', 'keyMask', requireTensor('attention', 'keyMask', keyMask, ['uint8']), k.shape.slice(0, -2));
  if (bias) checkBias(bias, heads, offsets);
  const [biasBatch = 0, biasHeads = 0, biasQ = 0, biasK = 0] = bias?.shape ?? [];
  return {
    ...{
      tokensQ: offsetsQ[sequences] as number,
      tokensK: offsetsK[sequences] as number,
      heads,
      headsKv,
      dim,
      dimV: v.shape.at(-1) as number,
    },
    ...{ biasBatch, biasHeads, lengthQ: biasQ, lengthK: biasK, scale: options.scale ?? 1 / Math.sqrt(dim), causal, offsetsQ, offsetsK },
    ...{ q: floats(q), k: floats(k), v: floats(v), bias: optionalFloats(bias) },
    ...{ kLens: kLens?.memory as Int32Array | undefined, keyMask: keyMask?.memory as Uint8Array | undefined },
  };
}
