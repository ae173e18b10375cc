import { reshape, ssd, type Tensor } from '../../../src/index.js';
import type { Adapter } from '../vectors.js';
import { batchOffsets } from './packed.js';

export const ssdAdapters: Record<string, Adapter> = {
  // x [batch, length, heads, headDim] and so on: the batch is packed by reshaping
  ssd: ({ x, dt, A, B, C, dt_bias, D, z, h0 }, { dt_softplus }) => {
    const { shape } = x as Tensor;
    const [batch, length] = shape as [number, number];
    const packed = (tensor: Tensor) => reshape(tensor, [batch * length, ...tensor.shape.slice(2)]);
    const { out, lastState } = ssd(packed(x as Tensor), packed(dt as Tensor), A as Tensor, packed(B as Tensor), packed(C as Tensor), {
      dtBias: dt_bias,
      D,
      z: z && packed(z),
      h0,
      dtSoftplus: dt_softplus as boolean,
      offsets: batchOffsets(batch, length),
    });
    return { out: reshape(out, shape), last_state: lastState };
  },
};
