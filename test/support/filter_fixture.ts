import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../src/native/load.js';

/** `test/fixtures/filters.json`: what PyWavelets and scikit-image make of one small plane. */
export interface FilterFixture {
  width: number;
  height: number;
  image: number[];
  lbp: { samples: number; radius: number; method: 'default' | 'ror' | 'uniform' | 'var'; codes: (number | null)[] }[];
  wavelets: { wavelet: string; level: number; start_level: number; bands: Record<string, number[]> }[];
  /** Of the first 12 values as one line: sum of squares of the low and the high band, low[3], high[5]. */
  energies: Record<string, [number, number, number, number]>;
}

export function filterFixture(): FilterFixture {
  return JSON.parse(readFileSync(join(packageRoot(), 'test', 'fixtures', 'filters.json'), 'utf8')) as FilterFixture;
}
