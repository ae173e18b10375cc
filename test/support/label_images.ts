// Small label images for the tests of masks and shapes: drawn as text, by chance, or turned about.
import fc from 'fast-check';
import type { RoiMask } from '../../src/radiomics/roi.js';

export interface LabelImage {
  width: number;
  height: number;
  data: Uint32Array;
}

/** Draws labels: '.' is background, a digit or letter is that label in base 36. */
export function draw(...rows: string[]): LabelImage {
  const width = rows[0]?.length ?? 0;
  const data = Uint32Array.from(rows.join(''), (mark) => (mark === '.' ? 0 : Number.parseInt(mark, 36)));
  return { width, height: rows.length, data };
}

/** The regions of a label image in the order of their ids, each in the smallest box that holds it. */
export function regionsOf({ width, height, data }: LabelImage): RoiMask {
  const boxes = new Map<number, [number, number, number, number]>();
  data.forEach((id, at) => {
    if (id === 0) return;
    const [x, y] = [at % width, Math.floor(at / width)];
    const [x0, y0, x1, y1] = boxes.get(id) ?? [x, y, x + 1, y + 1];
    boxes.set(id, [Math.min(x0, x), Math.min(y0, y), Math.max(x1, x + 1), Math.max(y1, y + 1)]);
  });
  const ids = Uint32Array.from([...boxes.keys()].sort((a, b) => a - b));
  return {
    width,
    height,
    rois: ids.length,
    labels: data,
    ids,
    boxes: Int32Array.from([...ids].flatMap((id) => boxes.get(id) as number[])),
  };
}

/** `[height, width]` values read along other axes: `from` tells where the value at (x, y) of the result came from. */
function rearrange<T extends Uint32Array | Float64Array>(
  data: T,
  width: number,
  size: [width: number, height: number],
  from: (x: number, y: number) => [number, number],
): T {
  const result = data.slice() as T;
  for (let y = 0; y < size[1]; y++) {
    for (let x = 0; x < size[0]; x++) {
      const [sx, sy] = from(x, y);
      result[y * size[0] + x] = data[sy * width + sx] as number;
    }
  }
  return result;
}

/** Ways to turn an image about; each gives the values and the new size. */
export const turns: Record<
  string,
  <T extends Uint32Array | Float64Array>(data: T, width: number, height: number) => { data: T; width: number; height: number }
> = {
  'a quarter turn': (data, width, height) => ({
    data: rearrange(data, width, [height, width], (x, y) => [y, height - 1 - x]),
    width: height,
    height: width,
  }),
  'a flip from left to right': (data, width, height) => ({
    data: rearrange(data, width, [width, height], (x, y) => [width - 1 - x, y]),
    width,
    height,
  }),
  'a flip from top to bottom': (data, width, height) => ({
    data: rearrange(data, width, [width, height], (x, y) => [x, height - 1 - y]),
    width,
    height,
  }),
};

/** The image within a larger one, at (left, top). */
export function place({ width, height, data }: LabelImage, left: number, top: number, size: [number, number]): LabelImage {
  const larger = new Uint32Array(size[0] * size[1]);
  for (let y = 0; y < height; y++) larger.set(data.subarray(y * width, (y + 1) * width), (top + y) * size[0] + left);
  return { width: size[0], height: size[1], data: larger };
}

/** Any labels anywhere: ragged, scattered, holed, at the border. Up to three ids, not consecutive. */
export const scattered: fc.Arbitrary<LabelImage> = fc
  .tuple(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 12 }))
  .chain(([width, height]) =>
    fc
      .array(fc.constantFrom(0, 0, 3, 3, 3, 17, 4294967295), { minLength: width * height, maxLength: width * height })
      .map((labels) => ({ width, height, data: Uint32Array.from(labels) })),
  );

/** One cell with label 5: a few overlapping ellipses, so mostly smooth, often with bays, sometimes in parts. */
export const blob: fc.Arbitrary<LabelImage> = fc
  .array(
    fc.record({
      x: fc.integer({ min: 6, max: 17 }),
      y: fc.integer({ min: 6, max: 17 }),
      rx: fc.integer({ min: 1, max: 6 }),
      ry: fc.integer({ min: 1, max: 6 }),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((ellipses) => {
    const data = new Uint32Array(24 * 24);
    data.forEach((_, at) => {
      const [x, y] = [at % 24, Math.floor(at / 24)];
      if (ellipses.some((e) => ((x - e.x) / e.rx) ** 2 + ((y - e.y) / e.ry) ** 2 <= 1)) data[at] = 5;
    });
    return { width: 24, height: 24, data };
  });
