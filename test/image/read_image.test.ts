// Opening and reading: files and bytes, regions, options, ends.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { encode } from 'fast-png';
import sharp from 'sharp';
import t from 'tap';
import { openImage, readImage } from '../../src/image/index.js';
import { rejectsWith, sameValues } from '../support/expect.js';

const width = 50;
const height = 40;
const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 7) & 255);
const raw = { width, height, channels: 3 } as const;
const tiff = () => sharp(pixels, { raw }).tiff({ compression: 'lzw', tile: true, tileWidth: 16, tileHeight: 32 }).toBuffer();
const png = () => Buffer.from(encode({ width, height, channels: 3, depth: 8, data: pixels }));

t.test('any region of any file is the same part of the whole', async (t) => {
  for (const file of [await tiff(), png()]) {
    const image = await openImage(file);
    await fc.assert(
      fc.asyncProperty(fc.nat(width - 1), fc.nat(height - 1), fc.nat(width), fc.nat(height), async (x, y, w, h) => {
        const region = { x, y, width: Math.min(w + 1, width - x), height: Math.min(h + 1, height - y) };
        const part = await image.read(region);
        for (let row = 0; row < region.height; row++) {
          const from = ((y + row) * width + x) * 3;
          const expected = pixels.subarray(from, from + region.width * 3);
          const actual = part.data.subarray(row * region.width * 3, (row + 1) * region.width * 3) as Uint8Array;
          if (Buffer.compare(actual, expected) !== 0) throw new Error(`row ${row} of ${JSON.stringify(region)}`);
        }
      }),
      { numRuns: 60 },
    );
    sameValues(t, (await image.read()).data, pixels, 'all, after parts');
    sameValues(t, (await image.read({ x: 1, y: 0, width: 1, height: 1 })).data, pixels.subarray(3, 6), 'a part, after all');
    await image.close();
  }
});

t.test('paths, names, and closing', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'uam-image-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const path = join(folder, 'tiled.dat'); // the extension plays no part
  await writeFile(path, await tiff());
  const image = await readImage(path, { region: { x: 0, y: 0, width: 1, height: 1 } });
  t.equal(image.name, path);
  const opened = await openImage(path);
  await opened.close();
  await opened.close();
  await rejectsWith(t, opened.read(), 'UAM_INPUT', /closed/);
  await rejectsWith(t, readImage(join(folder, 'none.png')), 'UAM_INPUT', /none.png: cannot be opened: ENOENT/);
  await rejectsWith(t, readImage(folder), 'UAM_INPUT', /folder/);
  await writeFile(join(folder, 'empty.png'), '');
  await rejectsWith(t, readImage(join(folder, 'empty.png')), 'UAM_FORMAT', /empty/);
});

t.test('the caller’s bytes stay as they are', async (t) => {
  for (const file of [await tiff(), png(), await sharp(pixels, { raw }).tiff({ compression: 'none' }).toBuffer()]) {
    const before = Buffer.from(file);
    const image = await readImage(file);
    image.data.fill(0);
    t.equal(Buffer.compare(before, file), 0);
  }
});

t.test('pixel size: the option wins, and must be one', async (t) => {
  t.same((await readImage(png(), { mpp: 0.25 })).mpp, [0.25, 0.25]);
  t.same((await readImage(png(), { mpp: [0.25, 20] })).mpp, [0.25, 20], 'the caller is believed');
  t.equal((await readImage(png())).mpp, undefined);
  for (const mpp of [0, -1, Number.NaN, [1], [1, 2, 3], [1, 'x']]) {
    await rejectsWith(t, readImage(png(), { mpp: mpp as number }), 'UAM_ARGUMENT', /mpp must be/);
  }
});

t.test('regions, levels and pages that do not exist', async (t) => {
  const image = await openImage(await tiff());
  const bad = [
    { x: -1, y: 0, width: 1, height: 1 },
    { x: 0, y: 0, width: width + 1, height: 1 },
    { x: 0, y: height, width: 1, height: 1 },
    { x: 0.5, y: 0, width: 1, height: 1 },
    { x: 0, y: 0, width: 0, height: 1 },
    { x: Number.NaN },
  ];
  for (const region of bad) await rejectsWith(t, image.read(region), 'UAM_ARGUMENT', /inside 50 x 40/);
  await rejectsWith(t, image.read({ level: 1 }), 'UAM_ARGUMENT', /level must be 0 to 0/);
  await rejectsWith(t, readImage(png(), { page: 1 }), 'UAM_ARGUMENT', /has one/);
  t.equal((await readImage(png(), { page: 0 })).width, width);
});

t.test('limits', async (t) => {
  for (const file of [await tiff(), png()]) {
    await rejectsWith(t, readImage(file, { maxPixels: 1999 }), 'UAM_DATA', /50 x 40 pixels are more than the 1999 .*openImage/);
    t.equal((await readImage(file, { maxPixels: 2000 })).height, height);
  }
  const part = await readImage(await tiff(), { maxPixels: 10, region: { x: 0, y: 0, width: 5, height: 2 } });
  t.equal(part.data.length, 30, 'a region counts by its own size');
});

t.test('aborting', async (t) => {
  const file = await tiff();
  await rejectsWith(t, readImage(file, { signal: AbortSignal.abort() }), 'UAM_ABORTED', /aborted/);
  const controller = new AbortController();
  const image = await openImage(file);
  const reading = image.read({ signal: controller.signal });
  controller.abort();
  await rejectsWith(t, reading, 'UAM_ABORTED', /aborted/);
});

t.test('files of other kinds are named', async (t) => {
  const kinds: [string, RegExp][] = [
    ['GIF89a', /a GIF image/],
    ['BM', /a BMP image/],
    ['RIFF0000WEBP', /a WebP image/],
    ['\0\0\0\x0cjP  ', /a JPEG 2000 image/],
    ['PK\x03\x04', /a ZIP archive/],
    ['\x93NUMPY', /a NumPy array/],
    ['%PDF-1.7', /a PDF file/],
    ['\x1f\x8b', /gzip/],
    ['hello', /of an unknown kind/],
  ];
  for (const [text, words] of kinds) await rejectsWith(t, readImage(Buffer.from(text, 'latin1')), 'UAM_FORMAT', words);
});
