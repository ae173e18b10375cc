import { UamError } from '../errors.js';
import { currentBackend, type Device, kernelTable } from './device.js';
import { DeviceArray } from './device_array.js';
import type { KernelTable } from './load.js';
import { toUamError } from './native_error.js';

export interface AsyncOptions {
  /** Ends the call between two blocks of work; the promise then rejects with `UAM_ABORTED` and the outputs are undefined. */
  signal?: AbortSignal;
}

/** Of kernels on images, cells and their features (`hostKernel`), whose arrays live on the host whatever runs them. */
export interface HostOptions extends AsyncOptions {
  /** What runs the kernel: where `'cuda'` is asked for, kernels that have no CUDA form run on the CPU all the same. Default `'cpu'`. */
  device?: Device;
}

/**
 * One kernel, whatever device runs it. Calling it runs it to the end on this thread and the pool; `async` runs it on a
 * background thread. During an async call the arrays belong to the kernel: reading outputs, writing inputs or transferring
 * their buffers to another thread before the promise settles is undefined.
 */
export interface Kernel<P extends object> {
  (params: P, options?: HostOptions): void;
  async(params: P, options?: HostOptions): Promise<void>;
  readonly kernelName: string;
  readonly reference: (params: P) => void;
}

/** Native kernels are float32; float64 arrays go to the reference, which is how gradients are checked. */
function wantsReference(params: object): boolean {
  for (const value of Object.values(params)) if (value instanceof Float64Array) return true;
  return false;
}

/** Small tables that say how an array is walked: they stay on the host, whatever the device. */
const hostTables = /^(shape|offsets\w*|\w*[sS]trides\w*)$/;

/** Whether the arrays live on the card. Some here and some there is an error: nothing is copied behind the caller's back. */
function livesOnCard(kernelName: string, params: object): boolean {
  let onCard: string | undefined;
  let onHost: string | undefined;
  for (const [field, value] of Object.entries(params)) {
    if (value instanceof DeviceArray) onCard ??= field;
    else if (ArrayBuffer.isView(value) && !hostTables.test(field)) onHost ??= field;
  }
  if (onCard !== undefined && onHost !== undefined) {
    throw new UamError(
      'UAM_DEVICE',
      `${kernelName}: all arrays must live on one device, but ${onCard} is on cuda and ${onHost} on cpu; move tensors with to('cuda') or to('cpu')`,
    );
  }
  return onCard !== undefined;
}

function refuseAborted(kernelName: string, { signal }: AsyncOptions): void {
  if (signal?.aborted) throw new UamError('UAM_ABORTED', `${kernelName}: the call was aborted by its signal`, { cause: signal.reason });
}

async function runAsync(native: KernelTable, kernelName: string, params: object, { signal }: AsyncOptions): Promise<void> {
  refuseAborted(kernelName, { signal });
  const cancel = new Int32Array(1);
  const abort = () => Atomics.store(cancel, 0, 1);
  signal?.addEventListener('abort', abort, { once: true });
  try {
    await native.async[kernelName]?.(params, cancel);
  } catch (error) {
    throw toUamError(error); // made here, so that it bears the caller's stack
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/**
 * Binds a kernel's name in `native/kernels.def` to its plain TypeScript definition. The two take the same parameters: those
 * that the contract's `fields()` names.
 */
export function kernel<P extends object>(kernelName: string, reference: (params: P) => void): Kernel<P> {
  return bind(kernelName, reference, (params) => {
    const backend = livesOnCard(kernelName, params) ? 'cuda' : currentBackend();
    const native = kernelTable(backend);
    if (!native || wantsReference(params)) return undefined;
    if (!native[kernelName]) throw new UamError('UAM_DEVICE', `${kernelName} has no ${backend} kernel`);
    return native;
  });
}

/**
 * As `kernel`, for work on images, cells and their features: it runs where its call says, on the CPU where that says nothing, and
 * whatever device the model runs on. Its native form computes in float64, so float64 arrays do not send it to the reference.
 */
export function hostKernel<P extends object>(kernelName: string, reference: (params: P) => void): Kernel<P> {
  return bind(kernelName, reference, (_params, { device }) => {
    if (currentBackend() === 'reference') return undefined;
    const card = device === 'cuda' ? kernelTable('cuda') : undefined;
    return card && Object.hasOwn(card, kernelName) ? card : kernelTable('cpu');
  });
}

function bind<P extends object>(
  kernelName: string,
  reference: (params: P) => void,
  table: (params: P, options: HostOptions) => KernelTable | undefined,
): Kernel<P> {
  const call = (params: P, options: HostOptions = {}): void => {
    const native = table(params, options);
    if (!native) return reference(params);
    try {
      native[kernelName]?.(params);
    } catch (error) {
      throw toUamError(error);
    }
  };

  const async = async (params: P, options: HostOptions = {}): Promise<void> => {
    refuseAborted(kernelName, options);
    const native = table(params, options);
    if (!native) return reference(params);
    return runAsync(native, kernelName, params, options);
  };

  return Object.assign(call, { async, kernelName, reference });
}

function nativeTable(kernelName: string, params: object): KernelTable {
  const onCard = livesOnCard(kernelName, params) || currentBackend() === 'cuda';
  const table = kernelTable(onCard ? 'cuda' : 'cpu') as KernelTable;
  if (kernelName === 'async' || !Object.hasOwn(table, kernelName)) {
    const known = Object.keys(table).filter((name) => name !== 'async');
    throw new UamError('UAM_ARGUMENT', `there is no kernel '${kernelName}'; the kernels are ${known.join(', ')}`);
  }
  return table;
}

/**
 * Runs one native kernel on typed arrays, without tensors: for code that keeps its own buffers. The parameters of each kernel
 * are those that `fields()` names in its contract, `native/kernels/<name>.h`, and are checked against it.
 *
 * @param kernelName a name of `native/kernels.def`, such as `'selective_scan_fwd'`
 * @param params typed arrays (or the `memory` of tensors, on either device) and numbers; outputs are written in place
 * @throws UamError `UAM_ARGUMENT`, `UAM_SHAPE`, `UAM_DTYPE` for parameters that do not fit the contract or an unknown name,
 *   `UAM_ADDON` without the addon
 * @example
 * const y = new Float32Array(3);
 * callKernel('accumulate', { n: 3, x: Float32Array.of(1, 2, 3), y });
 */
export function callKernel(kernelName: string, params: object): void {
  const table = nativeTable(kernelName, params);
  try {
    table[kernelName]?.(params);
  } catch (error) {
    throw toUamError(error);
  }
}

/**
 * As `callKernel`, on a background thread: the event loop stays free. Until the promise settles the arrays belong to the kernel;
 * do not read its outputs, write its inputs or transfer their buffers.
 *
 * @param options `signal` ends the call between two blocks of work; the promise then rejects with `UAM_ABORTED`
 * @example
 * const y = new Float32Array(3);
 * await callKernelAsync('accumulate', { n: 3, x: Float32Array.of(1, 2, 3), y }, { signal: AbortSignal.timeout(1000) });
 */
export async function callKernelAsync(kernelName: string, params: object, options: AsyncOptions = {}): Promise<void> {
  return runAsync(nativeTable(kernelName, params), kernelName, params, options);
}
