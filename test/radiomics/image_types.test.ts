import fc from 'fast-check';
import t from 'tap';
import { UamError } from '../../src/index.js';
import {
  type DerivedImage,
  derivedImageNames,
  deriveImages,
  filterSettingNames,
  type ImageTypeOptions,
  imageTypeNames,
} from '../../src/radiomics/image_types.js';
import { distance, testPlane } from '../support/planes.js';

const all: ImageTypeOptions = {
  Original: {},
  Square: {},
  SquareRoot: {},
  Logarithm: {},
  Exponential: {},
  Gradient: {},
  LBP2D: {},
  LoG: { sigma: [1, 1.5, '2.0'] },
  Wavelet: { level: 2 },
};

async function collect(images: AsyncIterable<DerivedImage>): Promise<DerivedImage[]> {
  const list: DerivedImage[] = [];
  for await (const image of images) list.push(image);
  return list;
}

t.test('names are those of PyRadiomics, in the order of the options', async (t) => {
  const wanted = ['original', 'square', 'squareroot', 'logarithm', 'exponential', 'gradient', 'lbp-2D'];
  wanted.push('log-sigma-1-mm-3D', 'log-sigma-1-5-mm-3D', 'log-sigma-2-0-mm-3D');
  wanted.push('wavelet-LH', 'wavelet-HL', 'wavelet-HH', 'wavelet2-LH', 'wavelet2-HL', 'wavelet2-HH', 'wavelet2-LL');
  t.same(derivedImageNames(all), wanted);
  const images = await collect(deriveImages(testPlane(13, 11), { width: 13, height: 11 }, all));
  t.same(
    images.map(({ name }) => name),
    wanted,
  );
  for (const { name, plane } of images) t.ok(plane.length === 143 && plane.every(Number.isFinite), name);
  t.same(Object.keys(all), imageTypeNames);
});

t.test('settings of the feature classes are handed back, the filter keeps its own', async (t) => {
  const options = {
    Wavelet: { wavelet: 'haar', binWidth: 10 },
    Square: { binCount: 4, distances: [1, 2] },
    Original: null as unknown as object,
  };
  const images = await collect(deriveImages(testPlane(4, 4), { width: 4, height: 4 }, options as ImageTypeOptions));
  t.same(
    images.map(({ overrides }) => overrides),
    [...Array(4).fill({ binWidth: 10 }), { binCount: 4, distances: [1, 2] }, {}],
  );
  t.same(filterSettingNames, [
    'gradientUseSpacing',
    'lbp2DRadius',
    'lbp2DSamples',
    'lbp2DMethod',
    'sigma',
    'wavelet',
    'level',
    'start_level',
  ]);
});

t.test('planes of any kind give what their values give', async (t) => {
  const grey = Uint8Array.from(testPlane(9, 8), (value) => value + 40);
  const types = { Original: {}, Gradient: {}, LBP2D: {}, Wavelet: {} };
  const want = await collect(deriveImages(Float64Array.from(grey), { width: 9, height: 8 }, types));
  for (const Kind of [Uint8Array, Uint16Array, Float32Array]) {
    t.same(await collect(deriveImages(Kind.from(grey), { width: 9, height: 8 }, types)), want, Kind.name);
  }
});

t.test('what cannot be made is refused at the call, by name', async (t) => {
  const refused = (why: RegExp, types: unknown, size: [number, number] = [8, 8], spacing: [number, number] = [1, 1]) =>
    t.throws(() => deriveImages(testPlane(...size), { width: size[0], height: size[1] }, types as ImageTypeOptions, spacing), {
      name: 'UamError',
      message: why,
    });
  refused(/LBP3D needs a volume/, { LBP3D: {} });
  refused(/'Wavlet'/, { Wavlet: {} });
  refused(/'constructor'/, { constructor: {} });
  refused(/Square must be an object/, { Square: true });
  for (const sigma of [undefined, [], 2, [0], [-1], [Number.NaN], [Number.POSITIVE_INFINITY], ['wide'], [''], [null]])
    refused(/LoG.sigma/, { LoG: { sigma } });
  refused(/at least 4 x 4/, { LoG: { sigma: [1] } }, [3, 20]);
  refused(/at least 21 x 21/, { LoG: { sigma: [5] } }, [20, 40], [0.25, 0.5]);
  refused(/wavelet must be one of haar/, { Wavelet: { wavelet: 'mexh' } });
  refused(/Wavelet.level/, { Wavelet: { level: 0 } });
  refused(/Wavelet.start_level/, { Wavelet: { start_level: 1.5 } });
  refused(/lbp2DSamples/, { LBP2D: { lbp2DSamples: 32 } });
  refused(/lbp2DRadius/, { LBP2D: { lbp2DRadius: 0 } });
  refused(/lbp2DMethod/, { LBP2D: { lbp2DMethod: 'nri_uniform' } });
  refused(/gradientUseSpacing/, { Gradient: { gradientUseSpacing: 'yes' } });
  refused(/spacing/, {}, [2, 2], [1, 0]);
  refused(/spacing/, {}, [2, 2], [Number.NaN, 1]);
  t.throws(() => deriveImages(new Float64Array(5), { width: 2, height: 2 }, {}), { code: 'UAM_SHAPE' });
  t.throws(() => deriveImages(new Float64Array(5), { width: 2.5, height: 2 }, {}), { code: 'UAM_ARGUMENT' });
});

t.test('planes of every small size', async (t) => {
  const { LoG: _, ...others } = all;
  for (const width of [0, 1, 2, 3]) {
    for (const height of [0, 1, 2, 3]) {
      const images = await collect(deriveImages(testPlane(width, height), { width, height }, others));
      t.ok(
        images.every(({ plane }) => plane.length === width * height),
        `${width} x ${height}`,
      );
    }
  }
});

t.test('a signal ends the work', async (t) => {
  const images = deriveImages(testPlane(8, 8), { width: 8, height: 8 }, all, [1, 1], { signal: AbortSignal.abort() });
  await t.rejects(collect(images), { name: 'UamError', code: 'UAM_ABORTED' });
  t.ok(UamError);
});

t.test('turning the spacing of a gradient off, and a pixel twice as fine doubles it', async (t) => {
  const [plane, size] = [testPlane(7, 6), { width: 7, height: 6 }];
  const [per] = await collect(deriveImages(plane, size, { Gradient: {} }));
  const [fine] = await collect(deriveImages(plane, size, { Gradient: {} }, [0.5, 0.5]));
  const [off] = await collect(deriveImages(plane, size, { Gradient: { gradientUseSpacing: false } }, [0.5, 0.5]));
  t.same(off?.plane, per?.plane);
  t.same(
    fine?.plane,
    per?.plane.map((value) => 2 * value),
  );
});

t.test('moving a picture moves its filtered images, away from the border', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 9 }),
      fc.integer({ min: 0, max: 9 }),
      fc.integer({ min: 1, max: 1000 }),
      async (dx, dy, seed) => {
        const [size, patch] = [40, 12];
        const paste = (left: number, top: number) => {
          const content = testPlane(patch, patch, seed);
          const plane = new Float64Array(size * size).fill(30);
          for (let i = 0; i < content.length; i++) plane[(top + Math.floor(i / patch)) * size + left + (i % patch)] = content[i] as number;
          return plane;
        };
        const cut = (plane: Float64Array, left: number, top: number) =>
          Float64Array.from(
            { length: patch * patch },
            (_, i) => plane[(top + Math.floor(i / patch)) * size + left + (i % patch)] as number,
          );
        const types = { Gradient: {}, Wavelet: { wavelet: 'coif1' }, SquareRoot: {}, LoG: { sigma: [0.5] } };
        const here = await collect(deriveImages(paste(9, 9), { width: size, height: size }, types));
        const there = await collect(deriveImages(paste(9 + dx, 9 + dy), { width: size, height: size }, types));
        return here.every(({ plane }, i) => distance(cut(there[i]?.plane as Float64Array, 9 + dx, 9 + dy), cut(plane, 9, 9)) < 1e-9);
      },
    ),
    { numRuns: 25 },
  );
});
