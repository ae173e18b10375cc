import { type AsyncOptions, hostKernel } from '../../native/call.js';

/** The filters of `filter_intensity`, in the order of its enumeration. */
export const intensityFilters = ['square', 'squareroot', 'logarithm', 'exponential'] as const;
export type IntensityFilter = (typeof intensityFilters)[number];

interface FilterIntensity {
  filter: number;
  n: number;
  x: Float64Array;
  y: Float64Array;
}

/** The definition (native/kernels/filter_intensity.h). */
function filterIntensityReference({ filter, n, x, y }: FilterIntensity): void {
  let m = 0;
  for (const value of x) m = Math.max(m, Math.abs(value)); // NaN stays
  const scale = [1 / Math.sqrt(m), m, m / Math.log(m + 1), Math.log(m) / m][filter] as number;
  const formulas: ((value: number) => number)[] = [
    (value) => scale * value * (scale * value),
    (value) => (value > 0 ? Math.sqrt(value * scale) : value < 0 ? -Math.sqrt(-value * scale) : value),
    (value) => (value > 0 ? Math.log(value + 1) : value < 0 ? -Math.log(1 - value) : value) * scale,
    (value) => Math.exp(scale * value),
  ];
  const formula = formulas[filter] as (value: number) => number;
  for (let i = 0; i < n; i++) y[i] = formula(x[i] as number);
}

export const filterIntensityKernel = hostKernel('filter_intensity', filterIntensityReference);

/** PyRadiomics' Square, SquareRoot, Logarithm or Exponential image of a plane. */
export async function filterIntensity(x: Float64Array, filter: IntensityFilter, options?: AsyncOptions): Promise<Float64Array> {
  const y = new Float64Array(x.length);
  await filterIntensityKernel.async({ filter: intensityFilters.indexOf(filter), n: x.length, x, y }, options);
  return y;
}
