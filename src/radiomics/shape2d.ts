import { hostKernel } from '../native/call.js';
import type { FeatureDefinition, ShapeClass } from './feature_class.js';
import { areaWithin, diameterOf, gatherRegion, outlineSegments, perimeterOf, spreadOf } from './outline.js';
import type { RoiMask } from './roi.js';

const features: readonly FeatureDefinition[] = [
  { name: 'Elongation', unit: '1', definition: 'MinorAxisLength / MajorAxisLength: 1 is round; NaN for a single pixel' },
  { name: 'MajorAxisLength', unit: 'um', definition: '4 sqrt(larger eigenvalue of the population covariance of the pixel centres)' },
  { name: 'MaximumDiameter', unit: 'um', definition: 'largest distance between two vertices of the mesh' },
  {
    name: 'MeshSurface',
    unit: 'um^2',
    definition: 'area within the marching-squares mesh, whose vertices halve the edges of pixels; less than PixelSurface',
  },
  { name: 'MinorAxisLength', unit: 'um', definition: '4 sqrt(smaller eigenvalue of the population covariance of the pixel centres)' },
  { name: 'Perimeter', unit: 'um', definition: 'length of the mesh, round all parts and holes' },
  { name: 'PerimeterSurfaceRatio', unit: '1/um', definition: 'Perimeter / MeshSurface' },
  { name: 'PixelSurface', unit: 'um^2', definition: 'pixels times the area of a pixel' },
  {
    name: 'SphericalDisproportion',
    unit: '1',
    definition: 'Perimeter / (2 sqrt(pi MeshSurface)): 1 / Sphericity',
    deprecated: true,
  },
  { name: 'Sphericity', unit: '1', definition: '2 sqrt(pi MeshSurface) / Perimeter: 1 is a disc' },
];

interface Params extends RoiMask {
  spacingX: number;
  spacingY: number;
  out: Float64Array;
}

function describe(p: Params, r: number): number[] {
  const region = gatherRegion(p, r);
  if (region.pixels.length === 0) return features.map(() => Number.NaN);
  const spacing = [p.spacingX, p.spacingY] as const;
  const pixelArea = p.spacingX * p.spacingY;
  const mesh = outlineSegments(region, false);
  const { major, minor } = spreadOf(region.pixels, spacing);
  const area = areaWithin(mesh) * pixelArea;
  const perimeter = perimeterOf(mesh, spacing);
  const circle = 2 * Math.sqrt(Math.PI * area); // the circumference of the circle of that area
  const row: Record<string, number> = {
    Elongation: Math.sqrt(minor / major),
    MajorAxisLength: 4 * Math.sqrt(major),
    MaximumDiameter: diameterOf(
      mesh.map(([from]) => from),
      spacing,
    ),
    MeshSurface: area,
    MinorAxisLength: 4 * Math.sqrt(minor),
    Perimeter: perimeter,
    PerimeterSurfaceRatio: perimeter / area,
    PixelSurface: region.pixels.length * pixelArea,
    SphericalDisproportion: perimeter / circle,
    Sphericity: circle / perimeter,
  };
  return features.map(({ name }) => row[name] as number);
}

function reference(p: Params): void {
  for (let r = 0; r < p.rois; r++) p.out.set(describe(p, r), r * features.length);
}

/** Size and form in the plane, from the mask and the size of a pixel. */
export const shape2d: ShapeClass<Params> = {
  name: 'shape2D',
  source: 'PyRadiomics 3.1 radiomics.shape2D',
  features,
  kernel: hostKernel('shape2d', reference),
  params: (regions, [spacingX, spacingY], out) => ({ ...regions, spacingX, spacingY, out }),
};
