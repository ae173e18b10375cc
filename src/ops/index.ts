export * from './unary.js';
