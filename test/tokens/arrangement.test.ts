import fc from 'fast-check';
import t from 'tap';
import { arrange } from '../../src/tokens/arrangement.js';
import { hilbertIndex } from '../../src/tokens/hilbert.js';
import { uniform } from '../support/random.js';

t.test('the Hilbert curve visits neighbours one after the other', async (t) => {
  const places: [number, number][] = [];
  const side = 32;
  for (let x = 0; x < side; x++) for (let y = 0; y < side; y++) places[hilbertIndex(x, y)] = [x, y];
  t.equal(places.filter(Boolean).length, side * side, 'the corner of 32 x 32 holds the first 1024 places');
  for (let i = 1; i < places.length; i++) {
    const [[ax, ay], [bx, by]] = [places[i - 1], places[i]] as [[number, number], [number, number]];
    if (Math.abs(ax - bx) + Math.abs(ay - by) !== 1) t.fail(`places ${i - 1} and ${i} are apart`);
  }
  t.same([hilbertIndex(0, 0), hilbertIndex(65535, 0)].sort(), [0, 2 ** 32 - 1], 'it ends at the other end of one side');
});

/** Lists by the definition: every pair is looked at. */
function plainLists(points: Float64Array, tiles: Int32Array, order: Int32Array, radius: number, most: number): number[][] {
  return Array.from({ length: points.length / 2 }, (_, i) => {
    const tile = tiles.findIndex((end, t) => t > 0 && i < end);
    const others = [];
    for (let j = tiles[tile - 1] as number; j < (tiles[tile] as number); j++) {
      const square =
        ((points[2 * i] as number) - (points[2 * j] as number)) ** 2 + ((points[2 * i + 1] as number) - (points[2 * j + 1] as number)) ** 2;
      if (j !== i && square <= radius * radius) others.push({ j, square });
    }
    others.sort((a, b) => a.square - b.square || (order[a.j] as number) - (order[b.j] as number));
    return [i, ...others.slice(0, most).map(({ j }) => j)];
  });
}

t.test('neighbours are those of the definition; orders are permutations within tiles', async (t) => {
  const coordinate = fc.oneof(fc.integer({ min: 0, max: 12 }), fc.double({ min: -300, max: 300, noNaN: true }));
  const tiles = fc.array(fc.array(fc.tuple(coordinate, coordinate), { maxLength: 40 }), { maxLength: 4 });
  fc.assert(
    fc.property(tiles, fc.constantFrom(3, 64, 500), fc.constantFrom(1, 5, 64), (list, radius, neighbours) => {
      const positions = Float64Array.from(list.flat(2));
      const offsets = Int32Array.from([0, ...list.map((_, i) => list.slice(0, i + 1).reduce((sum, tile) => sum + tile.length, 0))]);
      const { order, rows, oddOrder, points, near } = arrange(positions, offsets, { radius, neighbours });
      const expected = plainLists(points, offsets, order, radius, neighbours);
      const found = expected.map((_, i) => [...near.indices.subarray(near.offsets[i], near.offsets[i + 1])]);
      const sorted = (lists: number[][]) => lists.map((list) => [...list].sort((a, b) => a - b));
      t.same(sorted(found), sorted(expected));
      t.ok(found.every((row, i) => row[0] === i));
      t.same(
        [...order].map((cell) => rows[cell]),
        [...order.keys()],
      );
      t.same(
        [...oddOrder].sort((a, b) => a - b),
        [...order.keys()],
      );
      for (let tile = 0; tile + 1 < offsets.length; tile++) {
        for (let i = offsets[tile] as number; i < (offsets[tile + 1] as number); i++) {
          for (const at of [order[i], oddOrder[i]] as number[]) t.ok(at >= (offsets[tile] as number) && at < (offsets[tile + 1] as number));
        }
      }
    }),
    { numRuns: 80 },
  );
});

t.test('a tile that is moved, or packed with others, is arranged alike', async (t) => {
  const next = uniform(5);
  const tile = Float64Array.from({ length: 400 }, () => Math.round(next() * 4000) / 8);
  const alone = arrange(tile);
  const moved = arrange(tile.map((value) => value + 1024));
  t.same([...moved.order], [...alone.order]);
  t.same([...moved.near.indices], [...alone.near.indices]);
  const packed = arrange(Float64Array.of(1, 1, ...tile), Int32Array.of(0, 1, 201));
  t.same(
    [...packed.order].slice(1).map((cell) => cell - 1),
    [...alone.order],
  );
  t.same([...packed.near.distances].slice(1), [...alone.near.distances]);
});

t.test('all see all, in tiles that are not too large', async (t) => {
  const { near } = arrange(Float64Array.of(0, 0, 900, 0, 5, 5), Int32Array.of(0, 3), { attention: 'all' });
  t.same([...near.offsets], [0, 3, 6, 9]);
  t.equal(Math.max(...near.distances), 900);
});

t.test('what cannot be arranged', async (t) => {
  t.throws(() => arrange(Float64Array.of(0, NaN)), { code: 'UAM_DATA', message: /cell 0 is NaN/ });
  t.throws(() => arrange(Float64Array.of(0, 0), Int32Array.of(0, 2)), { code: 'UAM_SHAPE' });
  t.throws(() => arrange(Float64Array.of(0, 0), undefined, { radius: 0 }), { code: 'UAM_ARGUMENT' });
  t.throws(() => arrange(Float64Array.of(0, 0), undefined, { neighbours: 0 }), { code: 'UAM_ARGUMENT' });
  const start = performance.now();
  arrange(Float64Array.of(0, 0, 9e8, 9e8, 5e8, 1));
  t.ok(performance.now() - start < 500, 'cells far apart cost no more than others');
});
