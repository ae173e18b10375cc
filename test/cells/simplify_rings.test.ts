import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { traceRegions } from '../../src/cells/index.js';
import { simplifyRings } from '../../src/cells/simplify_rings.js';
import { RegionTracer, type TracedRegion, twiceArea } from '../../src/cells/trace_regions.js';

type Corner = readonly [x: number, y: number];

const pairs = (ring: ArrayLike<number>): Corner[] =>
  Array.from({ length: ring.length / 2 }, (_, i) => [ring[2 * i] as number, ring[2 * i + 1] as number]);

function simplified(rings: readonly Int32Array[], tolerance: number): Int32Array[] {
  const pieces = simplifyRings(rings, tolerance);
  for (;;) {
    const { done, value } = pieces.next();
    if (done) return value;
  }
}

function trace(width: number, height: number, data: Uint8Array): TracedRegion[] {
  const tracer = new RegionTracer(width);
  const regions: TracedRegion[] = [];
  for (let y = 0; y < height; y++) regions.push(...tracer.row(data.subarray(y * width, (y + 1) * width)));
  return [...regions, ...tracer.finish()];
}

/** The greatest distance of points from the sides of a ring. */
function farthest(points: readonly Corner[], ring: readonly Corner[]): number {
  return Math.max(
    ...points.map(([px, py]) =>
      Math.min(
        ...ring.map(([ax, ay], i) => {
          const [bx, by] = ring[(i + 1) % ring.length] as Corner;
          const [dx, dy] = [bx - ax, by - ay];
          const along = Math.min(1, Math.max(0, ((px - ax) * dx + (py - ay) * dy) / (dx * dx + dy * dy)));
          return Math.hypot(px - ax - along * dx, py - ay - along * dy);
        }),
      ),
    ),
  );
}

const turn = ([ax, ay]: Corner, [bx, by]: Corner, [px, py]: Corner) => Math.sign((bx - ax) * (py - ay) - (by - ay) * (px - ax));

/** Whether two sides of any rings cross: properly, at one point that is the end of neither. */
function crossed(rings: readonly (readonly Corner[])[]): boolean {
  const sides = rings.flatMap((ring) => ring.map((a, i) => [a, ring[(i + 1) % ring.length] as Corner] as const));
  return sides.some(([a, b], i) =>
    sides.slice(i + 1).some(([c, d]) => turn(a, b, c) * turn(a, b, d) < 0 && turn(c, d, a) * turn(c, d, b) < 0),
  );
}

/** Blots: noise, blurred and cut. */
const blots = fc
  .record({
    width: fc.integer({ min: 1, max: 40 }),
    height: fc.integer({ min: 1, max: 40 }),
    seed: fc.nat(),
    blur: fc.constantFrom(1, 2, 4),
  })
  .map(({ width, height, seed, blur }) => {
    let state = seed >>> 0;
    const noise = Array.from({ length: (width + blur) * (height + blur) }, () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 32;
    });
    const data = Uint8Array.from({ length: width * height }, (_, at) => {
      let sum = 0;
      for (let dy = 0; dy < blur; dy++)
        for (let dx = 0; dx < blur; dx++) sum += noise[(Math.floor(at / width) + dy) * (width + blur) + (at % width) + dx] as number;
      return sum / blur ** 2 > 0.45 ? 1 : 0;
    });
    return { width, height, data };
  });

t.test('outlines move by no more than the tolerance, and do not cross', async (t) => {
  let [before, after] = [0, 0];
  fc.assert(
    fc.property(blots, fc.constantFrom(0.5, 1, 2, 5), ({ width, height, data }, tolerance) => {
      for (const { rings } of trace(width, height, data)) {
        const thin = simplified(rings, tolerance);
        assert.equal(thin.length, rings.length);
        thin.forEach((ring, i) => {
          const full = rings[i] as Int32Array;
          assert.ok(ring.length >= 6, 'three points at least');
          assert.equal(Math.sign(twiceArea(ring)), Math.sign(twiceArea(full)), 'it runs as before');
          const corners = new Set(pairs(full).map(String));
          assert.ok(
            pairs(ring).every((corner) => corners.has(String(corner))),
            'points of the outline',
          );
          assert.ok(farthest(pairs(full), pairs(ring)) <= tolerance + 1e-9);
        });
        assert.equal(crossed(thin.map(pairs)), false);
        if (tolerance === 1) {
          before += rings.reduce((sum, ring) => sum + ring.length, 0);
          after += thin.reduce((sum, ring) => sum + ring.length, 0);
        }
      }
    }),
    { numRuns: 300 },
  );
  t.ok(after < before, `${before / 2} points become ${after / 2}`);
});

t.test('a slanting edge is one line, a pixel stays a square', async (t) => {
  const width = 60;
  const slope = Uint8Array.from({ length: width * width }, (_, at) => Number(at % width >= Math.floor(at / width) / 2));
  const { polygons } = traceRegions({ width, height: width, data: slope });
  t.ok(polygons.points.length / 2 <= 6, `${polygons.points.length / 2} points`);
  t.equal(traceRegions({ width: 1, height: 1, data: Uint8Array.of(1) }).polygons.points.length, 8);
  t.ok(traceRegions({ width, height: width, data: slope }, { tolerance: 0 }).polygons.points.length / 2 > 60);
});

t.test('walls of one pixel between a region and its hole stay', async (t) => {
  // A wall one pixel thick around a slanting hole: tolerances of many pixels would lay both of its sides over each other.
  const side = 40;
  const data = Uint8Array.from({ length: side * side }, (_, at) => {
    const far = Math.hypot((at % side) - 20, Math.floor(at / side) - 20);
    return Number(far <= 18 && far > 16.6);
  });
  for (const tolerance of [1, 3, 10]) {
    for (const { rings } of trace(side, side, data)) t.notOk(crossed(simplified(rings, tolerance).map(pairs)));
  }
});
