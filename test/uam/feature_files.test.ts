import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import t from 'tap';
import { UamError } from '../../src/errors.js';
import { encodeNpy } from '../../src/image/npy.js';
import { readImageFeatures, stackFeatures, writeImageFeatures } from '../../src/uam/feature_files.js';
import { fileHash, pixelHash } from '../../src/uam/image_hash.js';
import { damaged, seeded } from '../support/damage.js';
import { rejectsWith } from '../support/expect.js';
import { noiseImage } from '../support/images.js';
import { randomTensor, uniform } from '../support/random.js';

const folder = mkdtempSync(join(tmpdir(), 'uam-features-'));
t.teardown(() => rmSync(folder, { recursive: true }));

const image = noiseImage(40, 20, 1);
const imageFile = join(folder, 'tile.bin');
writeFileSync(imageFile, 'the bytes of an image file');

const pixels = createHash('sha256')
  .update(image.data as Uint8Array)
  .digest('hex');

/** 16-bit floats that hold exactly what is asked: multiples of 1/8 below 16. */
const halfBytes = (values: Float32Array): Uint16Array =>
  Uint16Array.from(values, (value) => {
    const size = Math.abs(value);
    if (size === 0) return 0;
    const exponent = Math.floor(Math.log2(size));
    return (value < 0 ? 0x8000 : 0) | ((exponent + 15) << 10) | Math.round((size / 2 ** exponent - 1) * 1024);
  });

const fine = randomTensor([3, 4, 6], 1).data as Float32Array; // 40 x 20 filled up to 48 x 32, for stride 16
const coarse = Float32Array.from({ length: 5 * 2 * 3 }, (_, i) => (i - 12) / 8);

function halfNpy(values: Float32Array, shape: number[]): Uint8Array {
  const bytes = Buffer.from(encodeNpy(new Uint16Array(halfBytes(values)) as never, shape));
  return Buffer.from(bytes.toString('latin1').replace("'<u2'", "'<f2'"), 'latin1');
}

const description = () => ({
  format: 'uam-image-features-1',
  image: { width: 40, height: 20, mpp: 0.5, pixelsSha256: pixels } as Record<string, unknown>,
  origin: [10, 20] as unknown,
  modelHash: 'encoder 1' as unknown,
  levels: [
    { name: 'fine', stride: 8, channels: 3, file: 'fine.npy' },
    { name: 'coarse', stride: 16, channels: 5, file: 'maps/coarse.npy' },
  ] as Record<string, unknown>[],
});

const path = join(folder, 'tile.features.json');
mkdirSync(join(folder, 'maps'));
function write(change: (all: ReturnType<typeof description>) => void = () => {}, files: Record<string, Uint8Array> = {}): string {
  const all = description();
  change(all);
  writeFileSync(path, JSON.stringify(all));
  const maps = { 'fine.npy': encodeNpy(fine, [3, 4, 6]), 'maps/coarse.npy': halfNpy(coarse, [5, 2, 3]), ...files };
  for (const [name, bytes] of Object.entries(maps)) writeFileSync(join(folder, name), bytes);
  return path;
}

t.test('maps of 16 and 32 bits, channels last', async (t) => {
  const { levels, ...rest } = await readImageFeatures(write(), { image, modelHash: 'encoder 1' });
  t.same(rest, { width: 40, height: 20, mpp: 0.5, origin: Float64Array.of(10, 20), modelHash: 'encoder 1' });
  t.same(
    levels.map(({ tensor, ...level }) => [level, tensor.shape]),
    [
      [{ name: 'fine', stride: 8, channels: 3, height: 4, width: 6 }, [1, 4, 6, 3]],
      [{ name: 'coarse', stride: 16, channels: 5, height: 2, width: 3 }, [1, 2, 3, 5]],
    ],
  );
  const [a, b] = levels.map(({ tensor }) => tensor.data) as [Float32Array, Float32Array];
  t.ok(fine.every((value, i) => value === a[(i % 24) * 3 + Math.floor(i / 24)]));
  t.ok(coarse.every((value, i) => value === b[(i % 6) * 5 + Math.floor(i / 6)]));
  const plain = await readImageFeatures(write((all) => delete (all as { origin?: unknown }).origin));
  t.same(plain.origin, Float64Array.of(0, 0));
});

t.test('many channels and large maps are read in parts', async (t) => {
  const many = randomTensor([900, 16, 16], 3).data as Float32Array;
  const large = randomTensor([2, 256, 320], 4).data as Float32Array;
  for (const [values, [channels, height, width]] of [
    [many, [900, 16, 16]],
    [large, [2, 256, 320]],
  ] as const) {
    const change = (all: ReturnType<typeof description>) => {
      Object.assign(all.image, { width: 4 * width, height: 4 * height });
      all.levels = [{ name: 'fine', stride: 4, channels, file: 'fine.npy' }];
    };
    const { levels } = await readImageFeatures(write(change, { 'fine.npy': encodeNpy(values, [channels, height, width]) }));
    const map = levels[0]?.tensor.data as Float32Array;
    const pixels = height * width;
    t.ok(values.every((value, i) => value === map[(i % pixels) * channels + Math.floor(i / pixels)]));
  }
});

t.test('hashes', async (t) => {
  t.equal(await pixelHash(image), pixels);
  const next = uniform(9);
  const grey = Uint8Array.from({ length: 300 * 300 }, () => 256 * next());
  const colours = Uint8Array.from({ length: 3 * grey.length }, (_, i) => grey[Math.floor(i / 3)] as number);
  const inColours = await pixelHash({ width: 300, height: 300, channels: 3, data: colours });
  t.equal(await pixelHash({ width: 300, height: 300, channels: 1, data: grey }), inColours);
  await rejectsWith(t, pixelHash({ ...image, data: new Uint16Array(2400) }), 'UAM_DTYPE', /8-bit/);
  t.equal(await fileHash([imageFile, imageFile]), createHash('sha256').update('the bytes of an image file'.repeat(2)).digest('hex'));
  await rejectsWith(t, fileHash([join(folder, 'none')]), 'UAM_INPUT', /none: cannot be read/);
  await rejectsWith(t, fileHash([imageFile], AbortSignal.abort()), 'UAM_ABORTED', /aborted/);
});

t.test('maps of another image, size, pixel size or encoder are refused', async (t) => {
  const other = { ...image, data: (image.data as Uint8Array).map((byte, i) => (i === 7 ? byte ^ 1 : byte)) };
  await rejectsWith(t, readImageFeatures(write(), { image: other }), 'UAM_DATA', /pixelsSha256 must be .* encode the image again/);
  await rejectsWith(
    t,
    readImageFeatures(write(), { image: noiseImage(40, 21) }),
    'UAM_DATA',
    /size of its image must be 40 x 21, .* received 40 x 20/,
  );
  await rejectsWith(t, readImageFeatures(write(), { image: { ...image, mpp: [0.25, 0.25] } }), 'UAM_DATA', /mpp must be 0.25 within 1 %/);
  await rejectsWith(t, readImageFeatures(write(), { image, mpp: 0.25 }), 'UAM_DATA', /mpp must be 0.25/);
  await rejectsWith(
    t,
    readImageFeatures(write(), { modelHash: 'encoder 2' }),
    'UAM_DATA',
    /modelHash must be encoder 2, received encoder 1/,
  );
  await readImageFeatures(write(), { image: { ...image, mpp: [0.502, 0.502] } });
  await readImageFeatures(write(), { image: { ...image, mpp: undefined } });

  const hash = await fileHash([imageFile]);
  const withFile = (fileSha256: string) => write((all) => (all.image = { width: 40, height: 20, mpp: 0.5, fileSha256 }));
  await readImageFeatures(withFile(hash.toUpperCase()), { image, imageFile });
  await rejectsWith(t, readImageFeatures(withFile(hash), { image }), 'UAM_ARGUMENT', /pass imageFile/);
  await rejectsWith(t, readImageFeatures(withFile('0'.repeat(64)), { imageFile }), 'UAM_DATA', /fileSha256 must be .*tile\.bin has it/);
});

t.test('maps that do not fit their sidecar', async (t) => {
  const level = (change: object) => write((all) => Object.assign(all.levels[0] as object, change));
  const map = (bytes: Uint8Array) => write(undefined, { 'fine.npy': bytes });
  const good = encodeNpy(fine, [3, 4, 6]);
  const text = (from: string, to: string) => map(Buffer.from(Buffer.from(good).toString('latin1').replace(from, to), 'latin1'));
  const spoilt = fine.slice();
  spoilt[30] = Number.NaN;
  const cases: [() => string, 'UAM_DATA' | 'UAM_FORMAT' | 'UAM_INPUT', RegExp][] = [
    [() => level({ channels: 4 }), 'UAM_DATA', /fine\.npy: its shape must be \(4, 4, 6\), channels first, received \(3, 4, 6\)/],
    [() => level({ stride: 4 }), 'UAM_FORMAT', /stride of coarse must be 8/],
    [() => write((all) => (all.image['width'] = 49)), 'UAM_DATA', /\(3, 4, 8\)/],
    [() => map(encodeNpy(Float64Array.from(fine), [3, 4, 6])), 'UAM_FORMAT', /expected '<f2' or '<f4' numbers, received '<f8'/],
    [() => text("'<f4'", "'>f4'"), 'UAM_FORMAT', /received '>f4'/],
    [() => text("'fortran_order': False", "'fortran_order': True "), 'UAM_FORMAT', /Fortran/],
    [() => map(encodeNpy(fine, [3, 24])), 'UAM_DATA', /received \(3, 24\)/],
    [() => map(good.subarray(0, good.length - 4)), 'UAM_FORMAT', /truncated/],
    [() => map(good.subarray(0, 20)), 'UAM_FORMAT', /header|truncated/],
    [() => map(Buffer.from('no array at all')), 'UAM_FORMAT', /not a NumPy array/],
    [() => map(encodeNpy(spoilt, [3, 4, 6])), 'UAM_DATA', /channel 1 holds NaN/],
    [() => level({ file: 'absent.npy' }), 'UAM_INPUT', /absent\.npy/],
  ];
  for (const [make, code, message] of cases) await rejectsWith(t, readImageFeatures(make()), code, message);
  await rejectsWith(t, readImageFeatures(write(), { signal: AbortSignal.abort() }), 'UAM_ABORTED', /fine\.npy/);
});

t.test('sidecars that are not sound', async (t) => {
  const cases: [(all: ReturnType<typeof description>) => void, RegExp][] = [
    [(all) => (all.format = 'other'), /"format" must be "uam-image-features-1", received "other"/],
    [(all) => Object.assign(all, { mean: 1 }), /unknown entry "mean"; known are format, image/],
    [(all) => (all.image['mpp'] = 0), /"image": "mpp" must be a number above 0/],
    [(all) => (all.image['width'] = 1.5), /"width" must be a whole number/],
    [(all) => (all.image['pixelsSha256'] = 'abc'), /64 hexadecimal digits/],
    [(all) => delete all.image['pixelsSha256'], /must have "pixelsSha256" or "fileSha256"/],
    [(all) => (all.image['note'] = 1), /unknown entry "note"/],
    [(all) => (all.origin = [1]), /"origin" must be 2 numbers/],
    [(all) => (all.modelHash = 7), /"modelHash" must be text, received 7/],
    [(all) => (all.levels = []), /1 to 64 objects/],
    [(all) => (all.levels = [3] as never), /"levels"\[0\]: must be a JSON object/],
    [(all) => (all.levels[0] = { ...all.levels[0], file: '../fine.npy' }), /beside this one/],
    [(all) => (all.levels[0] = { ...all.levels[0], file: join(folder, 'fine.npy') }), /beside this one/],
    [(all) => (all.levels[0] = { ...all.levels[0], dtype: 'f4' }), /"levels"\[0\]: unknown entry "dtype"/],
    [(all) => (all.levels[1] = { ...all.levels[1], name: 'fine' }), /two levels are called 'fine'/],
  ];
  for (const [change, message] of cases) await rejectsWith(t, readImageFeatures(write(change)), 'UAM_FORMAT', message);
  for (const text of ['', '{', '[]', 'null', `"${'x'.repeat(2 ** 20)}"`]) {
    writeFileSync(path, text);
    await rejectsWith(t, readImageFeatures(path), 'UAM_FORMAT', /tile\.features\.json/);
  }
  await rejectsWith(t, readImageFeatures(join(folder, 'none.json')), 'UAM_INPUT', /none\.json/);
  t.equal(dirname(path), folder);
});

t.test('what is written is read again', async (t) => {
  const given = await readImageFeatures(write());
  const copy = join(folder, 'copy.features.json');
  await writeImageFeatures(copy, given, image);
  t.same(
    readdirSync(folder)
      .filter((name) => name.startsWith('copy'))
      .sort(),
    ['copy.coarse.npy', 'copy.features.json', 'copy.fine.npy'],
  );
  const again = await readImageFeatures(copy, { image, modelHash: 'encoder 1' });
  t.same([again.origin, again.mpp], [given.origin, given.mpp]);
  again.levels.forEach(({ tensor }, i) => t.same(tensor.data, given.levels[i]?.tensor.data));
  await rejectsWith(t, writeImageFeatures(copy, stackFeatures([given, given]), image), 'UAM_ARGUMENT', /of one image, received of 2/);
  await rejectsWith(t, writeImageFeatures(copy, { ...given, modelHash: undefined }, image), 'UAM_ARGUMENT', /no modelHash/);
  await rejectsWith(t, writeImageFeatures(copy, given, noiseImage(4, 4)), 'UAM_SHAPE', /40 x 20/);
  await rejectsWith(t, writeImageFeatures(join(folder, 'no', 'x.json'), given, image), 'UAM_IO', /cannot write/);
});

t.test('damaged files: a result or a UamError', async (t) => {
  const random = seeded(Number(process.env.UAM_FUZZ_SEED ?? 20251));
  const sound = { 'tile.features.json': Buffer.from(JSON.stringify(description())), 'fine.npy': encodeNpy(fine, [3, 4, 6]) };
  write();
  const codes = new Set<string>();
  const times = Math.min(2000, Number(process.env.UAM_FUZZ ?? 2000));
  for (let i = 0; i < times; i++) {
    const name = i % 2 === 0 ? 'fine.npy' : 'tile.features.json';
    writeFileSync(join(folder, name), damaged(sound[name], random));
    try {
      const { levels } = await readImageFeatures(path);
      t.ok(levels.length > 0 && levels.every(({ tensor }) => tensor.data.every(Number.isFinite)));
    } catch (error) {
      if (!(error instanceof UamError)) throw error;
      codes.add(error.code);
    }
    writeFileSync(join(folder, name), sound[name]);
  }
  t.match([...codes].sort().join(' '), /^(UAM_(DATA|FORMAT|INPUT) ?)+$/);
});

t.test('features of several images side by side', async (t) => {
  const one = await readImageFeatures(write());
  const two = { ...one, origin: Float64Array.of(1, 2) };
  const both = stackFeatures([one, two]);
  t.same([...both.origin], [10, 20, 1, 2]);
  t.same(both.levels[1]?.tensor.shape, [2, 2, 3, 5]);
  const second = both.levels[1]?.tensor.rows(1, 2).data.slice();
  t.same(second, two.levels[1]?.tensor.data);
  t.throws(() => stackFeatures([one, { ...one, mpp: 1 }]), { code: 'UAM_DATA' });
  t.throws(() => stackFeatures([]), { code: 'UAM_ARGUMENT' });
});
