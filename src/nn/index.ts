// Parts of models: the public API of `nn`.
export { MultiHeadAttention, type MultiHeadAttentionOptions } from './attention.js';
export {
  type Checkpoint,
  decodeCheckpoint,
  encodeCheckpoint,
  readCheckpoint,
  readCheckpointHeader,
  type StoredTensor,
  writeCheckpoint,
} from './checkpoint.js';
export { Conv2d, type Conv2dOptions } from './conv.js';
export { Experts, type ExpertsOptions, type ExpertsResult, SwiGlu } from './feed_forward.js';
export { Initializer } from './initializer.js';
export type { NeighbourLists, ScanOrder, TokenLayout } from './layout.js';
export { Linear, type LinearLayerOptions } from './linear.js';
export { BiMamba, type BiMambaOptions } from './mamba.js';
export { Module, type ParameterOptions, type ParameterValues } from './module.js';
export { GroupNorm, LayerNorm, RmsNorm } from './norm.js';
