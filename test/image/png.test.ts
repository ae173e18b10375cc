// PNG, against fast-png and sharp: every depth and kind of pixel, with and without interlacing.
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import { decode, encode } from 'fast-png';
import sharp from 'sharp';
import t from 'tap';
import { crc32 } from '../../src/image/crc32.js';
import { readImage, readMask } from '../../src/image/index.js';
import { rejectsWith, sameValues } from '../support/expect.js';

const signature = Buffer.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);

function chunk(type: string, body: Uint8Array): Buffer {
  const out = Buffer.alloc(12 + body.length);
  out.writeUInt32BE(body.length);
  out.write(type, 4, 'latin1');
  out.set(body, 8);
  out.writeUInt32BE(crc32(out.subarray(4, 8 + body.length)), 8 + body.length);
  return out;
}

/** A PNG of unfiltered rows of packed bytes. `extra` chunks stand before the pixels. */
function png(
  width: number,
  height: number,
  depth: number,
  colour: number,
  rows: Uint8Array[],
  extra: Buffer[] = [],
  filters: number[] = [],
): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width);
  header.writeUInt32BE(height, 4);
  header.set([depth, colour, 0, 0, 0], 8);
  const data = deflateSync(Buffer.concat(rows.map((row, y) => Buffer.concat([Buffer.of(filters[y] ?? 0), row]))));
  return Buffer.concat([signature, chunk('IHDR', header), ...extra, chunk('IDAT', data), chunk('IEND', Buffer.alloc(0))]);
}

t.test('grey and RGB of 8 and 16 bits, as fast-png writes them', async (t) => {
  for (const interlace of ['null', 'Adam7'] as const) {
    for (const depth of [8, 16] as const) {
      for (const channels of [1, 3]) {
        for (const [width, height] of [
          [1, 1],
          [2, 3],
          [5, 9],
          [8, 8],
          [17, 6],
          [33, 31],
        ] as const) {
          const length = width * height * channels;
          const top = depth === 8 ? 255 : 65535;
          const values = Array.from({ length }, (_, i) => (i * 7919 + (i >> 3)) % (top + 1));
          const data = depth === 8 ? Uint8Array.from(values) : Uint16Array.from(values);
          const image = await readImage(encode({ width, height, channels, depth, data }, { interlace }));
          sameValues(t, image.data, data, `${interlace} ${depth} ${channels} ${width} x ${height}`);
          t.same([image.width, image.height, image.channels, image.warnings.length], [width, height, channels, 0]);
        }
      }
    }
  }
});

t.test('what sharp writes: filters, interlacing and palettes are undone', async (t) => {
  const width = 61;
  const height = 47;
  const smooth = Uint8Array.from({ length: width * height * 3 }, (_, i) => 128 + 100 * Math.sin(i / 97) * Math.cos((i % (3 * width)) / 31));
  const raw = { width, height, channels: 3 } as const;
  for (const progressive of [false, true]) {
    for (const adaptiveFiltering of [false, true]) {
      const file = await sharp(smooth, { raw }).png({ progressive, adaptiveFiltering }).toBuffer();
      sameValues(t, (await readImage(file)).data, smooth, `interlaced ${progressive}, filtered ${adaptiveFiltering}`);
      sameValues(t, decode(file).data as Uint8Array, smooth, 'as fast-png reads it');
    }
  }
  const palette = await sharp(smooth, { raw }).png({ palette: true, colours: 40 }).toBuffer();
  const expected = await sharp(palette).raw().toBuffer();
  sameValues(t, (await readImage(palette)).data, expected, 'palette');
});

t.test('every row filter, at any size', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 9 }),
      fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 6 }),
      fc.constantFrom(0, 2, 4, 6),
      fc.integer(),
      async (width, filters, colour, seed) => {
        const samples = { 0: 1, 2: 3, 4: 2, 6: 4 }[colour]!;
        const rows = filters.map((_, y) => Uint8Array.from({ length: width * samples }, (_, i) => (seed >> (i % 24)) + y * 31 + i * 5));
        const file = png(width, filters.length, 8, colour, rows, [], filters);
        // fast-png is the oracle of the filters; alpha is dealt with elsewhere.
        if (samples % 2 === 0) {
          await readImage(file);
          return;
        }
        const { data } = await readImage(file);
        const expected = decode(file).data;
        if (Buffer.compare(Buffer.from(data as Uint8Array), Buffer.from(expected as Uint8Array)) !== 0) throw new Error(`${filters}`);
      },
    ),
    { numRuns: 300 },
  );
});

t.test('samples of 1, 2 and 4 bits', async (t) => {
  const one = png(10, 2, 1, 0, [Uint8Array.of(0b10110010, 0b11000000), Uint8Array.of(0, 0b01000000)]);
  t.same(
    (await readImage(one)).data,
    Uint8Array.from([1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], (v) => v * 255),
  );
  t.same((await readMask(one)).data, Uint32Array.of(1, 0, 1, 1, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1));
  const two = png(3, 1, 2, 0, [Uint8Array.of(0b00_01_11_00)]);
  t.same((await readImage(two)).data, Uint8Array.of(0, 85, 255));
  const four = png(3, 1, 4, 0, [Uint8Array.of(0x0f, 0x70)]);
  t.same((await readImage(four)).data, Uint8Array.of(0, 255, 119));
  t.same((await readMask(four)).data, Uint32Array.of(0, 15, 7), 'labels are not stretched');
  const indexed = png(4, 1, 2, 3, [Uint8Array.of(0b00_01_10_00)], [chunk('PLTE', Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9))]);
  t.same((await readImage(indexed)).data, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3));
});

t.test('alpha is put over white, with a warning, and dropped in silence where all is opaque', async (t) => {
  const rgba = (...data: number[]) => encode({ width: data.length / 4, height: 1, channels: 4, depth: 8, data: Uint8Array.from(data) });
  const opaque = await readImage(rgba(1, 2, 3, 255, 4, 5, 6, 255));
  t.same([opaque.channels, opaque.data, opaque.warnings], [3, Uint8Array.of(1, 2, 3, 4, 5, 6), []]);
  const clear = await readImage(rgba(10, 20, 30, 255, 9, 9, 9, 0, 100, 0, 200, 51));
  t.same(clear.data, Uint8Array.of(10, 20, 30, 255, 255, 255, 224, 204, 244));
  t.match(clear.warnings, [{ code: 'alpha_over_white', message: /2 pixels/ }]);
  const deep = await readImage(encode({ width: 1, height: 1, channels: 2, depth: 16, data: Uint16Array.of(1000, 32768) }));
  t.same([deep.channels, deep.data], [1, Uint16Array.of(Math.round((1000 * 32768) / 65535) + 32767)]);
  const keyed = png(2, 1, 8, 0, [Uint8Array.of(7, 8)], [chunk('tRNS', Uint8Array.of(0, 7))]);
  t.same((await readImage(keyed)).data, Uint8Array.of(255, 8), 'one grey is transparent');
  const palette = [chunk('PLTE', Uint8Array.of(10, 20, 30, 40, 50, 60)), chunk('tRNS', Uint8Array.of(0))];
  t.same((await readImage(png(2, 1, 8, 3, [Uint8Array.of(0, 1)], palette))).data, Uint8Array.of(255, 255, 255, 40, 50, 60));
});

t.test('the pixel size: believed where a microscope can have made it', async (t) => {
  const physical = (perMetre: number, unit = 1) => {
    const body = Buffer.alloc(9);
    body.writeUInt32BE(perMetre);
    body.writeUInt32BE(perMetre / 2, 4);
    body[8] = unit;
    return png(1, 1, 8, 0, [Uint8Array.of(5)], [chunk('pHYs', body)]);
  };
  t.same((await readImage(physical(4_000_000))).mpp, [0.25, 0.5]);
  const paper = await readImage(physical(2835));
  t.equal(paper.mpp, undefined, '72 dpi');
  t.match(paper.warnings, [{ code: 'mpp_ignored', message: /352.7 x 705.7 um/ }]);
  t.same((await readImage(physical(2835), { mpp: 0.23 })).warnings, [], 'nothing to say where the caller knows better');
  t.equal((await readImage(physical(4_000_000, 0))).mpp, undefined, 'no unit');
});

t.test('broken files', async (t) => {
  const good = png(
    4,
    4,
    8,
    0,
    Array.from({ length: 4 }, () => Uint8Array.of(1, 2, 3, 4)),
  );
  await rejectsWith(t, readImage(good.subarray(0, 60), { name: 'cut.png' }), 'UAM_FORMAT', /^cut.png: .*truncated/);
  const flipped = Buffer.from(good);
  flipped[17]! ^= 1; // the width
  await rejectsWith(t, readImage(flipped), 'UAM_FORMAT', /IHDR.*checksum/);
  const pixels = Buffer.from(good);
  const data = pixels.indexOf('IDAT') + 4;
  pixels[data + 3]! ^= 0x10;
  await rejectsWith(t, readImage(pixels), 'UAM_FORMAT', /pixels of this PNG cannot be unpacked/);
  await rejectsWith(t, readImage(png(4, 4, 8, 0, [Uint8Array.of(1, 2, 3, 4)])), 'UAM_FORMAT', /5 of 20 bytes/);
  await rejectsWith(t, readImage(png(30000, 30000, 8, 2, [Uint8Array.of(1)])), 'UAM_FORMAT', /30000 x 30000 pixels, more than/);
  await rejectsWith(t, readImage(png(60000, 60000, 8, 2, [Uint8Array.of(1)])), 'UAM_DATA', /maxPixels/);
  await rejectsWith(t, readImage(png(2, 1, 8, 0, [Uint8Array.of(1, 2)], [], [9])), 'UAM_FORMAT', /row filter 9/);
  await rejectsWith(t, readImage(png(2, 1, 8, 3, [Uint8Array.of(0, 1)])), 'UAM_FORMAT', /palette/);
  await rejectsWith(t, readImage(png(1, 1, 8, 3, [Uint8Array.of(5)], [chunk('PLTE', Uint8Array.of(1, 2, 3))])), 'UAM_FORMAT', /colour 5/);
  await rejectsWith(t, readImage(png(2, 1, 3, 0, [Uint8Array.of(0)])), 'UAM_FORMAT', /header/);
  const bomb = png(2, 2, 8, 0, [new Uint8Array(50_000_000)]);
  await rejectsWith(t, readImage(bomb), 'UAM_FORMAT', /holds more than/);
});
