export * from './layernorm.js';
export * from './rmsnorm.js';
export * from './softmax.js';
export * from './unary.js';
