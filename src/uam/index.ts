// Tokens to states: the public API of `uam`.
export { AmambaLayer } from './amamba.js';
export { AmambaMoeLayer } from './amamba_moe.js';
export { Backbone, type BackboneOutput, type BackboneRun, EXPERT_LOSSES } from './backbone.js';
export { ARCHITECTURES, type Architecture, type BackboneConfig, type BackboneOptions, backboneConfig, SIZES, type Size } from './config.js';
export { FixedRatioLayer } from './fixed_ratio.js';
export { matchParameters, parameterCount } from './parameter_count.js';
export { ReleasedMoeLayer } from './released_moe.js';
