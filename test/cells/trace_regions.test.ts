import assert from 'node:assert/strict';
import fc from 'fast-check';
import t from 'tap';
import { connectedComponents, polygonsFrom, rasterizePolygons } from '../../src/cells/index.js';
import { RegionTracer, type TracedRegion, twiceArea } from '../../src/cells/trace_regions.js';

interface Mask {
  width: number;
  height: number;
  data: Uint8Array;
}

function trace({ width, height, data }: Mask): TracedRegion[] {
  const tracer = new RegionTracer(width);
  const regions: TracedRegion[] = [];
  for (let y = 0; y < height; y++) regions.push(...tracer.row(data.subarray(y * width, (y + 1) * width)));
  return [...regions, ...tracer.finish()];
}

const pairs = (ring: ArrayLike<number>): [number, number][] =>
  Array.from({ length: ring.length / 2 }, (_, i) => [ring[2 * i] as number, ring[2 * i + 1] as number]);

function fill({ width, height }: Mask, regions: readonly TracedRegion[]): Uint8Array {
  const polygons = polygonsFrom(regions.map(({ rings }) => rings.map(pairs)));
  const { mask } = rasterizePolygons(polygons, { width, height });
  return Uint8Array.from(mask.data, (id) => (id === 0 ? 0 : (regions[id - 1] as TracedRegion).value));
}

const picture = (...rows: string[]): Mask => ({
  width: rows[0]?.length ?? 0,
  height: rows.length,
  data: Uint8Array.from(rows.join(''), (letter) => (letter === '.' ? 0 : Number(letter))),
});

const anyMask = fc
  .record({ width: fc.integer({ min: 1, max: 14 }), height: fc.integer({ min: 1, max: 14 }), kinds: fc.integer({ min: 1, max: 3 }) })
  .chain(({ width, height, kinds }) =>
    fc
      .array(fc.integer({ min: 0, max: kinds }), { minLength: width * height, maxLength: width * height })
      .map((data) => ({ width, height, data: Uint8Array.from(data) })),
  );

t.test('any mask comes back from its outlines, piece by piece', async (t) => {
  fc.assert(
    fc.property(anyMask, (mask) => {
      const regions = trace(mask);
      assert.deepEqual(fill(mask, regions), mask.data);
      for (const { rings, pixels } of regions) {
        assert.ok(twiceArea(rings[0] as Int32Array) > 0, 'an outer ring first');
        assert.ok(
          rings.slice(1).every((ring) => twiceArea(ring) < 0),
          'then holes',
        );
        assert.equal(
          rings.reduce((sum, ring) => sum + twiceArea(ring) / 2, 0),
          pixels,
        );
        for (const ring of rings) {
          const corners = pairs(ring);
          assert.equal(new Set(corners.map(String)).size, corners.length, 'no ring touches itself');
          corners.forEach(([x, y], i) => {
            const [px, py] = corners.at(i - 1) as [number, number];
            const [nx, ny] = corners[(i + 1) % corners.length] as [number, number];
            assert.ok((px === x) !== (nx === x) && (py === y) !== (ny === y), 'every point is a turn');
          });
        }
      }
      for (let value = 1; value <= 3; value++) {
        const own = mask.data.map((v) => Number(v === value));
        const { count } = connectedComponents(own, mask.width, mask.height);
        assert.equal(regions.filter((region) => region.value === value).length, count, 'one polygon per piece');
      }
    }),
    { numRuns: 400 },
  );
  t.pass();
});

t.test('pictures that are easily got wrong', async (t) => {
  const cases: Record<string, [mask: Mask, rings: number[]]> = {
    'a pixel': [picture('1'), [1]],
    nothing: [picture('...', '...'), []],
    everything: [picture('111', '111'), [1]],
    'a hole': [picture('111', '1.1', '111'), [2]],
    'a hole with an island with a hole': [picture('1111111', '1.....1', '1.111.1', '1.1.1.1', '1.111.1', '1.....1', '1111111'), [2, 2]],
    'touching at corners, apart': [picture('1.', '.1'), [1, 1]],
    'touching at corners, one piece': [picture('111', '1.1', '11.'), [2]],
    'two holes that touch': [picture('1111', '1.11', '11.1', '1111'), [3]],
    'a checkerboard': [picture('1.1.', '.1.1', '1.1.'), [1, 1, 1, 1, 1, 1]],
    'one within another': [picture('1111', '1221', '1111'), [1, 2]],
    'four that meet': [picture('12', '34'), [1, 1, 1, 1]],
    crossed: [picture('12', '21'), [1, 1, 1, 1]],
    'arms that join below': [picture('1.1.1', '1.1.1', '11111'), [1]],
    'arms that join to the left': [picture('111', '..1', '111', '1..', '111'), [1]],
    'a spiral': [picture('11111', '1...1', '1.1.1', '1.111', '1....'), [1]],
  }; // prettier-ignore
  for (const [name, [mask, rings]] of Object.entries(cases)) {
    const regions = trace(mask);
    t.same(regions.map((region) => region.rings.length).sort(), rings, name);
    t.same(fill(mask, regions), mask.data, name);
  }
  t.same(trace(picture('...', '.1.'))[0]?.rings, [Int32Array.of(1, 1, 2, 1, 2, 2, 1, 2)]);
});

t.test('larger fields: every region once, in the order in which they end', async (t) => {
  const [width, height] = [300, 200];
  let state = 7;
  const noise = Uint8Array.from({ length: width * height }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
  const blurred = noise.map((_, at) => {
    let sum = 0;
    for (let dy = 0; dy < 4; dy++) for (let dx = 0; dx < 4; dx++) sum += noise[Math.min(noise.length - 1, at + dy * width + dx)] as number;
    return sum / 16 > 128 ? 1 : 0;
  });
  for (const mask of [
    { width, height, data: blurred },
    { width, height, data: noise.map((value) => value >> 7) },
  ]) {
    const regions = trace(mask);
    t.ok(Buffer.from(fill(mask, regions)).equals(mask.data));
    const bottoms = regions.map(({ rings }) => Math.max(...pairs(rings[0] as Int32Array).map(([, y]) => y)));
    t.same(
      bottoms,
      [...bottoms].sort((a, b) => a - b),
    );
  }
});
