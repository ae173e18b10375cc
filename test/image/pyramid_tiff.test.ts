import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { fromFile } from 'geotiff';
import sharp from 'sharp';
import t from 'tap';
import { openImage, openPyramidTiff, type PyramidTiffOptions, type RasterImage } from '../../src/image/index.js';
import { rationalOf, type TiffField, tiffDirectories, tiffHeader } from '../../src/image/tiff_write.js';
import { rejectsWith } from '../support/expect.js';

const folder = t.testdir();
const file = (name: string) => join(folder, name);

/** Pixels of any values, or of few, so that neighbours agree. */
function pixels(width: number, height: number, channels: number, kinds = 256, seed = 1): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length: width * height * channels }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 16) % kinds;
  });
}

async function write(path: string, options: PyramidTiffOptions, data: Uint8Array, rowsAtOnce = options.height): Promise<void> {
  const tiff = await openPyramidTiff(path, options);
  const length = options.width * options.channels;
  for (let y = 0; y < options.height; y += rowsAtOnce) await tiff.writeRows(data.subarray(y * length, (y + rowsAtOnce) * length));
  await tiff.close();
}

const equal = (a: ArrayLike<number>, b: Uint8Array): boolean => Buffer.compare(Uint8Array.from(a), b) === 0;

/** The next level by its definition. */
function halved({ width, height, channels, data }: Omit<RasterImage, 'mpp'>, how: 'mean' | 'majority') {
  const [w, h] = [Math.ceil(width / 2), Math.ceil(height / 2)];
  const out = new Uint8Array(w * h * channels);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      for (let c = 0; c < channels; c++) {
        const value = (dx: number, dy: number) =>
          data[(Math.min(2 * y + dy, height - 1) * width + Math.min(2 * x + dx, width - 1)) * channels + c] as number;
        const four = [value(0, 0), value(1, 0), value(0, 1), value(1, 1)];
        const count = (v: number) => four.filter((other) => other === v).length;
        const most = four.reduce((best, v) => (count(v) > count(best) ? v : best));
        out[(y * w + x) * channels + c] = how === 'mean' ? Math.floor((four.reduce((a, b) => a + b) + 2) / 4) : most;
      }
    }
  }
  return { width: w, height: h, channels, data: out };
}

t.test('every level comes back, from our own reader', async (t) => {
  const sizes = fc.record({
    width: fc.integer({ min: 1, max: 90 }),
    height: fc.integer({ min: 1, max: 90 }),
    channels: fc.constantFrom(1 as const, 3 as const),
    reduction: fc.constantFrom('mean' as const, 'majority' as const),
    tile: fc.constantFrom(16, 32),
    rows: fc.integer({ min: 1, max: 100 }),
    kinds: fc.constantFrom(2, 3, 256),
  });
  await fc.assert(
    fc.asyncProperty(sizes, async ({ rows, kinds, ...options }) => {
      const { width, height, channels, reduction } = options;
      const data = pixels(width, height, channels, kinds, rows);
      await write(file('any.tif'), { ...options, mpp: 0.25 }, data, rows);
      const image = await openImage(file('any.tif'));
      t.same([image.width, image.height, image.channels, image.mpp], [width, height, channels, [0.25, 0.25]]);
      t.same(image.warnings, []);
      t.ok(image.levels.at(-1)!.width <= options.tile && image.levels.at(-1)!.height <= options.tile, 'down to one tile');
      let expected = { width, height, channels, data };
      for (const [level, size] of image.levels.entries()) {
        if (level > 0) expected = halved(expected, reduction);
        t.same([size.width, size.height], [expected.width, expected.height]);
        t.ok(equal((await image.read({ level })).data, expected.data), `level ${level} of ${width} x ${height} x ${channels}`);
      }
      await image.close();
    }),
    {
      numRuns: 25,
      examples: [[{ width: 15, height: 89, channels: 3, reduction: 'mean', tile: 16, rows: 89, kinds: 256 }]], // widths round much
    },
  );
});

t.test('geotiff and libvips read every page alike', async (t) => {
  for (const channels of [1, 3] as const) {
    const path = file(`peer${channels}.tif`); // libvips remembers files by their names
    const [width, height] = [300, 270];
    const data = pixels(width, height, channels, 5);
    await write(path, { width, height, channels, tile: 128, mpp: [0.5, 0.499], description: 'regions: 1 tumour' }, data, 100);
    const own = await openImage(path);
    const tiff = await fromFile(path);
    t.equal(await tiff.getImageCount(), 3);
    t.equal((await sharp(path).metadata()).pages, 3);
    for (let level = 0; level < 3; level++) {
      const ours = (await own.read({ level })).data;
      const page = await tiff.getImage(level);
      t.equal(page.isTiled, true);
      t.ok(equal((await page.readRasters({ interleave: true })) as unknown as Uint8Array, ours as Uint8Array), `geotiff, page ${level}`);
      const peer = sharp(path, { page: level });
      const { data: theirs, info } = await (channels === 1 ? peer.toColourspace('b-w') : peer).raw().toBuffer({ resolveWithObject: true });
      t.equal(info.channels, channels);
      t.ok(equal(theirs, ours as Uint8Array), `libvips, page ${level}`);
    }
    const { density } = await sharp(path).metadata();
    t.equal(density, Math.round(25400 / 0.5), 'pixels per inch');
    t.same(own.mpp, [0.5, 0.499]);
    t.match(readFileSync(path).toString('latin1'), /regions: 1 tumour\0/);
    await own.close();
    tiff.close();
  }
});

t.test('JPEG tiles, as scanners write them', async (t) => {
  const [width, height] = [600, 300];
  const data = new Uint8Array(width * height * 3);
  for (let at = 0; at < width * height; at++) data.set([200, 120 + ((at % width) >> 3), 160], at * 3);
  await write(file('jpeg.tif'), { width, height, channels: 3, compression: 'jpeg', mpp: 0.5 }, data, 64);
  const image = await openImage(file('jpeg.tif'));
  t.equal(image.levels.length, 3);
  const back = (await image.read()).data;
  t.ok(back.every((value, i) => Math.abs(value - (data[i] as number)) <= 4));
  const peer = await sharp(file('jpeg.tif')).raw().toBuffer();
  t.ok(
    peer.every((value, i) => Math.abs(value - (data[i] as number)) <= 4),
    'libvips sees the same colours',
  );
  await image.close();
});

t.test('the same bytes however the rows come, and every time', async (t) => {
  const options = { width: 333, height: 517, channels: 1, tile: 64, mpp: 0.5 } as const;
  const data = pixels(options.width, options.height, 1, 3);
  await write(file('whole.tif'), options, data);
  for (const rows of [1, 63, 64, 65, 500]) {
    await write(file('parts.tif'), options, data, rows);
    t.ok(readFileSync(file('parts.tif')).equals(readFileSync(file('whole.tif'))), `${rows} rows at once`);
  }
});

t.test('beyond 4 GB it is a BigTIFF, which the size alone decides', async (t) => {
  for (const [height, magic] of [
    [2000, 42],
    [1 << 28, 43],
  ] as const) {
    const tiff = await openPyramidTiff(file('size.tif'), { width: 16, height, channels: 1, tile: 16 });
    t.equal(readFileSync(tiff.temporary as string).readUInt16LE(2), magic);
    t.same(tiff.levels.at(-1), { width: 1, height: 16 });
    await tiff.abort();
  }
  // A whole small file in the large form, put together from the same parts.
  const { deflateSync } = await import('node:zlib');
  const tile = pixels(16, 16, 1);
  const packed = deflateSync(tile);
  const fields: TiffField[] = [
    ...([
      [256, 16],
      [257, 16],
      [322, 16],
      [323, 16],
      [325, packed.length],
    ].map(([tag, value]) => ({ tag, type: 'long', values: [value] })) as TiffField[]),
    ...([
      [258, 8],
      [259, 8],
      [262, 1],
      [277, 1],
    ].map(([tag, value]) => ({ tag, type: 'short', values: [value] })) as TiffField[]),
    { tag: 324, type: 'offset', values: [16] },
    { tag: 270, type: 'text', values: 'a longer text than fits' },
  ];
  const at = Math.ceil((16 + packed.length) / 8) * 8;
  const pages = [fields, fields.map((field) => (field.tag === 256 ? { ...field, values: [8] } : field))];
  const bytes = Buffer.concat([tiffHeader(true, at), packed, Buffer.alloc(at - 16 - packed.length), tiffDirectories(pages, at, true)]);
  const image = await openImage(bytes);
  t.ok(equal((await image.read()).data, tile));
  await image.close();
});

t.test('resolutions are the nearest fractions', async (t) => {
  t.same(rationalOf(20000), [20000, 1]);
  t.same(rationalOf(10000 / 0.499), [10000000, 499]);
  fc.assert(
    fc.property(fc.double({ min: 0.001, max: 4e9, noNaN: true }), (value) => {
      const [n, d] = rationalOf(value);
      return n <= 0xffffffff && d <= 0xffffffff && Math.abs(n / d - value) <= value * 1e-6;
    }),
  );
});

t.test('what is wrong is said, and leaves nothing', async (t) => {
  const good = { width: 20, height: 10, channels: 1 } as const;
  for (const bad of [
    { width: 0 },
    { height: 1.5 },
    { channels: 2 },
    { tile: 100 },
    { compression: 'jpeg' },
    { reduction: 'x' },
    { mpp: -1 },
  ]) {
    await rejectsWith(t, openPyramidTiff(file('bad.tif'), { ...good, ...bad } as PyramidTiffOptions), 'UAM_ARGUMENT', /./);
  }
  await rejectsWith(t, openPyramidTiff(join(folder, 'none', 'x.tif'), good), 'UAM_IO', /none/);
  const short = await openPyramidTiff(file('bad.tif'), good);
  await rejectsWith(t, short.writeRows(new Uint8Array(19)), 'UAM_SHAPE', /whole rows of 20/);
  await rejectsWith(t, short.writeRows(new Uint8Array(20 * 11)), 'UAM_SHAPE', /10 in all/);
  const first = short.writeRows(new Uint8Array(20));
  await rejectsWith(t, short.writeRows(new Uint8Array(20)), 'UAM_ARGUMENT', /await/);
  await first;
  await rejectsWith(t, short.close(), 'UAM_SHAPE', /10 rows, but only 1/);
  t.notOk(readdirSync(folder).some((name) => name.includes('bad.tif') || name.endsWith('.tmp')));
});
