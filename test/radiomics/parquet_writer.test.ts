// The writing happens in child processes: tap's TypeScript loader cannot resolve what hyparquet-writer imports.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parquetMetadata, parquetReadObjects } from 'hyparquet';
import t, { type Test } from 'tap';
import { FeatureTable } from '../../src/radiomics/table.js';
import { runModule, sources } from '../support/child.js';
import { makeTable } from '../support/feature_tables.js';

const names = Array.from({ length: 6 }, (_, j) => `feature_${j}`);
const bytesOf = (path: string): ArrayBuffer => new Uint8Array(readFileSync(path)).buffer;
const labelled = (rows: number, i: number) => makeTable(rows, names, i).withLabels([{ name: 'image', values: `slide ${i} é` }]);

/** Runs a program that has `labelled`, `openTableWriter` and `folder`; gives what it prints. */
function inChild(t: Pick<Test, 'equal'>, folder: string, program: string): string {
  const { code, stdout, stderr } = runModule(`
    import { openTableWriter } from '${sources}radiomics/table_writer.js';
    import { makeTable } from '${sources}../test/support/feature_tables.js';
    const folder = ${JSON.stringify(folder)};
    const names = ${JSON.stringify(names)};
    const labelled = ${labelled.toString()};
    ${program}
  `);
  t.equal(stderr, '');
  t.equal(code, 0);
  return stdout;
}

const read = async (path: string): Promise<Record<string, unknown>[]> =>
  (await parquetReadObjects({ file: bytesOf(path) })).map((row) => ({ ...row, label: Number(row['label']) }));

t.test('every row comes back; blocks do not show', async (t) => {
  const folder = t.testdir();
  const sizes = [40, 0, 1000];
  inChild(
    t,
    folder,
    `const writer = await openTableWriter(folder + '/a.parquet');
     const sizes = ${JSON.stringify(sizes)};
     for (let i = 0; i < 3; i++) await writer.write(labelled(sizes[i], i));
     await writer.close();`,
  );
  const all = FeatureTable.concat(sizes.map(labelled));
  t.same(await read(join(folder, 'a.parquet')), [...all]);
  inChild(
    t,
    folder,
    `const { FeatureTable } = await import('${sources}radiomics/table.js');
     await FeatureTable.concat(${JSON.stringify(sizes)}.map(labelled)).writeParquet(folder + '/b.parquet');`,
  );
  t.ok(readFileSync(join(folder, 'a.parquet')).equals(readFileSync(join(folder, 'b.parquet'))), 'the same bytes from one table');
  t.same(readdirSync(folder).sort(), ['a.parquet', 'b.parquet']);
});

t.test('types, metadata and row groups', async (t) => {
  const folder = t.testdir();
  inChild(
    t,
    folder,
    `const writer = await openTableWriter(folder + '/a.parquet');
     await writer.write(labelled(40_000, 1));
     await writer.close();`,
  );
  const path = join(folder, 'a.parquet');
  const metadata = parquetMetadata(bytesOf(path));
  const types = Object.fromEntries(metadata.schema.slice(1).map(({ name, type, converted_type }) => [name, converted_type ?? type]));
  const features = Object.fromEntries(names.map((name) => [name, 'DOUBLE']));
  t.same(types, { image: 'UTF8', label: 'INT64', x: 'DOUBLE', y: 'DOUBLE', touches_border: 'BOOLEAN', status: 'UTF8', ...features });
  t.same(
    metadata.row_groups.map(({ num_rows }) => Number(num_rows)),
    [16384, 16384, 7232],
  );
  const described = metadata.key_value_metadata?.find(({ key }) => key === 'uam.columns')?.value ?? '{}';
  t.same(JSON.parse(described).feature_1, { unit: 'um', definition: 'made-up column 1' });
  t.same((await read(path)).at(-1), labelled(40_000, 1).row(39_999));
});

t.test('ids of 32 bits, the sign of zero and infinities survive', async (t) => {
  const folder = t.testdir();
  inChild(
    t,
    folder,
    `const table = labelled(3, 1);
     table.ids.set([1, 2 ** 31, 2 ** 32 - 1]);
     table.columns[0].data.set([-0, Infinity, -5e-324]);
     const writer = await openTableWriter(folder + '/a.parquet');
     await writer.write(table);
     await writer.close();`,
  );
  const rows = await read(join(folder, 'a.parquet'));
  t.same(
    rows.map(({ label }) => label),
    [1, 2 ** 31, 2 ** 32 - 1],
  );
  const values = rows.map(({ feature_0 }) => feature_0);
  t.ok(Object.is(values[0], -0));
  t.same(values.slice(1), [Infinity, -5e-324]);
});

t.test('no rows, no table, abort, a full disk', async (t) => {
  const folder = t.testdir();
  const printed = inChild(
    t,
    folder,
    `const writer = await openTableWriter(folder + '/empty.parquet');
     await writer.write(labelled(0, 1));
     await writer.close();
     const none = await openTableWriter(folder + '/none.parquet');
     const codes = [await none.close().catch(({ code }) => code)];
     const left = await openTableWriter(folder + '/left.parquet');
     await left.write(labelled(20_000, 1));
     await left.abort();
     const full = await openTableWriter('/dev/full', { format: 'parquet' });
     codes.push(await full.write(labelled(20_000, 1)).catch(({ code }) => code));
     await full.abort();
     console.log(codes.join());`,
  );
  t.equal(printed, 'UAM_ARGUMENT,UAM_IO');
  t.same(await read(join(folder, 'empty.parquet')), []);
  t.same(readdirSync(folder), ['empty.parquet']);
});
