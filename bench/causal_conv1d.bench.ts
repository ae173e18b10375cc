import { causalConv1d } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

const batch = 32;
const tokens = 1024;
const dim = 256;
const width = 4;
const size = batch * tokens * dim;
const offsets = Int32Array.from({ length: batch + 1 }, (_, s) => s * tokens);
const inputs = () => ({ x: random([batch * tokens, dim], 2), weight: random([dim, width], 1, 2), bias: random([dim], 1, 3) });

const cases = (['none', 'silu'] as const).flatMap((activation): TimedCase[] => {
  const exps = activation === 'silu' ? size : 0;
  return [
    {
      name: `forward ${activation} B${batch} L${tokens} D${dim}`,
      setup: () => {
        const { x, weight, bias } = inputs();
        return forwardPass(() => causalConv1d(x, weight, { bias, activation, offsets }));
      },
      work: { flops: 2 * width * size, exps, bytes: 8 * size },
      ...(activation === 'none' ? { peers: { op: 'causal_conv1d', batch, tokens, dim, width } as const } : {}),
      goal: 0.7,
    },
    {
      name: `backward ${activation} B${batch} L${tokens} D${dim}`,
      setup: () => {
        const { x, weight, bias } = inputs();
        return backwardPass([x, weight, bias], () => causalConv1d(x, weight, { bias, activation, offsets }));
      },
      work: { flops: (activation === 'silu' ? 6 : 4) * width * size, exps, bytes: 12 * size },
      ...(activation === 'none' ? { peers: { op: 'causal_conv1d', batch, tokens, dim, width, direction: 'backward' } as const } : {}),
      goal: 0.7,
    },
  ];
});

export default cases;
