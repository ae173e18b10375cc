import { UamError } from '../errors.js';
import { type KernelTable, type Loaded, loadAddon } from './load.js';

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

/** The addon's runtime functions, where it is loaded. */
export function nativeRuntime() {
  return load().addon?.runtime;
}
