import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { UamError } from '../../src/errors.js';
import { FILTER_KEYS } from '../../src/radiomics/image_type_choice.js';
import { derivedImageNames, filterSettingNames } from '../../src/radiomics/image_types.js';
import { checkParameters, readParameterFile } from '../../src/radiomics/parameter_file.js';
import { completeSettings } from '../../src/radiomics/settings.js';

const known = {
  firstorder: ['Mean', 'Median', 'Entropy', '10Percentile', 'StandardDeviation'],
  shape2D: ['Perimeter'],
  glcm: ['Contrast', 'JointEnergy'],
};

/** The message with which `content` is refused. */
function refused(content: unknown): string {
  try {
    checkParameters(content, known, 'p.yaml');
  } catch (error) {
    if (error instanceof UamError && error.code === 'UAM_ARGUMENT') return error.message;
    throw error;
  }
  return 'accepted';
}

t.test('a whole file', async (t) => {
  const folder = t.testdir({
    'params.yaml': `
# as in PyRadiomics' examples
imageType:
  Original: {}
  LoG:
    sigma: [1.0, 3]
    binWidth: 10
  Wavelet:
    binCount: 16
    wavelet: haar
  Square:

featureClass:
  shape2D:
  firstorder: [Mean, 10Percentile, Mean]
  glcm: []

setting:
  binWidth: 12.5
  distances: [1, 2]
  weightingNorm:
  symmetricalGLCM: True
  gldm_a: 1
  voxelArrayShift: 300
  normalize: true
  normalizeScale: 100
  removeOutliers: 3
  resegmentRange: [-3, 3]
  resegmentMode: sigma
  minimumROISize: 5
  minimumROIDimensions: 1
  interpolator: sitkBSpline
  resampledPixelSpacing: # none
  padDistance: 10
  preCrop: false
  force2D: true
  force2Ddimension: 0
  additionalInfo: true
  geometryTolerance: 0.0001
  correctMask: true
`,
  });
  const { settings, imageTypes, features, warnings } = await readParameterFile(join(folder, 'params.yaml'), known);
  t.same(settings, {
    binWidth: 12.5,
    distances: [1, 2],
    weightingNorm: null,
    symmetricalGLCM: true,
    gldm_a: 1,
    voxelArrayShift: 300,
    normalize: true,
    normalizeScale: 100,
    removeOutliers: 3,
    resegmentRange: [-3, 3],
    resegmentMode: 'sigma',
    minimumROISize: 5,
    minimumROIDimensions: 1,
  });
  completeSettings(settings);
  t.same(imageTypes, {
    Original: {},
    LoG: { sigma: ['1.0', 3], binWidth: 10 },
    Wavelet: { wavelet: 'haar', binCount: 16 },
    Square: {},
  });
  t.same(Object.keys(imageTypes), ['Original', 'LoG', 'Wavelet', 'Square'], 'in the order of the file');
  t.same(derivedImageNames(imageTypes).slice(1, 3), ['log-sigma-1-0-mm-3D', 'log-sigma-3-mm-3D'], 'named as Python prints 1.0 and 3');
  t.same(features, { shape2D: null, firstorder: ['Mean', '10Percentile'], glcm: null });
  t.equal(warnings.length, 1);
  t.match(warnings[0], { code: 'setting_without_effect', message: /interpolator, resampledPixelSpacing, padDistance.*correctMask/ });
});

t.test('what is absent has defaults', async (t) => {
  for (const content of [
    null,
    undefined,
    {},
    { setting: null, imageType: null, featureClass: null },
    { imageType: {}, featureClass: {} },
  ]) {
    t.same(checkParameters(content, known), { settings: {}, imageTypes: { Original: {} }, warnings: [] });
  }
});

t.test('JSON is read too; a label is one cell, which is said', async (t) => {
  const folder = t.testdir({ 'p.json': JSON.stringify({ setting: { label: 255 }, featureClass: { glcm: null } }) });
  const { settings, features, warnings } = await readParameterFile(join(folder, 'p.json'), known);
  t.same(settings, { label: 255 });
  t.same(features, { glcm: null });
  t.match(warnings, [{ code: 'one_label', message: /only the cell with id 255/ }]);
});

t.test('every key that has no meaning here is refused by name, all at once', async (t) => {
  const message = refused({
    setting: { binwidth: 5, resampledPixelSpacing: [1, 1], kernelRadius: 2, sigma: [1], preCrop: true, nonsense: 1, force2Ddimension: 2 },
    imageType: { Original: {}, LBP3D: {}, LoG: {}, wavelet: {}, Square: { normalize: true, binWidht: 3 } },
    featureClass: { shape: null, gclm: [], firstorder: ['mean', 'Median', 7], glcm: 'all' },
    voxelSetting: { kernelRadius: 1 },
    settings: {},
  });
  t.match(message, /^p\.yaml has 19 problems:\n/);
  for (const line of [
    /^ {2}settings: unknown; did you mean 'setting'\?$/m,
    /^ {2}voxelSetting: features are computed per cell/m,
    /^ {2}setting\.binwidth: not supported; did you mean 'binWidth'/m,
    /^ {2}setting\.resampledPixelSpacing: is accepted only as null: .*received \[1,1\]$/m,
    /^ {2}setting\.kernelRadius: not supported here; features are computed per cell/m,
    /^ {2}setting\.sigma: .*under imageType\.LoG$/m,
    /^ {2}setting\.preCrop: is accepted only as false: .*received true$/m,
    /^ {2}setting\.nonsense: not supported$/m,
    /^ {2}setting\.force2Ddimension: is accepted only as 0/m,
    /^ {2}imageType\.LBP3D: .*use LBP2D$/m,
    /^ {2}imageType\.LoG\.sigma: must be a list of widths.*received undefined$/m,
    /^ {2}imageType\.wavelet: unknown; did you mean 'Wavelet'\?$/m,
    /^ {2}imageType\.Square\.normalize: it holds for the whole run; give it under setting$/m,
    /^ {2}imageType\.Square\.binWidht: not supported; did you mean 'binWidth'\?$/m,
    /^ {2}featureClass\.shape: .*use shape2D$/m,
    /^ {2}featureClass\.gclm: unknown; did you mean 'glcm'\?$/m,
    /^ {2}featureClass\.firstorder: there is no feature 'mean'; did you mean 'Mean'/m,
    /^ {2}featureClass\.firstorder: must be a list of names, received 7 in it$/m,
    /^ {2}featureClass\.glcm: must be a list of features, or empty for all of them, received "all"$/m,
    /^Supported sections: setting, imageType, featureClass\.$/m,
    /^Supported settings: binWidth, binCount, .*label\.$/m,
    /^Supported image types: Original, .*Wavelet\.$/m,
  ]) {
    t.match(message, line);
  }
});

t.test('values are checked, with the key, what is expected and what came', async (t) => {
  const setting = (value: object) => refused({ setting: value });
  t.equal(setting({ binWidth: '25' }), 'p.yaml: setting.binWidth: must be a number above 0, received "25"');
  t.match(setting({ binWidth: 0 }), /received 0$/);
  t.match(setting({ binCount: 2.5 }), /setting\.binCount: must be a whole number .*, received 2.5/);
  t.match(setting({ distances: [1, 1] }), /different/);
  t.match(setting({ distances: 1 }), /must be a list/);
  t.match(setting({ normalize: 'yes' }), /must be true or false, received "yes"/);
  t.match(setting({ weightingNorm: 'L2' }), /'euclidean'.*received "L2"/);
  t.match(setting({ resegmentRange: [5, 1] }), /must be a range \[low, high\], received \[5,1\]/);
  t.match(setting({ label: 0 }), /id of a cell/);
  t.match(setting({ minimumROIDimensions: 3 }), /1 or 2, received 3/);
  t.match(setting({ voxelBased: true }), /only as false/);
  t.match(refused({ imageType: { LoG: { sigma: 3 } } }), /imageType\.LoG\.sigma: must be a list of widths.*received 3/);
  t.match(refused({ imageType: { LoG: { sigma: [1, -1] } } }), /imageType\.LoG\.sigma: must be a list of numbers above 0, received -1/);
  t.match(refused({ imageType: { LBP2D: { lbp2DMethod: 'roar' } } }), /imageType\.LBP2D\.lbp2DMethod: .*ror.*received "roar"/);
  t.match(refused({ imageType: { Wavelet: { wavelet: 'haarr' } } }), /imageType\.Wavelet.*haarr/);
  t.match(refused({ imageType: { Wavelet: { level: 0 } } }), /imageType\.Wavelet\.level: must be an integer/);
  t.match(refused({ imageType: { Original: { binWidth: -1 } } }), /imageType\.Original\.binWidth: must be a number above 0, received -1/);
  t.match(refused({ imageType: { Original: [1] } }), /must be a map of its settings/);
  for (const section of ['setting', 'imageType', 'featureClass'])
    t.match(refused({ [section]: [] }), new RegExp(`${section}: must be a map`));
  for (const content of [[], 'text', 5]) t.match(refused(content), /must be a map with setting/);
  t.match(refused({ setting: { constructor: 1, toString: 2 } }), /constructor: not supported/);
  t.match(refused({ featureClass: { constructor: null } }), /featureClass\.constructor: unknown/);
  t.match(refused({ imageType: { toString: {} } }), /imageType\.toString: unknown/);
});

t.test('files that are missing or broken', async (t) => {
  const folder = t.testdir({
    'bad.yaml': 'setting: {binWidth: 1\n',
    'twice.yaml': 'setting:\n  binWidth: 1\n  binWidth: 2\n',
    'alias.yaml': 'a: *b\n',
  });
  await t.rejects(readParameterFile(join(folder, 'none.yaml'), known), { code: 'UAM_INPUT', message: /none\.yaml: there is no such file/ });
  await t.rejects(readParameterFile(folder, known), { code: 'UAM_INPUT', message: /it is a folder/ });
  for (const name of ['bad', 'twice', 'alias']) {
    await t.rejects(readParameterFile(join(folder, `${name}.yaml`), known), {
      code: 'UAM_FORMAT',
      message: new RegExp(`${name}.yaml is not valid`),
    });
  }
});

t.test('any object is accepted or refused, and nothing else happens', async () => {
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom('setting', 'imageType', 'featureClass', 'x'), fc.jsonValue()), (content) => {
      refused(content);
    }),
  );
});

t.test('the keys of the filters are those that the filters read', async (t) => {
  t.same(Object.values(FILTER_KEYS).flat().sort(), [...filterSettingNames].sort());
});
