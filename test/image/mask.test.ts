// Label masks in image files: every id exactly as written, and the named warnings and errors.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { decode, encode } from 'fast-png';
import { fromArrayBuffer } from 'geotiff';
import sharp from 'sharp';
import t from 'tap';
import { checkSameSize, encodeMask, readMask, readNpy, writeMask } from '../../src/image/index.js';
import { rejectsWith, sameValues } from '../support/expect.js';
import { type Field, stripPage, tiffFile } from '../support/tiff_file.js';

const codes = (mask: { warnings: { code: string }[] }): string[] => mask.warnings.map(({ code }) => code);
const grey = (depth: 8 | 16, ...ids: number[]) =>
  encode({ width: ids.length, height: 1, channels: 1, depth, data: depth === 8 ? Uint8Array.from(ids) : Uint16Array.from(ids) });

t.test('PNG of 8 and 16 bits', async (t) => {
  const ids = Uint16Array.from({ length: 65536 }, (_, i) => (i * 40503) & 65535);
  const file = encode({ width: 256, height: 256, channels: 1, depth: 16, data: ids });
  const mask = await readMask(file, { width: 256, height: 256, name: 'cells.png' });
  sameValues(t, mask.data, ids, 'all ids of 16 bits');
  t.ok(mask.data instanceof Uint32Array);
  t.same([mask.width, mask.height, mask.name], [256, 256, 'cells.png']);
  t.same((await readMask(grey(8, 0, 3, 200))).data, Uint32Array.of(0, 3, 200));
});

t.test('TIFF of every integer type, of either byte order, exact', async (t) => {
  const ids = [0, 1, 7, 100, 127, 5];
  for (const little of [true, false]) {
    for (const make of [Uint8Array, Uint16Array, Uint32Array, Int8Array, Int16Array, Int32Array, Float32Array, Float64Array]) {
      const mask = await readMask(tiffFile([stripPage(make.from(ids), 3, 2, [], little)], { little }));
      t.same([...mask.data], ids, make.name);
      t.same(codes(mask), make.name.startsWith('Float') ? ['float_mask'] : []);
    }
    const wide = await readMask(tiffFile([stripPage(BigInt64Array.from([0n, 4294967295n]), 2, 1, [], little)], { little }));
    t.same(wide.data, Uint32Array.of(0, 4294967295), '64 bits');
  }
  const large = Uint32Array.of(0, 4294967295, 4294967295, 70000);
  t.same((await readMask(tiffFile([stripPage(large, 2, 2)]))).data, large);
});

t.test('sharp-made TIFF: tiles and compressions keep the ids', async (t) => {
  const ids = Uint16Array.from({ length: 70 * 50 }, (_, i) => (i % 700) * 93);
  for (const compression of ['none', 'lzw', 'deflate', 'packbits'] as const) {
    const file = await sharp(ids, { raw: { width: 70, height: 50, channels: 1 } })
      .toColourspace('grey16')
      .tiff({ compression, tile: true, tileWidth: 32, tileHeight: 32 })
      .toBuffer();
    sameValues(t, (await readMask(file)).data, ids, compression);
  }
});

t.test('colours are no labels', async (t) => {
  const rgb = (...data: number[]) => encode({ width: data.length / 3, height: 1, channels: 3, depth: 8, data: Uint8Array.from(data) });
  await rejectsWith(
    t,
    readMask(rgb(1, 1, 1, 1, 2, 3), { name: 'overlay.png' }),
    'UAM_DATA',
    /^overlay.png: .*RGB.*1, 2, 3.*export the labels/,
  );
  const equal = await readMask(rgb(1, 1, 1, 9, 9, 9));
  t.same([equal.data, codes(equal)], [Uint32Array.of(1, 9), ['rgb_as_grey']]);
  const alpha = (channels: number) => encode({ width: 1, height: 1, channels, depth: 8, data: new Uint8Array(channels).fill(5) });
  await rejectsWith(t, readMask(alpha(4)), 'UAM_DATA', /RGB with alpha/);
  await rejectsWith(t, readMask(alpha(2)), 'UAM_DATA', /grey with alpha/);
  const raw = { width: 2, height: 1, channels: 3 } as const;
  await rejectsWith(
    t,
    readMask(
      await sharp(Buffer.of(255, 0, 0, 0, 255, 0), { raw })
        .png({ palette: true })
        .toBuffer(),
    ),
    'UAM_DATA',
    /palette/,
  );
  await rejectsWith(t, readMask(await sharp(Buffer.alloc(6), { raw }).jpeg().toBuffer()), 'UAM_DATA', /JPEG/);
  await rejectsWith(t, readMask(await sharp(Buffer.alloc(6), { raw }).tiff({ compression: 'jpeg' }).toBuffer()), 'UAM_DATA', /JPEG/);
  await rejectsWith(t, readMask(tiffFile([stripPage(Uint8Array.of(1, 2, 3), 1, 1)])), 'UAM_DATA', /RGB/);
  await rejectsWith(t, readMask(tiffFile([stripPage(Uint8Array.of(1, 2), 1, 1)])), 'UAM_DATA', /2 channels/);
  const map: Field = [320, 3, new Array<number>(768).fill(0)];
  await rejectsWith(t, readMask(tiffFile([stripPage(Uint8Array.of(1), 1, 1, [[262, 3, [3]], map])])), 'UAM_DATA', /palette/);
});

t.test('negative ids, fractions and NaN', async (t) => {
  const tiff = (values: Int32Array | Float32Array | Float64Array) => tiffFile([stripPage(values, values.length, 1)]);
  await rejectsWith(
    t,
    readMask(tiff(Int32Array.of(0, 4, -3, -1)), { name: 'm.tif' }),
    'UAM_DATA',
    /m.tif: holds the negative id -3 at x 2, y 0 \(2 pixels/,
  );
  await rejectsWith(t, readMask(tiff(Float32Array.of(0, 0.5))), 'UAM_DATA', /0.5 at x 1.*whole number/);
  await rejectsWith(t, readMask(tiff(Float32Array.of(Number.NaN))), 'UAM_DATA', /NaN/);
  await rejectsWith(t, readMask(tiff(Float64Array.of(Number.POSITIVE_INFINITY))), 'UAM_DATA', /Infinity/);
  await rejectsWith(t, readMask(tiff(Float32Array.of(16777218))), 'UAM_DATA', /16777218.*32-bit integers/);
  await rejectsWith(t, readMask(tiff(Float64Array.of(2 ** 32))), 'UAM_DATA', /more than 4294967295/);
  t.same((await readMask(tiff(Float64Array.of(2 ** 32 - 1)))).data, Uint32Array.of(4294967295));
});

t.test('warnings: empty, binary, clipped', async (t) => {
  t.same(codes(await readMask(grey(8, 0, 0))), ['empty_mask']);
  for (const [depth, id] of [
    [8, 1],
    [8, 255],
    [16, 255],
    [16, 65535],
  ] as const) {
    const mask = await readMask(grey(depth, 0, id, id));
    t.same([codes(mask), mask.data], [['binary_mask'], Uint32Array.of(0, id, id)], `${id}`);
  }
  t.same(codes(await readMask(grey(8, 0, 5, 5))), [], 'one cell with an id of its own');
  t.same(codes(await readMask(grey(8, 0, 3, 255))), [], '255 is an id like others');
  const many = Array.from({ length: 300 }, (_, i) => Math.min(255, i));
  t.match((await readMask(grey(8, ...many))).warnings, [{ code: 'clipped_labels', message: /255/ }]);
  t.same(codes(await readMask(grey(16, ...many))), [], '255 is not the top of 16 bits');
  t.same(codes(await readMask(grey(16, 0, 65533, 65534, 65535))), ['clipped_labels']);
  t.same(codes(await readMask(tiffFile([stripPage(Uint32Array.of(0, 65534, 65535), 3, 1)]))), []);
});

t.test('sizes', async (t) => {
  const file = grey(8, 1, 2, 3);
  await rejectsWith(t, readMask(file, { width: 4, height: 1, name: 'm.png' }), 'UAM_SHAPE', /m.png must be 4 x 1 pixels, received 3 x 1/);
  await rejectsWith(t, readMask(file, { width: 1, height: 3 }), 'UAM_SHAPE', /transposed/);
  checkSameSize({ width: 3, height: 1 }, { width: 3, height: 1 });
  const image = { width: 3, height: 2, name: '/data/a.png' };
  t.throws(() => checkSameSize(image, { width: 2, height: 3, name: '/data/b.tif' }), {
    code: 'UAM_SHAPE',
    message: /b.tif is 2 x 3 pixels, but its image a.png is 3 x 2; .*transposed/,
  });
  t.throws(() => checkSameSize(image, { width: 5, height: 5 }), { message: /the mask is 5 x 5 pixels, but its image a.png is/ });
  t.throws(() => checkSameSize({ width: 1, height: 1 }, { width: 5, height: 5 }), { message: /but its image is 1 x 1; both/ });
});

t.test('pages', async (t) => {
  const page = (id: number) => stripPage(Uint8Array.of(id, 0), 2, 1);
  const stack = tiffFile([page(3), page(4)]);
  const first = await readMask(stack);
  t.same([first.data[0], codes(first)], [3, ['more_pages']]);
  const second = await readMask(stack, { page: 1 });
  t.same([second.data[0], codes(second)], [4, []]);
  await rejectsWith(t, readMask(grey(8, 1), { page: 1 }), 'UAM_ARGUMENT', /no pages/);
});

t.test('what is no mask, and files that are not there', async (t) => {
  await rejectsWith(t, readMask('/nowhere/mask.png'), 'UAM_INPUT', /^\/nowhere\/mask.png: cannot be opened: ENOENT/);
  await rejectsWith(t, readMask(tmpdir()), 'UAM_INPUT', /folder/);
  await rejectsWith(t, readMask(Buffer.from('{"type": "FeatureCollection"}')), 'UAM_FORMAT', /JSON/);
  await rejectsWith(t, readMask(Buffer.from('\x89HDF\r\n\x1a\n', 'latin1')), 'UAM_FORMAT', /HDF5.*-v7/);
  await rejectsWith(t, readMask(Buffer.from('GIF89a')), 'UAM_FORMAT', /GIF/);
  await rejectsWith(t, readMask(Buffer.alloc(0)), 'UAM_FORMAT', /empty/);
  await rejectsWith(t, readMask(5 as never), 'UAM_ARGUMENT', /path/);
  await rejectsWith(t, readMask(grey(8, 1), { maxPixels: -1 }), 'UAM_ARGUMENT', /maxPixels/);
  await rejectsWith(t, readMask(grey(8, 1, 2), { maxPixels: 1 }), 'UAM_DATA', /maxPixels/);
  await rejectsWith(t, readMask(grey(8, 1), { signal: AbortSignal.abort() }), 'UAM_ABORTED', /aborted/);
});

t.test('masks that are written come back as they were', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'uam-mask-'));
  t.teardown(() => rm(folder, { recursive: true }));
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 20 }),
      fc.constantFrom('.png', '.tif', '.TIFF', '.npy'),
      fc.integer({ min: 1, max: 2 ** 31 }),
      async (width, height, extension, seed) => {
        const top = extension === '.png' ? 65536 : 2 ** 32;
        const data = Uint32Array.from({ length: width * height }, (_, i) => (i % 3 === 0 ? 0 : (seed * (i + 1)) % top));
        const path = join(folder, `mask${extension}`);
        await writeMask(path, { width, height, data });
        const back = await readMask(path, { width, height });
        if (Buffer.compare(Buffer.from(back.data.buffer), Buffer.from(data.buffer)) !== 0)
          throw new Error(`${extension} ${width} x ${height}`);
      },
    ),
    { numRuns: 200 },
  );
  t.same((await readdir(folder)).sort(), ['mask.TIFF', 'mask.npy', 'mask.png', 'mask.tif'], 'no temporary file is left');
});

t.test('other readers understand what is written', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'uam-mask-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const data = Uint32Array.of(0, 1, 65535, 300, 300, 7);
  const mask = { width: 3, height: 2, data };
  sameValues(t, decode(await encodeMask(mask)).data, data, 'fast-png');
  const file = join(folder, 'm.tif');
  await writeMask(file, { ...mask, data: Uint32Array.of(0, 1, 4294967295, 300, 300, 7) });
  const image = await (await fromArrayBuffer(new Uint8Array(await readFile(file)).buffer)).getImage();
  t.same([...((await image.readRasters({ interleave: true })) as unknown as Uint32Array)], [0, 1, 4294967295, 300, 300, 7], 'geotiff');
  await writeMask(join(folder, 'm.npy'), mask);
  t.same(readNpy(await readFile(join(folder, 'm.npy'))), { data, shape: [2, 3], dtype: 'uint32' });
});

t.test('what cannot be written leaves what was there', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'uam-mask-'));
  t.teardown(() => rm(folder, { recursive: true }));
  const path = join(folder, 'm.png');
  await writeFile(path, 'before');
  const mask = { width: 1, height: 1, data: Uint32Array.of(65536) };
  await rejectsWith(t, writeMask(path, mask), 'UAM_DATA', /m.png: the id 65536 does not fit/);
  t.equal(await readFile(path, 'utf8'), 'before');
  await rejectsWith(t, writeMask(join(folder, 'm.jpg'), mask), 'UAM_ARGUMENT', /\.png, \.tif/);
  await rejectsWith(t, writeMask(join(folder, 'none', 'm.tif'), mask), 'UAM_IO', /cannot write .*folder .* does not exist/);
  await rejectsWith(t, writeMask(path, { ...mask, width: 2 }), 'UAM_SHAPE', /2 x 1 must hold 2 ids, received 1/);
});
