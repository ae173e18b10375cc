// Images derived from a plane by filters, which PyRadiomics calls image types: each gives the features of a cell once more.
import { UamError } from '../errors.js';
import type { Plane } from '../image/image.js';
import type { AsyncOptions } from '../native/call.js';
import { gradientMagnitude } from './filters/gradient.js';
import { filterIntensity, type IntensityFilter } from './filters/intensity.js';
import { type LbpMethod, lbpMethods, localBinaryPattern, MOST_LBP_SAMPLES } from './filters/lbp.js';
import { laplacianOfGaussian } from './filters/log.js';
import type { PlaneSize, Spacing } from './filters/plane.js';
import { waveletBands } from './filters/wavelet.js';
import { waveletTaps } from './filters/wavelet_taps.js';

export type { PlaneSize, Spacing } from './filters/plane.js';

/** Settings of the feature classes that hold for one image type only, such as `binWidth`: handed back as they are. */
export type SettingOverrides = Readonly<Record<string, unknown>>;

/**
 * The image types to make, by PyRadiomics' names, each with its filter's settings and with settings of the feature classes that
 * hold for it alone. They are made in the order of the keys.
 */
export interface ImageTypeOptions {
  /** The plane itself. */
  Original?: SettingOverrides;
  /** (x / sqrt(max|x|))^2 */
  Square?: SettingOverrides;
  /** sign(x) sqrt(|x| max|x|) */
  SquareRoot?: SettingOverrides;
  /** sign(x) log(|x| + 1), scaled to max|x| */
  Logarithm?: SettingOverrides;
  /** exp(x log(max|x|) / max|x|) */
  Exponential?: SettingOverrides;
  /** Gradient magnitude. `gradientUseSpacing` (true): per micrometre rather than per pixel. */
  Gradient?: SettingOverrides & { gradientUseSpacing?: boolean };
  /** Local binary patterns: `lbp2DRadius` (1) in pixels, `lbp2DSamples` (8, at most 31), `lbp2DMethod` (`uniform`). */
  LBP2D?: SettingOverrides & { lbp2DRadius?: number; lbp2DSamples?: number; lbp2DMethod?: LbpMethod };
  /** Laplacian of Gaussian, an image for each of `sigma` (in the unit of the spacing). A sigma may be text, to keep its spelling ("2.0"). */
  LoG?: SettingOverrides & { sigma: readonly (number | string)[] };
  /** Stationary wavelet: `wavelet` (`coif1`), `level` (1) levels after the first `start_level` (0). */
  Wavelet?: SettingOverrides & { wavelet?: string; level?: number; start_level?: number };
}

/** One image made from a plane. */
export interface DerivedImage {
  /** PyRadiomics' name, the first part of its column names: `original`, `square`, `log-sigma-1-5-mm-3D`, `wavelet-LH` ... */
  name: string;
  /** `height * width` values in rows from the top left. */
  plane: Float64Array;
  /** What the options of this image type hold beside its filter's own settings. */
  overrides: SettingOverrides;
}

interface Source {
  plane: Float64Array;
  size: PlaneSize;
  spacing: Spacing;
  options: AsyncOptions;
}

/** An image type whose settings were read: its names in order, and how they are made. */
interface Recipe {
  names: string[];
  overrides: SettingOverrides;
  /** The least width and height of a plane. */
  leastSide: number;
  make(source: Source): AsyncIterable<Float64Array> | Iterable<Float64Array | Promise<Float64Array>>;
}

type Given = Readonly<Record<string, unknown>>;
type Reader = (given: Given, spacing: Spacing) => Omit<Recipe, 'overrides'>;

function refuse(setting: string, expected: string, received: unknown): UamError {
  return new UamError('UAM_ARGUMENT', `imageType ${setting} must be ${expected}, received ${JSON.stringify(received) ?? String(received)}`);
}

function integer(type: string, given: Given, key: string, fallback: number, least: number, most: number): number {
  const value = given[key] ?? fallback;
  if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= most) return value;
  throw refuse(`${type}.${key}`, `an integer from ${least} to ${most}`, value);
}

const single = (name: string, leastSide: number, make: (source: Source) => Float64Array | Promise<Float64Array>): ReturnType<Reader> => ({
  names: [name],
  leastSide,
  make: (source) => [make(source)],
});

const intensity =
  (name: IntensityFilter): Reader =>
  () =>
    single(name, 0, ({ plane, options }) => filterIntensity(plane, name, options));

function readGradient(given: Given): ReturnType<Reader> {
  const useSpacing = given['gradientUseSpacing'] ?? true;
  if (typeof useSpacing !== 'boolean') throw refuse('Gradient.gradientUseSpacing', 'true or false', useSpacing);
  return single('gradient', 0, ({ plane, size, spacing, options }) =>
    gradientMagnitude(plane, size, useSpacing ? spacing : [1, 1], options),
  );
}

function readLbp(given: Given): ReturnType<Reader> {
  const samples = integer('LBP2D', given, 'lbp2DSamples', 8, 1, MOST_LBP_SAMPLES);
  const radius = given['lbp2DRadius'] ?? 1;
  if (typeof radius !== 'number' || !(radius > 0 && radius <= 1e5)) throw refuse('LBP2D.lbp2DRadius', 'above 0 and at most 1e5', radius);
  const method = (given['lbp2DMethod'] ?? 'uniform') as LbpMethod;
  if (!lbpMethods.includes(method)) throw refuse('LBP2D.lbp2DMethod', `one of ${lbpMethods.join(', ')}`, method);
  return single('lbp-2D', 0, ({ plane, size, options }) => localBinaryPattern(plane, size, { samples, radius, method }, options));
}

/** ITK's filter starts its recursion from four values. */
const LEAST_LOG_SIDE = 4;

function readLog(given: Given, spacing: Spacing): ReturnType<Reader> {
  const sigmas = given['sigma'];
  if (!Array.isArray(sigmas) || sigmas.length === 0) throw refuse('LoG.sigma', 'a list of widths, such as [1.5, 3]', sigmas);
  for (const sigma of sigmas) {
    const sound = (typeof sigma === 'number' || (typeof sigma === 'string' && sigma.trim() !== '')) && Number(sigma) > 0;
    if (!sound || !Number.isFinite(Number(sigma))) throw refuse('LoG.sigma', 'a list of numbers above 0', sigma);
  }
  const widest = Math.max(...sigmas.map(Number));
  return {
    names: sigmas.map((sigma) => `log-sigma-${String(sigma).trim().replaceAll('.', '-')}-mm-3D`),
    // PyRadiomics leaves out a sigma that the image is too small for; a column that silently goes missing helps nobody.
    leastSide: Math.max(LEAST_LOG_SIDE, Math.ceil(widest / Math.min(...spacing)) + 1),
    *make({ plane, size, spacing, options }) {
      for (const sigma of sigmas) yield laplacianOfGaussian(plane, size, Number(sigma), spacing, options);
    },
  };
}

function readWavelet(given: Given): ReturnType<Reader> {
  const wavelet = given['wavelet'] ?? 'coif1';
  if (typeof wavelet !== 'string') throw refuse('Wavelet.wavelet', 'the name of a wavelet', wavelet);
  waveletTaps(wavelet); // refuses a name it does not know
  const level = integer('Wavelet', given, 'level', 1, 1, 16);
  const startLevel = integer('Wavelet', given, 'start_level', 0, 0, 16);
  const prefix = (at: number) => `wavelet${at === 1 ? '' : at}`;
  const details = Array.from({ length: level }, (_, at) => ['LH', 'HL', 'HH'].map((band) => `${prefix(at + 1)}-${band}`));
  return {
    names: [...details.flat(), `${prefix(level)}-LL`],
    leastSide: 0,
    async *make({ plane, size, options }) {
      for await (const band of waveletBands(plane, size, { wavelet, level, startLevel }, options)) yield band.plane;
    },
  };
}

/** PyRadiomics' names, how each is read, and which keys are its filter's own. */
const readers: Readonly<Record<keyof ImageTypeOptions, { own: readonly string[]; read: Reader }>> = {
  Original: { own: [], read: () => single('original', 0, ({ plane }) => plane) },
  Square: { own: [], read: intensity('square') },
  SquareRoot: { own: [], read: intensity('squareroot') },
  Logarithm: { own: [], read: intensity('logarithm') },
  Exponential: { own: [], read: intensity('exponential') },
  Gradient: { own: ['gradientUseSpacing'], read: readGradient },
  LBP2D: { own: ['lbp2DRadius', 'lbp2DSamples', 'lbp2DMethod'], read: readLbp },
  LoG: { own: ['sigma'], read: readLog },
  Wavelet: { own: ['wavelet', 'level', 'start_level'], read: readWavelet },
};

/** The names that `ImageTypeOptions` takes. */
export const imageTypeNames: readonly (keyof ImageTypeOptions)[] = Object.freeze(Object.keys(readers) as (keyof ImageTypeOptions)[]);

/** The settings that are read by a filter and not by a feature class; in PyRadiomics they may also stand among the general settings. */
export const filterSettingNames: readonly string[] = Object.freeze(Object.values(readers).flatMap(({ own }) => [...own]));

function read(imageTypes: ImageTypeOptions, spacing: Spacing): Recipe[] {
  return Object.entries(imageTypes).map(([type, given]) => {
    if (!Object.hasOwn(readers, type)) {
      const reason = type === 'LBP3D' ? ' (LBP3D needs a volume; LBP2D is its form for planes)' : '';
      throw new UamError('UAM_ARGUMENT', `imageType must be one of ${imageTypeNames.join(', ')}, received '${type}'${reason}`);
    }
    const settings = given ?? {}; // an empty entry of a YAML file is null
    if (typeof settings !== 'object' || Array.isArray(settings)) throw refuse(type, 'an object of settings, such as {}', given);
    const { own, read } = readers[type as keyof ImageTypeOptions];
    const overrides = Object.fromEntries(Object.entries(settings).filter(([key]) => !own.includes(key)));
    return { ...read(settings as Given, spacing), overrides };
  });
}

/**
 * The names that `deriveImages` will give, in its order, without making an image.
 *
 * @param imageTypes PyRadiomics' names with their settings
 * @throws UamError `UAM_ARGUMENT` for an unknown image type or a wrong setting
 * @example
 * derivedImageNames({ Original: {}, LoG: { sigma: [1.5] }, Wavelet: { wavelet: 'haar' } });
 * // ['original', 'log-sigma-1-5-mm-3D', 'wavelet-LH', 'wavelet-HL', 'wavelet-HH', 'wavelet-LL']
 */
export function derivedImageNames(imageTypes: ImageTypeOptions): string[] {
  return read(imageTypes, [1, 1]).flatMap(({ names }) => names);
}

/**
 * Makes PyRadiomics' derived images of one plane, one after the other: each is made when it is asked for, so that only those in use
 * take memory. The filters see the whole plane, not a cell. They run on the kernels' threads, in float64.
 *
 * NaN passes through as each definition has it: one pixel for LBP (its pattern then counts as 0 at that sample), the pixels in reach
 * for Gradient and Wavelet, the rows and columns for LoG, the whole plane for the intensity filters, whose maximum it spoils.
 *
 * @param plane `height * width` values of any kind of `Plane`
 * @param size width and height
 * @param imageTypes PyRadiomics' names with their settings, such as `{ Original: {}, LoG: { sigma: [2, 3] }, Wavelet: { binWidth: 10 } }`
 * @param spacing size of a pixel along x and y; default [1, 1]. `sigma` is in the same unit
 * @param options `signal` ends the work between two blocks
 * @returns an async iterable of `{ name, plane, overrides }`. `original` is the given array where that is a Float64Array
 * @throws UamError at the call: `UAM_ARGUMENT` for an unknown image type, a wrong setting, a spacing that is not above 0, or a plane
 *   smaller than a filter needs (LoG: 4 pixels and `sigma / spacing + 1` on either side); `UAM_SHAPE` where the plane is not
 *   `height * width`; while iterating: `UAM_ABORTED`
 * @example
 * const plane = Float64Array.from({ length: 64 }, (_, i) => (i * i) % 50);
 * for await (const { name, plane: image } of deriveImages(plane, { width: 8, height: 8 }, { Square: {}, Wavelet: { wavelet: 'haar' } })) {
 *   console.log(name, image[0]); // square ..., wavelet-LH ..., wavelet-HL ...
 * }
 */
export function deriveImages(
  plane: Plane,
  size: PlaneSize,
  imageTypes: ImageTypeOptions,
  spacing: Spacing = [1, 1],
  options: AsyncOptions = {},
): AsyncGenerator<DerivedImage, void, undefined> {
  const { width, height } = size;
  for (const [name, side] of Object.entries({ width, height })) {
    if (!Number.isSafeInteger(side) || side < 0) throw new UamError('UAM_ARGUMENT', `${name} must be an integer >= 0, received ${side}`);
  }
  if (plane.length !== width * height) {
    throw new UamError('UAM_SHAPE', `plane must hold height * width = ${height} * ${width} values, received ${plane.length}`);
  }
  if (spacing.length !== 2 || !spacing.every((step) => Number.isFinite(step) && step > 0)) {
    throw new UamError('UAM_ARGUMENT', `spacing must be two numbers above 0 (x, y), received [${spacing.join(', ')}]`);
  }
  const recipes = read(imageTypes, spacing);
  for (const { names, leastSide } of recipes) {
    if (Math.min(width, height) < leastSide) {
      throw new UamError(
        'UAM_ARGUMENT',
        `${names.join(', ')} needs a plane of at least ${leastSide} x ${leastSide} pixels, received ${width} x ${height}; ` +
          'leave this image type out or give a larger image',
      );
    }
  }
  return derive(
    { plane: plane instanceof Float64Array ? plane : Float64Array.from(plane), size: { width, height }, spacing, options },
    recipes,
  );
}

async function* derive(source: Source, recipes: readonly Recipe[]): AsyncGenerator<DerivedImage, void, undefined> {
  for (const { names, overrides, make } of recipes) {
    let at = 0;
    for await (const plane of make(source)) yield { name: names[at++] as string, plane, overrides };
  }
}
