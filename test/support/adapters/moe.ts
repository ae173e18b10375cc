import { moeRoute, type Tensor } from '../../../src/index.js';
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
};
