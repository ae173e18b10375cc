// The README's examples and commands are run as they stand, through the package's own name: import resolves to dist/.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import t from 'tap';
import { openPyramidTiff } from '../src/image/pyramid_tiff.js';
import { encodeMask } from '../src/image/write_mask.js';
import { packageRoot } from '../src/native/load.js';
import { demoTile } from '../src/train/demo_tile.js';
import { runModule } from './support/child.js';

const root = packageRoot();
/** Of the tiles, in pixels. */
const SIDE = 200;
const readme = readFileSync(join(root, 'README.md'), 'utf8');
const examples = [...readme.matchAll(/```js\n([\s\S]*?)```/g)].map(([, code = '']) => code);
const example = (word: string): string => examples.find((code) => code.includes(word)) ?? '';

/** The files that the README speaks of. */
async function files(folder: string): Promise<void> {
  const side = 64;
  const data = new Uint8Array(3 * side * side).fill(230);
  const labels = new Uint32Array(side * side);
  for (let cell = 0; cell < 9; cell++) {
    const [cx, cy] = [10 + 20 * (cell % 3), 10 + 20 * Math.floor(cell / 3)];
    for (let y = cy - 5; y <= cy + 5; y++) {
      for (let x = cx - 5; x <= cx + 5; x++) {
        if ((x - cx) ** 2 + (y - cy) ** 2 > 26) continue;
        labels[y * side + x] = cell + 1;
        data.set([70 + ((7 * x + 3 * y) % 40), 40 + ((5 * x * y) % 30), 120], 3 * (y * side + x));
      }
    }
  }
  const image = await sharp(data, { raw: { width: side, height: side, channels: 3 } })
    .withMetadata({ density: 25400 / 0.5 })
    .png()
    .toBuffer();
  const mask = await encodeMask({ width: side, height: side, data: labels });
  for (const name of ['images', 'masks']) mkdirSync(join(folder, name));
  for (const name of ['tile.png', 'images/a.png']) writeFileSync(join(folder, name), image);
  for (const name of ['tile_labels.png', 'masks/a.png']) writeFileSync(join(folder, name), mask);
  writeFileSync(join(folder, 'images.csv'), 'image,mask,patient\ntile.png,tile_labels.png,p1\n');
  writeFileSync(join(folder, 'params.yaml'), 'setting: {binWidth: 10}\nfeatureClass: {firstorder: [], glcm: [Contrast]}\n');
}

t.test('tensors', async (t) => {
  const { stdout, stderr } = runModule(example('silu'), { UAM_ADDON: undefined });
  const [loss, ...dx] = stdout.match(/-?[\d.]+(e-?\d+)?/g)?.map(Number) ?? [];
  const f = (x: number) => x / (1 + Math.exp(-x));
  const slope = (x: number) => (f(x + 1e-5) - f(x - 1e-5)) / 2e-5;
  t.equal(stderr, '');
  t.ok(Math.abs((loss ?? Number.NaN) - (f(-1) + f(0) + f(2))) < 1e-6, stdout);
  for (const [i, x] of [-1, 0, 2].entries()) t.ok(Math.abs((dx[i] ?? Number.NaN) - slope(x)) < 1e-6, stdout);
});

t.test('radiomics', async (t) => {
  const folder = t.testdir();
  await files(folder);
  const code = example('radiomics').replace(/(import .*\n)/, `$1process.chdir(${JSON.stringify(folder)});\n`);
  const { stdout, stderr, code: exit } = runModule(code, { UAM_ADDON: undefined });
  t.equal(exit, 0, stderr);
  t.match(stdout, /^9 Float64Array/);
  t.ok(existsSync(join(folder, 'cells.parquet')));
});

/** Tiles whose nuclei are known, and their manifests. */
async function knownTiles(folder: string): Promise<void> {
  const line = async (name: string, seed: number): Promise<string[]> => {
    const { image, mask, classes, classNames, region } = demoTile({ seed, width: SIDE, height: SIDE });
    await sharp(image.data, { raw: { width: SIDE, height: SIDE, channels: 3 } }).toFile(join(folder, `${name}.png`));
    writeFileSync(join(folder, `${name}_region.png`), await encodeMask({ width: SIDE, height: SIDE, data: Uint32Array.from(region) }));
    writeFileSync(join(folder, `${name}_labels.png`), await encodeMask(mask));
    const rows = Array.from(classes, (kind, i) => `${i + 1},${classNames[kind]}`);
    writeFileSync(join(folder, `${name}_classes.csv`), ['label,class', ...rows, ''].join('\n'));
    return [`${name}.png`, `${name}_labels.png`, `${name}_classes.csv`, `patient ${seed}`, `${name}_region.png`];
  };
  const lines = await Promise.all(['a1', 'b1', 'c1', 'd1'].map(line));
  const manifest = (name: string, rows: readonly string[][]) =>
    writeFileSync(join(folder, name), [['image', 'mask', 'classes', 'patient', 'region'], ...rows, []].join('\n'));
  manifest('train.csv', lines.slice(0, 3));
  manifest('tiles.csv', lines.slice(0, 3));
  manifest('test.csv', lines.slice(3));
}

/** A little slide, and what `uam demo` leaves of what the README goes on with. */
async function slideAndDemo(folder: string): Promise<void> {
  const slide = await openPyramidTiff(join(folder, 'slide.svs'), { width: 300, height: 260, channels: 3, mpp: 0.5 });
  await slide.writeRows(demoTile({ seed: 8, width: 300, height: 260 }).image.data as Uint8Array);
  await slide.close();
  mkdirSync(join(folder, 'uam-demo'));
  const [head, ...lines] = ['train.csv', 'test.csv'].flatMap((name, i) =>
    readFileSync(join(folder, name), 'utf8')
      .trim()
      .split('\n')
      .slice(i)
      .map((line, at) =>
        i + at === 0 ? `${line},split,mpp` : `../${line.replaceAll(/,([a-d]1)/g, ',../$1')},${i === 0 ? '' : 'test'},0.5`,
      ),
  );
  writeFileSync(join(folder, 'uam-demo', 'manifest.csv'), [head, ...lines, ''].join('\n'));
  for (const name of ['tile.png', 'tile_labels.png']) copyFileSync(join(folder, name), join(folder, 'uam-demo', name));
}

t.test('training and prediction from JavaScript', async (t) => {
  const folder = t.testdir();
  await files(folder);
  await knownTiles(folder);
  const code = example('analyseImage').replace(/(import .*\n)/, `$1process.chdir(${JSON.stringify(folder)});\n`);
  const { stdout, stderr, code: exit } = runModule(code, { UAM_ADDON: undefined });
  t.equal(exit, 0, stderr);
  t.match(stdout, /^4 (lymphocyte|stromal|tumour) 0\.\d+/);
  t.ok(existsSync(join(folder, 'cells.geojson')));
});

t.test('regions and slides from JavaScript', async (t) => {
  const folder = t.testdir();
  await files(folder);
  await knownTiles(folder);
  await slideAndDemo(folder);
  const code = example('analyseSlide').replace(/(import .*\n)/, `$1process.chdir(${JSON.stringify(folder)});\n`);
  const { stdout, stderr, code: exit } = runModule(code, { UAM_ADDON: undefined });
  t.equal(exit, 0, stderr);
  t.match(stdout, /cells: \d+/);
  t.ok(existsSync(join(folder, 'answers', 'cells.geojson')));
});

t.test('the commands', async (t) => {
  const folder = t.testdir();
  await files(folder);
  await knownTiles(folder);
  await slideAndDemo(folder);
  const commands = [...readme.matchAll(/^npx (uam (?:features|train|evaluate|predict|info|analyse) .*?)( +#.*)?$/gm)].map(
    ([, text = '']) => text,
  );
  t.equal(commands.length, 15);
  for (const command of commands) {
    const [, ...args] = command.split(/\s+/);
    const main = join(root, 'dist/cjs/cli/main.js');
    const { status, stderr } = spawnSync(process.execPath, [main, ...args], { cwd: folder, encoding: 'utf8' });
    t.equal(status, 0, `${command}\n${stderr}`);
    const out = args[args.indexOf('--out') + 1] as string;
    if (args.includes('--out')) t.ok(existsSync(join(folder, out)), out);
  }
});

t.test('commands and settings that it names exist', async (t) => {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const docs = readme + readFileSync(join(root, 'CONTRIBUTING.md'), 'utf8');
  for (const [, name = ''] of docs.matchAll(/`npm run ([\w:-]+)/g)) t.ok(scripts[name], `npm run ${name}`);
});
