import { addRmsNorm, rmsNorm } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

const cases = [
  [512, 256], // lives in the second-level cache
  [32768, 256], // no cache holds it
].flatMap(([rows = 0, features = 0]): TimedCase[] => {
  const matrix = (seed: number) => random([rows, features], 2, seed);
  const weight = () => random([features], 1, 9);
  const size = rows * features;
  const goal = rows > 1000 ? { goal: 0.7 } : {};
  return [
    {
      name: `forward ${rows} x ${features}`,
      setup: () => {
        const [x, options] = [matrix(1), { weight: weight() }];
        return forwardPass(() => rmsNorm(x, options));
      },
      work: { flops: 5 * size, bytes: 8 * size },
      peers: { op: 'rmsnorm', rows, features },
      ...goal,
    },
    {
      name: `backward ${rows} x ${features}`,
      setup: () => {
        const [x, options] = [matrix(1), { weight: weight() }];
        return backwardPass([x, options.weight], () => rmsNorm(x, options));
      },
      work: { flops: 12 * size, bytes: 12 * size },
      peers: { op: 'rmsnorm', rows, features, direction: 'backward' },
      ...goal,
    },
    {
      name: `forward with residual and gate ${rows} x ${features}`,
      setup: () => {
        const [x, residual, options] = [matrix(1), matrix(2), { weight: weight(), z: matrix(3) }];
        return forwardPass(() => addRmsNorm(x, residual, options));
      },
      work: { flops: 8 * size, exps: size, bytes: 20 * size },
      ...goal,
    },
    {
      name: `backward with residual and gate ${rows} x ${features}`,
      setup: () => {
        const [x, residual, options] = [matrix(1), matrix(2), { weight: weight(), z: matrix(3) }];
        return backwardPass([x, residual, options.weight, options.z], () => addRmsNorm(x, residual, options).out);
      },
      work: { flops: 20 * size, exps: size, bytes: 20 * size },
      ...goal,
    },
  ];
});

export default cases;
