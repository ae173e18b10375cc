import { conv2d, type Tensor } from '../../../src/index.js';
import { channelsFirst, channelsLast } from '../channels_last.js';
import type { Adapter } from '../vectors.js';

export const conv2dAdapters: Record<string, Adapter> = {
  conv2d: ({ x, weight, bias }, attributes) => {
    const { stride = 1, padding = 0, dilation = 1, groups = 1 } = attributes as Record<string, number>;
    return {
      out: channelsFirst(conv2d(channelsLast(x as Tensor), channelsLast(weight as Tensor), { bias, stride, padding, dilation, groups })),
    };
  },
};
