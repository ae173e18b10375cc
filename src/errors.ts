/**
 * Every error of the package is a `UamError` with a stable `code`:
 *
 * | code            | meaning                                                                 |
 * |-----------------|-------------------------------------------------------------------------|
 * | `UAM_ARGUMENT`  | a value is not one of those allowed                                     |
 * | `UAM_SHAPE`     | a shape or length does not fit                                          |
 * | `UAM_DTYPE`     | an array has another element type than expected                         |
 * | `UAM_DEVICE`    | the device is absent, or tensors on different devices were mixed        |
 * | `UAM_DISPOSED`  | a tensor was used after it was disposed, or after its scope ended       |
 * | `UAM_GRAPH`     | gradients were asked for where there is no graph, or where it was freed |
 * | `UAM_NONFINITE` | a gradient is NaN or infinite where it would spoil what it updates     |
 * | `UAM_INPUT`     | a file or folder cannot be found or read                                |
 * | `UAM_FORMAT`    | a file's content is broken, or of a kind that is not supported          |
 * | `UAM_DATA`      | a file is sound, but its values cannot be what they are given as        |
 * | `UAM_IO`        | a result could not be written                                           |
 * | `UAM_ABORTED`   | an `AbortSignal` ended the call                                         |
 * | `UAM_MEMORY`    | there was not enough memory                                             |
 * | `UAM_NATIVE`    | native code failed unexpectedly (a bug: please report it)               |
 * | `UAM_ADDON`     | the native addon could not be loaded                                    |
 */
export type UamErrorCode =
  | 'UAM_ARGUMENT'
  | 'UAM_SHAPE'
  | 'UAM_DTYPE'
  | 'UAM_DEVICE'
  | 'UAM_DISPOSED'
  | 'UAM_GRAPH'
  | 'UAM_NONFINITE'
  | 'UAM_INPUT'
  | 'UAM_FORMAT'
  | 'UAM_DATA'
  | 'UAM_IO'
  | 'UAM_ABORTED'
  | 'UAM_MEMORY'
  | 'UAM_NATIVE'
  | 'UAM_ADDON';

/**
 * The one error class of the package.
 *
 * @example
 * try {
 *   Tensor.from([1, 2, 3], [2, 2]);
 * } catch (error) {
 *   if (error instanceof UamError) console.error(error.code, error.message); // UAM_SHAPE ...
 * }
 */
export class UamError extends Error {
  override readonly name = 'UamError';

  constructor(
    readonly code: UamErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** "selectiveScan: A must be [dim, state], received [3]; <how to mend it>" */
export function mismatch(code: UamErrorCode, where: string, expected: string, received: string, fix?: string): UamError {
  return new UamError(code, `${where} must be ${expected}, received ${received}${fix ? `; ${fix}` : ''}`);
}
