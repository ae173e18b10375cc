// Slides and masks that turn out to be none when their pixels are read: told, and nothing is left of the run.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { analyseSlide } from '../../src/slides/analyse_slide.js';
import { demoTile } from '../../src/train/index.js';
import { rejectsWith } from '../support/expect.js';
import { colourModel, folderOf, writeLabels, writeSlide } from '../support/slide_file.js';

t.test('a grey slide, a mask that is no label image', async (t) => {
  const folder = folderOf(t);
  const demo = demoTile({ width: 300, height: 260, seed: 5 });
  const run = (image: string, mask?: string) =>
    analyseSlide({ image, mask, model: image }, { out: join(folder, 'out'), table: 'csv' }, { loadModel: async () => colourModel() });
  const grey = writeSlide(join(folder, 'grey.tif'), { width: 300, height: 300, channels: 1, data: new Uint8Array(90_000).fill(120) });
  await rejectsWith(t, run(grey), 'UAM_DATA', /one channel/);
  const image = writeSlide(join(folder, 'slide.tif'), demo.image);
  const filled = demo.mask.data.map((id, i) => (id > 0 || i % 300 > 20 ? 255 : 0));
  const binary = writeLabels(join(folder, 'binary.tif'), { width: 300, height: 260, data: filled });
  await rejectsWith(t, run(image, binary), 'UAM_DATA', /hold 0 and 255 only/);
  t.same(readdirSync(folder).sort(), ['binary.tif', 'grey.tif', 'slide.tif']);
});
