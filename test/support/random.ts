import { Tensor } from '../../src/index.js';

/** Repeatable numbers in [0, 1) for test inputs (mulberry32). */
export function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** A float32 tensor of numbers from `low` to `high`. */
export function randomTensor(shape: readonly number[], seed: number, low = -1, high = 1): Tensor {
  const next = uniform(seed);
  const size = shape.reduce((a, b) => a * b, 1);
  return Tensor.from(
    Float32Array.from({ length: size }, () => low + (high - low) * next()),
    shape,
  );
}
