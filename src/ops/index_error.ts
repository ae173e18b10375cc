import { UamError } from '../errors.js';

/** Throws for an index that a kernel's definition read from an array and must not use; native/index_error.h says the same. */
export function rejectIndex(kernel: string, array: string, at: number, value: number, limit: number, alternative = ''): never {
  throw new UamError('UAM_ARGUMENT', `${kernel}: ${array}[${at}] must be from 0 to ${limit - 1}${alternative}, received ${value}`);
}
