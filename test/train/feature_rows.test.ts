// Features in float32, held once: tables made of their rows, and what a model gets of them.
import fc from 'fast-check';
import t from 'tap';
import { applyScaling, fitScaling } from '../../src/tokens/scaling.js';
import { FeatureRows, MatrixBuilder, namesOf } from '../../src/train/feature_rows.js';
import { Pace } from '../../src/train/pace.js';
import { packCells, unpackRow } from '../../src/train/packed_cells.js';

const pace = () => new Pace('test');

t.test('a matrix of several chunks gives back what was put in, in any order', async (t) => {
  const width = 1 << 20; // four rows fill a chunk
  const builder = new MatrixBuilder(width);
  for (let row = 0; row < 10; row++) builder.add().fill(row);
  const matrix = builder.finish(['first', 'last'], Int32Array.of(0, width - 1));
  t.equal(matrix.chunks.length, 3);
  const table = new FeatureRows(matrix, Int32Array.of(9, 0, 4, 3));
  t.same([table.length, namesOf(table)], [4, ['first', 'last']]);
  for (const { data } of table.columns) t.same([...(data as Float32Array)], [9, 0, 4, 3]);
});

t.test('a model gets of rows what it gets of columns', async (t) => {
  const value = fc.oneof(fc.float({ noDefaultInfinity: true, min: -1000, max: 1000 }), fc.constant(Number.NaN));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(value, value, value), { minLength: 2, maxLength: 30 }), async (rows) => {
      const names = ['glcm_C', 'glcm_A', 'glcm_B'];
      const columns = names.map((name, f) => ({ name, data: Float64Array.from(rows, (row) => row[f as 0] as number) }));
      const table = { length: rows.length, columns: [...columns, { name: 'glcm_Varies', data: Array.from(rows.keys()) }] };
      const scaling = fitScaling(table);
      const wanted = applyScaling(scaling, table);
      const asRows = await FeatureRows.from(table, ['glcm_Varies', ...names], pace());
      for (const given of [table, asRows]) {
        const packed = await packCells([{ name: 'a', table: given, positions: undefined }], scaling, false, pace());
        const [values, missing] = [new Float32Array(wanted.values.length), new Uint8Array(wanted.values.length)];
        for (let row = 0; row < rows.length; row++) unpackRow(packed, row, values, missing, row * packed.width);
        t.same(values, wanted.values);
        t.same(missing, wanted.missing);
      }
    }),
    { numRuns: 20 },
  );
});

t.test('what is absent is named, with what to do', async (t) => {
  const table = { length: 1, columns: [{ name: 'glcm_A', data: [1] }] };
  await t.rejects(FeatureRows.from(table, ['glcm_A', 'glcm_B'], pace()), {
    code: 'UAM_DATA',
    message: /lacks 1 of the model's 2 features: glcm_B .*model\.extraction/,
  });
});
