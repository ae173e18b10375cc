// JPEG, against sharp's own decoding of the same file.
import sharp from 'sharp';
import t from 'tap';
import { openImage, readImage } from '../../src/image/index.js';
import { rejectsWith, sameValues } from '../support/expect.js';

const width = 67;
const height = 45;
const pixels = Uint8Array.from({ length: width * height * 3 }, (_, i) => 128 + 100 * Math.sin(i / 97) * Math.cos((i % (3 * width)) / 31));
const source = () => sharp(pixels, { raw: { width, height, channels: 3 } });

t.test('RGB and grey, baseline and progressive', async (t) => {
  for (const progressive of [false, true]) {
    for (const chromaSubsampling of ['4:2:0', '4:4:4']) {
      const file = await source().jpeg({ progressive, chromaSubsampling }).toBuffer();
      const image = await readImage(file);
      sameValues(t, image.data, await sharp(file).raw().toBuffer(), `${progressive} ${chromaSubsampling}`);
      t.same([image.width, image.height, image.channels], [width, height, 3]);
    }
  }
  const grey = await source().toColourspace('b-w').jpeg().toBuffer();
  const image = await readImage(grey);
  t.equal(image.channels, 1);
  sameValues(t, image.data, await sharp(grey).toColourspace('b-w').raw().toBuffer(), 'grey');
});

t.test('a colour profile and an orientation change no pixel', async (t) => {
  const plain = await source().jpeg().toBuffer();
  const profiled = await source().withIccProfile('p3').jpeg().toBuffer();
  const bare = await sharp(profiled, { ignoreIcc: true }).raw().toBuffer();
  sameValues(t, (await readImage(profiled)).data, bare, 'with a profile');
  const turned = await sharp(plain).withMetadata({ orientation: 6 }).jpeg().toBuffer();
  const image = await readImage(turned);
  t.same([image.width, image.height], [width, height]);
  t.match(image.warnings, [{ code: 'orientation_ignored', message: /orientation 6/ }]);
});

t.test('regions, resolution, lazy decoding', async (t) => {
  const file = await source().withMetadata({ density: 50800 }).jpeg().toBuffer();
  const image = await openImage(file);
  t.same(image.mpp, [0.5, 0.5]);
  const all = await image.read();
  const part = await image.read({ x: 5, y: 7, width: 3, height: 2 });
  t.same(part.data, Uint8Array.from([0, 1].flatMap((y) => [...all.data.subarray(((7 + y) * width + 5) * 3, ((7 + y) * width + 8) * 3)])));
  await image.close();
  const plain = await source().jpeg().toBuffer();
  const jfif = (unit: number, density: number) =>
    Buffer.concat([
      plain.subarray(0, 2),
      Buffer.of(0xff, 0xe0, 0, 16, 0x4a, 0x46, 0x49, 0x46, 0, 1, 1, unit, density >> 8, density & 255, density >> 8, density & 255, 0, 0),
      plain.subarray(2),
    ]);
  t.same((await readImage(jfif(2, 20000))).mpp, [0.5, 0.5], 'pixels per centimetre');
  const screen = await readImage(jfif(1, 72));
  t.equal(screen.mpp, undefined);
  t.match(screen.warnings, [{ code: 'mpp_ignored' }]);
  t.same((await readImage(jfif(0, 1))).warnings, [], 'no unit: nothing to believe or to doubt');
});

t.test('broken and unsupported files', async (t) => {
  const file = await source().jpeg().toBuffer();
  await rejectsWith(t, readImage(file.subarray(0, file.length >> 1), { name: 'half.jpg' }), 'UAM_FORMAT', /^half.jpg: .*premature end/);
  await rejectsWith(t, readImage(file.subarray(0, 30)), 'UAM_FORMAT', /no readable header/);
  const cmyk = await source().toColourspace('cmyk').jpeg().toBuffer();
  await rejectsWith(t, readImage(cmyk), 'UAM_FORMAT', /CMYK/);
  const frame = file.indexOf(Buffer.of(0xff, 0xc0));
  const huge = Buffer.from(file);
  huge.writeUInt16BE(65000, frame + 5);
  huge.writeUInt16BE(65000, frame + 7);
  await rejectsWith(t, readImage(huge), 'UAM_FORMAT', /65000 x 65000 pixels, more than/);
  const empty = Buffer.from(file);
  empty.writeUInt16BE(0, frame + 5);
  await rejectsWith(t, readImage(empty), 'UAM_FORMAT', /impossible size/);
  t.equal((await readImage(Buffer.concat([file, Buffer.alloc(100)]))).data.length, pixels.length, 'bytes after the end do no harm');
});
