import fc from 'fast-check';
import t, { type Test } from 'tap';
import { UamError } from '../../src/errors.js';
import { nearNames } from '../../src/radiomics/near_names.js';
import { FeatureTable } from '../../src/radiomics/table.js';
import { STATUS_NAMES } from '../../src/radiomics/table_columns.js';
import { makeTable } from '../support/feature_tables.js';

const code = (expected: string) => (error: unknown) => error instanceof UamError && error.code === expected;
const throwsCode = (t: Pick<Test, 'ok' | 'fail' | 'match'>, work: () => unknown, expected: string, message: RegExp) => {
  try {
    work();
    t.fail('nothing was thrown');
  } catch (error) {
    t.ok(code(expected)(error), String(error));
    t.match((error as Error).message, message);
  }
};

t.test('a row is an object named as the columns of the files', async (t) => {
  const table = makeTable(3, ['firstorder_Mean', 'glcm_Contrast']).withLabels([
    { name: 'image', values: 'a.png' },
    { name: 'patient', values: ['p1', 'p2', 'p3'] },
  ]);
  t.equal(table.length, 3);
  t.same(Object.keys(table.row(1)), [
    'image',
    'patient',
    'label',
    'x',
    'y',
    'touches_border',
    'status',
    'firstorder_Mean',
    'glcm_Contrast',
  ]);
  const { image, patient, label, x, y, status, touches_border } = table.row(1);
  t.same(
    { image, patient, label, x, y, status },
    {
      image: 'a.png',
      patient: 'p2',
      label: table.ids[1],
      x: table.centroids[2],
      y: table.centroids[3],
      status: STATUS_NAMES[table.status[1] as number],
    },
  );
  t.type(touches_border, 'boolean');
  t.same(
    [...table],
    [0, 1, 2].map((i) => table.row(i)),
  );
  t.equal(table.statusOf(0), STATUS_NAMES[table.status[0] as number]);
  for (const row of [-1, 3, 0.5, Number.NaN]) throwsCode(t, () => table.row(row), 'UAM_ARGUMENT', /0 to 2/);
  throwsCode(t, () => makeTable(0, ['a']).row(0), 'UAM_ARGUMENT', /empty/);
});

t.test('columns by name, and what is near where there is none', async (t) => {
  const table = makeTable(2, ['original_glcm_Contrast', 'original_firstorder_Mean', 'original_firstorder_Median']);
  t.equal(table.column('original_firstorder_Mean'), table.columns[1]);
  t.same(table.names, ['original_glcm_Contrast', 'original_firstorder_Mean', 'original_firstorder_Median']);
  throwsCode(t, () => table.column('original_glcm_contrast'), 'UAM_ARGUMENT', /did you mean 'original_glcm_Contrast'/);
  throwsCode(t, () => table.column('firstorder_Median'), 'UAM_ARGUMENT', /original_firstorder_Median/);
  throwsCode(t, () => table.column('zzzzzzzz'), 'UAM_ARGUMENT', /3 features/);
  t.same(table.select(['original_firstorder_Median', 'original_glcm_Contrast']).names, [
    'original_firstorder_Median',
    'original_glcm_Contrast',
  ]);
  throwsCode(t, () => table.select(['original_firstorder_Mena']), 'UAM_ARGUMENT', /original_firstorder_Mean/);
});

t.test('toNdarray has a row per cell', async (t) => {
  const table = makeTable(4, ['a', 'b', 'c']);
  const matrix = table.toNdarray();
  t.same(matrix.shape, [4, 3]);
  t.equal(matrix.dtype, 'float64');
  for (let i = 0; i < 4; i++) for (let j = 0; j < 3; j++) t.ok(Object.is(matrix.get(i, j), table.columns[j]?.data[i]));
  t.same(makeTable(0, ['a']).toNdarray().shape, [0, 1]);
});

t.test('concat joins rows; constant texts stay one text', async (t) => {
  const parts = [2, 0, 3].map((rows, i) =>
    makeTable(rows, ['a', 'b'], i).withLabels([
      { name: 'image', values: `${i}.png` },
      { name: 'site', values: 'x' },
    ]),
  );
  const all = FeatureTable.concat(parts);
  t.same(
    [...all],
    parts.flatMap((part) => [...part]),
  );
  t.equal(all.labels[1]?.values, 'x');
  throwsCode(t, () => FeatureTable.concat([]), 'UAM_SHAPE', /at least one/);
  throwsCode(
    t,
    () => FeatureTable.concat([makeTable(1, ['a', 'b']), makeTable(1, ['a', 'c'])]),
    'UAM_SHAPE',
    /table 1.*lacks b and adds c/,
  );
  throwsCode(t, () => FeatureTable.concat([makeTable(1, ['a', 'b']), makeTable(1, ['b', 'a'])]), 'UAM_SHAPE', /another order/);
});

t.test('lengths, codes and names are checked', async (t) => {
  const good = makeTable(2, ['a']);
  const bad = (parts: object) => () => new FeatureTable({ ...good, ...parts });
  throwsCode(t, bad({ centroids: new Float64Array(2) }), 'UAM_SHAPE', /centroids must have 4 entries, received 2/);
  throwsCode(t, bad({ touchesBorder: new Uint8Array(3) }), 'UAM_SHAPE', /touchesBorder/);
  throwsCode(t, bad({ status: new Uint8Array(1) }), 'UAM_SHAPE', /status/);
  throwsCode(t, bad({ status: Uint8Array.of(0, 9) }), 'UAM_ARGUMENT', /received 9 in row 1/);
  throwsCode(t, bad({ columns: [{ ...good.columns[0], data: new Float64Array(1) }] }), 'UAM_SHAPE', /column a/);
  throwsCode(t, bad({ columns: [good.columns[0], good.columns[0]] }), 'UAM_ARGUMENT', /two columns are named 'a'/);
  throwsCode(t, bad({ labels: [{ name: 'x', values: 'y' }] }), 'UAM_ARGUMENT', /two columns are named 'x'/);
  throwsCode(t, bad({ labels: [{ name: 'z', values: ['y'] }] }), 'UAM_SHAPE', /text column z/);
});

t.test('CSV: header, quotes, NaN empty, shortest numbers', async (t) => {
  const table = new FeatureTable({
    ids: Uint32Array.of(7, 4294967295),
    centroids: Float64Array.of(0.1, 2, 1e21, 1 / 3),
    touchesBorder: Uint8Array.of(0, 1),
    status: Uint8Array.of(0, 4),
    columns: [
      { name: 'a', unit: '1', definition: '', data: Float64Array.of(Number.NaN, -0) },
      { name: 'b,"c"', unit: '1', definition: '', data: Float64Array.of(5e-324, Number.POSITIVE_INFINITY) },
    ],
    labels: [{ name: 'image', values: ['plain', ' a "b",\nc'] }],
  });
  t.equal(
    table.toCsv(),
    [
      'image,label,x,y,touches_border,status,a,"b,""c"""',
      'plain,7,0.1,2,0,ok,,5e-324',
      '" a ""b"",\nc",4294967295,1e+21,0.3333333333333333,1,too_small,-0,Infinity',
      '',
    ].join('\n'),
  );
});

t.test('CSV numbers read back as the same bits', async () => {
  fc.assert(
    fc.property(fc.array(fc.double({ noNaN: true }), { minLength: 1, maxLength: 20 }), (values) => {
      const data = Float64Array.from(values);
      const table = new FeatureTable({
        ids: new Uint32Array(data.length),
        centroids: new Float64Array(2 * data.length),
        touchesBorder: new Uint8Array(data.length),
        status: new Uint8Array(data.length),
        columns: [{ name: 'a', unit: '1', definition: '', data }],
      });
      const read = table
        .toCsv()
        .trim()
        .split('\n')
        .slice(1)
        .map((line) => Number(line.split(',')[5]));
      return read.every((value, i) => Object.is(value, data[i]));
    }),
  );
});

t.test('near names', async (t) => {
  const known = ['Mean', 'Median', 'JointEnergy', 'GrayLevelNonUniformity'];
  t.same(nearNames('mean', known)[0], 'Mean');
  t.same(nearNames('joint_energy', known), ['JointEnergy']);
  t.same(nearNames('GreyLevelNonUniformity', known), ['GrayLevelNonUniformity']);
  t.same(nearNames('Busyness', known), []);
});
