// Small models and inputs for the tests of src/nn, src/uam and src/heads.
import { Tensor } from '../../src/index.js';
import { Initializer } from '../../src/nn/initializer.js';
import type { Module } from '../../src/nn/module.js';
import { Backbone } from '../../src/uam/backbone.js';
import { type BackboneOptions, backboneConfig } from '../../src/uam/config.js';
import { randomTensor } from './random.js';

/** Small enough for float64 on the reference backend. */
export const TINY = Object.freeze({ width: 8, depth: 2, heads: 2, state: 4, ffn: 12, expertFfn: 6 });

/** A backbone whose norms, gates and routers were moved from where they start, so that nothing is zero by chance. */
export function movedBackbone(options: BackboneOptions, seed = 3): Backbone {
  return moved(new Backbone(backboneConfig({ ...TINY, ...options }), new Initializer(seed)));
}

export function moved<T extends Module>(module: T): T {
  module.parameters().forEach((tensor, i) => {
    const noise = randomTensor(tensor.shape, 1000 + i, -0.3, 0.3).data;
    for (let j = 0; j < tensor.size; j++) (tensor.data[j] as number) += noise[j] as number;
  });
  return module;
}

export const doubled = (x: Tensor): Tensor => Tensor.from(Float64Array.from(x.data), x.shape);

/** Rows of a tensor in another order. */
export function reordered(x: Tensor, order: readonly number[]): Tensor {
  const width = x.size / (x.shape[0] as number);
  const out = Tensor.empty(x.shape, x.dtype);
  order.forEach((from, to) => {
    (out.data as Float32Array).set(x.data.subarray(from * width, (from + 1) * width), to * width);
  });
  return out;
}
