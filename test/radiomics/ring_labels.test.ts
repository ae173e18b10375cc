import fc from 'fast-check';
import t from 'tap';
import type { Cells } from '../../src/cells/cells.js';
import { firstorder } from '../../src/radiomics/firstorder.js';
import { ringDifferences, ringMask, ringMaskAsync } from '../../src/radiomics/ring.js';
import { roiInput, roiMask } from '../../src/radiomics/roi.js';
import { completeSettings } from '../../src/radiomics/settings.js';
import { onBackend } from '../support/backends.js';
import { draw, type LabelImage, regionsOf, scattered, turns } from '../support/label_images.js';

/** The cells of a label image, as far as rings read them. */
function cellsOf(image: LabelImage): Cells {
  const { rois: count, ids, boxes } = regionsOf(image);
  return {
    count,
    ids,
    boxes,
    areas: new Uint32Array(count),
    centroids: new Float64Array(2 * count),
    touchesBorder: new Uint8Array(count),
  };
}
const same = (a: Uint32Array, b: Uint32Array | undefined): boolean => b !== undefined && a.every((id, at) => id === b[at]);
const rings = (image: LabelImage, width: number, spacing: [number, number] = [1, 1], backend: 'cpu' | 'reference' = 'cpu') =>
  onBackend({ name: backend, backend }, 2, () => ringMask(image, cellsOf(image), width, spacing));

const show = (image: { width: number; data: Uint32Array }): string[] =>
  [...image.data]
    .map((id) => (id === 0 ? '.' : id.toString(36)))
    .join('')
    .match(new RegExp(`.{${image.width}}`, 'g')) ?? [];

/** Few cells in a wide field, so that rings are wide and meet. */
const sparse = fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 })).chain(([width, height]) =>
  fc.array(fc.tuple(fc.nat(width - 1), fc.nat(height - 1), fc.constantFrom(1, 2, 3, 9, 4294967295)), { maxLength: 12 }).map((seeds) => {
    const data = new Uint32Array(width * height);
    for (const [x, y, id] of seeds) data[y * width + x] = id;
    return { width, height, data };
  }),
);
const spacings = fc.constantFrom<[number, number]>([1, 1], [0.25, 0.25], [0.5, 0.25], [0.3, 0.7], [2, 0.1]);

t.test('the kernel is the definition', async (t) => {
  fc.assert(
    fc.property(fc.oneof(scattered, sparse), spacings, fc.double({ min: 0.01, max: 12, noNaN: true }), (image, spacing, width) => {
      t.same(rings(image, width, spacing).mask.data, rings(image, width, spacing, 'reference').mask.data);
    }),
    { numRuns: 300 },
  );
});

t.test('every pixel of a ring is within the width of its nucleus, and of no nucleus', async (t) => {
  t.same(show(rings(draw('.......', '.......', '...a...', '.......', '.......'), 2).mask), [
    '...a...',
    '..aaa..',
    '.aa.aa.',
    '..aaa..',
    '...a...',
  ]);
  t.same(show(rings(draw('7....3'), 9).mask), ['.7733.']);
  t.same(show(rings(draw('7...3'), 9).mask), ['.733.'], 'between two as near, the smaller id takes it');
  t.same(show(rings(draw('.....', '..5..', '.....'), 0.25, [0.25, 0.5]).mask), ['.....', '.5.5.', '.....'], 'spacing along each axis');
  t.same(show(rings(draw('....1....'), 0.75, [0.25, 0.25]).mask), ['.111.111.'], 'the width belongs to the ring');
  t.same(show(rings(draw('....1....'), 3 * 0.2528, [0.2528, 0.2528]).mask), ['.111.111.'], 'however it rounds');
  const crowded = rings(draw('111222', '111222'), 3);
  t.ok(
    crowded.mask.data.every((id) => id === 0),
    'nuclei wall to wall have empty rings',
  );
  t.same(rings(draw('...'), 3).mask.data, Uint32Array.of(0, 0, 0));
});

t.test('boxes hold the rings', async (t) => {
  fc.assert(
    fc.property(fc.oneof(scattered, sparse), spacings, fc.double({ min: 0.01, max: 12, noNaN: true }), (image, spacing, width) => {
      const { mask, boxes } = rings(image, width, spacing);
      const found = regionsOf(mask);
      const cells = cellsOf(image);
      found.ids.forEach((id, r) => {
        const [x0 = 0, y0 = 0, x1 = 0, y1 = 0] = found.boxes.subarray(4 * r);
        const box = boxes.subarray(4 * cells.ids.indexOf(id));
        t.ok((box[0] as number) <= x0 && (box[1] as number) <= y0 && (box[2] as number) >= x1 && (box[3] as number) >= y1);
      });
    }),
    { numRuns: 50 },
  );
});

t.test('turning the image turns the rings, and renaming in order renames them', async (t) => {
  fc.assert(
    fc.property(sparse, fc.constantFrom(...Object.keys(turns)), (image, turn) => {
      const way = turns[turn] as (typeof turns)[string];
      const before = rings(image, 5).mask;
      t.same(rings(way(image.data, image.width, image.height), 5).mask.data, way(before.data, image.width, image.height).data, turn);
      const rename = (ids: Uint32Array) => ids.map((id) => (id === 0 ? 0 : Math.floor(id / 2) + 1));
      const small = { ...image, data: image.data.map((id) => Math.min(id, 12)) };
      const spread = { ...small, data: small.data.map((id) => id * 2) };
      t.same(
        rename(rings(spread, 5).mask.data),
        rings(small, 5).mask.data.map((id) => (id === 0 ? 0 : id + 1)),
        'renamed',
      );
    }),
    { numRuns: 60 },
  );
});

t.test('an image of many tiles: any number of threads, sync and async, near and far', async (t) => {
  const [width, height] = [700, 600];
  const data = new Uint32Array(width * height);
  for (let k = 0; k < 60; k++) data[((k * 7919) % height) * width + ((k * 104729) % width)] = k + 1;
  const image = { width, height, data };
  for (const ring of [3, 40, 150]) {
    const outs = [1, 2, 4].map((threads) =>
      onBackend({ name: 'cpu', backend: 'cpu' }, threads, () => ringMask(image, cellsOf(image), ring, [1, 1]).mask.data),
    );
    t.ok(outs.every((out) => same(out, outs[0])));
    t.ok(same((await ringMaskAsync(image, cellsOf(image), ring, [1, 1])).mask.data, outs[0]));
    // A pixel's nearest seed by looking at all of them.
    const seeds = [...data.keys()].filter((at) => data[at] !== 0);
    for (let at = 0; at < data.length; at += 977) {
      const near = seeds
        .map((seed) => [
          ((seed % width) - (at % width)) ** 2 + (Math.floor(seed / width) - Math.floor(at / width)) ** 2,
          data[seed] as number,
        ])
        .sort(([a = 0, i = 0], [b = 0, j = 0]) => a - b || i - j)[0] as [number, number];
      const expected = data[at] !== 0 || near[0] > ring ** 2 ? 0 : near[1];
      if (outs[0]?.[at] !== expected) t.fail(`${at}: ${outs[0]?.[at]} instead of ${expected}`);
    }
  }
});

t.test('what cannot be is refused', async (t) => {
  const image = draw('1.');
  for (const width of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) t.throws(() => rings(image, width), { code: 'UAM_ARGUMENT' });
  t.throws(() => rings(image, 1, [0, 1]), { code: 'UAM_ARGUMENT' });
  t.throws(() => rings(image, 1, [1, Number.NaN]), { code: 'UAM_ARGUMENT' });
  t.same(show(rings(image, 1e300, [1, 1e-300]).mask), ['.1'], 'wider than any image');
  await t.rejects(ringMaskAsync(image, cellsOf(image), 1, [1, 1], { signal: AbortSignal.abort() }), { code: 'UAM_ABORTED' });
});

t.test('the classes read rings as they read cells', async (t) => {
  const image = draw('.....', '.12..', '.12..', '.....', '.33..');
  const cells = cellsOf(image);
  const { mask, boxes } = ringMask(image, cells, 1, [1, 1]);
  const settings = completeSettings();
  const means = (plane: Uint8Array) => {
    const out = new Float64Array(3 * firstorder.features.length);
    const regions = roiMask(mask, { ...cells, boxes });
    firstorder.kernel(firstorder.params(roiInput(regions, plane, settings), settings, [1, 1], out));
    const column = firstorder.features.findIndex(({ name }) => name === 'Mean');
    return [0, 1, 2].map((r) => out[r * firstorder.features.length + column] as number);
  };
  t.same(show(mask), ['.12..', '1..2.', '1..2.', '.12..', '3..3.']);
  const plane = Uint8Array.from(mask.data, (id) => 10 * id);
  t.same(means(plane), [10, 20, 30]);
  mask.data.forEach((id, at) => {
    if (id === 3) mask.data[at] = 0;
  });
  t.same(means(plane), [10, 20, Number.NaN], 'an empty ring has no features');
});

t.test('differences between nucleus and ring', async (t) => {
  const nucleus = { firstorder_Mean: Float64Array.of(90, 80), firstorder_Median: Float64Array.of(1, 2), other: Float64Array.of(1, 1) };
  const ring = { firstorder_Mean: Float64Array.of(150, Number.NaN), other: Float64Array.of(1, 1) };
  t.same(ringDifferences(nucleus, ring), { ring_difference_firstorder_Mean: Float64Array.of(-60, Number.NaN) });
  t.same(ringDifferences(nucleus, ring, ['other']), { ring_difference_other: Float64Array.of(0, 0) });
  t.throws(() => ringDifferences(nucleus, { firstorder_Mean: Float64Array.of(1) }), { code: 'UAM_SHAPE' });
});
