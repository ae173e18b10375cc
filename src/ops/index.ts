export * from './binary.js';
export * from './broadcast.js';
export { concat, permute, reshape, slice, stack, transpose } from './copy_strided.js';
export * from './dropout.js';
export * from './gather_rows.js';
export { type RandomKey, randomNormal, randomUniform } from './random.js';
export { max, mean, min, type ReduceOptions, sum } from './reduce.js';
export * from './unary.js';
export * from './where.js';
