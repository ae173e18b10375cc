// `uam analyse` as a user runs it: what it refuses, what it says, and its help.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { demoTile } from '../../src/train/index.js';
import { uam } from '../support/run_program.js';
import { folderOf, writeJointModel, writeSlide } from '../support/slide_file.js';

const demo = demoTile({ width: 300, height: 260, seed: 5 });

t.test('refused at once, and nothing is left', async (t) => {
  const folder = folderOf(t);
  const image = writeSlide(join(folder, 'slide.tif'), demo.image);
  const model = await writeJointModel(join(folder, 'model.safetensors'));
  const uamAnalyse = (...args: string[]) => uam(['analyse', ...args]);
  for (const [args, code, text] of [
    [[], 2, /missing required argument 'slide'/],
    [[image, image, '--model', model, '--out', folder], 2, /too many arguments/],
    [[image, '--out', folder], 2, /--model is missing/],
    [[image, '--model', model], 2, /--out is missing/],
    [[image, '--model', model, '--out', join(folder, 'o'), '--max-memory', 'much'], 2, /--max-memory must be a size such as 4G/],
    [[image, '--model', model, '--out', join(folder, 'o'), '--max-memory', '100M'], 2, /maxMemory must be at least/],
    [[image, '--model', model, '--out', join(folder, 'o'), '--resume', '--restart'], 2, /exclude each other/],
    [[image, '--model', image, '--out', join(folder, 'o')], 65, /slide\.tif/],
    [[join(folder, 'none.svs'), '--model', model, '--out', join(folder, 'o')], 66, /none\.svs/],
    [[image, '--model', model, '--out', join(folder, 'no', 'where')], 74, /does not exist/],
  ] as [string[], number, RegExp][]) {
    const { code: found, stderr } = uamAnalyse(...args);
    t.equal(found, code, stderr);
    t.match(stderr, text);
  }
  t.same(readdirSync(folder).sort(), ['model.safetensors', 'slide.tif']);
});

t.test('a run: messages as JSON lines, a table on standard output, the files', async (t) => {
  const folder = folderOf(t);
  const image = writeSlide(join(folder, 'slide.tif'), demo.image);
  const model = await writeJointModel(join(folder, 'model.safetensors'));
  const out = join(folder, 'answers');
  const more = ['--overlay', '--gzip', '--at-least', '0.5', '--measurements', 'firstorder_Mean', '--log-format', 'json'];
  const { code, stdout, stderr } = uam(['analyse', image, '--model', model, '--out', out, ...more]);
  t.equal(code, 0, stderr);
  const messages = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.match(messages.at(-1), { level: 'info', phase: 'write', cells: Number });
  t.match(stdout, /^slide +300 x 260 pixels[\s\S]*cells +\d+, [\s\S]*regions +tumour \d\.\d+ mm2[\s\S]*answers/);
  t.same(readdirSync(out).sort(), [
    ...['cells.geojson.gz', 'cells.parquet', 'files.json', 'overlay.png', 'regions.geojson', 'regions.tif', 'run.json'],
  ]);
  const record = JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'));
  t.match(record, {
    version: String,
    inputs: { image: { name: 'slide.tif', sha256: /^[0-9a-f]{64}$/ }, cells: null },
    counts: { tiles: 4 },
  });
  t.match(uam(['analyse', '--help']).stdout, /--max-memory <size>[\s\S]*--resume goes on from there/);
});
