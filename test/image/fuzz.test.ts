// Damaged files: each reader answers with a result or with a UamError, and never with a crash, a hang, another error, a rejection
// that nobody waits for, or memory for pixels that are not there. Ten thousand files of each kind, always the same ones, in about
// a minute; `UAM_FUZZ=1000` runs fewer, `UAM_FUZZ_SEED=7` others.
import { deflateSync } from 'node:zlib';
import { encode } from 'fast-png';
import sharp, { type JpegOptions, type PngOptions, type TiffOptions } from 'sharp';
import t, { type Test } from 'tap';
import { UamError } from '../../src/errors.js';
import { encodeMask, encodeNpy, openImage, readImage, readMask } from '../../src/image/index.js';
import { damaged, seeded, withRightChecksums } from '../support/damage.js';
import { matFile } from '../support/mat_file.js';
import { stripPage, tiffFile } from '../support/tiff_file.js';
import { zipFile } from '../support/zip_file.js';
import { zstdFrame } from '../support/zstd_frame.js';

const TIMES = Number(process.env.UAM_FUZZ ?? 10_000);
const SEED = Number(process.env.UAM_FUZZ_SEED ?? 20251);
const WIDTH = 16;
const HEIGHT = 12;

/** Memory that reading a file of a few hundred bytes may take beyond what it took before, in megabytes. */
const MOST_MEMORY = 400;

const rgb = Uint8Array.from({ length: WIDTH * HEIGHT * 3 }, (_, i) => (i * 37) & 255);
const labels = Uint32Array.from({ length: WIDTH * HEIGHT }, (_, i) => (i % 5 === 0 ? (i >> 4) + 1 : 0));
const raw = { width: WIDTH, height: HEIGHT, channels: 3 } as const;

type Read = (bytes: Uint8Array) => Promise<unknown>;

async function fuzz(t: Test, files: Uint8Array[], read: Read, mend: (bytes: Buffer) => Buffer = (bytes) => bytes): Promise<void> {
  const random = seeded(SEED);
  const codes: Record<string, number> = {};
  const others: string[] = [];
  const unhandled = (error: unknown) => others.push(`unhandled: ${error}`);
  process.on('unhandledRejection', unhandled);
  for (const file of files) await read(file); // sound before it is damaged
  let highest = 0;
  const before = process.memoryUsage().rss;
  let slowest = 0;
  for (let i = 0; i < TIMES; i++) {
    let bytes = damaged(files[i % files.length]!, random);
    if (random() < 0.5) bytes = mend(bytes);
    const start = performance.now();
    try {
      await read(bytes);
      codes['read'] = (codes['read'] ?? 0) + 1;
    } catch (error) {
      if (error instanceof UamError) codes[error.code] = (codes[error.code] ?? 0) + 1;
      else others.push(`${i}: ${error instanceof Error ? error.stack : error}`);
    }
    slowest = Math.max(slowest, performance.now() - start);
    highest = Math.max(highest, process.memoryUsage().rss - before);
  }
  await new Promise((resolve) => setImmediate(resolve));
  process.off('unhandledRejection', unhandled);
  t.same(others.slice(0, 3), [], 'no other error than UamError');
  t.match(Object.keys(codes).sort().join(' '), /^(UAM_(ARGUMENT|DATA|FORMAT|SHAPE) ?)*(read)?$/, JSON.stringify(codes));
  t.ok(highest / 2 ** 20 < MOST_MEMORY, `took ${Math.round(highest / 2 ** 20)} MB more`);
  t.ok(slowest < 5000, `the slowest took ${Math.round(slowest)} ms`);
}

/** An image is read whole, and its levels by regions. */
const image: Read = async (bytes) => {
  await readImage(bytes);
  const opened = await openImage(bytes);
  for (const [level, { width, height }] of opened.levels.slice(1).entries()) {
    await opened.read({ level: level + 1, x: width >> 1, y: height >> 1, width: 1, height: 1 });
  }
  await opened.close();
};

const mask: Read = (bytes) => readMask(bytes);

t.test('PNG images', async (t) => {
  const png = (options: PngOptions) => sharp(rgb, { raw }).png(options).toBuffer();
  const rgba = encode({ width: 4, height: 4, channels: 4, depth: 16, data: new Uint16Array(64).fill(30000) });
  await fuzz(t, [await png({}), await png({ palette: true }), await png({ progressive: true }), rgba], image, withRightChecksums);
});

t.test('JPEG images', async (t) => {
  const jpeg = (options: JpegOptions) => sharp(rgb, { raw }).jpeg(options).toBuffer();
  await fuzz(t, [await jpeg({}), await jpeg({ progressive: true }), await sharp(rgb, { raw }).greyscale().jpeg().toBuffer()], image);
});

t.test('TIFF images', async (t) => {
  const tiff = (options: TiffOptions) => sharp(rgb, { raw }).tiff(options).toBuffer();
  const small = { tile: true, tileWidth: 16, tileHeight: 16 };
  const page = stripPage(rgb, WIDTH, HEIGHT, [[259, 3, [50000]]]);
  const zstd = tiffFile([{ ...page, tiles: [zstdFrame(rgb)] }]);
  await fuzz(
    t,
    [
      await tiff({ compression: 'none' }),
      await tiff({ compression: 'lzw' }),
      await tiff({ compression: 'deflate', ...small, pyramid: true }),
      await tiff({ compression: 'jpeg', ...small }),
      await tiff({ compression: 'packbits' }),
      zstd,
      tiffFile([stripPage(rgb, WIDTH, HEIGHT)], { big: true, little: false }),
    ],
    image,
  );
});

t.test('PNG masks', async (t) => {
  const grey = Uint8Array.from(labels);
  const eight = encode({ width: WIDTH, height: HEIGHT, channels: 1, depth: 8, data: grey });
  await fuzz(t, [await encodeMask({ width: WIDTH, height: HEIGHT, data: labels }), eight], mask, withRightChecksums);
});

t.test('TIFF masks', async (t) => {
  const plain = stripPage(labels, WIDTH, HEIGHT);
  const packed = stripPage(Uint16Array.from(labels), WIDTH, HEIGHT, [
    [259, 3, [8]],
    [317, 3, [2]],
  ]);
  packed.tiles = [deflateSync(packed.tiles[0]!)];
  const floats = stripPage(Float32Array.from(labels), WIDTH, HEIGHT, [], false);
  await fuzz(
    t,
    [tiffFile([plain]), tiffFile([packed, plain]), tiffFile([floats], { little: false }), tiffFile([plain], { big: true })],
    mask,
  );
});

t.test('NPY masks', async (t) => {
  const shape = [HEIGHT, WIDTH];
  const wide = BigInt64Array.from(labels, BigInt);
  await fuzz(t, [encodeNpy(labels, shape), encodeNpy(Uint16Array.from(labels), shape), encodeNpy(wide, shape)], mask);
});

t.test('NPZ masks', async (t) => {
  const one = { 'inst_map.npy': encodeNpy(labels, [HEIGHT, WIDTH]) };
  const two = { 'a.npy': encodeNpy(Uint16Array.from(labels), [HEIGHT, WIDTH]), 'b.npy': encodeNpy(Float64Array.of(1, 2), [2]) };
  await fuzz(t, [zipFile(one), zipFile(one, { compress: true }), zipFile(two, { compress: true }), zipFile(two, { wide: true })], mask);
});

t.test('MATLAB masks', async (t) => {
  const matrix = (type: number, values: Uint8Array | Float64Array) => ({
    name: 'inst_map',
    kind: 6,
    type,
    shape: [HEIGHT, WIDTH],
    values: Buffer.from(values.buffer as ArrayBuffer),
  });
  const bytes = matrix(2, Uint8Array.from(labels));
  const doubles = matrix(9, Float64Array.from(labels));
  await fuzz(
    t,
    [matFile([bytes]), matFile([doubles], { compress: true }), matFile([bytes, doubles]), matFile([bytes], { compress: true })],
    mask,
  );
});
