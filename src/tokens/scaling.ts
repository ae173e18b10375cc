import { mismatch, UamError } from '../errors.js';
import { featureFamily, orderFeatures } from './feature_order.js';
import { quantile } from './quantile.js';

/** Columns of features: a `FeatureTable` is one. */
export interface FeatureColumns {
  readonly length: number;
  readonly columns: readonly { readonly name: string; readonly data: ArrayLike<number> }[];
}

/** How features become inputs of a model; plain data, kept in its file. */
export interface Scaling {
  /** The features that are used, in the order of the inputs: by family, then by name. */
  names: readonly string[];
  /** Taken off each; what stands for a missing value. */
  centers: readonly number[];
  /** Each is divided by. */
  scales: readonly number[];
  /** Scaled values are cut to -clip .. clip. */
  clip: number;
  method: ScalingMethod;
}

/** `robust`: median and interquartile range; `standard`: mean and standard deviation. */
export type ScalingMethod = 'robust' | 'standard';

export interface ScalingOptions {
  /** Default `'robust'`. */
  method?: ScalingMethod;
  /** Default 5. */
  clip?: number;
}

/** Scaled features of cells, a row each. */
export interface ScaledFeatures {
  cells: number;
  /** Numbers per cell. */
  width: number;
  /** `[cells, width]`; 0 where a value is missing. */
  values: Float32Array;
  /** `[cells, width]`: 1 where a value is missing. */
  missing: Uint8Array;
}

const isKnown = (value: number) => Number.isFinite(value);

/** The finite values. */
function knownOf(data: ArrayLike<number>): Float64Array {
  const values = new Float64Array(data.length);
  let count = 0;
  for (let i = 0; i < data.length; i++) if (isKnown(data[i] as number)) values[count++] = data[i] as number;
  return values.subarray(0, count);
}

/** Mean and standard deviation, by the largest magnitude, so that squares of huge numbers stay finite. */
function spreadOf(values: Float64Array): { mean: number; deviation: number } {
  let unit = 0;
  for (const value of values) unit = Math.max(unit, Math.abs(value));
  if (unit === 0) unit = 1;
  let [sum, squares] = [0, 0];
  for (const value of values) sum += value / unit;
  const mean = sum / values.length;
  for (const value of values) squares += (value / unit - mean) ** 2;
  return { mean: mean * unit, deviation: Math.sqrt(squares / values.length) * unit };
}

/** Center and scale of a column; undefined where it is constant or has no value. */
function fitColumn(data: ArrayLike<number>, method: ScalingMethod): { center: number; scale: number } | undefined {
  const values = knownOf(data);
  if (values.every((value) => value === values[0])) return undefined;
  const { mean, deviation } = spreadOf(values);
  const range = method === 'robust' ? quantile(values, 0.75) - quantile(values, 0.25) : 0;
  const center = method === 'robust' ? quantile(values, 0.5) : mean;
  // Where most cells share one value the quartiles meet; the deviation tells the few others apart.
  const scale = range > 0 ? range : deviation;
  return scale > 0 && Number.isFinite(scale) && Number.isFinite(center) ? { center, scale } : undefined;
}

/**
 * Learns how to scale features from cells of the training patients alone. Constant columns are dropped; values that are not finite
 * are missing, and take no part.
 *
 * @param table columns of features
 * @returns plain data, to be kept with the model
 * @throws UamError `UAM_DATA` where no column varies; `UAM_ARGUMENT` for unknown options and repeated names
 * @example
 * const table = { length: 3, columns: [{ name: 'glcm_Contrast', data: [1, 2, 9] }, { name: 'glcm_Energy', data: [1, 1, NaN] }] };
 * const scaling = fitScaling(table);
 * scaling.names;   // ['glcm_Contrast']: the other is constant
 */
export function fitScaling(table: FeatureColumns, { method = 'robust', clip = 5 }: ScalingOptions = {}): Scaling {
  if (method !== 'robust' && method !== 'standard') throw mismatch('UAM_ARGUMENT', 'scaling: method', 'robust or standard', String(method));
  if (!(clip > 0)) throw mismatch('UAM_ARGUMENT', 'scaling: clip', 'a number above 0', String(clip));
  const columns = new Map(table.columns.map(({ name, data }) => [name, data]));
  if (columns.size !== table.columns.length) throw new UamError('UAM_ARGUMENT', 'scaling: two columns have one name');
  const fitted = orderFeatures([...columns.keys()]).flatMap((name) => {
    const found = fitColumn(columns.get(name) as ArrayLike<number>, method);
    return found ? [{ name, ...found }] : [];
  });
  if (fitted.length === 0) {
    throw new UamError('UAM_DATA', `scaling: none of the ${columns.size} features varies among the ${table.length} cells`);
  }
  return {
    names: fitted.map(({ name }) => name),
    centers: fitted.map(({ center }) => center),
    scales: fitted.map(({ scale }) => scale),
    clip,
    method,
  };
}

/** A value as a model takes it in: (value - center) / scale, cut to -clip .. clip; NaN where it is missing. */
export function scaledValue({ centers, scales, clip }: Scaling, f: number, value: number): number {
  if (!isKnown(value)) return Number.NaN;
  return Math.max(-clip, Math.min(clip, (value - (centers[f] as number)) / (scales[f] as number)));
}

/**
 * Throws where a table lacks features that a model reads, and says which, and how to get them.
 *
 * @throws UamError `UAM_DATA`
 */
export function refuseAbsent(names: readonly string[], table: FeatureColumns): void {
  const known = new Set(table.columns.map(({ name }) => name));
  const absent = names.filter((name) => !known.has(name));
  if (absent.length === 0) return;
  const some = `${absent.slice(0, 3).join(', ')}${absent.length > 3 ? ` and ${absent.length - 3} more` : ''}`;
  const families = [...new Set(absent.map(featureFamily))].slice(0, 5).join(', ');
  throw new UamError(
    'UAM_DATA',
    `the table lacks ${absent.length} of the model's ${names.length} features: ${some} (of ${families}); ` +
      'extract the features that it was trained on: model.extraction has the options for radiomics.extract',
  );
}

/**
 * Scaled features of cells, ready for a model: (value - center) / scale, cut to -clip .. clip; 0 and a mark where a value is missing.
 *
 * @param table has at least the columns that the scaling names, in any order
 * @throws UamError `UAM_DATA` where a feature is absent
 * @example
 * const table = { length: 3, columns: [{ name: 'glcm_Contrast', data: [1, 2, NaN] }] };
 * const { values, missing } = applyScaling(fitScaling(table), table);
 * values;    // -1, 1, 0
 * missing;   // 0, 0, 1
 */
export function applyScaling(scaling: Scaling, table: FeatureColumns): ScaledFeatures {
  const { names } = scaling;
  refuseAbsent(names, table);
  const columns = new Map(table.columns.map(({ name, data }) => [name, data]));
  const width = names.length;
  const values = new Float32Array(table.length * width);
  const missing = new Uint8Array(values.length);
  names.forEach((name, f) => {
    const data = columns.get(name) as ArrayLike<number>;
    for (let i = 0; i < table.length; i++) {
      const value = scaledValue(scaling, f, data[i] as number);
      if (Number.isNaN(value)) missing[i * width + f] = 1;
      else values[i * width + f] = value;
    }
  });
  return { cells: table.length, width, values, missing };
}

/**
 * A scaling from a file, checked: it may have been made by anyone.
 *
 * @throws UamError `UAM_FORMAT`
 */
export function checkScaling(value: unknown, where: string): Scaling {
  const { names, centers, scales, clip, method } = (typeof value === 'object' && value !== null ? value : {}) as Partial<Scaling>;
  const texts = Array.isArray(names) && names.length > 0 && names.every((name) => typeof name === 'string');
  const numbers = [centers, scales].every((list) => Array.isArray(list) && list.length === names?.length && list.every(Number.isFinite));
  const sound = texts && new Set(names).size === names.length && numbers && (scales as number[]).every((scale) => scale > 0);
  if (!sound || !(typeof clip === 'number' && clip > 0) || (method !== 'robust' && method !== 'standard')) {
    throw new UamError('UAM_FORMAT', `${where}: its scaling of features is not as this package writes it`);
  }
  return { names, centers, scales, clip, method } as Scaling;
}
