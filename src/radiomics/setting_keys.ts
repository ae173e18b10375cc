// The keys under `setting` of a parameter file: which mean something here, which may stand there, and which must not.
import { UamError } from '../errors.js';
import type { ImageWarning } from '../image/image.js';
import { didYouMean } from './near_names.js';
import { explain, isMap, type Problems, show } from './parameter_problems.js';
import { completeSettings, type Settings } from './settings.js';

/** Settings that a single image type may have its own value of: those that its features read. */
export const FEATURE_KEYS = Object.freeze([
  'binWidth',
  'binCount',
  'distances',
  'symmetricalGLCM',
  'weightingNorm',
  'gldm_a',
  'voxelArrayShift',
] as const);

/** Settings that hold for the whole run: they choose the pixels before any filter. */
export const RUN_KEYS = Object.freeze([
  'normalize',
  'normalizeScale',
  'removeOutliers',
  'resegmentRange',
  'resegmentMode',
  'minimumROISize',
  'minimumROIDimensions',
  'label',
] as const);

const IMPLEMENTED: readonly string[] = Object.freeze([...FEATURE_KEYS, ...RUN_KEYS]);
const supported = `Supported settings: ${IMPLEMENTED.join(', ')}.`;

interface Inert {
  accepts: (value: unknown) => boolean;
  /** What is accepted, and why it changes nothing. */
  why: string;
}

const bool = (value: unknown): boolean => typeof value === 'boolean';
const number = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value);
const is = (wanted: unknown) => (value: unknown) => value === wanted;

/** PyRadiomics' other settings, where they stand at a value that changes nothing for a 2-D image without resampling. */
const INERT: Readonly<Record<string, Inert>> = Object.freeze({
  force2D: { accepts: bool, why: 'true or false: images are 2-D here, and stay so' },
  force2Ddimension: { accepts: is(0), why: '0: images are 2-D here' },
  additionalInfo: { accepts: bool, why: 'true or false: there are no diagnostics columns' },
  resampledPixelSpacing: {
    accepts: (value) => value === null || (Array.isArray(value) && value.every((entry) => entry === 0)),
    why: 'null: images are not resampled; resample them first',
  },
  interpolator: { accepts: (value) => value === null || typeof value === 'string' || number(value), why: 'images are not resampled' },
  padDistance: { accepts: (value) => number(value) && (value as number) >= 0, why: 'a number of at least 0: filters see the whole image' },
  preCrop: { accepts: is(false), why: 'false: filters see the whole image' },
  geometryTolerance: { accepts: (value) => value === null || number(value), why: 'a number: image and mask must have one size' },
  correctMask: { accepts: bool, why: 'true or false: image and mask must have one size' },
  label_channel: { accepts: is(0), why: '0: masks have one channel' },
  voxelBased: { accepts: is(false), why: 'false: features are computed per cell' },
  enableCExtensions: { accepts: bool, why: 'true or false: the engine is native' },
});

/** Where settings of ours, or of a filter, belong instead. */
const ELSEWHERE: Readonly<Record<string, string>> = Object.freeze({
  kernelRadius: 'features are computed per cell, not per pixel',
  maskedKernel: 'features are computed per cell, not per pixel',
  initValue: 'features are computed per cell, not per pixel',
  voxelBatch: 'features are computed per cell, not per pixel',
  sigma: 'it belongs under imageType.LoG',
  wavelet: 'it belongs under imageType.Wavelet',
  level: 'it belongs under imageType.Wavelet',
  start_level: 'it belongs under imageType.Wavelet',
  lbp2DRadius: 'it belongs under imageType.LBP2D',
  lbp2DSamples: 'it belongs under imageType.LBP2D',
  lbp2DMethod: 'it belongs under imageType.LBP2D',
  gradientUseSpacing: 'it belongs under imageType.Gradient',
  spacing: 'pixel size comes from the image, or from the option mpp',
  standard: 'it is no setting of PyRadiomics; use the option standard',
});

/** Checks the section `setting`. */
export function checkSettings(value: unknown, problems: Problems, warnings: ImageWarning[], name: string): Partial<Settings> {
  if (value === undefined || value === null) return {};
  if (!isMap(value)) {
    problems.add('setting', `must be a map of settings, received ${show(value)}`);
    return {};
  }
  const settings: Record<string, unknown> = {};
  const idle: string[] = [];
  for (const [key, entry] of Object.entries(value)) {
    const inert = Object.hasOwn(INERT, key) ? INERT[key] : undefined;
    if (IMPLEMENTED.includes(key)) {
      if (checkValue(`setting.${key}`, key, entry, problems)) settings[key] = entry;
    } else if (inert?.accepts(entry)) idle.push(key);
    else if (inert) problems.add(`setting.${key}`, `is accepted only as ${inert.why}; received ${show(entry)}`);
    else problems.add(`setting.${key}`, refusal(key), supported);
  }
  if (idle.length > 0) {
    warnings.push({ code: 'setting_without_effect', message: `${name}: ${idle.join(', ')}: without effect on 2-D images` });
  }
  if (typeof settings['label'] === 'number') {
    const id = settings['label'];
    warnings.push({
      code: 'one_label',
      message: `${name}: setting.label is ${id}, so only the cell with id ${id} is extracted; leave it out to extract every cell`,
    });
  }
  return settings as Partial<Settings>;
}

const refusal = (key: string): string =>
  explain(
    Object.hasOwn(ELSEWHERE, key) ? 'not supported here' : 'not supported',
    Object.hasOwn(ELSEWHERE, key) ? (ELSEWHERE[key] as string) : didYouMean(key, [...IMPLEMENTED, ...Object.keys(INERT)]),
  );

/** The rules for values are those of the settings themselves. */
export function checkValue(where: string, key: string, value: unknown, problems: Problems): boolean {
  try {
    completeSettings({ [key]: value });
    return true;
  } catch (error) {
    if (!(error instanceof UamError)) throw error;
    problems.add(where, error.message.replace(/^setting \w+ /, ''));
    return false;
  }
}
