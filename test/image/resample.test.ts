// Images and masks at other pixel sizes: known arrays, areas that keep their mean, edges, and what is refused.
import t from 'tap';
import type { RasterImage } from '../../src/image/image.js';
import {
  resampledFrom,
  resampledLength,
  resampledMaskFrom,
  resampleImage,
  resampleMask,
  resampleMaskPart,
  resamplePart,
} from '../../src/image/resample.js';
import { longestHolds } from '../support/event_loop.js';
import { rejectsWith } from '../support/expect.js';
import { uniform } from '../support/random.js';

const grey = (width: number, values: number[], mpp = 0.25): RasterImage => ({
  ...{ width, height: values.length / width, channels: 1, data: Uint8Array.from(values), mpp: [mpp, mpp] },
});
const mask = (width: number, values: number[]) => ({ width, height: values.length / width, data: Uint32Array.from(values) });

t.test('twice smaller: means of four, and the id under each centre', async (t) => {
  const values = [10, 20, 0, 0, 30, 40, 0, 1, 5, 5, 9, 9, 5, 5, 9, 10];
  const { width, height, data, mpp } = await resampleImage(grey(4, values), [2, 2]);
  t.same([width, height, mpp], [2, 2, [0.5, 0.5]]);
  t.same(data, Uint8Array.of(25, 0, 5, 9), 'halves round up, quarters down');
  t.same((await resampleMask(mask(4, [1, 1, 0, 2, 1, 1, 2, 2, 0, 0, 0, 0, 7, 7, 0, 8]), [2, 2])).data, Uint32Array.of(1, 2, 7, 8));
});

t.test('factors that cut pixels: shares of the area', async (t) => {
  const { data, width } = await resampleImage({ ...grey(3, [10, 20, 30]), data: Float64Array.of(10, 20, 30) }, [1.5, 1]);
  t.equal(width, 2);
  t.same(data, Float64Array.of(10 * (1 / 1.5) + 20 * (0.5 / 1.5), 20 * (0.5 / 1.5) + 30 * (1 / 1.5)));
});

t.test('twice larger: between the centres, constant beyond the last', async (t) => {
  const { width, height, data } = await resampleImage(grey(2, [0, 100]), [0.5, 0.5]);
  t.same([width, height], [4, 2]);
  t.same(data, Uint8Array.of(0, 25, 75, 100, 0, 25, 75, 100));
  t.same((await resampleMask(mask(2, [3, 9]), [0.5, 0.5])).data, Uint32Array.of(3, 3, 9, 9, 3, 3, 9, 9));
});

t.test('each axis for itself, and each channel', async (t) => {
  const data = Uint8Array.of(0, 1, 2, 100, 101, 102, 50, 60, 70, 150, 160, 170);
  const image: RasterImage = { width: 2, height: 2, channels: 3, data, mpp: [0.25, 0.5] };
  const made = await resampleImage(image, [2, 1]);
  t.same([made.width, made.height, made.mpp], [1, 2, [0.5, 0.5]]);
  t.same(made.data, Uint8Array.of(50, 51, 52, 100, 110, 120));
  const tall = await resampleImage(image, [2, 0.5]);
  t.same([tall.width, tall.height], [1, 4]);
});

t.test('factor 1 is the image, of any kind of numbers', async (t) => {
  const next = uniform(3);
  for (const Kind of [Uint8Array, Uint16Array, Float32Array, Float64Array]) {
    const data = new Kind(105).map(() => 250 * next());
    const made = await resampleImage({ width: 7, height: 5, channels: 3, data }, [1, 1]);
    t.same(made.data, data);
    t.ok(made.data instanceof Kind && !('mpp' in made && made.mpp));
  }
  const labels = Uint32Array.from({ length: 35 }, () => 4e9 * next());
  t.same((await resampleMask({ width: 7, height: 5, data: labels }, [1, 1])).data, labels);
});

t.test('one value stays that value, every size is full, and no number is lost', async (t) => {
  for (const factor of [0.1, 0.37, 0.5, 0.999, 1.001, 2, 2.17, 3.3, 10]) {
    for (const [width, height] of [
      [1, 1],
      [1, 9],
      [13, 1],
      [23, 17],
    ] as const) {
      const data = new Float64Array(width * height).fill(42.5);
      const made = await resampleImage({ width, height, channels: 1, data }, [factor, 1.3]);
      t.equal(made.data.length, resampledLength(width, factor) * resampledLength(height, 1.3));
      if (!made.data.every((value) => Math.abs(value - 42.5) < 1e-9)) t.fail(`${width} x ${height} by ${factor}`);
      const ids = await resampleMask({ width, height, data: new Uint32Array(width * height).fill(7) }, [factor, 1.3]);
      if (!ids.data.every((id) => id === 7) || ids.data.length !== made.data.length) t.fail(`mask ${width} x ${height} by ${factor}`);
    }
  }
  t.same((await resampleImage({ width: 0, height: 3, channels: 1, data: new Uint8Array() }, [2, 2])).data.length, 0);
});

t.test('what shrinks keeps its mean', async (t) => {
  const next = uniform(5);
  const data = Float64Array.from({ length: 217 * 217 }, () => next());
  const { width, data: made } = await resampleImage({ width: 217, height: 217, channels: 1, data }, [2.17, 2.17]);
  t.equal(width, 100);
  const mean = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0) / values.length;
  t.ok(Math.abs(mean(made) - mean(data)) < 1e-12);
});

t.test('numbers that are none stay where they are', async (t) => {
  const data = Float64Array.of(1, 2, Number.NaN, 4, Number.POSITIVE_INFINITY, 6);
  t.same((await resampleImage({ width: 6, height: 1, channels: 1, data }, [2, 1])).data, Float64Array.of(1.5, Number.NaN, Infinity));
});

t.test('it lets others work, ends when it is told to, and refuses what cannot be', async (t) => {
  const side = 3000;
  const large: RasterImage = { width: side, height: side, channels: 3, data: new Uint8Array(3 * side * side) };
  const holds = await longestHolds(() => resampleImage(large, [2.17, 2.17]));
  t.ok((holds[0] as number) < 50, `${holds[0]} ms at once`);
  const abort = new AbortController();
  const running = resampleImage(large, [2.17, 2.17], abort.signal);
  setTimeout(() => abort.abort(), 1);
  await rejectsWith(t, running, 'UAM_ABORTED', /./);
  await rejectsWith(t, resampleMask(mask(1, [1]), [1, 1], AbortSignal.abort()), 'UAM_ABORTED', /./);
  for (const bad of [0, -1, Number.NaN, Infinity]) await rejectsWith(t, resampleImage(grey(1, [1]), [1, bad]), 'UAM_ARGUMENT', /factors/);
  const wide = { width: 2e4, height: 2e4, channels: 1, data: new Uint8Array() } as const;
  await rejectsWith(t, resampleImage(wide, [0.1, 0.1]), 'UAM_DATA', /held in memory/);
});

t.test('a part is that part of the whole, to the bit', async (t) => {
  const next = uniform(8);
  const [width, height] = [61, 47];
  const image: RasterImage = { width, height, channels: 3, data: Uint8Array.from({ length: width * height * 3 }, () => 256 * next()) };
  const labels = { width, height, data: Uint32Array.from({ length: width * height }, () => 5 * next()) };
  const cut = (from: { width: number; data: ArrayLike<number> }, at: { x: number; y: number; width: number; height: number }, n: number) =>
    Array.from({ length: at.width * at.height * n }, (_, i) => {
      const [pixel, c] = [Math.floor(i / n), i % n];
      return from.data[((at.y + Math.floor(pixel / at.width)) * from.width + at.x + (pixel % at.width)) * n + c] as number;
    });
  for (const factors of [
    [2, 2],
    [1.98, 2.07],
    [3.3, 1.4],
    [0.6, 0.45],
    [1, 1.7],
  ] as const) {
    const field = { width, height, factors };
    const [whole, mask] = [await resampleImage(image, factors), await resampleMask(labels, factors)];
    for (const part of [
      { x: 0, y: 0, width: whole.width, height: whole.height },
      { x: 3, y: 5, width: 7, height: 6 },
      { x: whole.width - 4, y: whole.height - 2, width: 4, height: 2 },
    ]) {
      const from = resampledFrom(part, field);
      const pixels = { width: from.width, height: from.height, channels: 3, data: Uint8Array.from(cut(image, from, 3)) } as RasterImage;
      t.same([...(await resamplePart(pixels, part, field)).data], cut(whole, part, 3), `${factors} ${JSON.stringify(part)}`);
      const below = resampledMaskFrom(part, field);
      t.same([...resampleMaskPart(Uint32Array.from(cut(labels, below, 1)), part, field)], cut(mask, part, 1));
    }
  }
  const field = { width, height, factors: [2, 2] as const };
  await rejectsWith(t, resamplePart(image, { x: 0, y: 0, width: 2, height: 2 }, field), 'UAM_SHAPE', /4 x 4 pixels of its part/);
});
