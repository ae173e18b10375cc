import { nativeRuntime } from '../native/device.js';

export type Dtype = 'float32' | 'float64' | 'int32' | 'uint8';
export type FloatArray = Float32Array | Float64Array;
export type DataArray = Float32Array | Float64Array | Int32Array | Uint8Array;

const constructors = { float32: Float32Array, float64: Float64Array, int32: Int32Array, uint8: Uint8Array } as const;

export function arrayOf(dtype: Dtype, buffer: ArrayBufferLike, byteOffset: number, length: number): DataArray {
  return new constructors[dtype](buffer as ArrayBuffer, byteOffset, length);
}

const ALIGNMENT = 64;
const SMALLEST_RECYCLED = 4096;

/** Sizes are rounded up to quarters of a power of two: at most a quarter is wasted, and like sizes meet. */
function sizeClass(bytes: number): number {
  const step = 2 ** Math.max(6, Math.floor(Math.log2(bytes)) - 2);
  return Math.ceil(bytes / step) * step;
}

/**
 * Recycles host buffers, so that a training step in steady state allocates nothing and memory stays flat. Buffers handed out
 * are aligned to 64 bytes and hold whatever was in them. Free buffers never exceed what was in use at the peak.
 */
export class Arena {
  /** Fills every array it hands out with NaN (or 0x7f): tests use it to catch outputs that a kernel does not write. */
  poison = false;
  #free = new Map<number, ArrayBuffer[]>();
  #offsets = new WeakMap<ArrayBufferLike, number>();
  #freeBytes = 0;
  #liveBytes = 0;
  #peakBytes = 0;

  allocate(dtype: Dtype, length: number): DataArray {
    const bytes = length * constructors[dtype].BYTES_PER_ELEMENT;
    const array = bytes < SMALLEST_RECYCLED ? new constructors[dtype](length) : this.#reuse(dtype, length, sizeClass(bytes));
    if (this.poison) array.fill(dtype === 'uint8' || dtype === 'int32' ? 0x7f : Number.NaN);
    return array;
  }

  #reuse(dtype: Dtype, length: number, bytes: number): DataArray {
    this.#liveBytes += bytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.#liveBytes);
    const buffer = this.#free.get(bytes)?.pop();
    if (buffer) {
      this.#freeBytes -= bytes;
      return arrayOf(dtype, buffer, this.#offsets.get(buffer) ?? 0, length);
    }
    const fresh = new ArrayBuffer(bytes + ALIGNMENT);
    const misalignment = nativeRuntime()?.misalignment(fresh) ?? 0;
    const offset = (ALIGNMENT - misalignment) % ALIGNMENT;
    this.#offsets.set(fresh, offset);
    return arrayOf(dtype, fresh, offset, length);
  }

  /** Takes back an array that `allocate` gave and that nobody reads any more. Other arrays are left to the collector. */
  recycle(array: DataArray): void {
    const buffer = array.buffer as ArrayBuffer;
    if (!this.#offsets.has(buffer)) return;
    const bytes = buffer.byteLength - ALIGNMENT;
    this.#liveBytes -= bytes;
    const list = this.#free.get(bytes);
    if (list) list.push(buffer);
    else this.#free.set(bytes, [buffer]);
    this.#freeBytes += bytes;
    if (this.#freeBytes + this.#liveBytes > this.#peakBytes * 1.25) this.#shrink();
  }

  /** Lets go of the free buffers that exceed the peak, sizes not used for longest first. */
  #shrink(): void {
    for (const [bytes, list] of this.#free) {
      while (list.length > 0 && this.#freeBytes + this.#liveBytes > this.#peakBytes) {
        list.pop();
        this.#freeBytes -= bytes;
      }
      if (list.length === 0) this.#free.delete(bytes);
    }
  }

  /** Gives every free buffer back to the JavaScript engine. */
  trim(): void {
    this.#free.clear();
    this.#freeBytes = 0;
    this.#peakBytes = this.#liveBytes;
  }

  /** Bytes in use, bytes kept for reuse, and the most that was ever in use. Arrays under 4 KB are not counted. */
  stats(): { liveBytes: number; freeBytes: number; peakBytes: number } {
    return { liveBytes: this.#liveBytes, freeBytes: this.#freeBytes, peakBytes: this.#peakBytes };
  }
}
