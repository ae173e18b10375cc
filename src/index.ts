// The public API, all of it.
export * from './cells/index.js';
export { UamError, type UamErrorCode } from './errors.js';
export * from './heads/index.js';
export * from './image/index.js';
export { type AsyncOptions, callKernel, callKernelAsync } from './native/call.js';
export {
  type Backend,
  chooseDevice,
  cudaBytes,
  cudaCard,
  type Device,
  type MatmulPrecision,
  matmulPrecision,
  type RuntimeInfo,
  runtimeInfo,
  setBackend,
  setMatmulPrecision,
  setThreads,
  synchronize,
} from './native/device.js';
export type { DeviceArray } from './native/device_array.js';
export type { CudaCard } from './native/load.js';
export * from './nn/index.js';
export * from './ops/index.js';
export { type Analysis, type AnalysisInput, type AnalysisOptions, analyseImage } from './pipeline.js';
export * as radiomics from './radiomics/index.js';
export * from './report/index.js';
export * from './slides/index.js';
export type { DataArray, Dtype } from './tensor/arena.js';
export { backward, customOp, type GradOptions, grad } from './tensor/autograd.js';
export { checkpoint } from './tensor/checkpoint.js';
export { noGrad } from './tensor/context.js';
export { memory } from './tensor/memory.js';
export type { Backward } from './tensor/node.js';
export { scope } from './tensor/scope.js';
export { Tensor } from './tensor/tensor.js';
export * from './tokens/index.js';
export * from './train/index.js';
export * from './uam/index.js';
