import type { ShapeClass } from '../../src/radiomics/feature_class.js';
import type { RoiMask } from '../../src/radiomics/roi.js';
import { hostDevice } from './backends.js';

/** The rows of a class that reads the mask alone, as records of its features. */
export function shapeRows(
  // biome-ignore lint/suspicious/noExplicitAny: any class of shapes
  shape: ShapeClass<any>,
  regions: RoiMask,
  { spacing = [1, 1], reference = false }: { spacing?: readonly [number, number]; reference?: boolean } = {},
): Record<string, number>[] {
  const columns = shape.features.length;
  const out = new Float64Array(regions.rois * columns).fill(-12345);
  const params = shape.params(regions, spacing, out);
  if (reference) shape.kernel.reference(params);
  else shape.kernel(params, { device: hostDevice() });
  return Array.from({ length: regions.rois }, (_, r) =>
    Object.fromEntries(shape.features.map(({ name }, column) => [name, out[r * columns + column] as number])),
  );
}

/** The features in which two rows differ by more than the tolerance, as text; NaN equals NaN. */
export function differences(
  actual: Readonly<Record<string, number>>,
  expected: Readonly<Record<string, number | null>>,
  tolerance: (name: string, expected: number) => number = (_, value) => 1e-9 + 1e-7 * Math.abs(value),
): string[] {
  return Object.entries(expected).flatMap(([name, want]) => {
    const got = actual[name] ?? Number.POSITIVE_INFINITY;
    if (want === null || Number.isNaN(want)) return Number.isNaN(got) ? [] : [`${name}: ${got} instead of NaN`];
    return Math.abs(got - want) <= tolerance(name, want) ? [] : [`${name}: ${got} instead of ${want}`];
  });
}
