// The public API, all of it.
export * from './cells/index.js';
export { UamError, type UamErrorCode } from './errors.js';
export * from './image/index.js';
export { type AsyncOptions, callKernel, callKernelAsync } from './native/call.js';
export { type Backend, type Device, type RuntimeInfo, runtimeInfo, setBackend, setThreads } from './native/device.js';
export * from './ops/index.js';
export * as radiomics from './radiomics/index.js';
export type { DataArray, Dtype } from './tensor/arena.js';
export { backward, customOp, type GradOptions, grad } from './tensor/autograd.js';
export { checkpoint } from './tensor/checkpoint.js';
export { noGrad } from './tensor/context.js';
export { memory } from './tensor/memory.js';
export type { Backward } from './tensor/node.js';
export { scope } from './tensor/scope.js';
export { Tensor } from './tensor/tensor.js';
