import fc from 'fast-check';
import t from 'tap';
import { type Polygons, polygonsFrom, rasterizePolygons, rasterizePolygonsAsync } from '../../src/cells/index.js';
import { onBackend, testBackends } from '../support/backends.js';

const reference = { name: 'reference', backend: 'reference' as const };
const cpu = { name: 'cpu', backend: 'cpu' as const };
const square = (x: number, y: number, size: number): [number, number][] => [
  [x, y],
  [x + size, y],
  [x + size, y + size],
  [x, y + size],
];

t.test('pixel centres, holes, overlaps', async (t) => {
  for (const backend of testBackends()) {
    onBackend(backend, 2, () => {
      const draw = (...polygons: [number, number][][][]) => rasterizePolygons(polygonsFrom(polygons), { width: 4, height: 3 });
      t.same([...draw([square(0.5, 0.5, 1)]).mask.data], [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], 'the upper left edge is inside');
      t.same([...draw([square(0, 0, 3), square(1, 1, 1)]).mask.data], [1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0]);
      t.same([...draw([square(0, 0, 2)], [square(1, 1, 2)]).mask.data], [1, 1, 0, 0, 1, 2, 2, 0, 0, 2, 2, 0]);
      const first = rasterizePolygons(polygonsFrom([[square(0, 0, 2)], [square(1, 1, 2)]]), { width: 4, height: 3, overlap: 'first' });
      t.same([...first.mask.data], [1, 1, 0, 0, 1, 1, 2, 0, 0, 2, 2, 0]);
    });
  }
});

t.test('polygons that no pixel shows are reported', async (t) => {
  for (const backend of testBackends()) {
    onBackend(backend, 1, () => {
      const polygons = polygonsFrom([
        [square(0.6, 0.6, 0.3)],
        [square(1, 1, 1)],
        [square(0, 0, 3)],
        [square(9, 9, 2)],
        [],
        [[]],
        [square(-5, 0, 2)],
      ]);
      const drawn = rasterizePolygons(polygons, { width: 4, height: 4, ids: Uint32Array.of(11, 12, 13, 14, 15, 16, 17) });
      t.same([[...drawn.lost], [...drawn.hidden], [...drawn.outside]], [[11, 15, 16], [12], [14, 17]]);
    });
  }
});

t.test('an origin shows a part of the image', async (t) => {
  const polygons = polygonsFrom([[square(-2, -1, 5)], [square(100, 50, 7)]]);
  const whole = rasterizePolygons(polygons, { width: 120, height: 70 }).mask;
  const part = rasterizePolygons(polygons, { width: 10, height: 20, origin: [98, 45] }).mask;
  for (let y = 0; y < 20; y++) {
    t.same(part.data.subarray(y * 10, y * 10 + 10), whole.data.subarray((y + 45) * 120 + 98, (y + 45) * 120 + 108));
  }
  t.same([...rasterizePolygons(polygons, { width: 2, height: 2, origin: [-3, -2] }).mask.data], [0, 0, 0, 1]);
});

const coordinate = fc.oneof(
  fc.double({ min: -3, max: 15, noNaN: true }),
  fc.integer({ min: -2, max: 14 }),
  fc.integer({ min: -4, max: 28 }).map((n) => n / 2),
  fc.constantFrom(1e300, -1e300, 1.7e308, -1.7e308, 1e-310, 4e9),
);
const anyPolygons = fc.array(fc.array(fc.array(fc.tuple(coordinate, coordinate), { maxLength: 7 }), { maxLength: 3 }), { maxLength: 6 });

t.test('the kernel is its definition, for any polygons and any number of threads', async (t) => {
  fc.assert(
    fc.property(anyPolygons, fc.boolean(), (lists, keepFirst) => {
      const polygons = polygonsFrom(lists);
      const options = { width: 11, height: 9, overlap: keepFirst ? ('first' as const) : ('last' as const) };
      const want = onBackend(reference, 1, () => rasterizePolygons(polygons, options));
      t.same(
        onBackend(cpu, 1, () => rasterizePolygons(polygons, options)),
        want,
      );
      t.same(
        onBackend(cpu, 4, () => rasterizePolygons(polygons, options)),
        want,
      );
    }),
    { numRuns: 500 },
  );
});

t.test('a ring may start anywhere and run either way', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.tuple(coordinate, coordinate), { minLength: 3, maxLength: 9 }), fc.nat(8), (ring, shift) => {
      const draw = (points: [number, number][]) => rasterizePolygons(polygonsFrom([[points]]), { width: 12, height: 12 }).mask.data;
      const at = shift % ring.length;
      t.same(draw([...ring.slice(at), ...ring.slice(0, at)]), draw(ring));
      t.same(draw([...ring].reverse()), draw(ring));
    }),
    { numRuns: 300 },
  );
});

t.test('neighbours that share an edge share no pixel and leave none out', async (t) => {
  fc.assert(
    fc.property(fc.tuple(coordinate, coordinate), (centre) => {
      const corners: [number, number][] = [
        [0, 0],
        [12, 0],
        [12, 12],
        [0, 12],
      ]; // prettier-ignore
      const inside: [number, number] = [Math.min(12, Math.max(0, centre[0])), Math.min(12, Math.max(0, centre[1]))];
      const fan = corners.map((corner, i): [number, number][][] => [[inside, corner, corners[(i + 1) % 4] as [number, number]]]);
      const last = rasterizePolygons(polygonsFrom(fan), { width: 12, height: 12 }).mask.data;
      const first = rasterizePolygons(polygonsFrom(fan), { width: 12, height: 12, overlap: 'first' }).mask.data;
      t.same(last, first);
      t.notOk(last.includes(0));
    }),
    { numRuns: 200 },
  );
});

t.test('many rows, in the background', async (t) => {
  const lists = Array.from({ length: 900 }, (_, i) => [square((i * 37) % 470, (i * 71) % 580, 3 + (i % 40))]);
  const polygons = polygonsFrom(lists);
  const one = onBackend(cpu, 1, () => rasterizePolygons(polygons, { width: 500, height: 600 }));
  t.same(
    onBackend(cpu, 3, () => rasterizePolygons(polygons, { width: 500, height: 600 })),
    one,
  );
  t.same(await rasterizePolygonsAsync(polygons, { width: 500, height: 600 }), one);
});

t.test('a star of very many points is done in parts', async (t) => {
  const ring = Array.from({ length: 60000 }, (_, i): [number, number] => [(i * 0.013) % 200, i % 2 ? 0 : 200]);
  const draw = () => rasterizePolygons(polygonsFrom([[ring]]), { width: 60, height: 50 }).mask.data;
  t.same(onBackend(cpu, 2, draw), onBackend(reference, 1, draw));
});

t.test('what cannot be drawn is refused by name', async (t) => {
  const draw = (polygons: Polygons, options = {}) => rasterizePolygons(polygons, { width: 4, height: 4, ...options });
  for (const bad of [NaN, Infinity, -Infinity]) {
    const polygons = polygonsFrom([[square(0, 0, 1)], [square(1, 1, 1)]]);
    polygons.points[9] = bad;
    for (const backend of testBackends()) {
      t.throws(() => onBackend(backend, 1, () => draw(polygons, { ids: Uint32Array.of(5, 77) })), { code: 'UAM_DATA', message: /id 77/ });
    }
  }
  const fine = polygonsFrom([[square(0, 0, 1)]]);
  t.throws(() => draw(fine, { ids: Uint32Array.of(0) }), { code: 'UAM_ARGUMENT', message: /background/ });
  t.throws(() => draw(fine, { ids: Uint32Array.of(1, 2) }), { code: 'UAM_SHAPE' });
  t.throws(() => draw(fine, { width: -1 }), { code: 'UAM_ARGUMENT' });
  t.throws(() => draw(fine, { width: 1e6, height: 1e6 }), { code: 'UAM_ARGUMENT', message: /parts/ });
  t.throws(() => draw(fine, { origin: [0.5, 0] }), { code: 'UAM_ARGUMENT' });
  t.throws(() => draw(fine, { overlap: 'both' }), { code: 'UAM_ARGUMENT' });
  t.throws(() => draw({ ...fine, ringOffsets: Int32Array.of(0, 400) }), { code: 'UAM_ARGUMENT' });
  t.throws(() => draw({ ...fine, polygonOffsets: Int32Array.of(0, 7) }), { code: 'UAM_ARGUMENT' });
  t.throws(() => polygonsFrom([[[[0, NaN]]]]), { code: 'UAM_ARGUMENT' });
});
