// The functions that most cases time: an op's forward pass, or its backward pass alone.
import { grad, noGrad, scope, Tensor } from '../src/index.js';

/** Uniform in [-scale, scale), the same in every run. */
export function random(shape: readonly number[], scale = 1, seed = 1): Tensor {
  const tensor = Tensor.empty([...shape]);
  let state = seed >>> 0;
  for (let i = 0; i < tensor.size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    tensor.data[i] = (state / 2 ** 31 - 1) * scale;
  }
  return tensor;
}

/** Calls `op` without recording it and gives back what it made. */
export function forwardPass(op: () => unknown): () => void {
  return () => scope(() => void noGrad(op));
}

/** Runs `op` once, and then times the gradients of its (first) result with respect to `inputs`. */
export function backwardPass(inputs: readonly Tensor[], op: () => Tensor): () => void {
  for (const input of inputs) input.requireGrad();
  const y = op();
  const upstream = random(y.shape, 1, 2);
  return () => scope(() => void grad(y, inputs, { upstream, retainGraph: true }));
}
