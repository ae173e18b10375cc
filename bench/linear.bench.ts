import { linear } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';
import { LINEAR_LAYERS } from './uam_b.js';

const cases: TimedCase[] = LINEAR_LAYERS.flatMap(({ name, rows, inputs, outputs }): TimedCase[] => {
  const tensors = () => [random([rows, inputs]), random([outputs, inputs], 0.1, 2), random([outputs], 1, 3)] as const;
  const flops = 2 * rows * inputs * outputs;
  const bytes = 4 * (rows * inputs + outputs * inputs + rows * outputs);
  return [
    {
      name: `forward ${name} ${rows}x${inputs} to ${outputs}`,
      setup: () => {
        const [x, weight, bias] = tensors();
        return forwardPass(() => linear(x, weight, bias));
      },
      work: { flops, bytes },
      peers: { op: 'linear', rows, inputs, outputs },
    },
    {
      name: `backward ${name} ${rows}x${inputs} to ${outputs}`,
      setup: () => {
        const [x, weight, bias] = tensors();
        return backwardPass([x, weight, bias], () => linear(x, weight, bias));
      },
      work: { flops: 2 * flops, bytes: 2 * bytes },
      peers: { op: 'linear', direction: 'backward', rows, inputs, outputs },
    },
  ];
});

export default cases;
