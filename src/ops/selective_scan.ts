import { mismatch } from '../errors.js';
import { kernel } from '../native/call.js';
import { recordAll } from '../tensor/autograd.js';
import { context } from '../tensor/context.js';
import { format } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, gradientOf, optionalFloats, requireOptions, requireSameDtype, requireShape, requireTensor } from './check.js';
import {
  type SelectiveScanBwdParams,
  type SelectiveScanFwdParams,
  scanChunks,
  selectiveScanBwdReference,
  selectiveScanFwdReference,
} from './selective_scan_reference.js';
import { offsetsOf, type SequenceOffsets } from './sequences.js';

const selectiveScanFwd = kernel<SelectiveScanFwdParams>('selective_scan_fwd', selectiveScanFwdReference);
const selectiveScanBwd = kernel<SelectiveScanBwdParams>('selective_scan_bwd', selectiveScanBwdReference);

export interface SelectiveScanInputs {
  /** The sequence: [tokens, dim] packed, or [batch, length, dim]. */
  u: Tensor;
  /** Step sizes, of u's shape; see `deltaSoftplus`. */
  delta: Tensor;
  /** Rates, [dim, state]; negative where memory is to fade. */
  A: Tensor;
  /** How the input enters the state: per token [tokens, groups, state] ([batch, length, groups, state]), or constant [dim, state]. */
  B: Tensor;
  /** How the state is read: as B. */
  C: Tensor;
  /** Direct path from u, [dim]. Default 0. */
  D?: Tensor | undefined;
  /** Gate, of u's shape. Default: none. */
  z?: Tensor | undefined;
  /** Added to delta before the softplus, [dim]. Default 0. */
  deltaBias?: Tensor | undefined;
  /** State before the first step, [sequences, dim, state]. Default 0. */
  h0?: Tensor | undefined;
  /** For packed u: int32 [sequences + 1] from 0 to tokens; sequence s holds the tokens offsets[s] to offsets[s + 1]. Default: one sequence. */
  offsets?: SequenceOffsets | undefined;
}

export interface SelectiveScanOptions {
  /** Pass delta + deltaBias through softplus, so that steps are positive. Default false. */
  deltaSoftplus?: boolean;
  /** Run from each sequence's last token to its first. Default false. */
  reverse?: boolean;
}

export interface SelectiveScanResult {
  /** Of u's shape. */
  out: Tensor;
  /** The state after the last step in scan order, [sequences, dim, state]; h0 (or zero) for an empty sequence. */
  lastState: Tensor;
}

const op = 'selectiveScan';

/**
 * The selective scan of Mamba (Gu and Dao 2023, arXiv:2312.00752, section 3): a linear recurrence per channel d and state n,
 * whose coefficients change from token to token. With dt[t] = delta[t] + deltaBias (softplus of it with `deltaSoftplus`),
 *
 *     h[t]   = exp(dt[t] A) h[t-1] + dt[t] B[t] u[t]        h[-1] = h0, or zero, at the start of every sequence
 *     out[t] = (sum over n of C[t] h[t] + D u[t]) * silu(z[t])
 *
 * Channel d reads B and C of group floor(d / (dim / groups)). The state is float32 throughout. Differentiable in every input.
 *
 * @param inputs see `SelectiveScanInputs`; all float tensors of one dtype
 * @param options see `SelectiveScanOptions`
 * @returns `out` and `lastState`; passing `lastState` as `h0` of what follows continues the scan
 * @throws UamError `UAM_SHAPE` where shapes do not fit, `UAM_DTYPE` for mixed dtypes, `UAM_ARGUMENT` for offsets that do not rise
 *   from 0 to tokens, and for unknown options
 * @example
 * const { out, lastState } = selectiveScan(
 *   {
 *     u: Tensor.full([1, 3, 2], 1),
 *     delta: Tensor.full([1, 3, 2], 0.5),
 *     A: Tensor.full([2, 4], -1),
 *     B: Tensor.full([1, 3, 1, 4], 1),
 *     C: Tensor.full([1, 3, 1, 4], 1),
 *   },
 *   { deltaSoftplus: true },
 * );
 */
export function selectiveScan(inputs: SelectiveScanInputs, options: SelectiveScanOptions = {}): SelectiveScanResult {
  requireOptions(op, options, ['deltaSoftplus', 'reverse']);
  requireOptions(op, inputs, ['u', 'delta', 'A', 'B', 'C', 'D', 'z', 'deltaBias', 'h0', 'offsets']);
  const layout = layoutOf(inputs);
  const { u, delta, A, B, C, D, z, deltaBias, h0 } = inputs;
  const { dim, state, sequences } = layout;
  const list = [u, delta, A, B, C, D, z, deltaBias, h0];
  const shared = {
    ...layout.params,
    ...{ deltaSoftplus: options.deltaSoftplus ?? false, reverse: options.reverse ?? false },
    ...{ u: floats(u), delta: floats(delta), A: floats(A), B: floats(B), C: floats(C) },
    ...{ D: optionalFloats(D), z: optionalFloats(z), deltaBias: optionalFloats(deltaBias), h0: optionalFloats(h0) },
  };
  const out = Tensor.empty(u.shape, u.dtype, u.device);
  const lastState = Tensor.empty([sequences, dim, state], u.dtype, u.device);
  const training = context.recording && list.some((input) => input?.node);
  const chunks = training ? scanChunks(layout.params.offsets) : 0;
  const checkpoints = training ? Tensor.empty([chunks, state, dim], u.dtype, u.device) : undefined;
  selectiveScanFwd({ ...shared, chunks, out: floats(out), lastState: floats(lastState), checkpoints: optionalFloats(checkpoints) });

  recordAll(op, list, [out, lastState], ([dOut, dLastState], needs) => {
    const gradients = list.map((input, i) => gradientOf(input, needs[i]));
    const [dU, dDelta, dA, dB, dC, dD, dZ, dDeltaBias, dH0] = gradients.map(optionalFloats);
    selectiveScanBwd({
      ...shared,
      ...{ chunks, checkpoints: floats(checkpoints as Tensor), dOut: optionalFloats(dOut), dLastState: optionalFloats(dLastState) },
      ...{ dU, dDelta, dA, dB, dC, dD, dZ, dDeltaBias, dH0 },
    });
    return gradients;
  });
  return { out, lastState };
}

/** Checks the inputs against each other; the dims and flags of the kernels' contract. */
function layoutOf(inputs: SelectiveScanInputs) {
  const { u, delta, A, B, C, D, z, deltaBias, h0 } = inputs;
  const given = Object.entries({ u, delta, A, B, C, D, z, deltaBias, h0 }).filter(([, tensor]) => tensor !== undefined);
  for (const [name, tensor] of given) requireTensor(op, name, tensor);
  requireSameDtype(op, ...given.map(([, tensor]) => tensor));
  if (u.shape.length !== 2 && u.shape.length !== 3)
    throw mismatch('UAM_SHAPE', `${op}: u`, '[tokens, dim] or [batch, length, dim]', format(u.shape));
  const leading = u.shape.slice(0, -1);
  const dim = u.shape.at(-1) as number;
  requireShape(op, 'A', A, [dim, 'state']);
  const state = A.shape[1] as number;
  if (state < 1) throw mismatch('UAM_SHAPE', `${op}: A`, '[dim, state] with at least one state', format(A.shape));
  const constantB = B.shape.length === 2;
  const constantC = C.shape.length === 2;
  const perToken = !constantB ? B : !constantC ? C : undefined;
  const groups = perToken?.shape.at(-2) ?? 1;
  if (groups < 1 || dim % groups !== 0) throw mismatch('UAM_SHAPE', `${op}: groups`, `a divisor of dim ${dim}`, String(groups));
  requireShape(op, 'B', B, constantB ? [dim, state] : [...leading, groups, state]);
  requireShape(op, 'C', C, constantC ? [dim, state] : [...leading, groups, state]);
  requireShape(op, 'delta', delta, u.shape);
  if (z) requireShape(op, 'z', z, u.shape);
  if (D) requireShape(op, 'D', D, [dim]);
  if (deltaBias) requireShape(op, 'deltaBias', deltaBias, [dim]);
  const offsets = sequencesOf(inputs);
  const sequences = offsets.length - 1;
  if (h0) requireShape(op, 'h0', h0, [sequences, dim, state]);
  const tokens = leading.reduce((product, n) => product * n, 1);
  return { dim, state, sequences, params: { tokens, dim, state, groups, constantB, constantC, offsets } };
}

/** Offsets of a batch of equal lengths, or those given for packed tokens. */
function sequencesOf({ u, offsets }: SelectiveScanInputs): Int32Array {
  const [batchOrTokens = 0, length = 0] = u.shape;
  if (u.shape.length === 2) return offsetsOf(op, offsets, batchOrTokens);
  if (offsets !== undefined) throw mismatch('UAM_SHAPE', `${op}: u`, '[tokens, dim] where offsets are given', format(u.shape));
  return Int32Array.from({ length: batchOrTokens + 1 }, (_, i) => i * length);
}
