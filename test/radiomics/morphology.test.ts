import fc from 'fast-check';
import t from 'tap';
import { morphology } from '../../src/radiomics/morphology.js';
import { onBackend } from '../support/backends.js';
import { blob, draw, place, regionsOf, scattered, turns } from '../support/label_images.js';
import { sameBits } from '../support/near.js';
import { differences, shapeRows } from '../support/shape_rows.js';

type Row = Record<string, number>;
const row = (...rows: string[]): Row => shapeRows(morphology, regionsOf(draw(...rows)))[0] ?? {};
const near = (a: number | undefined, b: number, tolerance = 1e-12): boolean => Math.abs((a ?? Number.NaN) - b) <= tolerance;

// Where a form is symmetric, moments vanish and directions mean nothing: rounding decides. Curvature is a ratio of what may
// both be small.
const rounded = (name: string, value: number): number => {
  if (name.startsWith('Hu')) return 1e-12 + 1e-7 * Math.abs(value);
  if (name.startsWith('Curvature')) return 1e-7 + 1e-5 * Math.abs(value);
  return name === 'Eccentricity' || name === 'Orientation' ? 1e-6 : 1e-9 + 1e-9 * Math.abs(value);
};
// The curvature at the tip of a figure as thin as a pixel: no figure to hold against another computation.
const flat = ({ CurvatureMaximum = 0, CurvatureMean = 0 }: Row): boolean =>
  Math.abs(CurvatureMaximum) > 1e3 || Math.abs(CurvatureMean) > 1e3;
const compare = (actual: Row[], expected: Row[]): string[] =>
  actual.flatMap((row, i) => {
    const want = { ...expected[i] };
    if (flat(want)) for (const name of Object.keys(want)) if (/^Curvature|^Concav/.test(name)) delete want[name];
    return differences(row, want, rounded);
  });

t.test('the kernel is the definition', async (t) => {
  const spacing = fc.constantFrom<[number, number]>([1, 1], [0.25, 0.25], [0.5, 0.25], [0.3, 1.7]);
  fc.assert(
    fc.property(fc.oneof(scattered, blob), spacing, (image, spacing) => {
      const regions = regionsOf(image);
      t.same(compare(shapeRows(morphology, regions, { spacing }), shapeRows(morphology, regions, { spacing, reference: true })), []);
    }),
    { numRuns: 150 },
  );
});

t.test('turning, flipping, moving and renaming change nothing but direction and the sign of Hu7', async (t) => {
  fc.assert(
    fc.property(blob, fc.constantFrom(...Object.keys(turns)), (image, turn) => {
      const before = shapeRows(morphology, regionsOf(image));
      const turned = turns[turn]?.(image.data, image.width, image.height) ?? image;
      const mirrored = turn === 'a quarter turn' ? 1 : -1;
      const after: Row[] = shapeRows(morphology, regionsOf(turned)).map((row) => ({ ...row, Hu7: mirrored * (row.Hu7 as number) }));
      const direction = before[0]?.Orientation as number;
      const expected = mirrored < 0 ? -direction : direction > 0 ? direction - 90 : direction + 90;
      const [actual] = after.map(({ Orientation }) => Orientation as number);
      const apart = Math.abs((actual as number) - expected) % 180;
      if (direction !== 0) t.ok(Math.min(apart, 180 - apart) < 1e-6, `${turn}: ${direction} becomes ${actual}`);
      const alike = (rows: Row[]) => rows.map(({ Orientation, ...rest }) => rest);
      t.same(compare(alike(after), alike(before)), [], turn);
      t.same(shapeRows(morphology, regionsOf(place(image, 3, 5, [40, 31]))), before, 'moved');
      t.same(shapeRows(morphology, regionsOf({ ...image, data: image.data.map((id) => id * 77) })), before, 'renamed');
    }),
    { numRuns: 100 },
  );
});

t.test('lengths scale with the spacing', async (t) => {
  fc.assert(
    fc.property(blob, (image) => {
      const [one = {}] = shapeRows(morphology, regionsOf(image));
      const [half = {}] = shapeRows(morphology, regionsOf(image), { spacing: [0.5, 0.5] });
      const powers: Record<string, number> = { 'um^2': 2, um: 1, '1/um': -1 };
      const expected = Object.fromEntries(
        morphology.features.map(({ name, unit }) => [name, (one[name] as number) * 0.5 ** (powers[unit] ?? 0)]),
      );
      t.same(compare([half], [expected]), []);
    }),
    { numRuns: 50 },
  );
});

t.test('a rectangle', async (t) => {
  const rectangle = row('111111', '111111', '111111');
  t.equal(rectangle.Area, 18);
  t.equal(rectangle.ConvexArea, 18);
  t.equal(rectangle.Solidity, 1);
  t.equal(rectangle.Extent, 1);
  t.ok(near(rectangle.MaximumFeret, Math.hypot(6, 3)));
  t.equal(rectangle.MinimumFeret, 3);
  t.equal(rectangle.Orientation, 90);
  t.ok(near(rectangle.Eccentricity, Math.sqrt(1 - 8 / 35)));
  // Hu1 = (sum x^2 + sum y^2) / area^2; mirrored along both axes, so the third moments vanish
  t.ok(near(rectangle.Hu1, (18 * (35 / 12) + 18 * (8 / 12)) / 18 ** 2));
  t.ok(near(rectangle.Hu2, ((35 - 8) / 12 / 18) ** 2));
  for (const name of ['Hu3', 'Hu4', 'Hu5', 'Hu6', 'Hu7']) t.ok(near(rectangle[name], 0));
  t.equal(rectangle.Concavities, 0);
  t.equal(row('1..', '11.', '.11').Orientation, 45, 'down to the right');
});

t.test('a disc', async (t) => {
  const size = 81;
  const disc = Array.from({ length: size }, (_, y) =>
    Array.from({ length: size }, (_, x) => (Math.hypot(x - 40, y - 40) <= 36 ? '1' : '.')).join(''),
  );
  const round = row(...disc);
  t.ok(near(round.CurvatureMean, 1 / 36, 0.003), `${round.CurvatureMean}`);
  t.ok((round.CurvatureStandardDeviation as number) < 0.1 / 36);
  t.ok((round.Circularity as number) > 0.88);
  t.ok(near(round.AspectRatio, 1, 0.03));
  t.ok(near(round.Roundness, 1, 0.05));
  t.equal(round.Eccentricity, 0);
  t.equal(round.Orientation, 0);
  t.equal(round.Concavities, 0);
  const shares = [1, 2, 3, 4, 5, 6].map((band) => round[`FSD${band}`] as number);
  t.ok(
    near(
      shares.reduce((a, b) => a + b, 0),
      1,
    ),
  );
});

t.test('bays are counted', async (t) => {
  t.equal(row(...Array(8).fill('11111111'), ...Array(16).fill('11111111........'.slice(0, 8))).Concavities, 0);
  const cross = [
    ...Array(8).fill('........11111111........'),
    ...Array(8).fill('1'.repeat(24)),
    ...Array(8).fill('........11111111........'),
  ];
  t.equal(row(...cross).Concavities, 4);
  t.ok((row(...cross).CurvatureMinimum as number) < 0);
  t.equal(row(...Array(8).fill('1'.repeat(24)), ...Array(16).fill(`${'1'.repeat(8)}${'.'.repeat(16)}`)).Concavities, 1);
});

t.test('holes and parts', async (t) => {
  const holed = row('11111', '1.1.1', '11111');
  t.equal(holed.Holes, 2);
  t.equal(holed.EulerNumber, -1);
  t.equal(holed.FilledArea, 15);
  t.equal(holed.Area, 13);
  const island = row('11111', '1...1', '1.1.1', '1...1', '11111');
  t.equal(island.Holes, 1);
  t.equal(island.EulerNumber, 1, 'two parts, one hole');
  t.equal(island.FilledArea, 25);
  const corner = row('11..', '11..', '..11', '..11');
  t.equal(corner.EulerNumber, 1, 'parts that touch by a corner are one');
  t.equal(row('.1.', '1.1', '.1.').Holes, 1, 'and a ring of such is closed');
  t.equal(row('11.1', '11.1').EulerNumber, 2);
  const parts = row('111.1', '111.1', '111.1');
  t.equal(parts.CurvatureMean, row('111', '111', '111').CurvatureMean, 'the contour is that of the larger part');
});

t.test('one pixel and lines', async (t) => {
  const pixel = row('1');
  t.equal(pixel.Area, 1);
  t.equal(pixel.Eccentricity, 0);
  t.equal(pixel.Orientation, 0);
  t.ok(near(pixel.MaximumFeret, Math.SQRT2));
  t.equal(pixel.MinimumFeret, 1);
  t.ok(near(pixel.Circularity, Math.PI / 4));
  t.ok(near(pixel.CurvatureMean, Math.PI / Math.SQRT2, 0.7), `${pixel.CurvatureMean}: about that of a circle as long`);
  for (const cell of [pixel, row('1111111'), row('1', '1', '1'), row('1..', '.1.', '..1')]) {
    for (const [name, value] of Object.entries(cell)) t.ok(Number.isFinite(value), `${name} ${value}`);
  }
  t.equal(row('1', '1', '1').Orientation, 0);
  t.equal(row('111').Eccentricity, 1);
  const absent = { ...regionsOf(draw('11', '11')), ids: Uint32Array.of(9) };
  t.ok(Object.values(shapeRows(morphology, absent)[0] ?? {}).every(Number.isNaN));
});

t.test('any number of threads gives the same bits', async (t) => {
  const cells = fc.sample(blob, { numRuns: 40, seed: 5 });
  const data = new Uint32Array(24 * 40 * 24);
  cells.forEach((cell, i) => {
    cell.data.forEach((id, at) => {
      if (id) data[i * 24 * 24 + at] = i + 1;
    });
  });
  const regions = regionsOf({ width: 24, height: 24 * 40, data });
  const outs = [1, 2, 4].map((threads) =>
    onBackend({ name: 'cpu', backend: 'cpu' }, threads, () => {
      const out = new Float64Array(regions.rois * morphology.features.length);
      morphology.kernel(morphology.params(regions, [0.3, 0.7], out));
      return out;
    }),
  );
  t.ok(outs.every((out) => sameBits(out, outs[0] as Float64Array)));
});
