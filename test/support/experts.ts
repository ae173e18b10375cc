import { Tensor } from '../../src/index.js';
import { uniform } from './random.js';

/** Experts of `tokens` tokens, k different ones each. */
export function randomExperts(tokens: number, k: number, experts: number): Tensor {
  const next = uniform(tokens + 100 * k);
  const ids = Array.from({ length: tokens }, () => {
    const left = Array.from({ length: experts }, (_, e) => e);
    return Array.from({ length: k }, () => left.splice(Math.floor(next() * left.length), 1)[0] as number);
  });
  return Tensor.from(Int32Array.from(ids.flat()), [tokens, k]);
}

/** uint8, three in ten of them 0. */
export function randomFlags(shape: readonly number[], seed: number): Tensor {
  const next = uniform(seed);
  return Tensor.from(
    Uint8Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => (next() < 0.3 ? 0 : 1)),
    shape,
  );
}
