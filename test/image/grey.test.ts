import t from 'tap';
import { UamError } from '../../src/errors.js';
import { channelPlane, greyPlane } from '../../src/image/index.js';

// Image.fromarray(rgb).convert('L') of Pillow 12.3.0 for these colours.
const colours = [0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 255, 0, 0, 0, 255, 200, 100, 50, 1, 2, 3, 17, 230, 99, 128, 127, 129, 254, 255, 253];
const luma = [0, 255, 76, 150, 29, 124, 2, 151, 128, 254];

t.test('the grey of an 8-bit image is that of PIL', async (t) => {
  const image = { width: 5, height: 2, channels: 3, data: Uint8Array.from(colours) } as const;
  t.same(greyPlane(image), Uint8Array.from(luma));
});

t.test('other depths are not rounded', async (t) => {
  const deep = greyPlane({ width: 1, height: 1, channels: 3, data: Uint16Array.of(1000, 2000, 3001) });
  t.ok(deep instanceof Float64Array);
  t.equal(deep[0], 0.299 * 1000 + 0.587 * 2000 + 0.114 * 3001);
  t.ok(Number.isNaN(greyPlane({ width: 1, height: 1, channels: 3, data: Float32Array.of(1, Number.NaN, 1) })[0]!));
  const data = Uint16Array.of(1, 2);
  t.equal(greyPlane({ width: 2, height: 1, channels: 1, data }), data, 'grey stays as it is');
});

t.test('single channels', async (t) => {
  const image = { width: 2, height: 1, channels: 3, data: Float32Array.of(1, 2, 3, 4, 5, 6) } as const;
  t.same(
    [channelPlane(image, 'r'), channelPlane(image, 'g'), channelPlane(image, 'b')],
    [Float32Array.of(1, 4), Float32Array.of(2, 5), Float32Array.of(3, 6)],
  );
  const grey = { width: 1, height: 1, channels: 1, data: Uint8Array.of(1), name: 'a.png' } as const;
  t.throws(() => channelPlane(grey, 'r'), { code: 'UAM_ARGUMENT', message: /a.png, which is grey/ });
  t.throws(() => channelPlane(image, 'h' as 'r'), { code: 'UAM_ARGUMENT' });
  t.throws(() => greyPlane({ ...image, width: 3 }), UamError);
});
