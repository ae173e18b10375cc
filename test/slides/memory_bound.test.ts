// A run stays under its bound, with as many threads as that allows; a bound that is too low is refused before anything is done.
import { join } from 'node:path';
import t from 'tap';
import { defaultMaxMemory, threadNeeds, threadsWithin, tooLittle } from '../../src/slides/memory_bound.js';
import { demoTile } from '../../src/train/index.js';
import { uam } from '../support/run_program.js';
import { folderOf, writeJointModel, writeSlide } from '../support/slide_file.js';

const GB = 2 ** 30;

t.test('how many threads', async (t) => {
  const needs = { modelBytes: 20e6, tilePixels: 1024 ** 2, blockPixels: 1792 ** 2 };
  t.equal(threadsWithin(0.5 * GB, needs), 0);
  const one = threadNeeds(needs);
  t.ok(threadsWithin(4 * GB, needs) >= 2 && threadsWithin(4 * GB, needs) <= (4 * GB) / one);
  t.match(tooLittle(0.5 * GB, needs).message, /must be at least \d+ MB .*, received 512 MB/);
  t.ok(defaultMaxMemory() >= GB);
});

t.test('a slide of several blocks under its bound', async (t) => {
  const folder = folderOf(t);
  const image = writeSlide(join(folder, 'slide.tif'), demoTile({ width: 1700, height: 600, seed: 5 }).image);
  const model = await writeJointModel(join(folder, 'model.safetensors'));
  const bound = 700;
  const args = ['analyse', image, '--model', model, '--out', join(folder, 'out'), '--max-memory', `${bound}M`, '--threads', '8'];
  const { code, stdout, stderr } = uam([...args, '--json', '--quiet']);
  t.equal(code, 0, stderr);
  const { threads, peakMemory, maxMemory, settings } = JSON.parse(stdout);
  t.equal(maxMemory, bound * 2 ** 20);
  t.ok(threads >= 1 && threads < 8, `${threads} threads, blocks of ${settings.sizes.block}`);
  t.ok(peakMemory < maxMemory, `${Math.round(peakMemory / 2 ** 20)} of ${bound} MB`);
});
