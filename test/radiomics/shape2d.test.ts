import fc from 'fast-check';
import t from 'tap';
import { hasCuda } from '../../src/native/device.js';
import { shape2d } from '../../src/radiomics/shape2d.js';
import { onBackend } from '../support/backends.js';
import { blob, draw, place, regionsOf, scattered, turns } from '../support/label_images.js';
import { sameBits } from '../support/near.js';
import { largeRegions } from '../support/radiomics_spec.js';
import { differences, shapeRows } from '../support/shape_rows.js';

const pairs = (a: Record<string, number>[], b: Record<string, number>[], tolerance?: (name: string, value: number) => number) =>
  a.flatMap((row, i) => differences(row, b[i] ?? {}, tolerance));

// The width of a line is the root of what rounding leaves of zero.
const rounded = (name: string, value: number): number =>
  name === 'Elongation' || name === 'MinorAxisLength' ? 1e-6 : 1e-12 + 1e-11 * Math.abs(value);

t.test('the kernel is the definition', async (t) => {
  const spacing = fc.constantFrom<[number, number]>([1, 1], [0.25, 0.25], [0.5, 0.25], [0.3, 1.7]);
  fc.assert(
    fc.property(fc.oneof(scattered, blob), spacing, (image, spacing) => {
      const regions = regionsOf(image);
      t.same(pairs(shapeRows(shape2d, regions, { spacing }), shapeRows(shape2d, regions, { spacing, reference: true }), rounded), []);
    }),
    { numRuns: 300 },
  );
});

t.test("a card gives the CPU's rows", { skip: !hasCuda() && 'no CUDA device' }, async (t) => {
  const on = (backend: 'cpu' | 'cuda', regions: Parameters<typeof shapeRows>[1], spacing: [number, number]) =>
    onBackend({ name: backend, backend }, 2, () => shapeRows(shape2d, regions, { spacing }));
  const spacing = fc.constantFrom<[number, number]>([1, 1], [0.25, 0.25], [0.3, 1.7]);
  fc.assert(
    fc.property(fc.oneof(scattered, blob), spacing, (image, spacing) => {
      t.same(on('cuda', regionsOf(image), spacing), on('cpu', regionsOf(image), spacing));
    }),
    { numRuns: 200 },
  );
  const { regions } = largeRegions();
  t.same(on('cuda', regions, [0.3, 1.7]), on('cpu', regions, [0.3, 1.7]), 'regions of several warps');
  const none = { ...regions, ids: Uint32Array.of(7, 8, 9) };
  t.ok(
    on('cuda', none, [1, 1]).every((row) => Object.values(row).every(Number.isNaN)),
    'labels that are not there',
  );
});

t.test('turning, flipping, moving and renaming a cell changes nothing', async (t) => {
  fc.assert(
    fc.property(fc.oneof(scattered, blob), fc.constantFrom(...Object.keys(turns)), (image, turn) => {
      const before = shapeRows(shape2d, regionsOf(image));
      const turned = turns[turn]?.(image.data, image.width, image.height) ?? image;
      t.same(pairs(shapeRows(shape2d, regionsOf(turned)), before, rounded), [], turn);
      t.same(shapeRows(shape2d, regionsOf(place(image, 3, 5, [30, 31]))), before, 'moved');
      const renamed = { ...image, data: image.data.map((id) => (id === 0 ? 0 : id - 2)) };
      t.same(shapeRows(shape2d, regionsOf(renamed)), before, 'renamed');
    }),
    { numRuns: 100 },
  );
});

t.test('a looser box changes nothing', async (t) => {
  const regions = regionsOf(place(draw('7.7', '777'), 4, 2, [12, 9]));
  const loose = { ...regions, boxes: Int32Array.of(0, 0, 12, 9) };
  t.same(shapeRows(shape2d, loose), shapeRows(shape2d, regions));
});

t.test('degenerate cells', async (t) => {
  const row = (...rows: string[]) => shapeRows(shape2d, regionsOf(draw(...rows)))[0] ?? {};
  const pixel = row('1');
  t.equal(pixel.PixelSurface, 1);
  t.equal(pixel.MeshSurface, 0.5);
  t.ok(Math.abs((pixel.Perimeter as number) - 2 * Math.SQRT2) < 1e-12);
  t.equal(pixel.MaximumDiameter, 1);
  t.equal(pixel.MajorAxisLength, 0);
  t.equal(pixel.MinorAxisLength, 0);
  t.ok(Number.isNaN(pixel.Elongation));
  t.ok(Math.abs((pixel.Sphericity as number) - 0.886226925) < 1e-8);
  const line = row('1111');
  t.equal(line.Elongation, 0);
  t.equal(line.MaximumDiameter, 4);
  t.equal(row('1..', '.1.', '..1').Elongation, 0);
  const parts = row('11..11', '11..11');
  t.equal(parts.MeshSurface, 2 * (row('11', '11').MeshSurface as number));
  t.equal(parts.MaximumDiameter, Math.sqrt(37), 'across both parts');
  const ring = row('111', '1.1', '111');
  t.equal(ring.PixelSurface, 8);
  t.ok((ring.Perimeter as number) > (row('111', '111', '111').Perimeter as number), 'a hole has a border');
  const absent = { ...regionsOf(draw('11', '11')), ids: Uint32Array.of(9) };
  t.ok(Object.values(shapeRows(shape2d, absent)[0] ?? {}).every(Number.isNaN), 'a label that is not there has no features');
});

t.test('a large region', async (t) => {
  const size = 1500;
  const data = new Uint32Array(size * size);
  data.forEach((_, at) => {
    if (Math.hypot((at % size) - 750, Math.floor(at / size) - 750) <= 700) data[at] = 1;
  });
  const [row = {}] = shapeRows(shape2d, regionsOf({ width: size, height: size, data }));
  t.equal(row.MaximumDiameter, 1401);
  t.ok(Math.abs((row.MajorAxisLength as number) - 1400) < 0.1);
  t.ok(Math.abs((row.PixelSurface as number) / (Math.PI * 700 * 700) - 1) < 1e-4);
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
      const out = new Float64Array(regions.rois * shape2d.features.length);
      shape2d.kernel(shape2d.params(regions, [0.3, 0.7], out));
      return out;
    }),
  );
  t.ok(outs.every((out) => sameBits(out, outs[0] as Float64Array)));
});

t.test('what cannot be is refused', async (t) => {
  const regions = regionsOf(draw('11', '11'));
  const call = (change: object, spacing: [number, number] = [1, 1]) => {
    const out = new Float64Array(shape2d.features.length);
    shape2d.kernel({ ...shape2d.params(regions, spacing, out), ...change });
  };
  for (const box of [
    [-1, 0, 2, 2],
    [0, 0, 3, 2],
    [1, 1, 1, 2],
    [0, 0, 2, 2147483647],
  ]) {
    t.throws(() => call({ boxes: Int32Array.from(box) }), { code: 'UAM_ARGUMENT' }, String(box));
  }
  for (const size of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) t.throws(() => call({}, [1, size]), { code: 'UAM_ARGUMENT' });
});
