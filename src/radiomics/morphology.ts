import { hostKernel } from '../native/call.js';
import type { FeatureDefinition, ShapeClass } from './feature_class.js';
import {
  areaWithin,
  contoursOf,
  convexHull,
  diameterOf,
  distance,
  filledPixels,
  gatherRegion,
  leastWidth,
  outlineSegments,
  type Point,
  perimeterOf,
  spreadOf,
} from './outline.js';
import type { RoiMask } from './roi.js';

const BANDS = 6;
const SAMPLES = 64;

const hull = 'the convex hull of the corners of the pixels';
const curvature = 'the curvature of the smoothed contour (positive where convex)';

const features: readonly FeatureDefinition[] = [
  { name: 'Area', unit: 'um^2', definition: 'pixels times the area of a pixel' },
  { name: 'AspectRatio', unit: '1', definition: 'MaximumFeret / MinimumFeret' },
  { name: 'BoundingBoxArea', unit: 'um^2', definition: 'area of the smallest upright box of whole pixels' },
  {
    name: 'Circularity',
    unit: '1',
    definition: "4 pi A / P^2 with the area and the perimeter of shape2D's mesh: at most 1, a disc",
  },
  {
    name: 'Concavities',
    unit: '1',
    definition:
      'arcs of the smoothed contour whose curvature is below -0.1 times that of a circle as long as the contour (told at the points of CurvatureMean)',
  },
  { name: 'ConvexArea', unit: 'um^2', definition: `area of ${hull}, as a polygon (scikit-image counts pixels)` },
  { name: 'CurvatureMaximum', unit: '1/um', definition: `greatest of ${curvature} at the points of CurvatureMean` },
  {
    name: 'CurvatureMean',
    unit: '1/um',
    definition:
      `mean of ${curvature} at the vertices of the contour, and in equal steps between them where they are fewer than ${SAMPLES}, each weighing the length nearest to it. The contour goes round the part that encloses most ` +
      'through the middles of pixel edges (parts that touch by a corner are one); smoothed: harmonics k = 1 to 15 of its Fourier ' +
      'series over the length, each times exp(-(k / 5)^2 / 2)',
  },
  { name: 'CurvatureMinimum', unit: '1/um', definition: `least of ${curvature} at the points of CurvatureMean` },
  { name: 'CurvatureStandardDeviation', unit: '1/um', definition: `standard deviation of ${curvature}, weighted as CurvatureMean` },
  {
    name: 'Eccentricity',
    unit: '1',
    definition: 'sqrt(1 - l2 / l1) of the eigenvalues of the covariance of the pixel centres: 0 is round, 1 a line; 0 for one pixel',
  },
  { name: 'EquivalentDiameter', unit: 'um', definition: 'diameter of the disc of the same Area' },
  { name: 'EulerNumber', unit: '1', definition: '8-connected parts minus Holes' },
  { name: 'Extent', unit: '1', definition: 'Area / BoundingBoxArea' },
  { name: 'FilledArea', unit: 'um^2', definition: 'Area with the holes filled' },
  ...Array.from({ length: BANDS }, (_, band) => ({
    name: `FSD${band + 1}`,
    unit: '1' as const,
    definition:
      `Fourier shape descriptor: share of the frequencies ${2 ** band} to ${2 ** (band + 1) - 1} per turn in the power, from 1 to 63, ` +
      "of the direction of the contour's tangent over its length, less that of a circle. As HistomicsTK's Shape.FSD, but of the " +
      "contour's exact series instead of 128 points on it",
  })),
  { name: 'Holes', unit: '1', definition: '4-connected parts of the background that the cell encloses' },
  ...Array.from({ length: 7 }, (_, i) => ({
    name: `Hu${i + 1}`,
    unit: '1' as const,
    definition:
      `Hu's invariant ${i + 1} of the central moments of the pixels, mu_pq / Area^(1 + (p + q) / 2), rows first as in scikit-image` +
      (i === 6 ? ': changes its sign when mirrored' : ''),
  })),
  { name: 'MaximumFeret', unit: 'um', definition: `greatest width of ${hull}: its diameter` },
  { name: 'MinimumFeret', unit: 'um', definition: `least width of ${hull}` },
  {
    name: 'Orientation',
    unit: 'deg',
    definition:
      'direction of the largest spread of the pixels: from the downward axis, counter-clockwise on the screen, above -90 to 90, 90 is ' +
      "level (scikit-image's in degrees); 0 where no direction is largest",
  },
  { name: 'Roundness', unit: '1', definition: '4 Area / (pi MaximumFeret^2): 1 is a disc' },
  { name: 'Solidity', unit: '1', definition: 'Area / ConvexArea' },
];

interface Params extends RoiMask {
  spacingX: number;
  spacingY: number;
  out: Float64Array;
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

function huMoments(pixels: readonly Point[], centre: Point, [sx, sy]: readonly [number, number]): number[] {
  const area = pixels.length * sx * sy;
  const moment = (p: number, q: number) =>
    (sum(pixels.map(({ x, y }) => ((y - centre.y) * sy) ** p * ((x - centre.x) * sx) ** q)) * sx * sy) / area ** (1 + (p + q) / 2);
  const [m20, m11, m02] = [moment(2, 0), moment(1, 1), moment(0, 2)];
  const [m30, m21, m12, m03] = [moment(3, 0), moment(2, 1), moment(1, 2), moment(0, 3)];
  const [a, b, c, d] = [m30 + m12, m21 + m03, m30 - 3 * m12, 3 * m21 - m03];
  return [
    m20 + m02,
    (m20 - m02) ** 2 + 4 * m11 ** 2,
    c ** 2 + d ** 2,
    a ** 2 + b ** 2,
    c * a * (a ** 2 - 3 * b ** 2) + d * b * (3 * a ** 2 - b ** 2),
    (m20 - m02) * (a ** 2 - b ** 2) + 4 * m11 * a * b,
    d * a * (a ** 2 - 3 * b ** 2) - c * b * (3 * a ** 2 - b ** 2),
  ];
}

/** The contour as a curve of t in [0, 2 pi) along its length; its derivative jumps at the vertices. */
function curveOf(contour: readonly Point[], [sx, sy]: readonly [number, number]) {
  const at = (i: number) => contour[(i + contour.length) % contour.length] as Point;
  const steps = contour.map((_, i) => distance(at(i), at(i + 1), [sx, sy]));
  const step = (i: number) => steps[(i + steps.length) % steps.length] as number;
  const length = sum(steps);
  const direction = (i: number) => ({ x: ((at(i + 1).x - at(i).x) * sx) / step(i), y: ((at(i + 1).y - at(i).y) * sy) / step(i) });
  const pieces = Math.ceil(SAMPLES / contour.length);
  let along = 0;
  const vertices = contour.map((_, i) => {
    const [a, b] = [direction(i - 1), direction(i)];
    const from = along;
    along += step(i);
    return {
      t: (2 * Math.PI * from) / length,
      jump: { x: ((b.x - a.x) * length) / (2 * Math.PI), y: ((b.y - a.y) * length) / (2 * Math.PI) },
      turn: Math.atan2(a.x * b.y - a.y * b.x, a.x * b.x + a.y * b.y),
      samples: Array.from({ length: pieces }, (_, piece) => ({
        t: (2 * Math.PI * (from + (step(i) * piece) / pieces)) / length,
        share: (step(piece > 0 ? i : i - 1) + step(i)) / (2 * pieces * length),
      })),
    };
  });
  return { length, vertices, samples: vertices.flatMap(({ samples }) => samples) };
}
type Curve = ReturnType<typeof curveOf>;

function turningSpectrum({ vertices }: Curve): number[] {
  const power = (k: number) =>
    (sum(vertices.map(({ t, turn }) => turn * Math.cos(k * t))) ** 2 + sum(vertices.map(({ t, turn }) => turn * Math.sin(k * t))) ** 2) /
    k ** 2;
  const bands = Array.from({ length: BANDS }, (_, band) => sum(Array.from({ length: 2 ** band }, (_, i) => power(2 ** band + i))));
  return bands.map((band) => band / sum(bands));
}

function smoothCurvature({ vertices, samples }: Curve): number[] {
  const series = Array.from({ length: 15 }, (_, i) => {
    const k = i + 1;
    const of = (wave: (x: number) => number, axis: 'x' | 'y') => sum(vertices.map(({ t, jump }) => jump[axis] * wave(k * t)));
    return {
      k,
      weight: Math.exp(-((k / 5) ** 2) / 2) / Math.PI,
      x: { cos: of(Math.cos, 'x'), sin: of(Math.sin, 'x') },
      y: { cos: of(Math.cos, 'y'), sin: of(Math.sin, 'y') },
    };
  });
  return samples.map(({ t }) => {
    const first = (axis: 'x' | 'y') =>
      sum(series.map((s) => (s.weight / s.k) * (s[axis].cos * Math.sin(s.k * t) - s[axis].sin * Math.cos(s.k * t))));
    const second = (axis: 'x' | 'y') =>
      sum(series.map((s) => s.weight * (s[axis].cos * Math.cos(s.k * t) + s[axis].sin * Math.sin(s.k * t))));
    const [x1, y1, x2, y2] = [first('x'), first('y'), second('x'), second('y')];
    return (x1 * y2 - y1 * x2) / (x1 ** 2 + y1 ** 2) ** 1.5;
  });
}

function describeCurvature(curve: Curve): Record<string, number> {
  const values = smoothCurvature(curve);
  const shares = curve.samples.map(({ share }) => share);
  const mean = sum(values.map((value, i) => value * (shares[i] as number)));
  const concave = values.map((value) => value < (-0.1 * 2 * Math.PI) / curve.length);
  return {
    Concavities: concave.filter((is, i) => is && !concave[(i + concave.length - 1) % concave.length]).length,
    CurvatureMaximum: Math.max(...values),
    CurvatureMean: mean,
    CurvatureMinimum: Math.min(...values),
    CurvatureStandardDeviation: Math.sqrt(sum(values.map((value, i) => (value - mean) ** 2 * (shares[i] as number)))),
  };
}

function orientationOf({ xx, xy, yy, major, minor }: ReturnType<typeof spreadOf>): number {
  if (major - minor <= 1e-12 * major) return 0;
  const degrees = (Math.atan2(2 * xy, yy - xx) * 90) / Math.PI;
  return degrees < -90 + 1e-9 ? 90 : degrees; // level is 90, whichever way rounding tips it
}

function describe(p: Params, r: number): number[] {
  const region = gatherRegion(p, r);
  const { pixels } = region;
  if (pixels.length === 0) return features.map(() => Number.NaN);
  const spacing = [p.spacingX, p.spacingY] as const;
  const pixelArea = p.spacingX * p.spacingY;
  const area = pixels.length * pixelArea;
  const spread = spreadOf(pixels, spacing);
  const mesh = outlineSegments(region, false);
  const contours = contoursOf(outlineSegments(region, true));
  const parts = contours.filter((contour) => areaWithin(contour) > 0);
  const holes = contours.length - parts.length;
  const outer = parts.reduce((a, b) => {
    const more = areaWithin(b) - areaWithin(a);
    return more > 0 || (more === 0 && b.length > a.length) ? b : a;
  });
  const curve = curveOf(
    outer.map(([from]) => from),
    spacing,
  );
  const corners = convexHull(
    pixels.flatMap(({ x, y }) => [-0.5, 0.5].flatMap((dx) => [-0.5, 0.5].map((dy) => ({ x: x + dx, y: y + dy })))),
  );
  const sides = corners.map((corner, i) => [corner, corners[(i + 1) % corners.length] as Point] as const);
  const [most, least] = [diameterOf(corners, spacing), leastWidth(corners, spacing)];
  const extent = (of: (pixel: Point) => number) => Math.max(...pixels.map(of)) - Math.min(...pixels.map(of)) + 1;
  const box = extent(({ x }) => x) * extent(({ y }) => y) * pixelArea;
  const row: Record<string, number> = {
    Area: area,
    AspectRatio: most / least,
    BoundingBoxArea: box,
    Circularity: (4 * Math.PI * areaWithin(mesh) * pixelArea) / perimeterOf(mesh, spacing) ** 2,
    ConvexArea: areaWithin(sides) * pixelArea,
    Eccentricity: spread.major > 0 ? Math.sqrt(1 - spread.minor / spread.major) : 0,
    EquivalentDiameter: 2 * Math.sqrt(area / Math.PI),
    EulerNumber: parts.length - holes,
    Extent: area / box,
    FilledArea: filledPixels(region) * pixelArea,
    Holes: holes,
    MaximumFeret: most,
    MinimumFeret: least,
    Orientation: orientationOf(spread),
    Roundness: (4 * area) / (Math.PI * most ** 2),
    Solidity: area / (areaWithin(sides) * pixelArea),
    ...describeCurvature(curve),
    ...Object.fromEntries(turningSpectrum(curve).map((share, band) => [`FSD${band + 1}`, share])),
    ...Object.fromEntries(huMoments(pixels, spread.centre, spacing).map((value, i) => [`Hu${i + 1}`, value])),
  };
  return features.map(({ name }) => row[name] as number);
}

function reference(p: Params): void {
  for (let r = 0; r < p.rois; r++) p.out.set(describe(p, r), r * features.length);
}

/** Form beyond PyRadiomics: hull, moments, and the spectrum and curvature of the contour. */
export const morphology: ShapeClass<Params> = {
  name: 'morphology',
  source: 'scikit-image regionprops, ImageJ, HistomicsTK (FSD): definitions as stated',
  features,
  kernel: hostKernel('morphology', reference),
  params: (regions, [spacingX, spacingY], out) => ({ ...regions, spacingX, spacingY, out }),
};
