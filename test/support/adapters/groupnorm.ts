import { groupNorm, type Tensor } from '../../../src/index.js';
import { channelsFirst, channelsLast } from '../channels_last.js';
import type { Adapter } from '../vectors.js';

export const groupnormAdapters: Record<string, Adapter> = {
  groupnorm: ({ x, weight, bias }, { groups, eps }) => ({
    out: channelsFirst(groupNorm(channelsLast(x as Tensor), groups as number, { weight, bias, eps: eps as number })),
  }),
};
