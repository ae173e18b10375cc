import type { DataArray } from '../../src/index.js';

export interface NpyArray {
  data: DataArray;
  shape: number[];
}

const kinds: Record<string, (bytes: ArrayBuffer) => DataArray> = {
  '<f4': (bytes) => new Float32Array(bytes),
  '<f8': (bytes) => new Float64Array(bytes),
  '<i4': (bytes) => new Int32Array(bytes),
  '|u1': (bytes) => new Uint8Array(bytes),
};

/** Reads a C-order little-endian .npy file of the kinds that vectors use. */
export function parseNpy(file: Buffer): NpyArray {
  const headerEnd = 10 + file.readUInt16LE(8);
  const header = file.toString('latin1', 10, headerEnd);
  const descr = /'descr': *'([^']+)'/.exec(header)?.[1] ?? '';
  const shape = (/'shape': *\(([^)]*)\)/.exec(header)?.[1] ?? '')
    .split(',')
    .filter((n) => n.trim())
    .map(Number);
  const read = kinds[descr];
  if (!read || !/'fortran_order': *False/.test(header)) throw new Error(`unsupported .npy header ${header}`);
  return { data: read(Uint8Array.from(file.subarray(headerEnd)).buffer), shape };
}
