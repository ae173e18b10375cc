import { mismatch, UamError } from '../errors.js';
import type { Dtype, FloatArray } from '../tensor/arena.js';
import { format, type Shape } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';

/** Throws unless `value` is a tensor of one of `dtypes` (default: a float one). */
export function requireTensor(op: string, name: string, value: unknown, dtypes: readonly Dtype[] = ['float32', 'float64']): Tensor {
  if (!(value instanceof Tensor)) throw mismatch('UAM_ARGUMENT', `${op}: ${name}`, 'a Tensor', value === null ? 'null' : typeof value);
  if (!dtypes.includes(value.dtype)) throw mismatch('UAM_DTYPE', `${op}: ${name}`, dtypes.join(' or '), value.dtype);
  return value;
}

/**
 * Throws unless `tensor` has the shape that `expected` lists: a number, or a word for an axis of any length.
 *
 * @example
 * requireShape('linear', 'weight', weight, ['out', inFeatures]);
 */
export function requireShape(op: string, name: string, tensor: Tensor, expected: readonly (number | string)[]): void {
  const { shape } = tensor;
  const fits = shape.length === expected.length && expected.every((n, axis) => typeof n === 'string' || n === shape[axis]);
  if (!fits) throw mismatch('UAM_SHAPE', `${op}: ${name}`, `[${expected.join(', ')}]`, format(shape));
}

/** Throws unless all tensors that are present have the same (float) dtype. */
export function requireSameDtype(op: string, ...tensors: (Tensor | undefined)[]): Dtype {
  const present = tensors.filter((tensor): tensor is Tensor => tensor !== undefined);
  const dtype = present[0]?.dtype ?? 'float32';
  if (present.some((tensor) => tensor.dtype !== dtype)) {
    throw mismatch('UAM_DTYPE', `${op}: tensors`, `all ${dtype}`, present.map((tensor) => tensor.dtype).join(', '));
  }
  return dtype;
}

/** Throws for options that the op does not know: misspelt ones would be ignored silently. */
export function requireOptions(op: string, options: object, known: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!known.includes(name)) throw new UamError('UAM_ARGUMENT', `${op}: unknown option '${name}'; known are ${known.join(', ')}`);
  }
}

/** The elements of a float tensor, for a kernel's parameters. */
export function floats(tensor: Tensor): FloatArray {
  return tensor.memory as FloatArray;
}

/** The same for a tensor that may be absent. */
export function optionalFloats(tensor: Tensor | undefined): FloatArray | undefined {
  return tensor?.memory as FloatArray | undefined;
}

/** A new tensor like `tensor` where `needed`, else undefined: gradients that nobody asked for are not computed. */
export function gradientOf(tensor: Tensor | undefined, needed: boolean | undefined): Tensor | undefined {
  return tensor && needed ? Tensor.empty(tensor.shape, tensor.dtype, tensor.device) : undefined;
}

export type { Shape };
