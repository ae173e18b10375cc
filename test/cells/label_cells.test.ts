import fc from 'fast-check';
import t from 'tap';
import { findCells, findCellsAsync } from '../../src/cells/index.js';
import type { LabelMask } from '../../src/image/image.js';
import { featureBackends, onBackend, testBackends } from '../support/backends.js';
import { anyMask, flipped, manyCells, maskOf, moved, turned } from '../support/masks.js';

const reference = { name: 'reference', backend: 'reference' as const };
const cpu = { name: 'cpu', backend: 'cpu' as const };

t.test('a small image, by hand', async (t) => {
  for (const backend of testBackends()) {
    const cells = onBackend(backend, 1, () =>
      findCells(
        maskOf([
          [0, 0, 0, 0, 0],
          [0, 9, 0, 0, 0],
          [0, 9, 9, 0, 3],
          [0, 0, 0, 0, 9],
          [0, 0, 0, 0, 0],
        ]),
      ),
    );
    t.same(cells.count, 2);
    t.same([...cells.ids], [3, 9]);
    t.same([...cells.areas], [1, 4]);
    t.same([...cells.boxes], [4, 2, 5, 3, 1, 1, 5, 4]);
    t.same([...cells.centroids], [4, 2, 2, 2]);
    t.same([...cells.touchesBorder], [1, 1]);
  }
});

t.test('empty images, images without a cell, one pixel, and the largest id', async (t) => {
  for (const backend of testBackends()) {
    onBackend(backend, 1, () => {
      t.equal(findCells({ width: 0, height: 0, data: new Uint32Array() }).count, 0);
      t.equal(findCells({ width: 0, height: 5, data: new Uint32Array() }).count, 0);
      t.equal(findCells({ width: 4, height: 5, data: new Uint32Array(20) }).count, 0);
      const one = findCells(maskOf([[4294967295]]));
      t.same([one.ids[0], one.areas[0], ...one.boxes, ...one.centroids, one.touchesBorder[0]], [4294967295, 1, 0, 0, 1, 1, 0, 0, 1]);
    });
  }
});

t.test('the kernel is its definition, on any mask and any number of threads', async () => {
  fc.assert(
    fc.property(anyMask, (mask) => {
      const want = onBackend(reference, 1, () => findCells(mask));
      for (const threads of [1, 4])
        t.same(
          onBackend(cpu, threads, () => findCells(mask)),
          want,
        );
    }),
    { numRuns: 200 },
  );
});

t.test('more cells than expected: every pixel a cell', async (t) => {
  const mask: LabelMask = { width: 300, height: 200, data: Uint32Array.from({ length: 60000 }, (_, i) => 60000 - i) };
  const cells = findCells(mask);
  t.equal(cells.count, 60000);
  t.same([...cells.ids.subarray(0, 3)], [1, 2, 3]);
  t.same([...cells.centroids.subarray(0, 2)], [299, 199]);
  t.same(await findCellsAsync(mask), cells);
});

for (const device of featureBackends().filter((backend) => backend === 'cuda')) {
  t.test("a card gives the CPU's cells", async (t) => {
    await fc.assert(
      fc.asyncProperty(anyMask, async (mask) => t.same(await findCellsAsync(mask, { device }), findCells(mask))),
      { numRuns: 100 },
    );
    const edge = { width: 70, height: 3, data: Uint32Array.from({ length: 210 }, (_, i) => (i % 70 < 31 ? 0 : 4294967295 - (i % 2))) };
    t.same(await findCellsAsync(edge, { device }), findCells(edge), 'runs that end at a row, and at a chunk of a warp');
    const many = { width: 90, height: 40, data: Uint32Array.from({ length: 3600 }, (_, i) => 3600 - i) };
    t.same(await findCellsAsync(many, { device }), findCells(many), 'more cells than expected');
    const large = manyCells(700, 500);
    const found = await findCellsAsync(large, { device });
    t.ok(found.count > 300, `${found.count} cells`);
    t.same(found, findCells(large), 'a list of several blocks');
  });
}

t.test('a large image gives the same bits on any number of threads, and in the background', async (t) => {
  const mask = manyCells(1500, 1100);
  const one = onBackend(cpu, 1, () => findCells(mask));
  t.ok(one.count > 1500, `${one.count} cells`);
  t.same(
    onBackend(cpu, 3, () => findCells(mask)),
    one,
  );
  t.same(
    onBackend(reference, 1, () => findCells(mask)),
    one,
  );
  t.same(await findCellsAsync(mask), one);
  await t.rejects(findCellsAsync(mask, { signal: AbortSignal.abort() }), { code: 'UAM_ABORTED' });
});

t.test('turning, flipping, moving and renaming change what they must and nothing else', async (t) => {
  fc.assert(
    fc.property(anyMask, fc.nat(5), fc.nat(5), (mask, dx, dy) => {
      const { width, height } = mask;
      const cells = findCells(mask);
      const xy = (i: number) => [cells.centroids[i * 2], cells.centroids[i * 2 + 1]] as [number, number];
      const all = Array.from(cells.ids, (_, i) => i);
      const close = (a: Float64Array, b: number[]) => a.length === b.length && b.every((v, i) => Math.abs(v - (a[i] as number)) < 1e-12);
      const turn = findCells(turned(mask));
      t.same(turn.areas, cells.areas);
      t.same(turn.touchesBorder, cells.touchesBorder);
      t.ok(
        close(
          turn.centroids,
          all.flatMap((i) => [height - 1 - xy(i)[1], xy(i)[0]]),
        ),
      );
      const flip = findCells(flipped(mask));
      t.same([flip.ids, flip.areas, flip.touchesBorder], [cells.ids, cells.areas, cells.touchesBorder]);
      t.ok(
        close(
          flip.centroids,
          all.flatMap((i) => [width - 1 - xy(i)[0], xy(i)[1]]),
        ),
      );
      const move = findCells(moved(mask, dx, dy));
      t.same([move.ids, move.areas], [cells.ids, cells.areas]);
      t.same(
        [...move.boxes],
        Array.from(cells.boxes, (v, i) => v + (i % 2 ? dy : dx)),
      );
      const renamed = findCells({ ...mask, data: mask.data.map((id) => (id === 0 ? 0 : (0 - id) >>> 0)) });
      t.same([...renamed.areas], [...cells.areas].reverse());
    }),
    { numRuns: 100 },
  );
});

t.test('what is no label image is refused', async (t) => {
  const bad = (mask: unknown) => () => findCells(mask as LabelMask);
  t.throws(bad(undefined), { code: 'UAM_ARGUMENT' });
  t.throws(bad({ width: 2, height: 2, data: new Uint32Array(3) }), { code: 'UAM_SHAPE', message: /2 x 2 = 4/ });
  t.throws(bad({ width: 2, height: 2, data: new Float32Array(4) }), { code: 'UAM_DTYPE', message: /Float32Array/ });
  t.throws(bad({ width: 1.5, height: 2, data: new Uint32Array(3) }), { code: 'UAM_ARGUMENT' });
});
