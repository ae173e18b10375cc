// Cells that PyRadiomics refuses, or that a class has nothing to say of: they keep their row, what can be computed, and a reason.
import t from 'tap';
import type { RasterImage } from '../../src/image/image.js';
import { knownFeatures } from '../../src/radiomics/catalogue.js';
import { extract } from '../../src/radiomics/extract.js';
import type { ExtractOptions } from '../../src/radiomics/extract_options.js';
import { differentBits, greyFor } from '../support/extractions.js';
import { draw } from '../support/label_images.js';

/** 1 a pixel, 2 and 3 lines, 4 touches by corners, 5 in two far parts, 6 a square of two, the others ordinary. */
const scene = draw(
  '1..2222...',
  '..........',
  '3..4..5...',
  '3...4.....',
  '3........5',
  '..66..7777',
  '..66..7.77',
  '......7777',
  '.zzzzz....',
  '.zzzzzz...',
  '.zzz......',
);
const [PIXEL, LEVEL, UPRIGHT, CORNERS, APART, SQUARE, HOLED, PLAIN] = [1, 2, 3, 4, 5, 6, 7, 35] as const;
const image = greyFor(scene);

async function rows(
  options: ExtractOptions = {},
  of: RasterImage = image,
): Promise<Map<number, Record<string, number | string | boolean>>> {
  const table = await extract(of, scene, options);
  t.same([...table.ids], [PIXEL, LEVEL, UPRIGHT, CORNERS, APART, SQUARE, HOLED, PLAIN], 'every cell has its row');
  return new Map([...table].map((row) => [row['label'] as number, row]));
}

const statuses = (found: Awaited<ReturnType<typeof rows>>) => Object.fromEntries([...found].map(([id, { status }]) => [id, status]));
/** The classes of which a row has nothing. */
const silent = (row: Record<string, unknown> = {}) =>
  Object.keys(knownFeatures()).filter((of) => {
    const values = Object.entries(row).filter(([name]) => name.startsWith(`${of}_`));
    return values.length > 0 && values.every(([, value]) => Number.isNaN(value));
  });
const usual = { 1: 'single_pixel', 2: 'line', 3: 'line', 4: 'ok', 5: 'no_neighbours', 6: 'ok', 7: 'ok', 35: 'ok' };

t.test('what PyRadiomics refuses', async (t) => {
  const found = await rows();
  t.same(statuses(found), usual);
  t.same(silent(found.get(PIXEL)), ['glcm', 'glrlm', 'glszm', 'ngtdm', 'gldm'], 'a pixel has no directions');
  t.same(silent(found.get(APART)), ['glcm', 'glrlm'], 'no pair, no line of two');
  for (const id of [LEVEL, UPRIGHT, CORNERS, SQUARE, HOLED, PLAIN]) t.same(silent(found.get(id)), [], `cell ${id} has all classes`);
  t.has(found.get(PIXEL), {
    firstorder_Variance: 0,
    firstorder_Skewness: 0,
    firstorder_Kurtosis: 0,
    firstorder_Uniformity: 1,
    shape2D_PixelSurface: 1,
    shape2D_MeshSurface: 0.5,
    shape2D_MaximumDiameter: 1,
    shape2D_MajorAxisLength: 0,
    x: 0,
    y: 0,
    touches_border: true,
  });
  t.ok(Number.isNaN(found.get(PIXEL)?.['shape2D_Elongation']));
});

t.test('a flat cell', async (t) => {
  const found = await rows({}, { ...image, data: image.data.map(() => 90) });
  t.same(statuses(found), usual);
  t.has(found.get(PLAIN), {
    glcm_Correlation: 1,
    glcm_MCC: 1,
    glcm_Imc1: 0,
    glcm_Imc2: 0,
    glcm_JointEnergy: 1,
    glcm_Idmn: 1,
    ngtdm_Coarseness: 1e6,
    ngtdm_Contrast: 0,
    firstorder_Skewness: 0,
    firstorder_Kurtosis: 0,
  });
});

t.test('settings that refuse more, or less', async (t) => {
  t.same(statuses(await rows({ settings: { minimumROISize: 4 } })), { ...usual, 4: 'too_small', 5: 'too_small', 6: 'too_small' });
  t.same(statuses(await rows({ settings: { minimumROISize: 3 } })), { ...usual, 4: 'too_small', 5: 'too_small' });
  t.same(statuses(await rows({ settings: { minimumROIDimensions: 1 } })), { ...usual, 2: 'ok', 3: 'ok' });
  const small = (await rows({ settings: { minimumROISize: 1000 } })).get(PLAIN);
  const plain = (await rows()).get(PLAIN);
  t.same({ ...small, status: 'ok' }, plain, 'what is too small has its features all the same');
  const far = await rows({ settings: { distances: [2] } });
  t.equal(far.get(SQUARE)?.['status'], 'no_neighbours', 'nothing is two pixels away in a square of two');
  t.same(silent(far.get(SQUARE)), ['glcm', 'ngtdm', 'gldm']);
  t.equal(far.get(PLAIN)?.['status'], 'ok');
});

t.test('pixels that are not numbers', async (t) => {
  const data = Float32Array.from(image.data);
  scene.data.forEach((id, at) => {
    if (id === SQUARE) data[at] = Number.NaN;
    if (id === HOLED && at % 2 === 0) data[at] = Infinity;
  });
  const found = await rows({ features: ['all'] }, { ...image, data });
  t.equal(found.get(SQUARE)?.['status'], 'no_values');
  t.same(silent(found.get(SQUARE)), ['firstorder', 'glcm', 'glrlm', 'glszm', 'ngtdm', 'gldm', 'gradient', 'ring_difference']);
  t.equal(found.get(SQUARE)?.['shape2D_PixelSurface'], 4, 'its form is what it was');
  const others = await rows({ features: ['default'] });
  const again = await rows({ features: ['default'] }, { ...image, data });
  for (const id of [PIXEL, LEVEL, UPRIGHT, CORNERS, APART, PLAIN]) t.same(again.get(id), others.get(id), `cell ${id} is as before`);
  const outside = await rows({ settings: { resegmentRange: [1000, 2000] } });
  t.equal(outside.get(PLAIN)?.['status'], 'no_values', 'resegmentRange leaves nothing');
  const all = { ...image, data: new Float64Array(image.data.length).fill(Number.NaN) };
  t.same(
    new Set([...(await rows({ features: ['all'] }, all)).values()].map(({ status }) => status)),
    new Set(['single_pixel', 'line', 'no_values']),
  );
});

t.test('an empty mask', async (t) => {
  const full = await extract(image, scene, { features: ['all'], channels: ['grey'] });
  const none = await extract(image, { ...scene, data: new Uint32Array(scene.data.length) }, { features: ['all'] });
  t.equal(none.length, 0);
  t.same(
    none.columns.map(({ name, unit }) => [name, unit]),
    full.columns.map(({ name, unit }) => [name, unit]),
    'all columns, no rows',
  );
  const nothing = await extract(
    { ...image, width: 0, height: 0, data: new Uint8Array(0) },
    { width: 0, height: 0, data: new Uint32Array(0) },
  );
  t.equal(nothing.length, 0, 'an image without pixels');
  t.equal(nothing.columns.length, 102);
});

t.test('ids are kept, whatever they are', async (t) => {
  // A pixel as near to two cells is in the ring of the one with the smaller id: rings stay where the order of the ids does.
  const risen = [0, 1, 2, 9, 65535, 65536, 2147483647, 2147483648, 4294967295];
  const mixed = [0, 4294967295, 12, 2147483648, 3, 70000, 1, 65536, 4294967294];
  const ringless = Object.keys(knownFeatures()).filter((of) => !of.startsWith('ring'));
  for (const [ids, features] of [
    [risen, ['all']],
    [mixed, ringless],
  ] as const) {
    const before = await extract(image, scene, { features });
    const names = new Map([0, ...before.ids].map((id, at) => [id, ids[at] as number]));
    const table = await extract(image, { ...scene, data: scene.data.map((id) => names.get(id) as number) }, { features });
    t.same(
      [...table.ids],
      ids.slice(1).sort((a, b) => a - b),
      'rising, as numbers without a sign',
    );
    for (const row of before) {
      const now = table.row(table.ids.indexOf(names.get(row['label'] as number) as number));
      t.same({ ...now, label: row['label'] }, row, `cell ${row['label']}`);
    }
  }
});

t.test('the setting label takes one cell, which still has its neighbours', async (t) => {
  const all = await extract(image, scene, { features: ['all'], settings: { spacing: [0.5, 0.5] } });
  for (const [row, id] of all.ids.entries()) {
    const reports: object[] = [];
    const one = await extract(image, scene, {
      features: ['all'],
      settings: { spacing: [0.5, 0.5], label: id },
      onProgress: (progress) => reports.push(progress),
    });
    t.same([...one], [all.row(row)], `cell ${id}`);
    t.same(reports, [{ done: 1, total: 1 }]);
  }
  t.same(differentBits(await extract(image, scene, { settings: { label: null } }), await extract(image, scene)), [], 'null takes all');
});
