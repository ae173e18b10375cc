import { UamError, type UamErrorCode } from '../errors.js';
import { currentBackend, kernelTable } from './device.js';

export interface AsyncOptions {
  /** Ends the call between two blocks of work; the promise then rejects with `UAM_ABORTED` and the outputs are undefined. */
  signal?: AbortSignal;
}

/**
 * One kernel, whatever device runs it. Calling it runs it to the end on this thread and the pool; `async` runs it on a
 * background thread. During an async call the arrays belong to the kernel: reading outputs, writing inputs or transferring
 * their buffers to another thread before the promise settles is undefined.
 */
export interface Kernel<P extends object> {
  (params: P): void;
  async(params: P, options?: AsyncOptions): Promise<void>;
  readonly kernelName: string;
  readonly reference: (params: P) => void;
}

function toUamError(error: unknown): unknown {
  const { code, message } = error as { code?: string; message?: string };
  return typeof code === 'string' && code.startsWith('UAM_')
    ? new UamError(code as UamErrorCode, message ?? code, { cause: error })
    : error;
}

/** Native kernels are float32; float64 arrays go to the reference, which is how gradients are checked. */
function wantsReference(params: object): boolean {
  for (const value of Object.values(params)) if (value instanceof Float64Array) return true;
  return false;
}

/**
 * Binds a kernel's name in `native/kernels.def` to its plain TypeScript definition. The two take the same parameters: those
 * that the contract's `fields()` names.
 */
export function kernel<P extends object>(kernelName: string, reference: (params: P) => void): Kernel<P> {
  const table = (params: P) => {
    const native = kernelTable(currentBackend());
    if (!native || wantsReference(params)) return undefined;
    if (!native[kernelName]) throw new UamError('UAM_DEVICE', `${kernelName} has no ${currentBackend()} kernel`);
    return native;
  };

  const call = (params: P): void => {
    const native = table(params);
    if (!native) return reference(params);
    try {
      native[kernelName]?.(params);
    } catch (error) {
      throw toUamError(error);
    }
  };

  const async = async (params: P, { signal }: AsyncOptions = {}): Promise<void> => {
    if (signal?.aborted) throw new UamError('UAM_ABORTED', `${kernelName}: the call was aborted by its signal`, { cause: signal.reason });
    const native = table(params);
    if (!native) return reference(params);
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
  };

  return Object.assign(call, { async, kernelName, reference });
}
