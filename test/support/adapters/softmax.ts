import { logSoftmax, softmax, type Tensor } from '../../../src/index.js';
import type { Adapter } from '../vectors.js';

export const softmaxAdapters: Record<string, Adapter> = {
  softmax: ({ x }, { axis }) => ({ out: softmax(x as Tensor, axis as number) }),
  log_softmax: ({ x }, { axis }) => ({ out: logSoftmax(x as Tensor, axis as number) }),
};
