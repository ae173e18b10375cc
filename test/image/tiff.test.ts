// TIFF: what sharp (libtiff) writes, and hand-made files for what it does not; geotiff reads along.
import { deflateSync } from 'node:zlib';
import { fromArrayBuffer } from 'geotiff';
import sharp, { type TiffOptions } from 'sharp';
import t from 'tap';
import { openImage, readImage } from '../../src/image/index.js';
import { rejectsWith, sameValues } from '../support/expect.js';
import { type Field, stripPage, tiffFile, valueBytes } from '../support/tiff_file.js';
import { zstdFrame } from '../support/zstd_frame.js';

const width = 83;
const height = 70;
const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => 128 + 100 * Math.sin(i / 97) * Math.cos((i % (3 * width)) / 31));
const source = () => sharp(pixels, { raw: { width, height, channels: 3 } });
const tiles = { tile: true, tileWidth: 32, tileHeight: 16 };

t.test('every lossless compression, in strips and tiles', async (t) => {
  for (const compression of ['none', 'lzw', 'deflate', 'packbits'] as const) {
    for (const predictor of ['none', 'horizontal'] as const) {
      for (const layout of [{}, tiles] as TiffOptions[]) {
        const file = await source()
          .tiff({ compression, predictor, ...layout })
          .toBuffer();
        const image = await readImage(file);
        sameValues(t, image.data, pixels, `${compression}, ${predictor}, ${layout.tile ? 'tiles' : 'strips'}`);
        t.same([image.width, image.height, image.channels], [width, height, 3]);
      }
    }
  }
  const grey = pixels.slice(0, width * height);
  const raw = { width, height, channels: 1 } as const;
  const file = await sharp(grey, { raw }).toColourspace('b-w').tiff({ compression: 'lzw' }).toBuffer();
  const image = await readImage(file);
  t.equal(image.channels, 1);
  sameValues(t, image.data, grey, 'grey');
});

t.test('LZW with full tables: long runs and noise', async (t) => {
  let state = 1;
  const noise = Uint8Array.from({ length: 300 * 200 }, () => (state = (state * 48271) % 2147483647) & 255);
  const runs = Uint8Array.from({ length: 300 * 200 }, (_, i) => (i / 5000) | 0);
  for (const data of [noise, runs]) {
    const file = await sharp(data, { raw: { width: 300, height: 200, channels: 1 } })
      .toColourspace('b-w')
      .tiff({ compression: 'lzw', predictor: 'none' })
      .toBuffer();
    sameValues(t, (await readImage(file)).data, data, 'LZW');
  }
});

t.test('JPEG tiles are those of libtiff; geotiff agrees within its rounding', async (t) => {
  for (const options of [{}, tiles] as TiffOptions[]) {
    for (const quality of [30, 90, 100]) {
      const file = await source()
        .tiff({ compression: 'jpeg', quality, ...options })
        .toBuffer();
      const { data } = await readImage(file);
      sameValues(t, data, await sharp(file).raw().toBuffer(), `quality ${quality}`);
    }
  }
  const file = await source()
    .tiff({ compression: 'jpeg', quality: 95, ...tiles })
    .toBuffer();
  const { data } = await readImage(file);
  const other = await (await (await fromArrayBuffer(new Uint8Array(file).buffer)).getImage()).readRGB({ interleave: true });
  let furthest = 0;
  for (let i = 0; i < data.length; i++) furthest = Math.max(furthest, Math.abs(data[i]! - (other[i] as number)));
  t.ok(furthest <= 12, `geotiff, which smooths colours otherwise, differs by ${furthest} at most`);
});

t.test('16 bits and floats', async (t) => {
  const deep = Uint16Array.from({ length: width * height * 3 }, (_, i) => (i * 131) & 65535);
  const file = await sharp(deep, { raw: { width, height, channels: 3 } })
    .toColourspace('rgb16')
    .tiff({ compression: 'lzw' })
    .toBuffer();
  sameValues(t, (await readImage(file)).data, deep, '16 bits stay 16');
  // libtiff's float predictor: sharp writes floats with it, of the values that 8 bits have.
  for (const layout of [{}, tiles] as TiffOptions[]) {
    const floats = await source()
      .tiff({ compression: 'deflate', predictor: 'float', ...layout })
      .toBuffer();
    const image = await readImage(floats);
    t.ok(image.data instanceof Float32Array);
    sameValues(t, image.data, pixels, 'floats');
  }
});

const corner = { x: 1, y: 1, width: 2, height: 1 };
const ramp = (length: number) => Array.from({ length }, (_, i) => i);

t.test('every type of sample, of either byte order, in TIFF and BigTIFF', async (t) => {
  const arrays = [Uint8Array, Uint16Array, Uint32Array, Int8Array, Int16Array, Int32Array, Float32Array, Float64Array] as const;
  for (const little of [true, false]) {
    for (const big of [true, false]) {
      for (const make of arrays) {
        const values = new make(ramp(12).map((v) => (make.name.startsWith('Uint') ? v : v - 5)));
        const image = await readImage(tiffFile([stripPage(values, 4, 3, [], little)], { little, big }));
        t.same([...image.data], [...values], `${make.name} ${little ? 'little' : 'big'}-endian${big ? ' BigTIFF' : ''}`);
        t.equal(
          image.data.constructor.name,
          { Uint32Array: 'Float64Array', Int32Array: 'Float64Array', Int8Array: 'Float32Array', Int16Array: 'Float32Array' }[make.name] ??
            make.name,
        );
      }
    }
  }
});

t.test('predictors undone by hand-made files: 16, 32 bits and floats of both byte orders', async (t) => {
  const row = [10, 12, 9, 65000];
  for (const little of [true, false]) {
    const differences = Uint16Array.of(10, 2, 65533, 64991);
    const page = stripPage(
      differences,
      4,
      1,
      [
        [259, 3, [8]],
        [317, 3, [2]],
      ],
      little,
    );
    page.tiles = [deflateSync(page.tiles[0]!)];
    t.same([...(await readImage(tiffFile([page], { little }))).data], row);
    // Predictor 3: bytes by significance, then differences of bytes.
    const floats = Float32Array.of(1.5, -2.25, 1e10, Number.NaN);
    const big = valueBytes(floats, false);
    const planes = Buffer.from(ramp(16).map((i) => big[(i % 4) * 4 + (i >> 2)]!));
    const packed = Buffer.from(planes.map((byte, i) => (i === 0 ? byte : byte - planes[i - 1]!)));
    const float = stripPage(
      floats,
      4,
      1,
      [
        [259, 3, [8]],
        [317, 3, [3]],
      ],
      little,
    );
    float.tiles = [deflateSync(packed)];
    sameValues(t, (await readImage(tiffFile([float], { little }))).data, floats, 'floats');
  }
});

t.test('planes, palettes, inverted grey, short samples, alpha, Zstandard', async (t) => {
  const planar = stripPage(Uint8Array.from(ramp(12)), 2, 2, [[284, 3, [2]]]);
  planar.tiles = [Uint8Array.of(1, 2, 3, 4), Uint8Array.of(11, 12, 13, 14), Uint8Array.of(21, 22, 23, 24)];
  t.same((await readImage(tiffFile([planar]))).data, Uint8Array.of(1, 11, 21, 2, 12, 22, 3, 13, 23, 4, 14, 24));

  const map = [...ramp(256).map((v) => v * 256), ...ramp(256).map((v) => (255 - v) * 256), ...ramp(256).map(() => 7 * 256)];
  const palette = stripPage(Uint8Array.of(0, 255, 3), 3, 1, [
    [262, 3, [3]],
    [320, 3, map],
  ]);
  t.same((await readImage(tiffFile([palette]))).data, Uint8Array.of(0, 255, 7, 255, 0, 7, 3, 252, 7));

  const inverted = stripPage(Uint8Array.of(0, 255, 3), 3, 1, [[262, 3, [0]]]);
  t.same((await readImage(tiffFile([inverted]))).data, Uint8Array.of(255, 0, 252));

  const bits = stripPage(Uint8Array.of(0b10100000, 0b01000000), 1, 2, [
    [256, 4, [3]],
    [258, 3, [1]],
  ]);
  t.same((await readImage(tiffFile([bits]))).data, Uint8Array.of(255, 0, 255, 0, 255, 0));

  const rgba = (kind: number) => stripPage(Uint8Array.of(100, 50, 0, 51), 1, 1, [[338, 3, [kind]]]);
  t.same((await readImage(tiffFile([rgba(2)]))).data, Uint8Array.of(224, 214, 204), 'alpha');
  t.same((await readImage(tiffFile([rgba(1)]))).data, Uint8Array.of(255, 254, 204), 'premultiplied');
  const unknown = await readImage(tiffFile([rgba(0)]));
  t.same([unknown.data, unknown.warnings[0]?.code], [Uint8Array.of(100, 50, 0), 'extra_channel_dropped']);

  const zstd = stripPage(pixels, width, height, [[259, 3, [50000]]]);
  sameValues(t, (await readImage(tiffFile([{ ...zstd, tiles: [zstdFrame(pixels)] }]))).data, pixels, 'Zstandard');
});

t.test('pyramids: levels are found, and read by regions with their own pixel size', async (t) => {
  const big = await source().resize(330, 260, { kernel: 'nearest' }).raw().toBuffer();
  const raw = { width: 330, height: 260, channels: 3 } as const;
  const file = await sharp(big, { raw })
    .tiff({ ...tiles, pyramid: true, compression: 'deflate', xres: 4000, yres: 2000 })
    .toBuffer();
  const image = await openImage(file);
  const sizes = image.levels.map((level) => [level.width, level.height]);
  t.same(sizes.slice(0, 3), [
    [330, 260],
    [165, 130],
    [82, 65],
  ]);
  t.same(image.mpp, [0.25, 0.5]);
  const level = await image.read({ level: 1, x: 10, y: 20, width: 50, height: 31 });
  const expected = await sharp(file, { page: 1 }).extract({ left: 10, top: 20, width: 50, height: 31 }).raw().toBuffer();
  sameValues(t, level.data, expected, 'level 1');
  t.same(level.mpp, [0.5, 1]);
  await rejectsWith(t, image.read({ level: 99 }), 'UAM_ARGUMENT', /level must be 0 to/);
  await image.close();
});

t.test('pyramids whose levels are sub-pages, as OME-TIFF has them', async (t) => {
  const level = (value: number, size: number) => stripPage(new Uint8Array(size * size).fill(value), size, size);
  const file = tiffFile([{ ...level(1, 8), subPages: [level(2, 4), level(3, 2)] }], { big: true });
  const image = await openImage(file);
  t.same(image.levels, [
    { width: 8, height: 8, downsample: 1 },
    { width: 4, height: 4, downsample: 2 },
    { width: 2, height: 2, downsample: 4 },
  ]);
  t.same((await image.read({ level: 2 })).data, Uint8Array.of(3, 3, 3, 3));
});

t.test('pages: a stack, a named page, a thumbnail that is no level', async (t) => {
  const page = (value: number, size: number, fields: Field[] = []) =>
    stripPage(new Uint8Array(size * size).fill(value), size, size, fields);
  const stack = tiffFile([page(1, 4), page(2, 4), page(3, 2)]);
  const first = await readImage(stack);
  t.same([first.data[0], first.warnings[0]?.code], [1, 'more_pages']);
  const second = await readImage(stack, { page: 1 });
  t.same([second.data[0], second.warnings], [2, []]);
  await rejectsWith(t, readImage(stack, { page: 3 }), 'UAM_ARGUMENT', /page must be 0 to 2/);
  t.equal((await openImage(stack)).levels.length, 1);
  t.equal((await openImage(tiffFile([page(1, 4), page(2, 2, [[254, 4, [1]]])]))).levels.length, 2);
});

t.test('OME: three grey pages are red, green and blue; pixel sizes have units', async (t) => {
  const ome = (pixelsTag: string) => `<?xml version="1.0"?><OME xmlns="x"><Image><Pixels ${pixelsTag}/></Image></OME>`;
  const plane = (value: number, fields: Field[] = []) => stripPage(new Uint8Array(6).fill(value), 3, 2, fields);
  const text = ome(
    'SizeC="3" SizeZ="1" SizeT="1" PhysicalSizeX="250" PhysicalSizeXUnit="nm" PhysicalSizeY="0.0005" PhysicalSizeYUnit="mm"',
  );
  const image = await readImage(tiffFile([plane(1, [[270, 2, text]]), plane(2), plane(3)]));
  t.same([image.channels, [...image.data.slice(0, 4)], image.mpp], [3, [1, 2, 3, 1], [0.25, 0.5]]);
  t.match(image.warnings, [{ code: 'ome_planes_as_rgb' }]);
  const micro = await readImage(
    tiffFile([plane(1, [[270, 2, ome('PhysicalSizeX="0.5" PhysicalSizeXUnit="&#181;m" PhysicalSizeY="0.5"')]])]),
  );
  t.same(micro.mpp, [0.5, 0.5]);
  const none = await readImage(tiffFile([plane(1, [[270, 2, ome('PhysicalSizeX="1" PhysicalSizeXUnit="pixel" PhysicalSizeY="1"')]])]));
  t.equal(none.mpp, undefined);
});

t.test('the pixel size of Aperio, ImageJ and the resolution tags', async (t) => {
  const mpp = async (...fields: Field[]) => (await readImage(tiffFile([stripPage(Uint8Array.of(1), 1, 1, fields)]))).mpp;
  t.same(await mpp([270, 2, 'Aperio Image Library v11\r\n1x1 JPEG/RGB Q=30|AppMag = 20|MPP = 0.4990|Left = 25']), [0.499, 0.499]);
  const quarter: Field[] = [
    [282, 5, [4, 1]],
    [283, 5, [4, 1]],
  ];
  t.same(await mpp([270, 2, 'ImageJ=1.53\nunit=micron\nspacing=1'], [296, 3, [1]], ...quarter), [0.25, 0.25]);
  t.same(await mpp([282, 5, [40000, 1]], [283, 5, [20000, 1]], [296, 3, [3]]), [0.25, 0.5]);
  t.same(await mpp([282, 5, [50800, 1]], [283, 5, [50800, 1]]), [0.5, 0.5], 'inches are the default');
  t.equal(await mpp([282, 5, [72, 1]], [283, 5, [72, 1]]), undefined);
  t.equal(await mpp([282, 5, [0, 0]], [283, 5, [1, 0]]), undefined);
});

t.test('tiles that were never written are white, with a warning', async (t) => {
  const tile = new Uint8Array(16 * 16 * 3).fill(9);
  const page = {
    ...stripPage(new Uint8Array(3), 1, 1, [
      [256, 4, [20]],
      [257, 4, [16]],
      [322, 3, [16]],
      [323, 3, [16]],
    ]),
    tiled: true,
  };
  const image = await readImage(tiffFile([{ ...page, tiles: [tile, null] }]), { region: { x: 14, y: 0, width: 4, height: 1 } });
  t.same(image.data, Uint8Array.of(9, 9, 9, 9, 9, 9, 255, 255, 255, 255, 255, 255));
  t.match(image.warnings, [{ code: 'missing_tiles', message: /1 tiles/ }]);
  await rejectsWith(t, readImage(tiffFile([{ ...page, tiles: [null, null] }])), 'UAM_DATA', /none of its tiles/);
});

t.test('what cannot be read is refused by name', async (t) => {
  const with_ = (...fields: Field[]) => readImage(tiffFile([stripPage(Uint8Array.from(ramp(12)), 2, 2, fields)]), { name: 'a.svs' });
  await rejectsWith(t, with_([259, 3, [33005]]), 'UAM_FORMAT', /^a.svs: .*JPEG 2000 \(Aperio, RGB\).*convert/);
  await rejectsWith(t, with_([259, 3, [33003]]), 'UAM_FORMAT', /JPEG 2000 \(Aperio, YCbCr\)/);
  await rejectsWith(t, with_([259, 3, [4]]), 'UAM_FORMAT', /CCITT/);
  await rejectsWith(t, with_([259, 3, [6]]), 'UAM_FORMAT', /old-style JPEG/);
  await rejectsWith(t, with_([262, 3, [5]]), 'UAM_FORMAT', /CMYK/);
  await rejectsWith(t, with_([262, 3, [6]]), 'UAM_FORMAT', /YCbCr/);
  await rejectsWith(t, with_([258, 3, [8, 8, 16]]), 'UAM_FORMAT', /different depths/);
  await rejectsWith(t, with_([317, 3, [9]]), 'UAM_FORMAT', /predictor 9/);
  const many = stripPage(Uint8Array.from(ramp(28)), 2, 2, [[262, 3, [1]]]);
  await rejectsWith(t, readImage(tiffFile([many])), 'UAM_FORMAT', /7 channels/);
});

t.test('damage: loops, claims, truncation', async (t) => {
  const page = stripPage(Uint8Array.from(ramp(12)), 4, 3);
  const file = tiffFile([page]);
  await rejectsWith(t, readImage(file.subarray(0, 12)), 'UAM_FORMAT', /ends too early/);
  const looped = Buffer.from(file);
  looped.writeUInt32LE(looped.readUInt32LE(4), looped.length - 4);
  await rejectsWith(t, readImage(looped), 'UAM_FORMAT', /lead back/);
  const claim = (...fields: Field[]) => readImage(tiffFile([stripPage(Uint8Array.from(ramp(12)), 4, 3, fields)]));
  await rejectsWith(t, claim([256, 4, [30000]], [257, 4, [30000]], [278, 4, [30000]]), 'UAM_FORMAT', /larger than their data/);
  await rejectsWith(t, claim([256, 4, [30000]], [257, 4, [30000]], [278, 4, [1]]), 'UAM_FORMAT', /names 1 of its 30000 strips/);
  await rejectsWith(t, claim([256, 4, [100000]], [257, 4, [100000]]), 'UAM_DATA', /regions/);
  const vast = tiffFile([
    stripPage(Uint8Array.from(ramp(12)), 4, 3, [
      [256, 4, [100000]],
      [257, 4, [100000]],
    ]),
  ]);
  await rejectsWith(t, readImage(vast, { maxPixels: 1e15 }), 'UAM_DATA', /more than the 2147483648/);
  await rejectsWith(t, claim([256, 4, [4294967295]]), 'UAM_FORMAT', /impossible size/);
  await rejectsWith(t, claim([273, 4, [4294967290]]), 'UAM_FORMAT', /beyond the end/);
  await rejectsWith(t, claim([279, 4, [5]]), 'UAM_FORMAT', /larger than|holds 5 of 12/);
  const bomb = {
    ...page,
    tiles: [deflateSync(Buffer.alloc(60_000_000))],
    fields: page.fields.map((field) => (field[0] === 259 ? ([259, 3, [8]] as Field) : field)),
  };
  await rejectsWith(t, readImage(tiffFile([bomb])), 'UAM_FORMAT', /far more/);
  const sound = await openImage(tiffFile([page]));
  t.same((await sound.read(corner)).data, Uint8Array.of(5, 6));
});
