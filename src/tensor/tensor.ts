import ndarray, { type NdArray } from 'ndarray';
import { mismatch, UamError } from '../errors.js';
import type { Device } from '../native/device.js';
import { DeviceArray } from '../native/device_array.js';
import { arrayOf, type DataArray, type Dtype } from './arena.js';
import { context } from './context.js';
import { type Node, newLeaf } from './node.js';
import { checkShape, contiguousStrides, format, type Shape, sizeOf } from './shape.js';

/** The elements of a tensor, where they live. */
export type TensorMemory = DataArray | DeviceArray;

/** Memory that one or more tensors share; it returns to the arena, or to the card, when the last of them is disposed. */
interface Storage {
  data: TensorMemory;
  tensors: number;
}

let made = 0;

export function dtypeOf(data: DataArray): Dtype {
  if (data instanceof Float32Array) return 'float32';
  if (data instanceof Int32Array) return 'int32';
  if (data instanceof Uint8Array) return 'uint8';
  if (data instanceof Float64Array) return 'float64';
  throw mismatch('UAM_DTYPE', 'data', 'a Float32Array, Float64Array, Int32Array or Uint8Array', Object.prototype.toString.call(data));
}

function onCard(dtype: Dtype, length: number): DeviceArray {
  if (dtype === 'float64') throw mismatch('UAM_DTYPE', 'a tensor on a card', 'float32, int32 or uint8', dtype, 'cast it first');
  return DeviceArray.allocate(dtype, length);
}

function checkBuffer(data: DataArray): void {
  const { buffer } = data as { buffer: ArrayBufferLike & { resizable?: boolean; growable?: boolean } };
  if (buffer.resizable || buffer.growable) {
    throw new UamError('UAM_ARGUMENT', 'data must not lie in a resizable buffer: it could shrink under native code; copy it with slice()');
  }
}

/**
 * An n-dimensional array of float32, int32 or uint8 in C order, with an optional place in a graph of operations.
 *
 * The data are always contiguous. Views are made only where they are free: `reshape`, `alias`, `row ranges` of the first axis
 * share memory; everything else (transposes, inner slices) copies. float64 tensors exist too; they run on the TypeScript
 * reference and serve to check gradients.
 *
 * @example
 * const x = Tensor.from([1, 2, 3, 4, 5, 6], [2, 3]);
 * x.shape;   // [2, 3]
 * x.data;    // Float32Array [1, 2, 3, 4, 5, 6]
 */
export class Tensor {
  readonly shape: Shape;
  readonly dtype: Dtype;
  /** Where the elements live: operations run there. */
  readonly device: Device;
  /** Number of elements. */
  readonly size: number;
  /** Rises with every tensor made. */
  readonly serial: number = made++;
  /** Gradient left by `backward()`; `undefined` before. */
  grad: Tensor | undefined;
  /** The operation that made this tensor, or a leaf's own node; `undefined` for constants. */
  node: Node | undefined;
  /** Which output of `node` this is. */
  output = 0;
  #storage: Storage;
  #data: TensorMemory | undefined;

  private constructor(storage: Storage, data: TensorMemory, shape: Shape) {
    this.#storage = storage;
    this.#data = data;
    this.shape = shape;
    this.device = data instanceof DeviceArray ? 'cuda' : 'cpu';
    this.dtype = data instanceof DeviceArray ? data.dtype : dtypeOf(data);
    this.size = data.length;
    storage.tensors++;
    context.scope?.add(this);
  }

  /** A tensor of `shape` whose elements are not set. */
  static empty(shape: Shape, dtype: Dtype = 'float32', device: Device = 'cpu'): Tensor {
    checkShape('Tensor.empty', shape);
    const data = device === 'cpu' ? context.arena.allocate(dtype, sizeOf(shape)) : onCard(dtype, sizeOf(shape));
    return new Tensor({ data, tensors: 0 }, data, [...shape]);
  }

  /** A tensor of `shape` filled with `value`. */
  static full(shape: Shape, value: number, dtype: Dtype = 'float32', device: Device = 'cpu'): Tensor {
    const tensor = Tensor.empty(shape, dtype, device);
    tensor.memory.fill(value);
    return tensor;
  }

  /** A tensor of `shape` filled with zeros. */
  static zeros(shape: Shape, dtype: Dtype = 'float32', device: Device = 'cpu'): Tensor {
    return Tensor.full(shape, 0, dtype, device);
  }

  /**
   * A tensor over `data`: a typed array is used in place (zero copy), a list of numbers is copied to float32.
   *
   * @param data a Float32Array, Int32Array, Uint8Array (or Float64Array), or a list of numbers
   * @param shape defaults to one axis
   * @param device where the tensor shall live: on 'cuda' it is a copy. Default 'cpu'
   * @throws UamError `UAM_SHAPE` where `shape` does not hold `data`, `UAM_DTYPE` for other arrays, `UAM_DEVICE` without a card
   * @example
   * const ids = Tensor.from(Int32Array.of(3, 1, 2));
   */
  static from(data: DataArray | readonly number[] | number, shape?: Shape, device: Device = 'cpu'): Tensor {
    const list = typeof data === 'number' ? [data] : data;
    const array = Array.isArray(list) ? Float32Array.from(list) : (list as DataArray);
    dtypeOf(array);
    checkBuffer(array);
    const wanted = shape ?? (typeof data === 'number' ? [] : [array.length]);
    checkShape('Tensor.from', wanted);
    if (sizeOf(wanted) !== array.length) {
      throw mismatch('UAM_SHAPE', 'Tensor.from: shape', `one of ${array.length} elements`, format(wanted));
    }
    if (device === 'cpu') return new Tensor({ data: array, tensors: 0 }, array, [...wanted]);
    const tensor = Tensor.empty(wanted, dtypeOf(array), device);
    tensor.set(array);
    return tensor;
  }

  /**
   * A tensor from an `ndarray`. Zero copy where the array is contiguous in C order; otherwise its elements are copied.
   *
   * @throws UamError `UAM_DTYPE` for element types other than float32, float64, int32 and uint8
   */
  static fromNdarray(array: NdArray<DataArray>): Tensor {
    const strides = contiguousStrides(array.shape);
    const free = array.shape.every((n, axis) => n <= 1 || array.stride[axis] === strides[axis]);
    const size = sizeOf(array.shape);
    if (free) return Tensor.from(array.data.subarray(array.offset, array.offset + size), array.shape);
    const copy = Tensor.empty(array.shape, dtypeOf(array.data));
    const index = new Array<number>(array.shape.length).fill(0);
    for (let i = 0; i < size; i++) {
      let at = array.offset;
      for (let axis = 0; axis < index.length; axis++) at += (index[axis] as number) * (array.stride[axis] as number);
      copy.data[i] = array.data[at] as number;
      for (let axis = index.length - 1; axis >= 0; axis--) {
        if (++(index[axis] as number) < (array.shape[axis] as number)) break;
        index[axis] = 0;
      }
    }
    return copy;
  }

  /** This tensor as an `ndarray` over the same memory (zero copy). */
  toNdarray(): NdArray<DataArray> {
    return ndarray(this.data, [...this.shape]);
  }

  /**
   * The elements in C order. Do not keep it past the tensor's disposal: its memory is used again.
   *
   * @throws UamError `UAM_DEVICE` for a tensor on a card: `to('cpu')` copies it
   */
  get data(): DataArray {
    const { memory } = this;
    if (!(memory instanceof DeviceArray)) return memory;
    throw new UamError(
      'UAM_DEVICE',
      `this tensor of shape ${format(this.shape)} lives on cuda; copy it with to('cpu') or await toAsync('cpu')`,
    );
  }

  /** What kernels take: the elements, wherever they live. */
  get memory(): TensorMemory {
    if (this.#data === undefined) {
      throw new UamError(
        'UAM_DISPOSED',
        `this tensor of shape ${format(this.shape)} was disposed or its scope has ended; return it from the scope, or keep() it`,
      );
    }
    return this.#data;
  }

  get disposed(): boolean {
    return this.#data === undefined;
  }

  /** Strides in elements: always those of a contiguous array in C order. */
  get strides(): number[] {
    return contiguousStrides(this.shape);
  }

  /** The only element of a tensor that has one. */
  item(): number {
    if (this.size !== 1) throw mismatch('UAM_SHAPE', 'item(): the tensor', 'of one element', format(this.shape));
    return (this.device === 'cpu' ? this.data : this.#onHost())[0] as number;
  }

  /** A copy of a card's elements. */
  #onHost(): DataArray {
    const array = arrayOf(this.dtype, new ArrayBuffer(this.size * (this.dtype === 'uint8' ? 1 : 4)), 0, this.size);
    (this.memory as DeviceArray).read(array as Float32Array);
    return array;
  }

  /**
   * This tensor on another device, outside the graph: a copy, or another view where it lives there already. Copying from a card waits
   * until the card has done all that was asked of it.
   *
   * @throws UamError `UAM_DEVICE` without a card, `UAM_DTYPE` for float64, which no card's kernels compute in; from a card also what
   *   kernels found wrong since somebody last waited
   * @example
   * const there = Tensor.from([1, 2, 3]).to('cpu');
   */
  to(device: Device): Tensor {
    if (device !== 'cpu' && device !== 'cuda') throw mismatch('UAM_ARGUMENT', 'to: device', "'cpu' or 'cuda'", String(device));
    if (device === this.device) return this.alias();
    if (device === 'cuda') return Tensor.from(this.data, this.shape, device);
    return Tensor.from(this.#onHost(), this.shape);
  }

  /**
   * As `to`, but waiting for a card does not hold the event loop. Until the promise settles, the tensor must not be changed.
   *
   * @throws UamError as `to` does
   * @example
   * const host = await Tensor.from([1, 2, 3]).toAsync('cpu');
   */
  async toAsync(device: Device): Promise<Tensor> {
    const { memory, shape } = this;
    if (device !== 'cpu' || !(memory instanceof DeviceArray)) return this.to(device);
    const array = arrayOf(this.dtype, new ArrayBuffer(this.size * (this.dtype === 'uint8' ? 1 : 4)), 0, this.size);
    await memory.readAsync(array as Float32Array);
    return Tensor.from(array, shape);
  }

  /** Copies elements into this tensor, from the host or from a tensor, on whichever device either lives. */
  set(values: DataArray | Tensor): void {
    const source = values instanceof Tensor ? (values.device === this.device ? values.memory : values.to(this.device).memory) : values;
    if (source.length !== this.size) throw mismatch('UAM_SHAPE', 'set: values', `${this.size} elements`, String(source.length));
    const { memory } = this;
    if (memory instanceof DeviceArray) memory.set(source as Float32Array | DeviceArray);
    else memory.set(source as DataArray);
  }

  /** Another tensor over the same memory, outside the graph; `shape` may rearrange it. */
  alias(shape: Shape = this.shape): Tensor {
    if (sizeOf(shape) !== this.size) throw mismatch('UAM_SHAPE', 'alias: shape', `one of ${this.size} elements`, format(shape));
    return new Tensor(this.#storage, this.memory, [...shape]);
  }

  /** Rows [begin, end) of the first axis, over the same memory, outside the graph. */
  rows(begin: number, end: number): Tensor {
    const [count = 0, ...rest] = this.shape;
    if (!(Number.isInteger(begin) && Number.isInteger(end) && begin >= 0 && begin <= end && end <= count)) {
      throw mismatch('UAM_ARGUMENT', 'rows: range', `within 0 and ${count}`, `${begin} to ${end}`);
    }
    const width = sizeOf(rest);
    return new Tensor(this.#storage, this.memory.subarray(begin * width, end * width), [end - begin, ...rest]);
  }

  /** The same values outside the graph, over the same memory: gradients stop here. */
  detach(): Tensor {
    return this.alias();
  }

  /** A copy of the values, outside the graph. */
  clone(): Tensor {
    const copy = Tensor.empty(this.shape, this.dtype, this.device);
    copy.set(this);
    return copy;
  }

  /** True for parameters and for results that depend on one. */
  get requiresGrad(): boolean {
    return this.node !== undefined;
  }

  /**
   * Makes this tensor a leaf that gradients are collected for, and returns it.
   *
   * @throws UamError `UAM_DTYPE` for integers, `UAM_GRAPH` for a tensor that an operation made
   * @example
   * const weight = Tensor.zeros([4, 3]).requireGrad();
   */
  requireGrad(): this {
    if (this.dtype !== 'float32' && this.dtype !== 'float64') {
      throw mismatch('UAM_DTYPE', 'requireGrad: the tensor', 'float32', this.dtype);
    }
    if (this.node && !this.node.leaf)
      throw new UamError('UAM_GRAPH', 'requireGrad: this tensor is the result of an operation; detach() it first');
    this.node ??= newLeaf(this);
    return this;
  }

  /** Keeps this tensor when the scope it was made in ends; returns it. */
  keep(): this {
    context.scope?.delete(this);
    return this;
  }

  /** Lets go of the memory. Using the tensor afterwards is an error; disposing of it twice is not. */
  dispose(): void {
    if (this.#data === undefined) return;
    this.#data = undefined;
    context.scope?.delete(this);
    if (--this.#storage.tensors > 0) return;
    const { data } = this.#storage;
    if (data instanceof DeviceArray) data.release();
    else context.arena.recycle(data);
  }

  /** True where no other tensor shares this one's memory. */
  get ownsMemory(): boolean {
    return this.#storage.tensors === 1;
  }

  toString(): string {
    if (this.device !== 'cpu') return `Tensor(${this.dtype} ${format(this.shape)} on ${this.device})`;
    const data = this.disposed ? 'disposed' : `${Array.from(this.data.subarray(0, 8)).join(', ')}${this.size > 8 ? ', ...' : ''}`;
    return `Tensor(${this.dtype} ${format(this.shape)}: ${data})`;
  }
}

export { arrayOf };
