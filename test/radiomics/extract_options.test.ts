// What an extraction is asked for: columns, their names and units, and what is refused.
import t from 'tap';
import type { LabelMask, RasterImage } from '../../src/image/image.js';
import { features, knownFeatures } from '../../src/radiomics/catalogue.js';
import { extract } from '../../src/radiomics/extract.js';
import type { ExtractOptions } from '../../src/radiomics/extract_options.js';
import { rejectsWith } from '../support/expect.js';
import { differentBits, greyFor, tissue } from '../support/extractions.js';

const { image, mask } = tissue(60, 50);
const grey = greyFor(mask);
const unitOf = async (name: string, of: RasterImage = image, options: ExtractOptions = {}) =>
  (await extract(of, mask, { features: [name], ...options })).column(name).unit;

t.test("what is computed where nothing is said: PyRadiomics' 102", async (t) => {
  const table = await extract(image, mask);
  t.equal(table.names.length, 102);
  t.same(
    table.names,
    features.filter((feature) => feature.default).map(({ name }) => name),
  );
  t.same((await extract(image, mask, { features: ['default'], channels: ['grey'], imageTypes: { Original: {} } })).names, table.names);
});

t.test("'all' is everything but what is deprecated, which comes when it is named", async (t) => {
  const all = await extract(image, mask, { features: ['all'] });
  const deprecated = features.filter((feature) => feature.deprecated).map(({ name }) => name);
  t.ok(deprecated.length > 0);
  t.same(
    deprecated.filter((name) => all.names.includes(name)),
    [],
  );
  t.same(
    new Set(all.names),
    new Set(features.filter((feature) => !feature.deprecated).map(({ name }) => name)),
    'every name of the catalogue is a column',
  );
  for (const name of deprecated) t.same((await extract(image, mask, { features: [name] })).names, [name]);
  const [first = ''] = deprecated;
  t.ok(
    (await extract(image, mask, { features: ['default', first.split('_')[0] as string] })).names.every(
      (name) => !deprecated.includes(name),
    ),
  );
});

t.test('a choice by class, or by name, in the order of the catalogue', async (t) => {
  const byName = await extract(image, mask, { features: ['glcm_Contrast', 'firstorder_Mean', 'ngtdm'] });
  t.same(byName.names, ['firstorder_Mean', 'glcm_Contrast', ...(knownFeatures()['ngtdm'] as string[]).map((name) => `ngtdm_${name}`)]);
  const byClass = await extract(image, mask, { features: { glcm: ['Contrast'], firstorder: ['Mean'], ngtdm: null } });
  t.same(differentBits(byClass, byName), []);
  const whole = await extract(image, mask, { features: ['all'] });
  for (const name of byName.names)
    t.same(byName.column(name).data, whole.column(name).data, `${name} does not depend on what else is asked for`);
});

t.test('names tell channel, image type and region', async (t) => {
  const { names } = await extract(image, mask, {
    features: ['shape2D_Elongation', 'firstorder_Mean', 'ring_firstorder_Mean', 'ring_difference'],
    channels: ['grey', 'r', 'haematoxylin'],
    imageTypes: { Original: {}, Square: {}, Wavelet: { wavelet: 'haar' } },
  });
  const planes = ['', 'r_', 'haematoxylin_'].flatMap((channel) =>
    ['', 'square_', 'wavelet-LH_', 'wavelet-HL_', 'wavelet-HH_', 'wavelet-LL_'].map((type) => channel + type),
  );
  for (const plane of planes) {
    for (const name of ['firstorder_Mean', 'ring_firstorder_Mean', 'ring_difference_glcm_Contrast'])
      t.ok(names.includes(plane + name), plane + name);
  }
  t.equal(names.filter((name) => name.endsWith('firstorder_Mean')).length, 3 * planes.length);
  t.equal(names[0], 'shape2D_Elongation', 'shape has no channel');
  t.equal(names.filter((name) => name.startsWith('shape2D')).length, 1);
  const around = await extract(image, mask, { features: ['neighbourhood'], channels: ['grey', 'eosin'] });
  for (const name of ['Mean15um_firstorder_Mean', 'Mean30um_eosin_firstorder_Mean', 'Mean15um_shape2D_Elongation', 'VoronoiArea']) {
    t.ok(around.names.includes(`neighbourhood_${name}`), name);
  }
});

t.test('lengths are in micrometres where the size of a pixel is known', async (t) => {
  const scanned = { ...image, mpp: [0.25, 0.25] as const };
  t.equal(await unitOf('shape2D_PixelSurface'), 'px^2');
  t.equal(await unitOf('shape2D_PixelSurface', scanned), 'um^2');
  t.equal(await unitOf('shape2D_PixelSurface', image, { settings: { spacing: [0.5, 0.5] } }), 'um^2');
  t.equal(await unitOf('neighbourhood_NearestDistance1'), 'px');
  t.equal(await unitOf('neighbourhood_NearestDistance1', scanned), 'um');
  t.equal(await unitOf('glcm_Contrast', scanned), '1');
  t.equal(await unitOf('gradient_MagMean'), 'intensity/px');
  const inPixels = await extract(image, mask, { features: ['all'] });
  t.same(
    inPixels.columns.filter(({ unit }) => /um/.test(unit)).map(({ name }) => name),
    [],
    'no unit speaks of micrometres where none are known',
  );
  const area = async (of: RasterImage, options: ExtractOptions = {}) =>
    (await extract(of, mask, { features: ['shape2D'], ...options })).column('shape2D_PixelSurface').data[0] as number;
  const pixels = await area(image);
  t.ok(Number.isInteger(pixels));
  t.equal(await area(scanned), pixels / 16);
  t.equal(await area(scanned, { settings: { spacing: [0.5, 0.5] } }), pixels / 4, 'the setting has the last word');
  t.same(
    (await extract({ ...image, mpp: [0.25, 0.5] }, mask, { features: ['all'] })).row(0),
    (await extract(image, mask, { features: ['all'], settings: { spacing: [0.25, 0.5] } })).row(0),
    'mpp and spacing are the same thing',
  );
});

t.test('the settings of an image type hold for it alone', async (t) => {
  const options = { features: ['glcm_Contrast', 'firstorder_Entropy'] };
  const mixed = await extract(grey, mask, {
    ...options,
    settings: { binWidth: 40 },
    imageTypes: { Original: {}, Square: { binWidth: 5 } },
  });
  const forty = await extract(grey, mask, { ...options, settings: { binWidth: 40 }, imageTypes: { Original: {}, Square: {} } });
  const five = await extract(grey, mask, { ...options, settings: { binWidth: 5 }, imageTypes: { Original: {}, Square: {} } });
  for (const name of options.features) {
    t.same(mixed.column(name).data, forty.column(name).data);
    t.same(mixed.column(`square_${name}`).data, five.column(`square_${name}`).data);
    t.notSame(mixed.column(`square_${name}`).data, forty.column(`square_${name}`).data);
  }
});

t.test('what is refused', async (t) => {
  const refused = async (options: object, code: Parameters<typeof rejectsWith>[2], text: RegExp) =>
    rejectsWith(t, extract(image, mask, options as ExtractOptions), code, text);
  await refused({ setting: {} }, 'UAM_ARGUMENT', /'setting'.*settings/);
  await refused({ settings: { binwidth: 5 } }, 'UAM_ARGUMENT', /'binwidth'.*binWidth/);
  await refused({ settings: { binWidth: -1 } }, 'UAM_ARGUMENT', /binWidth must be a number above 0, received -1/);
  await refused({ settings: { label: 0 } }, 'UAM_ARGUMENT', /label/);
  await refused({ settings: { label: 99 } }, 'UAM_DATA', /the mask has no cell 99/);
  await refused({ channels: ['green'] }, 'UAM_ARGUMENT', /channel.*'green'/);
  await refused({ channels: ['grey', 'grey'] }, 'UAM_ARGUMENT', /twice/);
  await refused({ channels: [] }, 'UAM_ARGUMENT', /channels/);
  await refused({ channels: 'r' }, 'UAM_ARGUMENT', /channels must be a list/);
  await refused({ features: ['glcm_Contrst'] }, 'UAM_ARGUMENT', /did you mean 'glcm_Contrast'/);
  await refused({ features: ['shape'] }, 'UAM_ARGUMENT', /'shape'/);
  await refused({ features: ['toString'] }, 'UAM_ARGUMENT', /'toString'/);
  await refused({ features: { glcm: ['Kontrast'] } }, 'UAM_ARGUMENT', /glcm_Kontrast/);
  await refused({ features: { constructor: null } }, 'UAM_ARGUMENT', /constructor/);
  await refused({ features: [] }, 'UAM_ARGUMENT', /at least one/);
  await refused({ features: 'default' }, 'UAM_ARGUMENT', /features must be a list/);
  await refused({ imageTypes: { Sqare: {} } }, 'UAM_ARGUMENT', /'Sqare'/);
  await refused({ imageTypes: {} }, 'UAM_ARGUMENT', /at least one image type/);
  await refused({ imageTypes: { Original: {}, Square: { binwidth: 5 } } }, 'UAM_ARGUMENT', /'binwidth'/);
  await refused({ imageTypes: { LoG: {} } }, 'UAM_ARGUMENT', /sigma/);
  await refused({ blockSize: 0.5 }, 'UAM_ARGUMENT', /blockSize/);
  await refused({ ringWidth: -2 }, 'UAM_ARGUMENT', /ringWidth/);
  await refused({ onProgress: 'often' }, 'UAM_ARGUMENT', /onProgress/);
  await refused({ channels: ['eosin'], stains: 'rufrok' }, 'UAM_ARGUMENT', /ruifrok/);
});

t.test('images and masks that are refused', async (t) => {
  const refused = async (of: object, labels: object, code: Parameters<typeof rejectsWith>[2], text: RegExp, options: ExtractOptions = {}) =>
    rejectsWith(t, extract({ ...image, ...of } as RasterImage, { ...mask, ...labels } as LabelMask, options), code, text);
  await refused({}, { width: 30, height: 100 }, 'UAM_SHAPE', /60 x 50, received 30 x 100/);
  await refused({}, { data: mask.data.subarray(1) }, 'UAM_SHAPE', /3000 ids, received 2999/);
  await refused({}, { data: Int32Array.from(mask.data, (id) => -id) }, 'UAM_DATA', /at least 0, received -/);
  await refused({}, { data: Float64Array.from(mask.data) }, 'UAM_DTYPE', /Uint32Array.*Float64Array/);
  const small = mask.data.map((id) => id % 200);
  const { ids } = await extract(grey, { ...mask, data: small }, { features: ['shape2D'] });
  for (const kind of [Int32Array, Uint16Array, Uint8Array]) {
    t.same((await extract(grey, { ...mask, data: kind.from(small) }, { features: ['shape2D'] })).ids, ids, kind.name);
  }
  await refused({}, { data: [...mask.data] }, 'UAM_DTYPE', /Uint32Array/);
  await refused({ data: image.data.subarray(3) }, {}, 'UAM_ARGUMENT', /9000 values, received 8997/);
  await refused({ ...grey, data: Int32Array.from(grey.data) }, {}, 'UAM_DTYPE', /must be/);
  await refused({ channels: 4, data: new Uint8Array(60 * 50 * 4) }, {}, 'UAM_ARGUMENT', /1 \(grey\) or 3 \(RGB\), received 4/);
  await refused({ mpp: [0.25, 0] }, {}, 'UAM_ARGUMENT', /mpp.*\[0.25,0\]/);
  await refused({ mpp: 0.25 }, {}, 'UAM_ARGUMENT', /mpp/);
  await refused({ mpp: [Number.NaN, 1] }, {}, 'UAM_ARGUMENT', /mpp/);
  await refused({ width: 59.5 }, {}, 'UAM_ARGUMENT', /whole numbers/);
  await refused(grey, {}, 'UAM_DATA', /RGB/, { channels: ['grey', 'haematoxylin'] });
  await refused(grey, {}, 'UAM_ARGUMENT', /grey/, { channels: ['g'] });
});
