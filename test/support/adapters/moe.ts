import { moeFfn, moeRoute, type Tensor } from '../../../src/index.js';
import type { Adapter } from '../vectors.js';

export const moeAdapters: Record<string, Adapter> = {
  moe_route: ({ logits }, { k, renormalize, capacity }) => {
    const { weights, indices, kept, loadBalance, zLoss } = moeRoute(logits as Tensor, {
      k: k as number,
      renormalize: renormalize as boolean,
      capacity: capacity as number,
    });
    return { weights, indices, kept, load_balance: loadBalance, z_loss: zLoss };
  },
  moe_ffn: ({ x, gate, w1, b1, w2, b2 }, { k, renormalize, capacity }) => {
    const { out, indices, kept, loadBalance } = moeFfn(x as Tensor, gate as Tensor, w1 as Tensor, b1, w2 as Tensor, b2, {
      k: k as number,
      renormalize: renormalize as boolean,
      capacity: capacity as number,
    });
    return { out, indices, kept, load_balance: loadBalance };
  },
};
