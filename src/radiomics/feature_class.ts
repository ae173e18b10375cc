import type { Kernel } from '../native/call.js';
import type { RoiInput, RoiMask } from './roi.js';
import type { Settings } from './settings.js';

/** How a feature scales: with intensity, with length, with nothing. `um` stands for `px` where the pixel size is unknown. */
export type FeatureUnit =
  | '1'
  | 'intensity'
  | 'intensity^2'
  | 'intensity^2 um^2'
  | 'um'
  | 'um^2'
  | 'intensity/um'
  | '1/um'
  | 'px'
  | 'bits'
  | 'cells'
  | 'deg';

/** One feature: a column of the table. */
export interface FeatureDefinition {
  /** PyRadiomics' name, or that of the tool the feature is known from. */
  name: string;
  unit: FeatureUnit;
  /** What it is, in words and symbols. */
  definition: string;
  /** Off by default: PyRadiomics deprecates it, as it equals another. */
  deprecated?: boolean;
}

/** A class of features that one kernel computes: its columns in the kernel's order, and how to call it. */
export interface FeatureClass<P extends object = never> {
  /** PyRadiomics' name of the class, such as `'glcm'`. */
  readonly name: string;
  /** Who defines it. */
  readonly source: string;
  readonly features: readonly FeatureDefinition[];
  readonly kernel: Kernel<P>;
}

/** A class computed from the intensities of one channel. */
export interface TextureClass<P extends RoiInput & { out: Float64Array } = never> extends FeatureClass<P> {
  /** The kernel's parameters from its input and the settings; `spacing` is the size of a pixel. */
  params(input: RoiInput, settings: Settings, spacing: readonly [number, number], out: Float64Array): P;
}

/** A class computed from the mask alone. */
export interface ShapeClass<P extends RoiMask & { out: Float64Array } = never> extends FeatureClass<P> {
  params(regions: RoiMask, spacing: readonly [number, number], out: Float64Array): P;
}

/** Writes rows of numbers into a kernel's `matrix`, as the native MatrixRows does. */
export function writeMatrix(matrix: Float64Array | undefined, rows: Iterable<readonly number[]>): void {
  if (!matrix) return;
  matrix.fill(Number.NaN);
  let next = 0;
  for (const row of rows) {
    if (next + 4 > matrix.length) return;
    for (let column = 0; column < 4; column++) matrix[next++] = row[column] ?? Number.NaN;
  }
}
