import { linear, type Tensor } from '../../../src/index.js';
import type { Adapter } from '../vectors.js';

export const linearAdapters: Record<string, Adapter> = {
  linear: ({ x, weight, bias }) => ({ out: linear(x as Tensor, weight as Tensor, bias) }),
};
