import { mismatch, UamError } from '../errors.js';

/** How angles are weighted when they are merged into one matrix; `null` averages the features of each angle instead. */
export type WeightingNorm = 'manhattan' | 'euclidean' | 'infinity' | 'no_weighting';

/** PyRadiomics' settings, under PyRadiomics' names, and `standard`. */
export interface Settings {
  /** Width of a grey level, in units of the image. Default 25. */
  binWidth: number;
  /** This many grey levels between a cell's least and greatest intensity, in place of `binWidth`. Default `null`. */
  binCount: number | null;
  /** Distances of the neighbours that GLCM, NGTDM and GLDM look at, in pixels, by the infinity norm. Default `[1]`. */
  distances: readonly number[];
  /** Counts each pair of the GLCM in both orders. Default `true`. */
  symmetricalGLCM: boolean;
  /** Merges the angles of GLCM and GLRLM into one matrix, weighted by distance. Default `null`: features are averaged over angles. */
  weightingNorm: WeightingNorm | null;
  /** The greatest difference of grey levels at which a neighbour depends on its centre (GLDM). Default 0. */
  gldm_a: number;
  /** Added to intensities before Energy, TotalEnergy and RootMeanSquared. Default 0. */
  voxelArrayShift: number;
  /** Size of a pixel along x and y. `null`, the default, takes the image's micrometres per pixel, or 1 where they are unknown. */
  spacing: readonly [x: number, y: number] | null;
  /** Subtracts the mean of the whole channel and divides by its standard deviation first. Default `false`. */
  normalize: boolean;
  /** Factor on normalised intensities. Default 1. */
  normalizeScale: number;
  /** Clips normalised intensities at this many standard deviations. Default `null`. */
  removeOutliers: number | null;
  /** Pixels whose intensity lies outside leave the cell (not its shape): `[low, high]`, or `[low]`. Default `null`. */
  resegmentRange: readonly number[] | null;
  /** What `resegmentRange` counts in: intensities, shares of the cell's maximum, or standard deviations about its mean. */
  resegmentMode: 'absolute' | 'relative' | 'sigma';
  /** Cells of this many pixels or fewer get the status `too_small`; what can be computed still is. Default `null`. */
  minimumROISize: number | null;
  /** A cell's box must exceed one pixel along this many axes, else its status is `line`. Default 2. */
  minimumROIDimensions: number;
  /** Extracts the cell with this id alone. Default `null`: every cell. */
  label: number | null;
  /**
   * `'ibsi'` switches the three known differences: excess kurtosis, NGTDM without pixels that have no neighbour, and bins that
   * start at a cell's minimum. Default `'pyradiomics'`.
   */
  standard: 'pyradiomics' | 'ibsi';
}

/** PyRadiomics' defaults. */
export const DEFAULT_SETTINGS: Settings = Object.freeze({
  binWidth: 25,
  binCount: null,
  distances: Object.freeze([1]),
  symmetricalGLCM: true,
  weightingNorm: null,
  gldm_a: 0,
  voxelArrayShift: 0,
  spacing: null,
  normalize: false,
  normalizeScale: 1,
  removeOutliers: null,
  resegmentRange: null,
  resegmentMode: 'absolute',
  minimumROISize: null,
  minimumROIDimensions: 2,
  label: null,
  standard: 'pyradiomics',
});

type Check = [is: (value: unknown) => boolean, expected: string];

const number = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const positive = (value: unknown): boolean => number(value) && value > 0;
const whole = (least: number) => (value: unknown) => Number.isSafeInteger(value) && (value as number) >= least;
const orNull =
  (is: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    value === null || is(value);
const oneOf =
  (...names: unknown[]) =>
  (value: unknown): boolean =>
    names.includes(value);
const bool = (value: unknown): boolean => typeof value === 'boolean';
const listOf =
  (is: (value: unknown) => boolean, least: number, most: number) =>
  (value: unknown): boolean =>
    Array.isArray(value) && value.length >= least && value.length <= most && value.every(is);

const CHECKS: Record<keyof Settings, Check> = {
  binWidth: [positive, 'a number above 0'],
  binCount: [orNull((value) => whole(1)(value) && (value as number) <= 1e6), 'a whole number from 1 to 1,000,000, or null'],
  distances: [
    (value) =>
      listOf((d) => whole(1)(d) && (d as number) < 2 ** 31, 1, 100)(value) &&
      new Set(value as number[]).size === (value as number[]).length,
    'a list of different whole numbers of at least 1',
  ],
  symmetricalGLCM: [bool, 'true or false'],
  weightingNorm: [
    oneOf('manhattan', 'euclidean', 'infinity', 'no_weighting', null),
    "'manhattan', 'euclidean', 'infinity', 'no_weighting' or null",
  ],
  gldm_a: [(value) => number(value) && value >= 0, 'a number of at least 0'],
  voxelArrayShift: [number, 'a number'],
  spacing: [orNull(listOf(positive, 2, 2)), 'two numbers above 0 (x, y), or null'],
  normalize: [bool, 'true or false'],
  normalizeScale: [positive, 'a number above 0'],
  removeOutliers: [orNull(positive), 'a number above 0, or null'],
  resegmentRange: [orNull(listOf(number, 1, 2)), 'one or two numbers, or null'],
  resegmentMode: [oneOf('absolute', 'relative', 'sigma'), "'absolute', 'relative' or 'sigma'"],
  minimumROISize: [orNull(whole(0)), 'a whole number of at least 0, or null'],
  minimumROIDimensions: [oneOf(1, 2), '1 or 2'],
  label: [orNull((value) => whole(1)(value) && (value as number) < 2 ** 32), 'the id of a cell, or null'],
  standard: [oneOf('pyradiomics', 'ibsi'), "'pyradiomics' or 'ibsi'"],
};

const show = (value: unknown): string => JSON.stringify(value) ?? String(value);

/**
 * The settings with PyRadiomics' defaults for what is absent.
 *
 * @param partial settings under PyRadiomics' names
 * @throws UamError `UAM_ARGUMENT` for an unknown name or a value that it cannot have
 * @example
 * const { binWidth, distances } = radiomics.completeSettings({ binWidth: 10 }); // 10, [1]
 */
export function completeSettings(partial: Partial<Settings> = {}): Settings {
  const settings = { ...DEFAULT_SETTINGS, ...withoutUndefined(partial) };
  for (const [name, value] of Object.entries(settings)) {
    const check = CHECKS[name as keyof Settings];
    if (!check) {
      throw new UamError('UAM_ARGUMENT', `there is no setting '${name}'; the settings are ${Object.keys(CHECKS).join(', ')}`);
    }
    if (!check[0](value)) throw mismatch('UAM_ARGUMENT', `setting ${name}`, check[1], show(value));
  }
  const [low, high = Infinity] = settings.resegmentRange ?? [0];
  if ((low as number) > high)
    throw mismatch('UAM_ARGUMENT', 'setting resegmentRange', 'a range [low, high]', show(settings.resegmentRange));
  return settings;
}

function withoutUndefined<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as Partial<T>;
}
