// Features of cells to tokens: the public API of `tokens`.
export { type Arrangement, type ArrangementOptions, arrange } from './arrangement.js';
export { type CellBatch, cellBatch } from './cell_batch.js';
export { CellTokens, VectorTokens } from './cell_tokens.js';
export { ChunkTokens } from './chunk_tokens.js';
export { FeatureTokens, type Readout } from './feature_tokens.js';
export { applyScaling, type FeatureColumns, fitScaling, type ScaledFeatures, type Scaling, type ScalingOptions } from './scaling.js';
export { TOKENISERS, type TokeniserKind, type TokensConfig, tokensConfig } from './tokens_config.js';
