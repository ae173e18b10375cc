import { mismatch } from '../errors.js';
import { Tensor } from '../tensor/tensor.js';
import type { Arrangement } from './arrangement.js';
import type { ScaledFeatures } from './scaling.js';

/** Cells as a model takes them in. The tensors are of the host, wherever the model lives: it brings them to its parameters. */
export interface CellBatch {
  /** Scaled features, [cells, width]; 0 where a value is missing. */
  features: Tensor;
  /** uint8 [cells, width]: 1 where a value is missing. Default: none is. */
  missing?: Tensor | undefined;
  /** How the cells lie in their tiles, for cell tokens. */
  arrangement?: Arrangement | undefined;
}

/**
 * Picks cells for a batch.
 *
 * @param scaled features of any number of cells
 * @param rows which of them, in this order; default: all
 * @param arrangement of the cells that were picked, for cell tokens: see `arrange`
 * @throws UamError `UAM_ARGUMENT` for a row that is not there, `UAM_SHAPE` for an arrangement of another number of cells
 * @example
 * const table = { length: 3, columns: [{ name: 'glcm_Contrast', data: [1, 2, 9] }] };
 * const batch = cellBatch(applyScaling(fitScaling(table), table), Int32Array.of(2, 0));
 * batch.features.shape;   // [2, 1]
 */
export function cellBatch(scaled: ScaledFeatures, rows?: Int32Array, arrangement?: Arrangement): CellBatch {
  const { width, cells } = scaled;
  const count = rows?.length ?? cells;
  if (arrangement && arrangement.order.length !== count) {
    throw mismatch('UAM_SHAPE', 'cellBatch: arrangement', `of ${count} cells`, String(arrangement.order.length));
  }
  const features = Tensor.empty([count, width]);
  const missing = Tensor.empty([count, width], 'uint8');
  for (let i = 0; i < count; i++) {
    const row = rows ? (rows[i] as number) : i;
    if (row < 0 || row >= cells) throw mismatch('UAM_ARGUMENT', 'cellBatch: rows', `from 0 to ${cells - 1}`, String(row));
    (features.data as Float32Array).set(scaled.values.subarray(row * width, (row + 1) * width), i * width);
    (missing.data as Uint8Array).set(scaled.missing.subarray(row * width, (row + 1) * width), i * width);
  }
  return { features, missing: (missing.data as Uint8Array).includes(1) ? missing : undefined, arrangement };
}
