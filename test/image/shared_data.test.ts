// The real images and masks of ../shared/data: pixels against sharp (libvips), ids against fast-png.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { decode } from 'fast-png';
import sharp from 'sharp';
import t from 'tap';
import { checkSameSize, openImage, readImage, readMask } from '../../src/image/index.js';
import { packageRoot } from '../../src/native/load.js';
import { sameValues } from '../support/expect.js';

const data = join(packageRoot(), '..', 'shared', 'data');
const skip = existsSync(data) ? false : `no ${data}`;
/** Images that stand beside a label mask. */
const pairs = (folder: string, suffix: string): string[] =>
  readdirSync(join(data, folder)).flatMap((file) => (file.endsWith(suffix) ? [join(data, folder, file.slice(0, -suffix.length))] : []));

t.test('images and their masks', { skip }, async (t) => {
  for (const [folder, suffix] of [
    ['puma', '_labels.png'],
    ['nucls', '_labels.png'],
    ['dsb2018', '_labels.png'],
    ['brca_m2c', '_autolabels.png'],
  ] as const) {
    let cells = 0;
    const found = pairs(folder, suffix).slice(0, 12);
    t.ok(found.length > 0, folder);
    for (const base of found) {
      const image = await readImage(`${base}.png`);
      const mask = await readMask(base + suffix, { width: image.width, height: image.height });
      checkSameSize(image, mask);
      t.same([image.channels, image.data.constructor, image.warnings, mask.warnings], [3, Uint8Array, [], []], base);
      sameValues(t, image.data, await sharp(`${base}.png`).removeAlpha().raw().toBuffer(), 'pixels');
      sameValues(t, mask.data, decode(readFileSync(base + suffix)).data, 'ids');
      const ids = new Set(mask.data);
      ids.delete(0);
      cells += ids.size;
      const classes = `${base}_classes.csv`;
      if (existsSync(classes)) {
        const listed = readFileSync(classes, 'utf8')
          .trim()
          .split('\n')
          .slice(1)
          .map((line) => Number(line.split(',')[0]));
        t.ok(
          listed.every((id) => ids.has(id)),
          `${listed.length} classified cells are in the mask`,
        );
      }
    }
    t.comment(`${folder}: ${found.length} images, ${cells} cells`);
  }
});

t.test('the SVS with JPEG tiles', { skip }, async (t) => {
  const file = join(data, 'wsi', 'CMU-1-Small-Region.svs');
  const slide = await openImage(file);
  t.same([slide.width, slide.height, slide.channels, slide.mpp, slide.levels.length], [2220, 2967, 3, [0.499, 0.499], 1]);
  const region = { x: 800, y: 900, width: 700, height: 500 };
  const expected = await sharp(file)
    .extract({ left: region.x, top: region.y, width: region.width, height: region.height })
    .raw()
    .toBuffer();
  sameValues(t, (await slide.read(region)).data, expected, 'as libtiff and libjpeg-turbo decode it');
  await slide.close();
  const thumbnail = await readImage(file, { page: 1 });
  t.same([thumbnail.width, thumbnail.height], [574, 768]);
  sameValues(t, thumbnail.data, await sharp(file, { page: 1 }).raw().toBuffer(), 'thumbnail: JPEG strips');
  const label = await readImage(file, { page: 2 });
  sameValues(t, label.data, await sharp(file, { page: 2 }).raw().toBuffer(), 'label: LZW strips with differences');
});

t.test('the tiled pyramid', { skip }, async (t) => {
  const file = join(data, 'wsi', 'cmu1_crop_tiled_pyramid.tif');
  const image = await openImage(file);
  t.same(
    image.levels.map((level) => level.width),
    [1024, 512, 256],
  );
  for (const [level] of image.levels.entries()) {
    sameValues(t, (await image.read({ level })).data, await sharp(file, { page: level }).raw().toBuffer(), `level ${level}`);
  }
  await image.close();
});
