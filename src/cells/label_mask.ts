import { UamError } from '../errors.js';
import type { LabelMask } from '../image/image.js';

/** Refuses what is not a label image, in the words of the function that was called. */
export function checkMask(where: string, mask: LabelMask): void {
  const { width, height, data } = mask ?? {};
  if (!Number.isInteger(width) || !Number.isInteger(height) || width < 0 || height < 0) {
    throw new UamError('UAM_ARGUMENT', `${where}: width and height must be whole numbers, received ${width} x ${height}`);
  }
  if (!(data instanceof Uint32Array)) {
    throw new UamError('UAM_DTYPE', `${where}: data must be a Uint32Array of ids, received ${describe(data)}; Uint32Array.from converts`);
  }
  if (data.length !== width * height) {
    throw new UamError('UAM_SHAPE', `${where}: data must have ${width} x ${height} = ${width * height} ids, received ${data.length}`);
  }
}

function describe(value: unknown): string {
  return value === null || typeof value !== 'object' ? String(value) : (value.constructor?.name ?? 'an object');
}
