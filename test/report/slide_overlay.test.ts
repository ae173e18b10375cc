import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openImage, openPyramidTiff, type RasterImage, readImage } from '../../src/image/index.js';
import { openSlideOverlay } from '../../src/report/index.js';
import { rejectsWith } from '../support/expect.js';

const folder = t.testdir();
const file = (name: string) => join(folder, name);

/** A slide of 600 x 400 pixels: grey, its left half darker; and a mask at half its size, region 1 in the lower third. */
async function slideAndMask() {
  const tiff = await openPyramidTiff(file('slide.tif'), { width: 600, height: 400, channels: 3, tile: 64, mpp: 0.5 });
  await tiff.writeRows(Uint8Array.from({ length: 600 * 400 * 3 }, (_, i) => (Math.floor(i / 3) % 600 < 300 ? 100 : 200)));
  await tiff.close();
  const mask = await openPyramidTiff(file('mask.tif'), { width: 300, height: 200, channels: 1, tile: 64, mpp: 1 });
  await mask.writeRows(Uint8Array.from({ length: 300 * 200 }, (_, i) => Number(i >= 300 * 133)));
  await mask.close();
  return { slide: await openImage(file('slide.tif')), mask: await openImage(file('mask.tif')) };
}

const at = ({ data, width }: RasterImage, x: number, y: number) => [0, 1, 2].map((c) => data[(y * width + x) * 3 + c] as number);

t.test('tissue, regions and cells, each where it is', async (t) => {
  const { slide, mask } = await slideAndMask();
  const colors = { 'tumour nest': [0, 0, 255], stroma: [0, 255, 0], lymphocyte: [255, 0, 0] } as const;
  const overlay = openSlideOverlay(file('a.png'), slide, {
    classes: ['stroma', 'lymphocyte'],
    regions: ['tumour nest'],
    side: 150,
    dot: 9,
    colors,
  });
  t.equal(overlay.scale, 0.25);
  overlay.addCells([80, 80], [0]);
  overlay.addCells(Float64Array.of(400, 200, 500, 100), Uint8Array.of(1, 255));
  await overlay.close(mask);
  const picture = await readImage(file('a.png'));
  t.equal(picture.width, 150);
  t.ok(picture.height > 110, 'a legend below');
  t.same(at(picture, 50, 20), [100, 100, 100]);
  t.same(at(picture, 100, 40), [200, 200, 200]);
  const [r, g, b] = at(picture, 40, 85) as [number, number, number];
  t.ok(r === g && r < 100 && b > 100, 'tinted');
  t.ok((at(picture, 60, 66)[2] as number) > 180, 'the line around the region');
  t.ok((at(picture, 20, 20)[1] as number) > 220 && (at(picture, 20, 20)[0] as number) < 40, 'a cell of the first class');
  t.ok((at(picture, 100, 50)[0] as number) > 220 && (at(picture, 100, 50)[1] as number) < 40, 'and of the second');
  t.ok((at(picture, 125, 25)[0] as number) < 140, 'and of none');
  await slide.close();
  await mask.close();
});

t.test('the same bytes every time, from whichever level, however the cells come', async (t) => {
  const { slide, mask } = await slideAndMask();
  const draw = async (name: string, step: number) => {
    const overlay = openSlideOverlay(file(name), slide, { classes: ['a'], regions: ['r'], side: 400 });
    for (let i = 0; i < 12; i += step) {
      const indices = Array.from({ length: step }, (_, k) => i + k);
      overlay.addCells(
        indices.flatMap((k) => [k * 40, k * 30]),
        indices.map(() => 0),
      ); // prettier-ignore
    }
    await overlay.close(mask);
    return readFileSync(file(name));
  };
  const whole = await draw('b.png', 12);
  t.ok(whole.equals(await draw('c.png', 1)));
  const small = openSlideOverlay(file('d.png'), slide, { classes: [], side: 5000 });
  t.equal(small.scale, 1, 'never larger than the slide');
  await small.close();
  t.equal((await readImage(file('d.png'))).width, 600);
  await slide.close();
  await mask.close();
});

t.test('what is wrong is said, and leaves nothing', async (t) => {
  const { slide, mask } = await slideAndMask();
  t.throws(() => openSlideOverlay(file('e.jpg'), slide, { classes: [] }), { code: 'UAM_ARGUMENT' });
  t.throws(() => openSlideOverlay(file('e.png'), slide, { classes: ['a', 'a'] }), { code: 'UAM_ARGUMENT' });
  t.throws(() => openSlideOverlay(file('e.png'), slide, { classes: [], side: 10 }), { code: 'UAM_ARGUMENT' });
  t.throws(() => openSlideOverlay(file('e.png'), slide, { classes: [], dot: 0 }), { code: 'UAM_ARGUMENT' });
  const overlay = openSlideOverlay(file('e.png'), slide, { classes: ['a'] });
  t.throws(() => overlay.addCells([1], [0]), { code: 'UAM_SHAPE' });
  await rejectsWith(t, overlay.close(mask), 'UAM_ARGUMENT', /names/);
  const ended = openSlideOverlay(file('e.png'), slide, { classes: ['a'], signal: AbortSignal.abort() });
  await rejectsWith(t, ended.close(), 'UAM_ABORTED', /signal/);
  t.notOk(readdirSync(folder).some((name) => name.includes('e.png') || name.endsWith('.tmp')));
  await slide.close();
  await mask.close();
});
