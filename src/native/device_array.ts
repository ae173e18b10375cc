import { deviceFunctions } from './device.js';
import { toUamError } from './native_error.js';

/** What arrays on a card may hold. */
export type DeviceDtype = 'float32' | 'int32' | 'uint8';
type HostArray = Float32Array | Int32Array | Uint8Array;

/** Runs a function of the addon; its errors come back as ours. */
function ask<T>(body: (device: ReturnType<typeof deviceFunctions>) => T): T {
  try {
    return body(deviceFunctions());
  } catch (error) {
    throw toUamError(error);
  }
}

/**
 * An array in the memory of a card. Kernels take it in place of a typed array; JavaScript cannot look inside. Every method enqueues
 * its work behind what was asked before and returns, but those that bring values to the host wait for them.
 */
export class DeviceArray {
  readonly #handle: object;

  private constructor(
    handle: object,
    readonly dtype: DeviceDtype,
    readonly length: number,
  ) {
    this.#handle = handle;
  }

  /** Elements are not set. */
  static allocate(dtype: DeviceDtype, length: number): DeviceArray {
    return new DeviceArray(
      ask((device) => device.allocate(dtype, length)),
      dtype,
      length,
    );
  }

  /** What native code knows this array by. */
  get handle(): object {
    return this.#handle;
  }

  /** Elements [begin, end) over the same memory. */
  subarray(begin: number, end: number): DeviceArray {
    const handle = ask((device) => device.view(this.#handle, begin, end - begin, this.dtype));
    return new DeviceArray(handle, this.dtype, end - begin);
  }

  /** The same bytes as elements of another kind of the same size. */
  as(dtype: DeviceDtype): DeviceArray {
    return new DeviceArray(
      ask((device) => device.view(this.#handle, 0, this.length, dtype)),
      dtype,
      this.length,
    );
  }

  /** Copies from the host, or from an array on the same card. */
  set(source: HostArray | DeviceArray): void {
    if (source instanceof DeviceArray) ask((device) => device.copy(this.#handle, source.handle));
    else ask((device) => device.upload(this.#handle, source));
  }

  fill(value: number): void {
    ask((device) => device.fill(this.#handle, value));
  }

  /** Waits for everything enqueued and copies to `target`. Throws what kernels found wrong since somebody last waited. */
  read(target: HostArray): void {
    ask((device) => device.download(this.#handle, target));
  }

  /** As `read`, without holding the event loop. `target` belongs to the copy until the promise settles. */
  async readAsync(target: HostArray): Promise<void> {
    try {
      await ask((device) => device.downloadLater(this.#handle, target));
    } catch (error) {
      throw toUamError(error);
    }
  }

  /** Gives the memory back, once the kernels that use it have run. Views of it are gone, too. */
  release(): void {
    ask((device) => device.release(this.#handle));
  }
}
