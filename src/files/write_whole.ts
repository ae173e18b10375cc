import { UamError } from '../errors.js';
import { openFile } from './output_file.js';

/**
 * Writes a file of these bytes: it appears under its name when it is whole, and a failure leaves what was there before.
 *
 * @param parts written one after the other
 * @param signal ends the writing; then nothing of it is left
 * @throws UamError `UAM_IO`, `UAM_ABORTED`
 */
export async function writeWhole(path: string, parts: readonly Uint8Array[], signal?: AbortSignal): Promise<void> {
  const file = await openFile(path);
  try {
    for (const part of parts) {
      if (signal?.aborted) throw new UamError('UAM_ABORTED', `writing ${path} was ended by its signal`, { cause: signal.reason });
      await file.write(part);
    }
  } catch (error) {
    await file.abort();
    throw error;
  }
  await file.close();
}
