// Gradients of whole models against finite differences along random directions, in float64.
import type { Test } from 'tap';
import { grad, noGrad, scope, type Tensor } from '../../src/index.js';
import { onBackend } from './backends.js';
import { randomTensor } from './random.js';

/**
 * Checks the gradient of `loss` by each of the tensors (float64) along a random direction of its own, on the definitions in TypeScript.
 *
 * @param loss computes a single number from the tensors' present values
 * @param options `step` of the differences; `tolerance` relative to the sum of the absolute terms; `together`: one direction for all
 */
export function checkGradients(
  t: Test,
  named: readonly (readonly [string, Tensor])[],
  loss: () => Tensor,
  { step = 1e-5, tolerance = 1e-6, together = false } = {},
): void {
  onBackend({ name: 'reference', backend: 'reference' }, 1, () => {
    const tensors = named.map(([, tensor]) => tensor);
    const gradients = scope(() => grad(loss(), tensors, { allowUnused: true }).map(({ data }) => data.slice()));
    const parts = named.map(([name, tensor], i) => {
      const gradient = gradients[i] as Float64Array;
      return { name, tensor, gradient, start: tensor.data.slice(), direction: randomTensor(tensor.shape, 50 + i).data };
    });
    for (const group of together ? [parts] : parts.map((part) => [part])) {
      const at = (scale: number) => {
        for (const { tensor, start, direction } of group) {
          for (let j = 0; j < tensor.size; j++) tensor.data[j] = (start[j] as number) + scale * (direction[j] as number);
        }
        return scope(() => noGrad(() => loss().item()));
      };
      const measured = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step);
      for (const { tensor, start } of group) tensor.data.set(start as Float64Array);
      const terms = group.flatMap(({ gradient, direction }) => Array.from(direction, (value, j) => value * (gradient[j] as number)));
      const claimed = terms.reduce((a, b) => a + b, 0);
      const scale = terms.reduce((a, b) => a + Math.abs(b), 0);
      const error = Math.abs(measured - claimed) / Math.max(scale, 1e-2);
      if (!(error < tolerance)) t.fail(`${group[0]?.name}: ${measured} measured, ${claimed} claimed (${error})`);
    }
    t.pass(`${named.length} tensors`);
  });
}
