import { mismatch } from '../errors.js';
import { Tensor } from '../tensor/tensor.js';

/** Where packed sequences begin and end: sequence s holds tokens [offsets[s], offsets[s + 1]). */
export type SequenceOffsets = Int32Array | Tensor;

/**
 * The offsets of `tokens` tokens, checked; one sequence where none are given. A copy: the backward pass reads them again, and the
 * caller may have reused the array by then.
 */
export function offsetsOf(op: string, offsets: SequenceOffsets | undefined, tokens: number): Int32Array {
  if (offsets === undefined) return Int32Array.of(0, tokens);
  // On the host wherever the tokens live: how the work is cut depends on them.
  const list = offsets instanceof Tensor ? offsets.data : offsets;
  if (!(list instanceof Int32Array)) throw mismatch('UAM_DTYPE', `${op}: offsets`, 'an Int32Array or an int32 tensor', typeof offsets);
  const rising = list.every((at, s) => s === 0 || at >= (list[s - 1] as number));
  if (list.length === 0 || list[0] !== 0 || list.at(-1) !== tokens || !rising) {
    const received = list.length > 8 ? `${list.subarray(0, 8).join(', ')}, ...` : list.join(', ');
    throw mismatch(
      'UAM_ARGUMENT',
      `${op}: offsets`,
      `numbers that start at 0, never fall and end at ${tokens}, the number of tokens`,
      `[${received}]`,
    );
  }
  return list.slice();
}

/** Calls visit(s, token, length) for every sequence; token(position) counts from its end where `reverse`. */
export function forSequences(
  offsets: Int32Array,
  reverse: boolean,
  visit: (sequence: number, token: (position: number) => number, length: number) => void,
): void {
  for (let s = 0; s + 1 < offsets.length; s++) {
    const first = offsets[s] as number;
    const last = offsets[s + 1] as number;
    visit(s, (position) => (reverse ? last - 1 - position : first + position), last - first);
  }
}
