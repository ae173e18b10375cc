// Runs that are interrupted at any moment end with the bytes of one that was not, and nothing of another run is taken for their own.
import { copyFileSync, existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { analyseSlide, type SlideOptions } from '../../src/slides/analyse_slide.js';
import type { SlideProgress } from '../../src/slides/slide_run.js';
import { demoTile } from '../../src/train/index.js';
import { rejectsWith } from '../support/expect.js';
import { signalWhen, startUam, uam } from '../support/run_program.js';
import { colourModel, folderOf, writeJointModel, writeSlide } from '../support/slide_file.js';

const demo = demoTile({ width: 700, height: 520, seed: 5 });

/** The same files with the same bytes, but for the record, which tells the time. */
function sameFolder(t: Test, a: string, b: string, text: string): void {
  t.same(readdirSync(a).sort(), readdirSync(b).sort(), `${text}: the same files`);
  for (const name of readdirSync(a).filter((file) => file !== 'run.json')) {
    t.ok(readFileSync(join(a, name)).equals(readFileSync(join(b, name))), `${text}: ${name}`);
  }
}

t.test('ended after any number of items', async (t) => {
  const folder = folderOf(t);
  const image = writeSlide(join(folder, 'slide.tif'), demo.image);
  const parts = { sizes: { tile: 256, block: 300 }, loadModel: async () => colourModel() };
  const run = (options: SlideOptions) => analyseSlide({ image, model: image }, { table: 'csv', ...options }, parts);
  const whole = join(folder, 'whole');
  await run({ out: whole });
  for (const step of [4, 9]) {
    const out = join(folder, `ended_${step}`);
    let runs = 0;
    for (let left = 40; left > 0 && !existsSync(out); left--) {
      const ending = new AbortController();
      let items = 0;
      const onProgress = ({ phase }: SlideProgress) => {
        if (phase !== 'write' && items++ === step) ending.abort();
      };
      runs++;
      await run({ out, resume: true, signal: ending.signal, onProgress }).then(undefined, ({ code }) => t.equal(code, 'UAM_ABORTED'));
    }
    t.ok(runs > 2, `${runs} runs`);
    sameFolder(t, out, whole, `ended after ${step} items, and again`);
  }
});

t.test('whose work is it', async (t) => {
  const folder = folderOf(t);
  const image = writeSlide(join(folder, 'slide.tif'), demo.image);
  const parts = { sizes: { tile: 256, block: 300 }, loadModel: async () => colourModel() };
  const out = join(folder, 'out');
  const other = join(folder, 'other.tif');
  copyFileSync(image, other);
  writeFileSync(other, ' ', { flag: 'a' });
  const run = (options: Partial<SlideOptions>, model = image) => analyseSlide({ image, model }, { out, table: 'csv', ...options }, parts);
  const ending = new AbortController();
  let items = 0;
  const onProgress = () => {
    if (items++ === 12) ending.abort();
  };
  await rejectsWith(t, run({ signal: ending.signal, onProgress }), 'UAM_ABORTED', /ended by its signal/);
  await rejectsWith(t, run({}), 'UAM_ARGUMENT', /out\.work is of a run that was interrupted.*--resume.*--restart/);
  await rejectsWith(t, run({ resume: true }, other), 'UAM_ARGUMENT', /of another run, with other model/);
  await rejectsWith(t, run({ resume: true, atLeast: 0.5 }), 'UAM_ARGUMENT', /other settings \(atLeast\)/);
  await rejectsWith(t, run({ resume: true, restart: true }), 'UAM_ARGUMENT', /exclude each other/);
  // A crash of the machine may cut files off that had their names: they are made again.
  const blocks = readdirSync(`${out}.work`).filter((name) => /\.(block|tile)$/.test(name));
  t.ok(blocks.length > 2);
  for (const name of blocks.slice(0, 2)) truncateSync(join(`${out}.work`, name), 40);
  await run({ resume: true });
  await run({ out: join(folder, 'whole') });
  sameFolder(t, out, join(folder, 'whole'), 'mended');
  await run({});
  t.ok(existsSync(out), 'an untouched folder of answers is replaced');
});

t.test('killed, and any number of threads', async (t) => {
  const folder = folderOf(t);
  const image = writeSlide(join(folder, 'slide.tif'), demoTile({ width: 400, height: 300, seed: 6 }).image);
  const model = await writeJointModel(join(folder, 'model.safetensors'));
  const args = (out: string, ...more: string[]) => ['analyse', image, '--model', model, '--out', join(folder, out), ...more];
  const files = (out: string) => (existsSync(join(folder, `${out}.work`)) ? readdirSync(join(folder, `${out}.work`)) : []);
  const whole = uam(args('whole', '--threads', '1', '--json', '--quiet'));
  t.equal(whole.code, 0, whole.stderr);
  const record = JSON.parse(whole.stdout);
  t.ok(record.counts.cells > 50 && record.counts.tiles === 4, JSON.stringify(record.counts));
  t.equal(uam(args('two', '--threads', '2', '--quiet')).code, 0);
  sameFolder(t, join(folder, 'two'), join(folder, 'whole'), 'two threads');

  for (const [out, count] of [['killed', 7]] as const) {
    await signalWhen(startUam(args(out, '--threads', '2')), () => files(out).length >= count, 'SIGKILL');
    t.notOk(existsSync(join(folder, out)));
    const refused = uam(args(out));
    t.match([refused.code, refused.stderr], [2, /--resume/]);
    const resumed = uam(args(out, '--resume', '--threads', '1'));
    t.equal(resumed.code, 0, resumed.stderr);
    t.match(resumed.stdout, /since it was taken up again/);
    sameFolder(t, join(folder, out), join(folder, 'whole'), `killed with ${count} files`);
  }
  const ended = await signalWhen(startUam(args('ended')), () => files('ended').length >= 6);
  t.equal(ended.code, 130);
  t.match(ended.stderr, /SIGINT: ending; the work so far is kept in .*ended\.work; the same command with --resume goes on with it/);
  t.equal(uam(args('ended', '--resume', '--quiet')).code, 0);
  sameFolder(t, join(folder, 'ended'), join(folder, 'whole'), 'Ctrl-C');
});
