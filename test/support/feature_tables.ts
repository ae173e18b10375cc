// Tables with made-up numbers, for tests of tables, of files and of the command line.
import { FeatureTable } from '../../src/radiomics/table.js';
import { uniform } from './random.js';

/** Some cells: NaN here and there, integers here and there, every status. */
export function makeTable(rows: number, names: readonly string[], seed = 1): FeatureTable {
  const random = uniform(seed);
  return new FeatureTable({
    ids: Uint32Array.from({ length: rows }, (_, i) => 3 * i + 1 + 1000 * seed),
    centroids: Float64Array.from({ length: 2 * rows }, () => random() * 1000),
    touchesBorder: Uint8Array.from({ length: rows }, (_, i) => (i % 7 === 0 ? 1 : 0)),
    status: Uint8Array.from({ length: rows }, (_, i) => (i % 11 === 3 ? 1 + (i % 4) : 0)),
    columns: names.map((name, j) => ({
      name,
      unit: j % 2 === 0 ? '1' : 'um',
      definition: `made-up column ${j}`,
      data: Float64Array.from({ length: rows }, (_, i) =>
        (i + j) % 13 === 5 ? Number.NaN : j % 5 === 4 ? Math.floor(random() * 100) : (random() - 0.5) * 10 ** ((j % 7) - 2),
      ),
    })),
  });
}
