// The section `imageType` of a parameter file: which filters, with what parameters, and with what settings of their own.
import { UamError } from '../errors.js';
import { derivedImageNames, type ImageTypeOptions, imageTypeNames } from './image_types.js';
import { didYouMean } from './near_names.js';
import { explain, isMap, type Problems, show } from './parameter_problems.js';
import { checkValue, FEATURE_KEYS, RUN_KEYS } from './setting_keys.js';

/** The keys under an image type that its filter reads; their values are the filter's to judge. */
export const FILTER_KEYS: Readonly<Record<string, readonly string[]>> = Object.freeze({
  Gradient: ['gradientUseSpacing'],
  LBP2D: ['lbp2DRadius', 'lbp2DSamples', 'lbp2DMethod'],
  LoG: ['sigma'],
  Wavelet: ['wavelet', 'level', 'start_level'],
});

/** Checks the section; without one, the image as it is. */
export function checkImageTypes(value: unknown, problems: Problems): ImageTypeOptions {
  if (value === undefined || value === null) return { Original: {} };
  if (!isMap(value)) {
    problems.add('imageType', `must be a map of image types, received ${show(value)}`);
    return {};
  }
  const choices = Object.entries(value).map(([type, given]) => [type, checkImageType(type, given, problems)]);
  return choices.length === 0 ? { Original: {} } : Object.fromEntries(choices);
}

function checkImageType(type: string, entries: unknown, problems: Problems): object {
  const where = `imageType.${type}`;
  if (!(imageTypeNames as readonly string[]).includes(type)) {
    problems.add(where, typeHint(type), `Supported image types: ${imageTypeNames.join(', ')}.`);
    return {};
  }
  if (entries !== null && !isMap(entries)) {
    problems.add(where, `must be a map of its settings, or {}, received ${show(entries)}`);
    return {};
  }
  const given = entries ?? {};
  const own = (Object.hasOwn(FILTER_KEYS, type) ? FILTER_KEYS[type] : undefined) ?? [];
  for (const [key, value] of Object.entries(given)) {
    if (own.includes(key)) continue;
    if ((FEATURE_KEYS as readonly string[]).includes(key)) checkValue(`${where}.${key}`, key, value, problems);
    else problems.add(`${where}.${key}`, keyHint(key, own));
  }
  try {
    derivedImageNames({ [type]: given });
  } catch (error) {
    if (!(error instanceof UamError)) throw error;
    // "imageType LoG.sigma must be ...", or a sentence about the wavelet's name
    const [, key, rest] = error.message.match(/^imageType (\S+) (.*)$/s) ?? [];
    problems.add(key ? `imageType.${key}` : where, rest ?? error.message);
  }
  return given;
}

function typeHint(type: string): string {
  if (type === 'LBP3D') return 'it exists for 3-D images only; use LBP2D';
  return explain('unknown', didYouMean(type, imageTypeNames));
}

function keyHint(key: string, own: readonly string[]): string {
  if ((RUN_KEYS as readonly string[]).includes(key)) return 'it holds for the whole run; give it under setting';
  const may = [...own, ...FEATURE_KEYS];
  return explain('not supported', didYouMean(key, may) || `here may stand ${may.join(', ')}`);
}
