import { UamError, type UamErrorCode } from '../errors.js';

/** What the addon threw: a `UamError` where it bears one of our codes, else as it is. Made here, it bears the caller's stack. */
export function toUamError(error: unknown): unknown {
  const { code, message } = (error ?? {}) as { code?: string; message?: string };
  return typeof code === 'string' && code.startsWith('UAM_') && !(error instanceof UamError)
    ? new UamError(code as UamErrorCode, message ?? code, { cause: error })
    : error;
}
