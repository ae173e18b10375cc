import { chmodSync, existsSync, lstatSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { parse } from 'csv-parse/sync';
import t from 'tap';
import { FeatureTable } from '../../src/radiomics/table.js';
import { formatOf, openTableWriter } from '../../src/radiomics/table_writer.js';
import { runModule, sources } from '../support/child.js';
import { makeTable } from '../support/feature_tables.js';

const names = Array.from({ length: 6 }, (_, j) => `feature_${j}`);
const image = (table: FeatureTable, name: string) => table.withLabels([{ name: 'image', values: name }]);
const three = [0, 1, 2].map((i) => image(makeTable([40, 0, 1000][i] as number, names, i), `slide, ${i} "é".png`));
const all = FeatureTable.concat(three);

async function write(path: string, tables: readonly FeatureTable[], options = {}): Promise<void> {
  const writer = await openTableWriter(path, options);
  try {
    for (const table of tables) await writer.write(table);
    await writer.close();
  } finally {
    await writer.abort(); // after close it has nothing left to do
  }
}

/** CSV text as rows, with the types that a table's row has. */
function readCsv(text: string): Record<string, unknown>[] {
  const texts = ['image', 'status'];
  return (parse(text, { columns: true }) as Record<string, string>[]).map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [
        name,
        texts.includes(name) ? value : name === 'touches_border' ? value === '1' : value === '' ? Number.NaN : Number(value),
      ]),
    ),
  );
}

t.test('CSV and gzipped CSV give back every row', async (t) => {
  const folder = t.testdir();
  const rows = [...all];
  await write(join(folder, 'a.csv'), three);
  t.same(readCsv(readFileSync(join(folder, 'a.csv'), 'utf8')), rows);
  t.equal(readFileSync(join(folder, 'a.csv'), 'utf8'), all.toCsv(), 'blocks change nothing');
  await write(join(folder, 'a.csv.gz'), three);
  t.equal(gunzipSync(readFileSync(join(folder, 'a.csv.gz'))).toString(), all.toCsv());
  await all.writeCsv(join(folder, 'b.csv'));
  t.ok(readFileSync(join(folder, 'a.csv')).equals(readFileSync(join(folder, 'b.csv'))), 'the same bytes in one table');
  t.same(readdirSync(folder).sort(), ['a.csv', 'a.csv.gz', 'b.csv'], 'nothing temporary is left');
});

t.test('an empty table gives a file of columns without rows', async (t) => {
  const folder = t.testdir();
  await write(join(folder, 'a.csv'), [makeTable(0, names)]);
  t.equal(readFileSync(join(folder, 'a.csv'), 'utf8'), `label,x,y,touches_border,status,${names.join(',')}\n`);
});

t.test('the file has its name only when it is whole', async (t) => {
  for (const end of ['csv', 'csv.gz']) {
    const folder = t.testdir({ [`a.${end}`]: 'old' });
    const path = join(folder, `a.${end}`);
    const writer = await openTableWriter(path);
    await writer.write(three[2] as FeatureTable);
    t.equal(readFileSync(path, 'utf8'), 'old', end);
    t.ok(writer.temporary && existsSync(writer.temporary), 'the unfinished file lies beside it');
    await writer.abort();
    t.equal(readFileSync(path, 'utf8'), 'old', `${end}: abort leaves the old file`);
    t.same(readdirSync(folder), [`a.${end}`], `${end}: abort removes the unfinished one`);
    await writer.abort();
    await t.rejects(writer.write(three[2] as FeatureTable), { code: 'UAM_IO' }, 'closed');
    t.equal(writer.temporary, undefined);
  }
});

t.test('abort while a write is under way', async (t) => {
  const folder = t.testdir();
  const writer = await openTableWriter(join(folder, 'a.csv.gz'));
  const write = writer.write(makeTable(20_000, names));
  await writer.abort();
  await write;
  t.same(readdirSync(folder), []);
});

t.test('other columns are refused, and the rows before stay good', async (t) => {
  const path = join(t.testdir(), 'a.csv');
  const writer = await openTableWriter(path);
  await writer.write(makeTable(2, ['a', 'b']));
  await t.rejects(writer.write(makeTable(2, ['a', 'c'])), { code: 'UAM_SHAPE', message: /lacks b and adds c/ });
  await t.rejects(writer.write(image(makeTable(2, ['a', 'b']), 'x')), { code: 'UAM_SHAPE', message: /adds image/ });
  await writer.write(makeTable(1, ['a', 'b']));
  await writer.close();
  t.equal(writer.rows, 3);
  t.equal(readFileSync(path, 'utf8').trim().split('\n').length, 4);
});

t.test('calls without waiting are served in order', async (t) => {
  const path = join(t.testdir(), 'a.csv');
  const writer = await openTableWriter(path);
  const jobs = three.map((table) => writer.write(table));
  await writer.close();
  await Promise.all(jobs);
  t.equal(readFileSync(path, 'utf8'), all.toCsv());
});

t.test('append goes on after the rows of a CSV', async (t) => {
  const folder = t.testdir({ 'cut.csv': 'label,x', 'empty.csv': '' });
  for (const end of ['csv', 'csv.gz']) {
    const path = join(folder, `a.${end}`);
    for (const table of three) await write(path, [table], { append: true });
    const bytes = readFileSync(path);
    t.equal((end === 'csv' ? bytes : gunzipSync(bytes)).toString(), all.toCsv(), end);
    await t.rejects(write(path, [makeTable(1, ['a'])], { append: true }), { code: 'UAM_SHAPE', message: /its header names 12 columns/ });
  }
  await write(join(folder, 'empty.csv'), three, { append: true });
  t.equal(readFileSync(join(folder, 'empty.csv'), 'utf8'), all.toCsv());
  await t.rejects(write(join(folder, 'cut.csv'), three, { append: true }), { code: 'UAM_FORMAT', message: /cut off/ });
  await t.rejects(write(join(folder, 'a.parquet'), three, { append: true }), { code: 'UAM_ARGUMENT' });
});

t.test('formats by name', async (t) => {
  t.equal(formatOf('a.CSV'), 'csv');
  t.equal(formatOf('a.b.csv.gz'), 'csv');
  t.equal(formatOf('-'), 'csv');
  t.equal(formatOf('a.pq'), 'parquet');
  t.equal(formatOf('a.txt', { format: 'parquet' }), 'parquet');
  for (const name of ['a.txt', 'csv', '', 'a.csv.zip']) t.throws(() => formatOf(name), { code: 'UAM_ARGUMENT' }, name);
  t.throws(() => formatOf('a.csv', { format: 'xls' as 'csv' }), { code: 'UAM_ARGUMENT', message: /xls/ });
});

t.test('what cannot be written is said at once', async (t) => {
  const folder = t.testdir({ sub: {}, file: 'x' });
  await t.rejects(openTableWriter(join(folder, 'none', 'a.csv')), { code: 'UAM_IO', message: /none does not exist/ });
  await t.rejects(openTableWriter(join(folder, 'sub'), { format: 'csv' }), { code: 'UAM_IO', message: /it is a folder/ });
  await t.rejects(openTableWriter(join(folder, 'file', 'a.csv')), { code: 'UAM_IO', message: /not a folder/ });
  if (existsSync('/dev/full')) {
    const table = makeTable(20_000, names);
    const full = await openTableWriter('/dev/full', { format: 'csv' });
    await t.rejects(full.write(table), { code: 'UAM_IO', message: /disk is full/ });
    await t.rejects(full.write(table), { code: 'UAM_IO', message: /failed before/ });
    await full.abort();
    t.ok(lstatSync('/dev/full').isCharacterDevice(), 'a device is not replaced');
  }
  const nothing = await openTableWriter(join(folder, 'a.csv'));
  await t.rejects(nothing.close(), { code: 'UAM_ARGUMENT', message: /no table was written/ });
  t.same(readdirSync(folder).sort(), ['file', 'sub']);
});

t.test('links stay links, and the mode of an old file is kept', async (t) => {
  const folder = t.testdir({ sub: {} });
  const real = join(folder, 'sub', 'real.csv');
  writeFileSync(real, 'old');
  chmodSync(real, 0o640);
  symlinkSync(real, join(folder, 'a.csv'));
  await write(join(folder, 'a.csv'), three);
  t.ok(lstatSync(join(folder, 'a.csv')).isSymbolicLink());
  t.equal(readFileSync(real, 'utf8'), all.toCsv());
  t.equal(statSync(real).mode & 0o777, 0o640);
});

t.test('standard output', async (t) => {
  const program = (end: string) => `
    import { openTableWriter } from '${sources}radiomics/table_writer.js';
    import { makeTable } from '${sources}../test/support/feature_tables.js';
    const writer = await openTableWriter('-');
    for (let i = 0; i < 3; i++) await writer.write(makeTable([40, 0, 1000][i], ${JSON.stringify(names)}, i));
    ${end}
  `;
  const { code, stdout, stderr } = runModule(program('await writer.close();'));
  t.equal(code, 0, stderr);
  t.equal(stderr, '');
  t.equal(
    stdout,
    FeatureTable.concat(three.map((table) => table.withLabels([])))
      .toCsv()
      .trim(),
  );
});
