// The section `imageType` of a parameter file: which filters, with what parameters, and with what settings of their own.
import { didYouMean } from './near_names.js';
import { explain, isMap, type Problems, show } from './parameter_problems.js';
import { checkValue, FEATURE_KEYS, RUN_KEYS } from './setting_keys.js';
import type { Settings } from './settings.js';

/** An image type that is asked for. */
export interface ImageTypeChoice {
  /** PyRadiomics' name: `'Original'`, `'LoG'`, `'Wavelet'`, ... */
  type: string;
  /** The filter's own parameters under PyRadiomics' names, such as `sigma` of LoG; only those that were given. */
  options: Record<string, unknown>;
  /** Settings that hold for this image type alone. */
  settings: Partial<Settings>;
}

interface Option {
  is: (value: unknown) => boolean;
  expected: string;
  required?: boolean;
}

const above0 = (value: unknown): boolean => typeof value === 'number' && Number.isFinite(value) && value > 0;
const whole = (least: number) => (value: unknown) => Number.isSafeInteger(value) && (value as number) >= least;

/** The image types for 2-D images, with the parameters of their filters. */
export const IMAGE_TYPE_OPTIONS: Readonly<Record<string, Readonly<Record<string, Option>>>> = Object.freeze({
  Original: {},
  Square: {},
  SquareRoot: {},
  Logarithm: {},
  Exponential: {},
  Gradient: { gradientUseSpacing: { is: (value) => typeof value === 'boolean', expected: 'true or false' } },
  LBP2D: {
    lbp2DRadius: { is: above0, expected: 'a number above 0' },
    lbp2DSamples: { is: whole(1), expected: 'a whole number of at least 1' },
    lbp2DMethod: {
      is: (value) => ['default', 'ror', 'uniform', 'nri_uniform', 'var'].includes(value as string),
      expected: "'default', 'ror', 'uniform', 'nri_uniform' or 'var'",
    },
  },
  LoG: {
    sigma: {
      is: (value) => Array.isArray(value) && value.length > 0 && value.every(above0),
      expected: 'a list of numbers above 0',
      required: true,
    },
  },
  Wavelet: {
    wavelet: { is: (value) => typeof value === 'string' && value !== '', expected: "a wavelet's name" },
    level: { is: whole(1), expected: 'a whole number of at least 1' },
    start_level: { is: whole(0), expected: 'a whole number of at least 0' },
  },
});

/** Checks the section; without one, the image as it is. */
export function checkImageTypes(value: unknown, problems: Problems): ImageTypeChoice[] {
  const original = [{ type: 'Original', options: {}, settings: {} }];
  if (value === undefined || value === null) return original;
  if (!isMap(value)) {
    problems.add('imageType', `must be a map of image types, received ${show(value)}`);
    return [];
  }
  const choices = Object.entries(value).map(([type, entries]) => checkImageType(type, entries, problems));
  return choices.length === 0 ? original : choices;
}

function checkImageType(type: string, entries: unknown, problems: Problems): ImageTypeChoice {
  const choice: ImageTypeChoice = { type, options: {}, settings: {} };
  const where = `imageType.${type}`;
  const options = Object.hasOwn(IMAGE_TYPE_OPTIONS, type) ? IMAGE_TYPE_OPTIONS[type] : undefined;
  if (!options) {
    problems.add(where, typeHint(type), `Supported image types: ${Object.keys(IMAGE_TYPE_OPTIONS).join(', ')}.`);
    return choice;
  }
  if (entries !== null && !isMap(entries)) {
    problems.add(where, `must be a map of its settings, or {}, received ${show(entries)}`);
    return choice;
  }
  const given = entries ?? {};
  for (const [key, value] of Object.entries(given)) {
    const option = Object.hasOwn(options, key) ? options[key] : undefined;
    if (option?.is(value)) choice.options[key] = value;
    else if (option) problems.add(`${where}.${key}`, `must be ${option.expected}, received ${show(value)}`);
    else if ((FEATURE_KEYS as readonly string[]).includes(key)) {
      if (checkValue(`${where}.${key}`, key, value, problems)) Object.assign(choice.settings, { [key]: value });
    } else problems.add(`${where}.${key}`, keyHint(key, Object.keys(options)));
  }
  for (const [key, { required, expected }] of Object.entries(options)) {
    if (required && !(key in given)) problems.add(`${where}.${key}`, `must be ${expected}; it is missing`);
  }
  return choice;
}

function typeHint(type: string): string {
  if (type === 'LBP3D') return 'it exists for 3-D images only; use LBP2D';
  return explain('unknown', didYouMean(type, Object.keys(IMAGE_TYPE_OPTIONS)));
}

function keyHint(key: string, options: readonly string[]): string {
  if ((RUN_KEYS as readonly string[]).includes(key)) return 'it holds for the whole run; give it under setting';
  const may = [...options, ...FEATURE_KEYS];
  return explain('not supported', didYouMean(key, may) || `here may stand ${may.join(', ')}`);
}
