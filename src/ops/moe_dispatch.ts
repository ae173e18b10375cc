import { mismatch, UamError } from '../errors.js';
import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { recordAll } from '../tensor/autograd.js';
import { bring } from '../tensor/bring.js';
import { Tensor } from '../tensor/tensor.js';
import { floats, requireOptions, requireShape, requireTensor } from './check.js';
import { rejectIndex } from './index_error.js';

interface MoeDispatchFwdParams {
  tokens: number;
  width: number;
  experts: number;
  k: number;
  slots: number;
  x: FloatArray;
  indices: Int32Array;
  kept: Uint8Array | undefined;
  rows: FloatArray;
  offsets: Int32Array;
  order: Int32Array;
  slot: Int32Array;
}

interface MoeDispatchBwdParams {
  tokens: number;
  width: number;
  k: number;
  slots: number;
  dRows: FloatArray;
  slot: Int32Array;
  dX: FloatArray;
}

const moeDispatchFwd = kernel<MoeDispatchFwdParams>('moe_dispatch_fwd', (p) => {
  const { width, experts, k, x, indices, kept, rows, offsets, order, slot } = p;
  let next = 0;
  slot.fill(-1);
  indices.forEach((expert, choice) => {
    if (expert < 0 || expert >= experts) rejectIndex('moe_dispatch_fwd', 'indices', choice, expert, experts);
  });
  for (let expert = 0; expert < experts; expert++) {
    offsets[expert] = next;
    for (let choice = 0; choice < indices.length; choice++) {
      if (indices[choice] !== expert || (kept && kept[choice] === 0)) continue;
      const token = Math.floor(choice / k);
      rows.set(x.subarray(token * width, (token + 1) * width), next * width);
      order[next] = choice;
      slot[choice] = next++;
    }
  }
  offsets[experts] = next;
  if (next !== p.slots)
    throw new UamError('UAM_SHAPE', `moe_dispatch_fwd: slots must be the number of kept choices (${next}), received ${p.slots}`);
});

const moeDispatchBwd = kernel<MoeDispatchBwdParams>('moe_dispatch_bwd', ({ tokens, width, k, slots, dRows, slot, dX }) => {
  dX.fill(0);
  for (let token = 0; token < tokens; token++) {
    for (const { row } of slotsOfToken('moe_dispatch_bwd', slot, token, k, slots)) {
      for (let i = 0; i < width; i++) (dX[token * width + i] as number) += dRows[row * width + i] as number;
    }
  }
});

/** The kept choices of a token by rising row, which is by rising expert. */
export function slotsOfToken(name: string, slot: Int32Array, token: number, k: number, slots: number): { row: number; choice: number }[] {
  const found: { row: number; choice: number }[] = [];
  for (let choice = token * k; choice < (token + 1) * k; choice++) {
    const row = slot[choice] as number;
    if (row === -1) continue;
    if (row < 0 || row >= slots) rejectIndex(name, 'slot', choice, row, slots, ', or -1 (dropped)');
    found.push({ row, choice });
  }
  return found.sort((a, b) => a.row - b.row);
}

export interface MoeDispatchOptions {
  /** Number of experts. */
  experts: number;
  /** uint8 of the indices' shape: choices where it is 0 get no row. Default: all are kept, as they must be on a card. */
  kept?: Tensor;
}

export interface MoeDispatch {
  /** The tokens' rows sorted by expert, [slots, width]. */
  rows: Tensor;
  /** Expert e owns rows offsets[e] .. offsets[e + 1]; int32 [experts + 1]. */
  offsets: Tensor;
  /** The choice (token * k + c) that each row serves, int32 [slots]. */
  order: Tensor;
  /** The row of each choice, -1 where it was dropped; int32 [tokens, k]. */
  slot: Tensor;
}

/**
 * Brings tokens together expert by expert: a row for every kept choice, sorted by expert and, within one, in order of token and
 * choice. `moeCombine` brings them back. The gradient of a token is the sum of those of its rows, in order of experts.
 *
 * @param x [tokens, width]
 * @param indices int32 [tokens, k], the experts of every token (see `moeRoute`)
 * @throws UamError `UAM_ARGUMENT` for an index that is no expert, naming its place; `UAM_SHAPE`, `UAM_DTYPE`; `UAM_DEVICE` for `kept` on a
 *   card
 * @example
 * const { rows, offsets } = moeDispatch(Tensor.from([1, 2, 3], [3, 1]), Tensor.from(Int32Array.of(1, 0, 1), [3, 1]), { experts: 2 });
 * rows.data;      // 2, 1, 3
 * offsets.data;   // 0, 1, 3
 */
export function moeDispatch(x: Tensor, indices: Tensor, options: MoeDispatchOptions): MoeDispatch {
  const op = 'moeDispatch';
  requireOptions(op, options, ['experts', 'kept']);
  const { experts, kept } = options;
  if (!(Number.isInteger(experts) && experts >= 1)) throw mismatch('UAM_ARGUMENT', `${op}: experts`, 'an integer >= 1', String(experts));
  requireShape(op, 'x', requireTensor(op, 'x', x), ['tokens', 'width']);
  const [tokens, width] = x.shape as [number, number];
  requireShape(op, 'indices', requireTensor(op, 'indices', indices, ['int32']), [tokens, 'k']);
  const k = indices.shape[1] as number;
  if (k < 1) throw mismatch('UAM_SHAPE', `${op}: indices`, '[tokens, k] with k at least 1', `[${indices.shape}]`);
  if (kept) requireShape(op, 'kept', requireTensor(op, 'kept', kept, ['uint8']), [tokens, k]);
  if (kept && kept.device !== 'cpu') {
    throw new UamError(
      'UAM_DEVICE',
      `${op}: kept must live on the CPU: on a card, counting the choices that stay would wait for it; pass kept.to('cpu')`,
    );
  }
  const slots = kept ? (kept.memory as Uint8Array).reduce((count, flag) => count + Number(flag !== 0), 0) : indices.size;
  const keptThere = kept && (bring(kept, x.device).memory as Uint8Array);
  const rows = Tensor.empty([slots, width], x.dtype, x.device);
  const offsets = Tensor.empty([experts + 1], 'int32', x.device);
  const order = Tensor.empty([slots], 'int32', x.device);
  const slot = Tensor.empty([tokens, k], 'int32', x.device);
  moeDispatchFwd({
    ...{ tokens, width, experts, k, slots },
    ...{ x: floats(x), indices: indices.memory as Int32Array, kept: keptThere, rows: floats(rows) },
    ...{ offsets: offsets.memory as Int32Array, order: order.memory as Int32Array, slot: slot.memory as Int32Array },
  });
  recordAll(op, [x], [rows], ([dRows]) => {
    const dX = Tensor.empty(x.shape, x.dtype, x.device);
    moeDispatchBwd({ tokens, width, k, slots, dRows: floats(dRows as Tensor), slot: slot.memory as Int32Array, dX: floats(dX) });
    return [dX];
  });
  return { rows, offsets, order, slot };
}
