// Tables of features with classes, from files.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { packageRoot } from '../../src/native/load.js';
import { readTable } from '../../src/train/read_table.js';
import { UAM } from '../../src/train/uam.js';
import { runModule, sources } from '../support/child.js';
import { rejectsWith } from '../support/expect.js';
import { makeTable } from '../support/feature_tables.js';
import { LITTLE } from '../support/training_sets.js';

const folder = mkdtempSync(join(tmpdir(), 'uam-table-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const file = (text: string, name = 'table.csv') => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

t.test('samples, patients, places and missing values', async (t) => {
  const rows = ['a.png,A,1,10,20,ok,tumour,0.5,x', 'a.png,A,2,30,40,ok,,NA,y', 'b.png,B,1,1,2,ok,stroma,7,z'];
  const set = await readTable(file(['image,patient,label,x,y,status,class,glcm_F,note', ...rows].join('\n')), { mpp: 0.5 });
  t.same([set.features, set.classes, set.patients, set.counts()], [['glcm_F'], ['stroma', 'tumour'], ['A', 'B'], [1, 1]]);
  const [first] = set.samples;
  t.same([...(first?.positions ?? [])], [5, 10, 15, 20]);
  t.same(Array.from(first?.table.columns[0]?.data ?? []), [0.5, Number.NaN]);
});

t.test('CSV, packed CSV and Parquet of `uam features` are one dataset', async (t) => {
  const table = makeTable(300, ['glcm_A', 'glcm_B'], 1).withLabels([
    { name: 'image', values: Array.from({ length: 300 }, (_, i) => `im${i % 3}`) }, // rows of an image need not follow each other
    { name: 'class', values: Array.from({ length: 300 }, (_, i) => ['a', 'b', ''][i % 7] ?? '') },
  ]);
  await table.writeCsv(join(folder, 'a.csv'));
  await table.writeCsv(join(folder, 'a.csv.gz'));
  // In a process of its own: tap's TypeScript loader cannot resolve what hyparquet-writer imports.
  const { code, stderr } = runModule(`
    import { makeTable } from '${sources}../test/support/feature_tables.js';
    const labels = ${JSON.stringify(table.labels)};
    await makeTable(300, ['glcm_A', 'glcm_B'], 1).withLabels(labels).writeParquet(${JSON.stringify(join(folder, 'a.parquet'))});
  `);
  t.equal(code, 0, stderr);
  const contents = async (name: string) => {
    const { samples, classes } = await readTable(join(folder, name), { mpp: 0.5 });
    return {
      classes,
      samples: samples.map(({ table, ...rest }) => ({ ...rest, columns: table.columns.map(({ name, data }) => [name, data]) })),
    };
  };
  const wanted = await contents('a.csv');
  t.equal(wanted.samples.length, 3);
  const second = wanted.samples[1]?.columns[1]?.[1] as Float32Array;
  t.same(
    second,
    Float32Array.from({ length: 100 }, (_, i) => table.column('glcm_B').data[3 * i + 1] as number),
  );
  for (const name of ['a.csv.gz', 'a.parquet']) t.same(await contents(name), wanted, name);
  writeFileSync(join(folder, 'cut.csv.gz'), readFileSync(join(folder, 'a.csv.gz')).subarray(0, -50));
  await rejectsWith(t, readTable(join(folder, 'cut.csv.gz')), 'UAM_FORMAT', /cut\.csv\.gz/);
  await rejectsWith(t, readTable(file('no', 'bad.parquet')), 'UAM_FORMAT', /bad\.parquet/);
  await rejectsWith(t, readTable(join(folder, 'none.parquet')), 'UAM_INPUT', /none\.parquet/);
});

t.test('what is wrong is said', async (t) => {
  await rejectsWith(t, readTable(join(folder, 'none.csv')), 'UAM_INPUT', /none\.csv/);
  await rejectsWith(t, readTable(file('')), 'UAM_DATA', /empty/);
  await rejectsWith(t, readTable(file('a,a\n1,2\n')), 'UAM_FORMAT', /two columns/);
  await rejectsWith(t, readTable(file('a,b\n1\n')), 'UAM_FORMAT', /not a valid table/);
  await rejectsWith(t, readTable(file('a,class\n')), 'UAM_DATA', /no rows/);
  await rejectsWith(t, readTable(file('a,class\nx,y\n')), 'UAM_DATA', /none of its columns/);
  await rejectsWith(t, readTable(file('a,class\nx,y\n'), { features: ['a'] }), 'UAM_DATA', /line 2: a must be a number/);
  await rejectsWith(t, readTable(file('a,class\n1,y\n'), { patient: 'who' }), 'UAM_DATA', /no column 'who'/);
  await rejectsWith(t, readTable(file('image,patient,a\ni,A,1\ni,B,2\n')), 'UAM_DATA', /line 3: i is of patient 'A'/);
  await rejectsWith(t, readTable(file('image,split,a\ni,never,1\n')), 'UAM_DATA', /split/);
  await rejectsWith(t, readTable(file('a,class\n1,y\n'), { mpp: 1 }), 'UAM_DATA', /line 2: x/);
  await rejectsWith(t, readTable(file('a,class\n1,y\n'), { signal: AbortSignal.abort() }), 'UAM_ABORTED', /./);
});

const wdbc = join(packageRoot(), '..', 'shared', 'data', 'wdbc.csv');
t.test('real patients: wdbc', existsSync(wdbc) ? {} : { skip: `${wdbc} is not there` }, async (t) => {
  const set = await readTable(wdbc, { class: 'label' });
  t.same([set.cells, set.patients.length, set.features.length, set.counts()], [569, 569, 30, [357, 212]]);
  const model = UAM.create({ ...LITTLE, tokens: 'feature' });
  const { history, bestEpoch } = await model.fit(set, { epochs: 6, batch: 64, learningRate: 5e-3 });
  t.ok((history[bestEpoch]?.macroF1 as number) > 0.85, `macro-F1 ${history[bestEpoch]?.macroF1}`);
});
