import t from 'tap';
import { featureFamily, orderFeatures } from '../../src/tokens/feature_order.js';
import { applyScaling, checkScaling, fitScaling } from '../../src/tokens/scaling.js';

const table = (columns: Record<string, number[]>) => ({
  length: Object.values(columns)[0]?.length ?? 0,
  columns: Object.entries(columns).map(([name, data]) => ({ name, data })),
});

t.test('families come together, names in the order of their characters', async (t) => {
  t.same(orderFeatures(['glszm_B', 'original_glcm_Z', 'firstorder_Mean', 'haematoxylin_original_glcm_A', 'firstorder_mean', 'Area']), [
    'Area',
    'firstorder_Mean',
    'firstorder_mean',
    'haematoxylin_original_glcm_A',
    'original_glcm_Z',
    'glszm_B',
  ]);
  t.equal(featureFamily('neighbourhood_Mean15um_original_firstorder_Mean'), 'neighbourhood');
});

t.test('median and quartiles, as numpy computes them; constant columns go; what is not finite is missing', async (t) => {
  const given = table({
    glcm_B: [4, 1, NaN, 2, 8, Infinity],
    glcm_A: [1, 1, 1, 1, 1, 1],
    glcm_C: [NaN, NaN, NaN, NaN, NaN, NaN],
    glcm_D: [0, 0, 0, 0, 0, 6],
    firstorder_Mean: [1, 2, 3, 4, 5, 1e300],
  });
  const scaling = fitScaling(given);
  t.same(scaling.names, ['firstorder_Mean', 'glcm_B', 'glcm_D']);
  t.same(scaling.centers, [3.5, 3, 0]);
  t.equal(scaling.scales[1], 5 - 1.75, 'numpy.percentile([1, 2, 4, 8], [25, 75]) is 1.75 and 5');
  t.ok(Math.abs((scaling.scales[2] as number) - Math.sqrt(5)) < 1e-12, 'where the quartiles meet, the standard deviation');
  const { values, missing, width, cells } = applyScaling(scaling, given);
  t.same([width, cells], [3, 6]);
  t.same([...missing], [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]);
  t.equal(values[15], 5, 'cut at 5');
  t.ok(values.every((value, i) => Math.abs(value) <= 5 && (missing[i] === 0 || value === 0)));
  t.same(
    applyScaling(scaling, table({ glcm_D: [1], firstorder_Mean: [3.5], glcm_B: [3], extra: [1] })).values.subarray(0, 2),
    Float32Array.of(0, 0),
  );
});

t.test('mean and standard deviation', async (t) => {
  const scaling = fitScaling(table({ a_B: [1, 2, 3, 4], a_C: [1e300, 2e300, 3e300, 4e300] }), { method: 'standard' });
  t.ok(Math.abs((scaling.scales[0] as number) - Math.sqrt(1.25)) < 1e-12);
  t.ok(Math.abs((scaling.scales[1] as number) / 1e300 - Math.sqrt(1.25)) < 1e-12, 'however large');
});

t.test('what does not fit', async (t) => {
  t.throws(() => fitScaling(table({ a: [1, 1] })), { code: 'UAM_DATA', message: /none of the 1 features varies/ });
  t.throws(() => fitScaling(table({ a: [1, 2] }), { clip: 0 }), { code: 'UAM_ARGUMENT' });
  t.throws(() => fitScaling(table({ a: [1, 2] }), { method: 'other' as 'robust' }), { code: 'UAM_ARGUMENT' });
  const scaling = fitScaling(table({ glcm_A: [1, 2], glcm_B: [3, 4] }));
  t.throws(() => applyScaling(scaling, table({ glcm_B: [1] })), {
    code: 'UAM_DATA',
    message: /lacks 1 of the model's 2 features: glcm_A \(of glcm\)/,
  });
  t.same(checkScaling(JSON.parse(JSON.stringify(scaling)), 'file'), scaling, 'it survives a file');
  for (const wrong of [
    null,
    {},
    { ...scaling, scales: [1] },
    { ...scaling, scales: [1, 0] },
    { ...scaling, names: ['a', 'a'] },
    { ...scaling, clip: -1 },
  ]) {
    t.throws(() => checkScaling(wrong, 'file'), { code: 'UAM_FORMAT' });
  }
});
