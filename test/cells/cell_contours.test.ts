import fc from 'fast-check';
import t from 'tap';
import { cellContours, cellContoursAsync, findCells, type Polygons, rasterizePolygons, ringArea } from '../../src/cells/index.js';
import type { LabelMask } from '../../src/image/image.js';
import { onBackend, testBackends } from '../support/backends.js';
import { anyMask, flipped, manyCells, maskOf, moved, turned } from '../support/masks.js';

const reference = { name: 'reference', backend: 'reference' as const };
const cpu = { name: 'cpu', backend: 'cpu' as const };
const outlines = (mask: LabelMask) => cellContours(mask, findCells(mask));

/** Per polygon its rings, each as a list of points. */
function rings({ count, points, ringOffsets, polygonOffsets }: Polygons): number[][][][] {
  return Array.from({ length: count }, (_, i) =>
    Array.from(ringOffsets.subarray(polygonOffsets[i] as number, polygonOffsets[i + 1] as number), (begin, k) => {
      const end = ringOffsets[(polygonOffsets[i] as number) + k + 1] as number;
      return Array.from({ length: end - begin }, (_, j) => [points[(begin + j) * 2] as number, points[(begin + j) * 2 + 1] as number]);
    }),
  );
}

t.test('small images, by hand', async (t) => {
  for (const backend of testBackends()) {
    onBackend(backend, 1, () => {
      t.same(rings(outlines(maskOf([[0, 4, 4]]))), [
        [
          [
            [1, 0],
            [3, 0],
            [3, 1],
            [1, 1],
          ],
        ],
      ]); // prettier-ignore
      const hole = maskOf([
        [5, 5, 5],
        [5, 0, 5],
        [5, 5, 5],
      ]);
      t.same(rings(outlines(hole)), [
        [
          [
            [0, 0],
            [3, 0],
            [3, 3],
            [0, 3],
          ],
          [
            [2, 1],
            [1, 1],
            [1, 2],
            [2, 2],
          ],
        ],
      ]); // prettier-ignore
      const corner = maskOf([
        [5, 5, 5],
        [5, 0, 5],
        [5, 5, 0],
      ]);
      const cut = outlines(corner); // the hole touches the outside at a corner: still a ring of its own
      t.equal(rings(cut)[0]?.length, 2);
      t.same([ringArea(cut, 0), ringArea(cut, 1)], [8, -1]);
      const diagonal = outlines(
        maskOf([
          [8, 0],
          [0, 8],
        ]),
      );
      t.same([ringArea(diagonal, 0), ringArea(diagonal, 1)], [1, 1]);
    });
  }
});

t.test('a piece inside the hole of another one: holes follow their own outer ring', async (t) => {
  const mask = maskOf([
    [1, 1, 1, 1, 1, 1, 1],
    [1, 0, 0, 0, 0, 0, 1],
    [1, 0, 1, 1, 1, 0, 1],
    [1, 0, 1, 0, 1, 0, 1],
    [1, 0, 1, 1, 1, 0, 1],
    [1, 0, 0, 0, 0, 0, 1],
    [1, 1, 1, 1, 1, 1, 1],
  ]);
  for (const backend of testBackends()) {
    const found = onBackend(backend, 1, () => outlines(mask));
    t.same(
      [0, 1, 2, 3].map((r) => ringArea(found, r)),
      [49, -25, 9, -1],
    );
  }
});

t.test('the kernel is its definition; rasterising gives back the mask; no ring touches itself', async (t) => {
  fc.assert(
    fc.property(anyMask, (mask) => {
      const cells = findCells(mask);
      const want = onBackend(reference, 1, () => cellContours(mask, cells));
      const got = onBackend(cpu, 2, () => cellContours(mask, cells));
      t.same(got, want);
      const back = rasterizePolygons(got, { width: mask.width, height: mask.height, ids: cells.ids });
      t.same(back.mask.data, mask.data);
      t.same([back.lost.length, back.hidden.length, back.outside.length], [0, 0, 0]);
      rings(got).forEach((polygon, i) => {
        const area = polygon.reduce((sum, _, r) => sum + ringArea(got, (got.polygonOffsets[i] as number) + r), 0);
        t.equal(area, cells.areas[i]);
        t.ok(ringArea(got, got.polygonOffsets[i] as number) > 0, 'the first ring is an outer one');
        for (const ring of polygon) t.equal(new Set(ring.map(String)).size, ring.length);
      });
    }),
    { numRuns: 300 },
  );
});

t.test('turning, flipping and moving the image moves the outlines', async (t) => {
  const canonical = (polygons: Polygons, map: (x: number, y: number) => [number, number]) =>
    rings(polygons).map((polygon) => polygon.map((ring) => ring.map(([x, y]) => map(x as number, y as number).join()).sort()).sort());
  const same = (x: number, y: number): [number, number] => [x, y];
  fc.assert(
    fc.property(anyMask, fc.nat(4), fc.nat(4), (mask, dx, dy) => {
      const { width, height } = mask;
      const found = outlines(mask);
      t.same(
        canonical(outlines(turned(mask)), same),
        canonical(found, (x, y) => [height - y, x]),
      );
      t.same(
        canonical(outlines(flipped(mask)), same),
        canonical(found, (x, y) => [width - x, y]),
      );
      t.same(
        canonical(outlines(moved(mask, dx, dy)), same),
        canonical(found, (x, y) => [x + dx, y + dy]),
      );
    }),
    { numRuns: 100 },
  );
});

t.test('a large crowded image, noise, and part of the cells', async (t) => {
  const mask = manyCells(1200, 900);
  const cells = findCells(mask);
  const found = cellContours(mask, cells);
  t.same(
    onBackend(cpu, 1, () => cellContours(mask, cells)),
    found,
  );
  t.same(await cellContoursAsync(mask, cells), found);
  t.same(rasterizePolygons(found, { width: 1200, height: 900, ids: cells.ids }).mask.data, mask.data);
  await t.rejects(cellContoursAsync(mask, cells, { signal: AbortSignal.abort() }), { code: 'UAM_ABORTED' });
  const some = { ...cells, count: 2, ids: cells.ids.slice(3, 5), areas: cells.areas.slice(3, 5) };
  t.same(rings(cellContours(mask, some)), rings(found).slice(3, 5));
  let state = 1;
  const noise: LabelMask = { width: 800, height: 700, data: new Uint32Array(560000) };
  for (let i = 0; i < noise.data.length; i++) noise.data[i] = (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 31;
  t.same(rasterizePolygons(outlines(noise), { width: 800, height: 700 }).mask.data, noise.data);
});

t.test('ids that are not rising are refused', async (t) => {
  const mask = maskOf([[1, 2]]);
  const cells = findCells(mask);
  t.throws(() => cellContours(mask, { ...cells, ids: Uint32Array.of(2, 1) }), { code: 'UAM_ARGUMENT', message: /rising/ });
  t.throws(() => cellContours(mask, { ...cells, ids: Uint32Array.of(2) }), { code: 'UAM_ARGUMENT' });
  t.throws(() => cellContours(mask, { ...cells, ids: Uint32Array.of(0, 1) }), { code: 'UAM_ARGUMENT' });
});
