import { groupedLinear, Tensor } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

/** Tokens shared out among experts, unevenly. */
function expertCases(groups: number): TimedCase[] {
  const [rows, inputs, outputs] = [8192, 128, 384];
  const offsets = Tensor.from(Int32Array.from({ length: groups + 1 }, (_, g) => Math.round(rows * (g / groups) ** 1.5)));
  const tensors = () => [random([rows, inputs]), random([groups, outputs, inputs], 0.1, 2), random([groups, outputs], 1, 3)] as const;
  const flops = 2 * rows * inputs * outputs;
  const bytes = 4 * (rows * inputs + groups * outputs * inputs + rows * outputs);
  return [
    {
      name: `forward ${rows}x${inputs} to ${outputs}, ${groups} experts`,
      setup: () => {
        const [x, weight, bias] = tensors();
        return forwardPass(() => groupedLinear(x, weight, bias, offsets));
      },
      work: { flops, bytes },
    },
    {
      name: `backward ${rows}x${inputs} to ${outputs}, ${groups} experts`,
      setup: () => {
        const [x, weight, bias] = tensors();
        return backwardPass([x, weight, bias], () => groupedLinear(x, weight, bias, offsets));
      },
      work: { flops: 2 * flops, bytes: 2 * bytes },
    },
  ];
}

const cases: TimedCase[] = [...expertCases(4), ...expertCases(64)];

export default cases;
