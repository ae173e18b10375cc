// Gradients of whole models against finite differences along random directions, in float64.
import type { Test } from 'tap';
import { grad, noGrad, scope, type Tensor } from '../../src/index.js';
import { onBackend } from './backends.js';
import { randomTensor } from './random.js';

/**
 * Checks the gradient of `loss` by each of the tensors (float64) along a random direction of its own, on the definitions in TypeScript.
 *
 * @param loss computes a single number from the tensors' present values
 * @param options `step`: of the differences; `tolerance`: relative to the sum of the absolute terms
 */
export function checkGradients(
  t: Test,
  named: readonly (readonly [string, Tensor])[],
  loss: () => Tensor,
  { step = 1e-5, tolerance = 1e-6 } = {},
): void {
  onBackend({ name: 'reference', backend: 'reference' }, 1, () => {
    const tensors = named.map(([, tensor]) => tensor);
    const gradients = scope(() => grad(loss(), tensors, { allowUnused: true }).map(({ data }) => data.slice()));
    named.forEach(([name, tensor], i) => {
      const direction = randomTensor(tensor.shape, 50 + i).data;
      const start = tensor.data.slice();
      const at = (scale: number) => {
        start.forEach((value, j) => {
          tensor.data[j] = value + scale * (direction[j] as number);
        });
        return scope(() => noGrad(() => loss().item()));
      };
      const measured = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step);
      at(0);
      const terms = Array.from(direction, (value, j) => value * (gradients[i]?.[j] as number));
      const claimed = terms.reduce((a, b) => a + b, 0);
      const scale = terms.reduce((a, b) => a + Math.abs(b), 0);
      const error = Math.abs(measured - claimed) / Math.max(scale, 1e-2);
      if (!(error < tolerance)) t.fail(`${name}: ${measured} measured, ${claimed} claimed (${error})`);
    });
    t.pass(`${named.length} tensors`);
  });
}
