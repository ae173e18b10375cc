import { mismatch, UamError } from '../errors.js';
import type { Device } from '../native/device.js';
import type { DataArray, Dtype } from '../tensor/arena.js';
import { bring } from '../tensor/bring.js';
import { format, type Shape, sameShape } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';

/** Values for a parameter, as a checkpoint holds them. */
export interface ParameterValues {
  shape: Shape;
  data: DataArray;
}

export interface ParameterOptions {
  /** Whether weight decay shrinks it. Default: matrices yes, vectors (norms, biases) no. */
  decay?: boolean;
}

interface Parameter {
  name: string;
  tensor: Tensor;
  decay: boolean;
}

interface Child {
  name: string;
  module: Module;
}

/** Another tensor in a parameter's place, which is disposed of with its gradient. */
function exchange(parameter: Parameter, tensor: Tensor): void {
  const before = parameter.tensor;
  parameter.tensor = tensor.keep().requireGrad();
  before.grad?.dispose();
  before.dispose();
}

/**
 * A part of a model: parameters and smaller parts, in a fixed order and with fixed names, which are those of its files.
 *
 * Subclasses call `parameter` and `child` in their constructor, and read parameters with `get`. A child without a name shares its
 * parent's names. A new module is in evaluation mode.
 *
 * @example
 * class Scale extends Module {
 *   constructor(width: number) {
 *     super();
 *     this.parameter('scale', Tensor.full([width], 1));
 *   }
 *   forward(x: Tensor): Tensor {
 *     return mul(x, this.get('scale'));
 *   }
 * }
 * const scale = new Scale(3);
 * scale.namedParameters().map(([name]) => name);   // ['scale']
 */
export class Module {
  readonly #entries: (Parameter | Child)[] = [];
  readonly #own = new Map<string, Parameter>();
  #training = false;

  /** Makes `tensor` a parameter: a leaf that gradients are collected for, kept beyond the scope it was made in. */
  protected parameter(name: string, tensor: Tensor, { decay = tensor.shape.length > 1 }: ParameterOptions = {}): void {
    this.#refuseTaken([name]);
    const parameter = { name, tensor: tensor.keep().requireGrad(), decay };
    this.#own.set(name, parameter);
    this.#entries.push(parameter);
  }

  /** Makes `module` a part of this one; its parameters are called `name.` and their own name, or just that where name is ''. */
  protected child<T extends Module>(name: string, module: T): T {
    this.#refuseTaken(module.namedParameters(name && `${name}.`).map(([path]) => path));
    this.#entries.push({ name, module });
    return module;
  }

  #refuseTaken(names: readonly string[]): void {
    const taken = new Set(this.namedParameters().map(([name]) => name));
    const twice = names.find((name) => taken.has(name));
    if (twice !== undefined) throw new UamError('UAM_ARGUMENT', `${this.constructor.name}: two parameters are called '${twice}'`);
  }

  /** One of this module's own parameters. */
  protected get(name: string): Tensor {
    const found = this.#own.get(name);
    if (!found) throw new UamError('UAM_ARGUMENT', `${this.constructor.name} has no parameter '${name}'`);
    return found.tensor;
  }

  *#walk(prefix: string): Generator<[string, Parameter]> {
    for (const entry of this.#entries) {
      if ('tensor' in entry) yield [prefix + entry.name, entry];
      else yield* entry.module.#walk(entry.name ? `${prefix}${entry.name}.` : prefix);
    }
  }

  /** Names and parameters in their fixed order. */
  namedParameters(prefix = ''): [string, Tensor][] {
    return [...this.#walk(prefix)].map(([name, { tensor }]) => [name, tensor]);
  }

  /** Parameters in their fixed order: that of `namedParameters`. */
  parameters(): Tensor[] {
    return [...this.#walk('')].map(([, { tensor }]) => tensor);
  }

  /** For each of `parameters()`, whether weight decay shrinks it: not norms, biases, embeddings, A_log and D. */
  decays(): boolean[] {
    return [...this.#walk('')].map(([, { decay }]) => decay);
  }

  /** How many numbers the parameters hold. */
  get parameterCount(): number {
    return this.parameters().reduce((sum, { size }) => sum + size, 0);
  }

  /** Puts another tensor in a parameter's place, as it is, and returns the one that was there (not disposed of). */
  replace(name: string, tensor: Tensor): Tensor {
    const found = [...this.#walk('')].find(([path]) => path === name)?.[1];
    if (!found) throw new UamError('UAM_ARGUMENT', `${this.constructor.name} has no parameter '${name}'`);
    const before = found.tensor;
    if (!sameShape(before.shape, tensor.shape)) throw mismatch('UAM_SHAPE', name, format(before.shape), format(tensor.shape));
    found.tensor = tensor;
    return before;
  }

  /** Parameters of another float type, in place of the present ones: float64 serves to check gradients. */
  cast(dtype: 'float32' | 'float64'): this {
    for (const [, parameter] of this.#walk('')) {
      const { tensor } = parameter;
      const { data } = bring(tensor, 'cpu');
      const values = dtype === 'float64' ? Float64Array.from(data) : Float32Array.from(data);
      exchange(parameter, Tensor.from(values, tensor.shape, tensor.device));
    }
    return this;
  }

  /**
   * Moves the parameters to a device, in place of the present ones; their gradients are dropped. What the module computes from then on it
   * computes there: inputs that are made on the host are brought to the parameters.
   *
   * @throws UamError as `Tensor.to`: the module then stays where it was
   * @example
   * const layer = new Linear(4, 2, new Initializer(1)).to('cpu');   // or to('cuda'), where there is a card
   */
  to(device: Device): this {
    const moving = [...this.#walk('')].map(([, parameter]) => parameter).filter(({ tensor }) => tensor.device !== device);
    const copies: Tensor[] = [];
    try {
      for (const { tensor } of moving) copies.push(tensor.to(device));
    } catch (error) {
      for (const copy of copies) copy.dispose();
      throw error;
    }
    moving.forEach((parameter, i) => void exchange(parameter, copies[i] as Tensor));
    return this;
  }

  /** Where the parameters live: the CPU where there are none. */
  get device(): Device {
    for (const [, { tensor }] of this.#walk('')) return tensor.device;
    return 'cpu';
  }

  /** The float type of the parameters; float32 where there are none. */
  get dtype(): Dtype {
    return this.parameters()[0]?.dtype ?? 'float32';
  }

  /**
   * Copies values into the parameters.
   *
   * @param values by name; every parameter must be there, and nothing else
   * @throws UamError `UAM_SHAPE` where names or shapes differ: nothing is changed then
   */
  load(values: ReadonlyMap<string, ParameterValues>): void {
    const named = this.namedParameters();
    const known = new Set(named.map(([name]) => name));
    const lacks = named.flatMap(([name]) => (values.has(name) ? [] : [name]));
    const extra = [...values.keys()].filter((name) => !known.has(name));
    if (lacks.length + extra.length > 0) {
      const some = (list: string[]) => `${list.slice(0, 3).join(', ')}${list.length > 3 ? ` and ${list.length - 3} more` : ''}`;
      const parts = [...(lacks.length > 0 ? [`lack ${some(lacks)}`] : []), ...(extra.length > 0 ? [`also hold ${some(extra)}`] : [])];
      throw new UamError('UAM_SHAPE', `${this.constructor.name}: the parameters given ${parts.join(', and ')}: they are another model's`);
    }
    for (const [name, tensor] of named) {
      const { shape } = values.get(name) as ParameterValues;
      if (!sameShape(shape, tensor.shape)) throw mismatch('UAM_SHAPE', name, format(tensor.shape), format(shape));
    }
    for (const [name, tensor] of named) {
      const { data } = values.get(name) as ParameterValues;
      // A card takes over bytes; the host converts numbers.
      tensor.set(tensor.device === 'cpu' || data instanceof Float32Array ? data : Float32Array.from(data));
    }
  }

  /** Whether dropout and its like are at work. */
  get training(): boolean {
    return this.#training;
  }

  /** Switches to training mode, or back with `false`. */
  train(on = true): this {
    this.#training = on;
    for (const entry of this.#entries) if ('module' in entry) entry.module.train(on);
    return this;
  }

  /** Switches to evaluation mode. */
  eval(): this {
    return this.train(false);
  }

  /** Lets go of the gradients that `backward` left. */
  zeroGrad(): void {
    for (const tensor of this.parameters()) {
      tensor.grad?.dispose();
      tensor.grad = undefined;
    }
  }

  /** Lets go of the parameters' memory. */
  dispose(): void {
    this.zeroGrad();
    for (const tensor of this.parameters()) tensor.dispose();
  }
}
