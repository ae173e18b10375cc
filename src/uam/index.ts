// Tokens to states: the public API of `uam`.
export { AmambaLayer } from './amamba.js';
export { AmambaMoeLayer } from './amamba_moe.js';
export { Backbone, type BackboneOutput, type BackboneRun, EXPERT_LOSSES } from './backbone.js';
export { ARCHITECTURES, type Architecture, type BackboneConfig, type BackboneOptions, backboneConfig, SIZES, type Size } from './config.js';
export { type ReadFeaturesOptions, readImageFeatures, stackFeatures, writeImageFeatures } from './feature_files.js';
export { FixedRatioLayer } from './fixed_ratio.js';
export {
  CrossFusion,
  FUSIONS,
  type FusionCells,
  type FusionKind,
  type FusionMeeting,
  type FusionOptions,
  fusionParameterCount,
  MeanFusion,
} from './fusion.js';
export { ImageAdapters } from './image_adapters.js';
export {
  ENCODER_SIZES,
  type EncoderConfig,
  type EncoderSize,
  encoderConfig,
  encoderParameterCount,
  ImageEncoder,
} from './image_encoder.js';
export {
  type FeatureLevel,
  type ImageBatch,
  type ImageBatchOptions,
  type ImageFeatures,
  type ImagePlace,
  imageBatch,
  type LevelShape,
  PIXEL_SCALE,
  type PixelScale,
} from './image_features.js';
export { fileHash, pixelHash } from './image_hash.js';
export { OnnxEncoder, type OnnxEncoderOptions, type OnnxRuntime } from './onnx_encoder.js';
export { matchParameters, parameterCount } from './parameter_count.js';
export { ReleasedMoeLayer } from './released_moe.js';
