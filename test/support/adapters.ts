// How each op of the vectors is called in this package: one module per op, by the name of its file in src/ops.
import { amambaAdapters } from './adapters/amamba.js';
import { attentionAdapters } from './adapters/attention.js';
import { causalConv1dAdapters } from './adapters/causal_conv1d.js';
import { convTranspose2dAdapters } from './adapters/conv_transpose2d.js';
import { conv2dAdapters } from './adapters/conv2d.js';
import { groupnormAdapters } from './adapters/groupnorm.js';
import { layernormAdapters } from './adapters/layernorm.js';
import { linearAdapters } from './adapters/linear.js';
import { lossAdapters } from './adapters/losses.js';
import { matmulAdapters } from './adapters/matmul.js';
import { moeAdapters } from './adapters/moe.js';
import { rmsnormAdapters } from './adapters/rmsnorm.js';
import { selectiveScanAdapters } from './adapters/selective_scan.js';
import { softmaxAdapters } from './adapters/softmax.js';
import { ssdAdapters } from './adapters/ssd.js';
import { unaryAdapters } from './adapters/unary.js';
import { upsampleBilinearAdapters } from './adapters/upsample_bilinear.js';
import type { Adapter } from './vectors.js';

export const adapters: Record<string, Adapter> = {
  ...amambaAdapters,
  ...attentionAdapters,
  ...causalConv1dAdapters,
  ...conv2dAdapters,
  ...convTranspose2dAdapters,
  ...groupnormAdapters,
  ...layernormAdapters,
  ...linearAdapters,
  ...lossAdapters,
  ...matmulAdapters,
  ...moeAdapters,
  ...rmsnormAdapters,
  ...selectiveScanAdapters,
  ...softmaxAdapters,
  ...ssdAdapters,
  ...unaryAdapters,
  ...upsampleBilinearAdapters,
};
