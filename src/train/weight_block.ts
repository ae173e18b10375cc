// All numbers of a model, or as many beside them (moments, means), as one block of memory: what is done to all of them is one operation.
import type { Device } from '../native/device.js';
import type { Module } from '../nn/module.js';
import type { Shape } from '../tensor/shape.js';
import { Tensor } from '../tensor/tensor.js';

/** Each parameter begins at a multiple of so many numbers (256 bytes), where kernels read fastest. */
const ALIGNMENT = 64;

/** Names and places of the parameters in a block. */
export interface BlockLayout {
  names: readonly string[];
  shapes: readonly Shape[];
  starts: readonly number[];
  /** Numbers in all, gaps included: those are 0, and stay it. */
  size: number;
}

export function layoutOf(model: Module): BlockLayout {
  const named = model.namedParameters();
  let size = 0;
  const starts = named.map(([, tensor]) => {
    const start = size;
    size += Math.ceil(tensor.size / ALIGNMENT) * ALIGNMENT;
    return start;
  });
  return { names: named.map(([name]) => name), shapes: named.map(([, { shape }]) => shape), starts, size };
}

export class WeightBlock {
  readonly all: Tensor;
  /** The same numbers by parameter, over the same memory. */
  readonly parts: readonly Tensor[];

  constructor(
    readonly layout: BlockLayout,
    device: Device,
  ) {
    this.all = Tensor.zeros([layout.size], 'float32', device).keep();
    this.parts = layout.shapes.map((shape, p) => {
      const start = layout.starts[p] as number;
      const rows = this.all.rows(start, start + shape.reduce((product, n) => product * n, 1));
      const part = rows.alias(shape).keep();
      rows.dispose();
      return part;
    });
  }

  /** Puts the parameters of a model into a block: from here on the model computes with what the block holds. */
  static under(model: Module): WeightBlock {
    const block = new WeightBlock(layoutOf(model), model.device);
    block.parts.forEach((part, p) => {
      const before = model.replace(block.layout.names[p] as string, part.requireGrad());
      part.set(before);
      before.grad?.dispose();
      before.dispose();
    });
    return block;
  }

  copy(): WeightBlock {
    const copy = new WeightBlock(this.layout, this.all.device);
    copy.all.set(this.all);
    return copy;
  }

  /** The numbers by parameter, on the host: as they are where they live there, and else a copy. */
  async onHost(): Promise<{ name: string; shape: Shape; data: Float32Array }[]> {
    const { names, shapes, starts } = this.layout;
    const { data } = this.all.device === 'cpu' ? this.all : await this.all.toAsync('cpu');
    return this.parts.map(({ size }, p) => {
      const start = starts[p] as number;
      return { name: names[p] as string, shape: shapes[p] as Shape, data: (data as Float32Array).subarray(start, start + size) };
    });
  }

  dispose(): void {
    for (const part of this.parts) part.dispose();
    this.all.dispose();
  }
}
