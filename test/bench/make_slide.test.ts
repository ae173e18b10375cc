import { join } from 'node:path';
import t from 'tap';
import { syntheticSlide } from '../../bench/synthetic_slide.js';
import { openImage } from '../../src/image/index.js';

const folder = t.testdir();

t.test('a small slide: tissue on white, nests where their mask says', async (t) => {
  const side = 900;
  const [out, region] = [join(folder, 'slide.tif'), join(folder, 'region.tif')];
  const make = () => syntheticSlide({ out, region, side, kinds: 2, pitch: 300, tissue: 0.5 });
  const { nuclei, classNames, tissuePixels, tumourPixels } = await make();
  const slide = await openImage(out);
  const mask = await openImage(region);
  t.same([slide.width, slide.height, slide.mpp, slide.levels.length], [side, side, [0.5, 0.5], 3]);
  t.ok(Math.abs(tissuePixels / side ** 2 - 0.5) < 0.05, `${tissuePixels} pixels of tissue`);
  t.ok(nuclei.length > 300 && nuclei.length < 1500, `${nuclei.length} nuclei`);
  const values = (await mask.read()).data as Uint8Array;
  t.equal(
    values.reduce((sum, value) => sum + value, 0),
    tumourPixels,
  );
  const pixels = (await slide.read()).data;
  const blueness = (x: number, y: number) => pixels[(y * side + x) * 3 + 1] as number; // green is what both stains take
  const light = nuclei.filter(({ x, y }) => blueness(x, y) > 190).length;
  t.ok(light < 0.03 * nuclei.length, `${light} centres of nuclei are not dark`);
  const tumour = nuclei.filter(({ kind }) => classNames[kind] === 'tumour');
  const inside = tumour.filter(({ x, y }) => values[y * side + x] === 1).length;
  t.ok(inside > 0.97 * tumour.length, `${inside} of ${tumour.length} tumour nuclei lie in nests`);
  t.same((await make()).nuclei, nuclei, 'the same every time');
  await slide.close();
  await mask.close();
});
