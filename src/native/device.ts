import { UamError } from '../errors.js';
import { type Addon, type CudaCard, type KernelTable, type Loaded, loadAddon } from './load.js';
import { toUamError } from './native_error.js';

/** Where tensors live. */
export type Device = 'cpu' | 'cuda';

/** What runs the kernels: native code for the CPU or the GPU, or the plain TypeScript definitions. */
export type Backend = 'reference' | 'cpu' | 'cuda';

interface State extends Loaded {
  backend: Backend;
}

// The loaded addon: one of the few pieces of module state in the package (see CONTRIBUTING.md).
let state: State | undefined;

function load(): State {
  if (state) return state;
  const loaded = loadAddon();
  if (!loaded.addon) {
    process.emitWarning(`${loaded.reason}\nThe slow TypeScript reference is used instead.`, { code: 'UAM_ADDON' });
  }
  state = { ...loaded, backend: loaded.addon ? 'cpu' : 'reference' };
  return state;
}

/** The backend that kernels run on now. */
export function currentBackend(): Backend {
  return load().backend;
}

/**
 * Chooses what runs the kernels from now on. There is no silent fallback: a backend that is absent is an error.
 *
 * @param backend `'cpu'` (the default where the addon loads), `'reference'` (plain TypeScript, slow, also in float64) or `'cuda'`
 * @throws UamError `UAM_ADDON` where the native addon is missing, `UAM_DEVICE` where there is no CUDA device
 * @example
 * setBackend('reference');
 * const slow = exp(Tensor.from([0, 1]));
 * setBackend('cpu');
 * const fast = exp(Tensor.from([0, 1]));
 */
export function setBackend(backend: Backend): void {
  kernelTable(backend);
  load().backend = backend;
}

/** The kernels of a backend; `undefined` means that each kernel's TypeScript reference runs. */
export function kernelTable(backend: Backend): KernelTable | undefined {
  const { addon, reason } = load();
  if (backend === 'reference') return undefined;
  if (backend !== 'cpu' && backend !== 'cuda') {
    throw new UamError('UAM_ARGUMENT', `backend must be 'reference', 'cpu' or 'cuda', received '${String(backend)}'`);
  }
  if (!addon) throw new UamError('UAM_ADDON', reason);
  const table = addon[backend];
  if (!table) throw new UamError('UAM_DEVICE', addon.runtime.cudaStatus());
  return table;
}

/** What this process runs on: `uam doctor` prints it. */
export interface RuntimeInfo {
  backend: Backend;
  /** The file the addon came from; `undefined` without one. */
  addon: string | undefined;
  /** `baseline`, `avx2` or `avx512`: the instruction set of the CPU kernels (`UAM_ISA` forces one). */
  isa: string;
  /** Threads of the kernel pool (`UAM_THREADS`, else what the cgroup, the affinity mask and Slurm allow). */
  threads: number;
  /** `ready: <card>`, or why there is no CUDA device, in the driver's words. */
  cuda: string;
}

/**
 * Describes the backend, the addon, the instruction set, the threads and the CUDA device in use.
 *
 * @example
 * const { isa, threads } = runtimeInfo();
 */
export function runtimeInfo(): RuntimeInfo {
  const { addon, path, backend, reason } = load();
  return {
    backend,
    addon: path,
    isa: addon?.runtime.isa() ?? 'none',
    threads: addon?.runtime.threads() ?? 1,
    cuda: addon?.runtime.cudaStatus() ?? reason,
  };
}

/**
 * Sets the number of threads of the kernel pool, for every thread of this process. Results do not depend on it.
 *
 * @param threads an integer from 1 to 1024
 * @throws UamError `UAM_ARGUMENT`
 * @example
 * setThreads(2);
 */
export function setThreads(threads: number): void {
  if (!Number.isInteger(threads) || threads < 1 || threads > 1024) {
    throw new UamError('UAM_ARGUMENT', `threads must be an integer from 1 to 1024, received ${String(threads)}`);
  }
  load().addon?.runtime.setThreads(threads);
}

/**
 * Whether kernels that this JavaScript thread calls do without the pool's other threads, because other JavaScript threads keep the
 * processors busy. Results do not depend on it; asynchronous calls do not heed it.
 */
export function setAlone(alone: boolean): void {
  load().addon?.runtime.setAlone(alone);
}

/** Whether this addon has CUDA kernels and this machine a card for them. */
export function hasCuda(): boolean {
  return load().addon?.cuda !== undefined;
}

/** The addon's functions for the memory of a card; an error in the driver's words where there is none. */
export function deviceFunctions() {
  kernelTable('cuda');
  return (load().addon as Addon).device;
}

/**
 * Describes the card that device 'cuda' means.
 *
 * @throws UamError `UAM_DEVICE` in the driver's words where there is none, `UAM_ADDON` without the addon
 * @example
 * if (runtimeInfo().cuda.startsWith('ready')) console.log(cudaCard().name);
 */
export function cudaCard(): CudaCard {
  return deviceFunctions().card();
}

/** How products of matrices are rounded on a card; the CPU always multiplies in float32. */
export type MatmulPrecision = (typeof precisions)[number];
const precisions = ['float32', 'tf32', 'bf16'] as const;

/**
 * Chooses how linear layers, convolutions and attention multiply on a card: `'float32'` (the default) is exact; `'tf32'` and
 * `'bf16'` round the factors to 11 and 8 significant bits for the tensor cores, and add up in float32. Parameters and results stay
 * float32. Heeded by everything in this process that runs on a card, and by nothing on the CPU.
 *
 * @throws UamError `UAM_DEVICE` where there is no card, `UAM_ARGUMENT` for another name
 * @example
 * if (runtimeInfo().cuda.startsWith('ready')) setMatmulPrecision('bf16');
 */
export function setMatmulPrecision(precision: MatmulPrecision): void {
  const index = precisions.indexOf(precision);
  if (index < 0) throw new UamError('UAM_ARGUMENT', `precision must be one of ${precisions.join(', ')}, received '${String(precision)}'`);
  deviceFunctions().setMatmulPrecision(index);
}

/** How products of matrices are rounded on a card now. @example if (runtimeInfo().cuda.startsWith('ready')) matmulPrecision(); */
export function matmulPrecision(): MatmulPrecision {
  return precisions[deviceFunctions().matmulPrecision()] as MatmulPrecision;
}

/**
 * A device as users name it: 'cpu', 'cuda', 'cuda:1' (that card), or 'auto' (the card where there is one, else the CPU). Checks that
 * it is there, and makes the named card the one that 'cuda' means.
 *
 * @returns `'cpu'` or `'cuda'`
 * @throws UamError `UAM_DEVICE` in the driver's words for a card that is not there, `UAM_ARGUMENT` for another name
 * @example
 * const device = chooseDevice('auto');
 */
export function chooseDevice(name: string): Device {
  if (name === 'cpu') return 'cpu';
  if (name === 'auto') return hasCuda() ? 'cuda' : 'cpu';
  const [, index] = /^cuda(?::(\d{1,3}))?$/.exec(name) ?? [];
  if (!/^cuda(:\d{1,3})?$/.test(name)) {
    throw new UamError('UAM_ARGUMENT', `device must be 'auto', 'cpu', 'cuda' or 'cuda:<number>', received '${name}'`);
  }
  const device = deviceFunctions();
  if (index !== undefined) device.select(Number(index));
  try {
    device.card();
  } catch (error) {
    throw new UamError('UAM_DEVICE', `${name}: ${(error as Error).message}`, { cause: error });
  }
  return 'cuda';
}

/** Bytes that arrays of this thread hold on the card. @example cudaBytes();   // 0 where nothing lives there */
export function cudaBytes(): number {
  return load().addon?.device.liveBytes() ?? 0;
}

/**
 * Waits until the card has done everything that this thread asked of it: kernels are enqueued and run behind JavaScript's back.
 * Without a card there is nothing to wait for.
 *
 * @throws what kernels found wrong since somebody last waited, such as an index out of range (`UAM_ARGUMENT`); `UAM_DEVICE`
 * @example synchronize();
 */
export function synchronize(): void {
  if (!hasCuda()) return;
  try {
    deviceFunctions().wait();
  } catch (error) {
    throw toUamError(error);
  }
}

/** The addon's runtime functions, where it is loaded. */
export function nativeRuntime() {
  return load().addon?.runtime;
}
