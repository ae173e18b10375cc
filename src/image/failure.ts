import { UamError } from '../errors.js';

/** A file that is broken or of a kind that is not supported. */
export function formatError(name: string, text: string, cause?: unknown): UamError {
  return new UamError('UAM_FORMAT', `${name}: ${text}`, cause === undefined ? undefined : { cause });
}

/** A sound file whose values cannot be what they are given as. */
export function dataError(name: string, text: string): UamError {
  return new UamError('UAM_DATA', `${name}: ${text}`);
}

export function argumentError(text: string): UamError {
  return new UamError('UAM_ARGUMENT', text);
}

/** The text of whatever was thrown, on one line. */
export function reason(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).trim().replace(/\s*\n\s*/g, '; ');
}

/**
 * Runs a decoder on a file's bytes: whatever it throws is the file's fault, so it becomes `UAM_FORMAT` with the file's name.
 * The package's own errors pass unchanged.
 */
export async function decoding<T>(name: string, what: string, work: () => Promise<T> | T): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof UamError || isAllocation(error)) throw error;
    throw new UamError('UAM_FORMAT', `${name}: ${what}: ${reason(error)}`, { cause: error });
  }
}

const isAllocation = (error: unknown): boolean =>
  error instanceof RangeError && /allocation failed|array (buffer )?length/i.test(error.message);

/** Runs what needs much memory: where there is none left, the error says so, and what to do. */
export async function withinMemory<T>(name: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isAllocation(error)) throw error;
    throw new UamError('UAM_MEMORY', `${name}: there is not enough memory for its pixels; read a slide by regions or at a smaller level`, {
      cause: error,
    });
  }
}

/** Ends the work when the signal says so. */
export function refuseAborted(name: string, signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new UamError('UAM_ABORTED', `${name}: reading was aborted by its signal`, { cause: signal.reason });
}

/** The most pixels held in memory at once, unless the caller says otherwise. */
export const DEFAULT_MAX_PIXELS = 1e9;

/** A positive whole number or the default. */
export function pixelLimit(maxPixels: number | undefined): number {
  if (maxPixels === undefined) return DEFAULT_MAX_PIXELS;
  if (!(maxPixels > 0)) throw argumentError(`maxPixels must be a positive number, received ${maxPixels}`);
  return maxPixels;
}

/** Beyond this, arrays of pixels are longer than JavaScript's, whatever the caller allows. */
const MOST_PIXELS = 2 ** 31;

/** Refuses what would not fit, before any of it is allocated. */
export function refuseHuge(name: string, width: number, height: number, maxPixels: number): void {
  const most = Math.min(maxPixels, MOST_PIXELS);
  if (width * height > most) {
    throw dataError(
      name,
      `${width} x ${height} pixels are more than the ${most} that may be held in memory at once; ` +
        'read it by regions (openImage(...).read({ x, y, width, height })), choose a smaller level, or raise maxPixels',
    );
  }
}
