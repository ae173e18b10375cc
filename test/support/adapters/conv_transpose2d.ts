import { convTranspose2d, type Tensor } from '../../../src/index.js';
import { channelsFirst, channelsLast } from '../channels_last.js';
import type { Adapter } from '../vectors.js';

export const convTranspose2dAdapters: Record<string, Adapter> = {
  conv_transpose2d: ({ x, weight, bias }, attributes) => {
    const { stride = 1, padding = 0, output_padding: outputPadding = 0 } = attributes as Record<string, number>;
    return {
      out: channelsFirst(
        convTranspose2d(channelsLast(x as Tensor), channelsLast(weight as Tensor), { bias, stride, padding, outputPadding }),
      ),
    };
  },
};
