import fc from 'fast-check';
import t from 'tap';
import type { Plane } from '../../src/image/image.js';
import { gradient } from '../../src/radiomics/gradient.js';
import { type RoiMask, roiInput } from '../../src/radiomics/roi.js';
import { completeSettings, type Settings } from '../../src/radiomics/settings.js';
import { onBackend } from '../support/backends.js';
import { blob, draw, type LabelImage, place, regionsOf, scattered, turns } from '../support/label_images.js';
import { sameBits } from '../support/near.js';
import { differences } from '../support/shape_rows.js';

interface Options {
  spacing?: readonly [number, number];
  settings?: Partial<Settings>;
  reference?: boolean;
}

function run(regions: RoiMask, plane: Plane, { spacing = [1, 1], settings = {}, reference = false }: Options = {}) {
  const columns = gradient.features.length;
  const out = new Float64Array(regions.rois * columns).fill(-12345);
  const complete = completeSettings(settings);
  const kernel = reference ? gradient.kernel.reference : gradient.kernel;
  kernel(gradient.params(roiInput(regions, plane, complete), complete, spacing, out));
  return Array.from({ length: regions.rois }, (_, r) =>
    Object.fromEntries(gradient.features.map(({ name }, column) => [name, out[r * columns + column] as number])),
  );
}

const rounded = (_: string, value: number): number => 1e-9 + 1e-9 * Math.abs(value);
const compare = (actual: Record<string, number>[], expected: Record<string, number>[]): string[] =>
  actual.flatMap((row, i) => differences(row, expected[i] ?? {}, rounded));

/** An image with edges: steps and slopes of whole numbers from a few waves, as large as the labels. */
const waves = ({ width, height }: LabelImage, seed: number): Float64Array =>
  Float64Array.from({ length: width * height }, (_, at) => {
    const [x, y] = [at % width, Math.floor(at / width)];
    return Math.round(120 + 70 * Math.sin(0.9 * x + seed) * Math.cos(0.5 * y + 0.3 * seed) + 40 * Math.sin(0.31 * x * y + seed));
  });

t.test('the kernel is the definition', async (t) => {
  fc.assert(
    fc.property(
      fc.oneof(scattered, blob),
      fc.integer({ min: 0, max: 100 }),
      fc.constantFrom<Options>(
        {},
        { spacing: [0.25, 0.5] },
        { settings: { standard: 'ibsi' } },
        { settings: { resegmentRange: [60, 160] } },
      ),
      (image, seed, options) => {
        const regions = regionsOf(image);
        const values = waves(image, seed);
        const expected = run(regions, values, { ...options, reference: true });
        for (const plane of [values, Uint8Array.from(values), Uint16Array.from(values), Float32Array.from(values)]) {
          t.same(compare(run(regions, plane, options), expected), [], plane.constructor.name);
        }
      },
    ),
    { numRuns: 60 },
  );
});

t.test('turning, flipping and renaming change nothing', async (t) => {
  fc.assert(
    fc.property(blob, fc.integer({ min: 0, max: 100 }), fc.constantFrom(...Object.keys(turns)), (image, seed, turn) => {
      const { width, height } = image;
      const values = waves(image, seed);
      const before = run(regionsOf(image), values);
      const labels = turns[turn]?.(image.data, width, height) ?? image;
      const turned = turns[turn]?.(values, width, height) ?? { data: values };
      t.same(compare(run(regionsOf(labels), turned.data), before), [], turn);
      t.same(run(regionsOf({ ...image, data: image.data.map((id) => id * 9) }), values), before, 'renamed');
    }),
    { numRuns: 60 },
  );
});

t.test('a cell in a tile with a margin of six pixels is the cell in the image, whatever other cells there are', async (t) => {
  fc.assert(
    fc.property(blob, fc.integer({ min: 0, max: 100 }), (image, seed) => {
      const size: [number, number] = [60, 50];
      const large = place(image, 20, 15, size);
      const values = waves(large, seed);
      const [alone] = run(regionsOf(large), values);
      const [left, top, width, height] = [20, 15, 24, 24].map((n, i) => (i < 2 ? n - 6 : n + 12)) as [number, number, number, number];
      const crop = <T extends Uint32Array | Float64Array>(data: T): T =>
        data.filter((_, at) => {
          const [x, y] = [at % size[0], Math.floor(at / size[0])];
          return x >= left && x < left + width && y >= top && y < top + height;
        }) as T;
      const [tiled] = run(regionsOf({ width, height, data: crop(large.data) }), crop(values));
      t.same(tiled, alone);
      const crowded = { ...large, data: large.data.map((id, at) => id || (at % 3) + 7) };
      t.same(run(regionsOf(crowded), values)[0], alone);
    }),
    { numRuns: 60 },
  );
});

t.test('a slope', async (t) => {
  const image = place(draw(...Array(6).fill('555555')), 3, 3, [12, 12]);
  const slope = Float64Array.from({ length: 144 }, (_, at) => 3 * (at % 12) + 4 * Math.floor(at / 12));
  const [row = {}] = run(regionsOf(image), slope);
  t.equal(row.MagMean, 5);
  t.equal(row.MagStd, 0);
  t.equal(row.MagSkewness, 0);
  t.equal(row.MagKurtosis, 0);
  t.equal(row.MagHistEnergy, 1);
  t.ok(Math.abs(row.MagHistEntropy as number) < 1e-15);
  const [scaled = {}] = run(regionsOf(image), slope, { spacing: [0.5, 0.5] });
  t.equal(scaled.MagMean, 10, 'per unit of length');
  const [border = {}] = run(regionsOf(draw('5')), Uint8Array.of(9));
  t.equal(border.MagMean, 0, 'the image goes on beyond its border');
});

t.test('an edge', async (t) => {
  const labels = place(draw(...Array(10).fill('5555555555')), 5, 5, [20, 20]);
  const step = Float64Array.from({ length: 400 }, (_, at) => (at % 20 < 10 ? 50 : 200));
  const [row = {}] = run(regionsOf(labels), step);
  t.equal(row.CannySum, 20, 'both columns of the step are as steep');
  t.equal(row.CannyMean, 0.2);
  t.same(
    run(
      regionsOf(labels),
      step.map((x) => 1000 * x),
    )[0]?.CannySum,
    20,
    'of the range of intensities',
  );
  const soft = Float64Array.from({ length: 400 }, (_, at) => 200 / (1 + Math.exp(-((at % 20) - 10) / 1.5)));
  t.equal(run(regionsOf(labels), soft)[0]?.CannySum, 10, 'a smooth step is one pixel wide');
});

t.test('degenerate cells', async (t) => {
  const flat = run(regionsOf(draw('555', '555', '555')), new Uint8Array(9).fill(77))[0] ?? {};
  t.same([flat.MagMean, flat.MagStd, flat.MagKurtosis, flat.CannySum, flat.CannyMean], [0, 0, 0, 0, 0]);
  const inFlat = run(regionsOf(draw('.....', '.555.', '.....')), Uint8Array.of(0, 0, 0, 0, 0, 9, 9, 9, 9, 9, 0, 0, 0, 0, 0))[0] ?? {};
  t.equal(inFlat.CannySum, 0, 'a flat cell has no edges, whatever lies beside it');
  for (const cell of [draw('5'), draw('5555'), draw('5', '5', '5'), draw('55..55'), draw('555', '5.5', '555')]) {
    const [row = {}] = run(regionsOf(cell), waves(cell, 3));
    for (const [name, value] of Object.entries(row)) t.ok(Number.isFinite(value), `${name} ${value}`);
  }
});

t.test('pixels that are not finite', async (t) => {
  const image = place(draw('555', '555', '555'), 8, 8, [20, 20]);
  const values = waves(image, 1);
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
    const withBad = (x: number, y: number) => values.map((value, at) => (at === y * 20 + x ? bad : value));
    const inside = run(regionsOf(image), withBad(9, 9))[0] ?? {};
    t.ok(Object.values(inside).every(Number.isNaN), 'in the cell');
    const beside = run(regionsOf(image), withBad(7, 9))[0] ?? {};
    t.ok(Object.values(beside).every(Number.isNaN), 'beside it');
    const near = run(regionsOf(image), withBad(3, 9))[0] ?? {};
    t.ok(Number.isNaN(near.CannySum) && Number.isFinite(near.MagMean), 'within the reach of the Gaussian');
    t.same(run(regionsOf(image), withBad(1, 9)), run(regionsOf(image), values), 'beyond');
  }
  const huge =
    run(
      regionsOf(image),
      values.map((_, at) => (at % 2 ? 1.7e308 : -1.7e308)),
    )[0] ?? {};
  t.ok(Object.keys(huge).length === 8, 'overflow is no crash');
});

t.test('any number of threads gives the same bits', async (t) => {
  const image = place(draw('1122', '1122', '3344', '3344'), 0, 0, [4, 4]);
  const tall = {
    width: 4,
    height: 160,
    data: Uint32Array.from({ length: 640 }, (_, at) => (image.data[at % 16] as number) + 4 * Math.floor(at / 16)),
  };
  const regions = regionsOf(tall);
  const settings = completeSettings({});
  const outs = [1, 2, 4].map((threads) =>
    onBackend({ name: 'cpu', backend: 'cpu' }, threads, () => {
      const out = new Float64Array(regions.rois * gradient.features.length);
      gradient.kernel(gradient.params(roiInput(regions, waves(tall, 2), settings), settings, [1, 1], out));
      return out;
    }),
  );
  t.ok(outs.every((out) => sameBits(out, outs[0] as Float64Array)));
});
