// The program itself on small files: as a user runs it, with the package behind it.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import t from 'tap';
import { encodeNpy } from '../../src/image/npy.js';
import { encodeMask } from '../../src/image/write_mask.js';
import { packageRoot } from '../../src/native/load.js';
import { extract } from '../../src/radiomics/extract.js';
import { sources } from '../support/child.js';
import { uniform } from '../support/random.js';

const main = fileURLToPath(new URL('cli/main.js', sources));

/** Runs the program; tap's hooks are left out of it, as in `runModule`. */
function uam(...args: string[]): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync('env', ['-u', 'NODE_OPTIONS', process.execPath, main, ...args], {
    encoding: 'utf8',
    timeout: 120_000,
  });
  return { code: status, stdout, stderr };
}

const [width, height] = [40, 30];
const random = uniform(3);
const image = { width, height, channels: 1 as const, data: Uint16Array.from({ length: width * height }, () => 256 + random() * 200) };
/** Squares of 6 pixels, a cell of one pixel, and one at the border. */
const labels = Uint32Array.from({ length: width * height }, (_, i) => {
  const [x, y] = [i % width, Math.floor(i / width)];
  if (x === 39 && y === 20) return 70_000;
  if (x === 5 && y === 28) return 500;
  return x % 10 < 6 && y % 10 < 6 && x < 36 && y >= 10 ? 1 + Math.floor(x / 10) + 4 * Math.floor(y / 10) : 0;
});
const mask = { width, height, data: labels };

async function smallFiles(folder: string): Promise<void> {
  // A 16-bit grey PNG is a label mask and an image alike.
  writeFileSync(join(folder, 'a.png'), await encodeMask({ width, height, data: Uint32Array.from(image.data) }));
  writeFileSync(join(folder, 'm.npy'), encodeNpy(Int32Array.from(labels), [height, width]));
}

t.test('--version', async (t) => {
  const { version } = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8'));
  t.same(uam('--version'), { code: 0, stdout: `uam ${version}\n`, stderr: '' });
  t.equal(uam('--list').code, 2);
});

t.test('a table as extract gives it, on stdout and in files', async (t) => {
  const folder = t.testdir();
  await smallFiles(folder);
  const table = await extract({ ...image, mpp: [0.5, 0.5] }, mask);
  const args = ['features', '--image', join(folder, 'a.png'), '--mask', join(folder, 'm.npy'), '--mpp', '0.5', '--out'];
  const printed = uam(...args, '-', '--quiet');
  t.equal(printed.code, 0, printed.stderr);
  t.equal(printed.stderr, '');
  t.equal(printed.stdout, table.toCsv());
  t.equal(table.columns.length, 102);
  t.match(printed.stdout, /\n70000,39,20,1,single_pixel,/);
  for (const more of [
    ['--threads', '1'],
    ['--block', '3'],
    ['--channels', 'gray'],
  ]) {
    t.equal(uam(...args, '-', '--quiet', ...more).stdout, printed.stdout, more.join(' '));
  }
  t.equal(uam(...args, join(folder, 'o.csv.gz')).code, 0);
  t.equal(gunzipSync(readFileSync(join(folder, 'o.csv.gz'))).toString(), printed.stdout);
  const parquet = uam(...args, join(folder, 'o.parquet'), '--json');
  t.equal(parquet.code, 0, parquet.stderr);
  t.match(JSON.parse(parquet.stdout), { cells: table.length, columns: 102, status: { single_pixel: 2 } });
});

t.test('settings, features and polygons', async (t) => {
  const folder = t.testdir({
    'p.yaml': 'setting: {binWidth: 7}\nimageType: {Original: {}, LoG: {sigma: [1.0]}}\nfeatureClass: {glcm: [Contrast], firstorder: }\n',
    'bad.yaml': 'setting: {binWidth: 7, kernelRadius: 1}\n',
    'cells.geojson': JSON.stringify({
      type: 'FeatureCollection',
      features: [
        [2, 2, 9, 8],
        [20, 4, 29, 9],
        [100, 100, 120, 120],
      ].map(([x0, y0, x1, y1]) => ({
        type: 'Feature',
        geometry: {
          type: 'Polygon',
          coordinates: [
            [
              [x0, y0],
              [x1, y0],
              [x1, y1],
              [x0, y1],
              [x0, y0],
            ],
          ],
        },
        properties: {},
      })),
    }),
  });
  await smallFiles(folder);
  const args = ['features', '--image', join(folder, 'a.png'), '--out', join(folder, 'o.csv'), '--mask'];
  const { code, stderr } = uam(...args, join(folder, 'm.npy'), '--settings', join(folder, 'p.yaml'));
  t.equal(code, 0, stderr);
  const [header, ...rows] = readFileSync(join(folder, 'o.csv'), 'utf8').trim().split('\n');
  t.match(
    header,
    /,firstorder_10Percentile,.*,glcm_Contrast,log-sigma-1-0-mm-3D_firstorder_10Percentile,.*log-sigma-1-0-mm-3D_glcm_Contrast$/,
  );
  t.equal(rows.length, new Set(labels).size - 1);
  const refused = uam(...args, join(folder, 'm.npy'), '--settings', join(folder, 'bad.yaml'));
  t.equal(refused.code, 2);
  t.match(refused.stderr, /setting\.kernelRadius/);
  const outlines = uam(...args, join(folder, 'cells.geojson'), '--features', 'shape2D_PixelSurface');
  t.equal(outlines.code, 0, outlines.stderr);
  t.match(outlines.stderr, /1 of 3 polygons lie outside the image/);
  t.match(readFileSync(join(folder, 'o.csv'), 'utf8'), /shape2D_PixelSurface\n1,.*,42\n2,.*,45\n$/);
});

t.test('files that do not fit: exit code 65 or 66, and no table', async (t) => {
  const folder = t.testdir({ 'text.png': 'no picture' });
  await smallFiles(folder);
  writeFileSync(join(folder, 'small.npy'), encodeNpy(Int32Array.of(0, 1), [1, 2]));
  writeFileSync(
    join(folder, 'float.npy'),
    encodeNpy(
      Float32Array.from(labels, (id) => id / 2),
      [height, width],
    ),
  );
  const before = readdirSync(folder);
  const run = (picture: string, labels: string) =>
    uam('features', '--image', join(folder, picture), '--mask', join(folder, labels), '--out', join(folder, 'o.csv'));
  for (const [picture, labels, code, message] of [
    ['a.png', 'small.npy', 65, /UAM_SHAPE: .*small\.npy must be 40 x 30 pixels, received 2 x 1/],
    ['a.png', 'float.npy', 65, /UAM_DATA: .*float\.npy/],
    ['text.png', 'm.npy', 65, /UAM_FORMAT: .*text\.png/],
    ['a.png', 'none.npy', 66, /UAM_INPUT: .*none\.npy/],
    ['none.png', 'm.npy', 66, /UAM_INPUT: .*none\.png/],
  ] as const) {
    const result = run(picture, labels);
    t.equal(result.code, code, `${picture} ${labels}: ${result.stderr}`);
    t.match(result.stderr, message);
    t.equal(result.stdout, '');
  }
  const grey = uam('features', '--image', join(folder, 'a.png'), '--mask', join(folder, 'm.npy'), '--out', '-', '--channels', 'h');
  t.equal(grey.code, 65, grey.stderr);
  t.equal(grey.stdout, '');
  t.same(readdirSync(folder), before);
});
