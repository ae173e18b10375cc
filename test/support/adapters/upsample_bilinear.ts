import { type Tensor, upsampleBilinear } from '../../../src/index.js';
import { channelsFirst, channelsLast } from '../channels_last.js';
import type { Adapter } from '../vectors.js';

export const upsampleBilinearAdapters: Record<string, Adapter> = {
  upsample_bilinear: ({ x }, { size, align_corners }) => ({
    out: channelsFirst(upsampleBilinear(channelsLast(x as Tensor), size as [number, number], { alignCorners: align_corners as boolean })),
  }),
};
