import { permute, reshape, selectiveScan, type Tensor } from '../../../src/index.js';
import type { Adapter } from '../vectors.js';

// The vectors follow the Mamba literature, (batch, dim, length); the package is channels last.
const channelsLast = (x: Tensor) => permute(x, [0, 2, 1]);

/** (batch, state, length) or (batch, groups, state, length) to [batch, length, groups, state]; constants stay as they are. */
function coefficients(x: Tensor): Tensor {
  if (x.shape.length === 2) return x;
  if (x.shape.length === 4) return permute(x, [0, 3, 1, 2]);
  const [batch, state, length] = x.shape as [number, number, number];
  return reshape(channelsLast(x), [batch, length, 1, state]);
}

/** The same numbers without the batch axis, which is 1 where sequences are packed. */
const packed = (x: Tensor) => reshape(x, x.shape.slice(1));

export const selectiveScanAdapters: Record<string, Adapter> = {
  selective_scan: (inputs, attributes) => {
    const { A, D, delta_bias: deltaBias, h0, cu_seqlens: offsets } = inputs;
    const perToken = (x: Tensor | undefined) => x && (offsets ? packed(channelsLast(x)) : channelsLast(x));
    const read = (x: Tensor) => (offsets && x.shape.length > 2 ? packed(coefficients(x)) : coefficients(x));
    const { out, lastState } = selectiveScan(
      {
        ...{ u: perToken(inputs.u) as Tensor, delta: perToken(inputs.delta) as Tensor, A: A as Tensor },
        ...{ B: read(inputs.B as Tensor), C: read(inputs.C as Tensor) },
        ...{ D, z: perToken(inputs.z), deltaBias, h0, offsets },
      },
      { deltaSoftplus: Boolean(attributes.delta_softplus), reverse: Boolean(attributes.reverse) },
    );
    const batched = offsets ? reshape(out, [1, ...out.shape]) : out;
    return { out: channelsLast(batched), last_state: lastState };
  },
};
