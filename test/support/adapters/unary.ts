import { geluErf, geluTanh, sigmoid, silu, softplus, type Tensor } from '../../../src/index.js';
import type { Adapter } from '../vectors.js';

export const unaryAdapters: Record<string, Adapter> = {
  silu: ({ x }) => ({ out: silu(x as Tensor) }),
  sigmoid: ({ x }) => ({ out: sigmoid(x as Tensor) }),
  gelu_erf: ({ x }) => ({ out: geluErf(x as Tensor) }),
  gelu_tanh: ({ x }) => ({ out: geluTanh(x as Tensor) }),
  softplus: ({ x }) => ({ out: softplus(x as Tensor) }),
};
