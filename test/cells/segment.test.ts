import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findCells, segmentNuclei } from '../../src/cells/index.js';
import { otsu } from '../../src/cells/threshold.js';
import type { LabelMask, RasterImage } from '../../src/image/image.js';
import { setThreads } from '../../src/index.js';
import { nativeRuntime } from '../../src/native/device.js';
import { packageRoot } from '../../src/native/load.js';

type Nucleus = readonly [x: number, y: number, radius: number];

/** Nuclei in pink tissue, with a little noise; mpp 0.5. */
function painted(width: number, height: number, nuclei: readonly Nucleus[]): RasterImage {
  const data = new Uint8Array(width * height * 3);
  let state = 3;
  for (let i = 0; i < width * height; i++) {
    const [x, y] = [i % width, Math.floor(i / width)];
    const nucleus = nuclei.some(([cx, cy, r]) => (x - cx) ** 2 + (y - cy) ** 2 < r * r);
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const noise = (state >>> 24) % 12;
    data.set(nucleus ? [95 + noise, 65 + noise, 140 + noise] : [225 + noise, 165 + noise, 205 + noise], i * 3);
  }
  return { width, height, channels: 3, data, mpp: [0.5, 0.5], name: 'painted' };
}

const nuclei: Nucleus[] = [
  [30, 30, 8],
  [80, 32, 7],
  [95, 36, 8],
  [20, 90, 6],
  [0, 60, 7],
  [70, 80, 10],
  [118, 118, 6],
]; // prettier-ignore

t.test('nuclei are found, parted where they touch, and numbered in their order', async (t) => {
  const { mask, count, mpp, warnings } = await segmentNuclei(painted(128, 128, nuclei));
  t.same([mpp, warnings], [0.5, []]);
  t.equal(count, nuclei.length);
  const cells = findCells(mask);
  t.same([...cells.ids], [1, 2, 3, 4, 5, 6, 7]);
  for (const [x, y, r] of nuclei) {
    const id = mask.data[Math.min(127, y) * 128 + Math.min(127, x)] as number;
    t.ok(id > 0, `a nucleus at ${x}, ${y}`);
    if (x > 10 && x < 110)
      t.ok(Math.abs((cells.areas[id - 1] as number) / (Math.PI * r * r) - 1) < 0.2, `${cells.areas[id - 1]} pixels of radius ${r}`);
  }
  const seen = new Set<number>();
  for (const id of mask.data) if (id > 0 && !seen.has(id)) t.equal(id, seen.add(id).size);
});

t.test('the same bits on any number of threads', async (t) => {
  const image = painted(
    300,
    260,
    Array.from({ length: 60 }, (_, i) => [(i * 53) % 300, (i * 97) % 260, 5 + (i % 5)] as const),
  );
  const before = nativeRuntime()?.threads() ?? 1;
  const results = [];
  for (const threads of [1, 2, 5]) {
    setThreads(threads);
    results.push(await segmentNuclei(image));
  }
  setThreads(before);
  t.ok((results[0]?.count as number) > 30);
  t.same(results[1], results[0]);
  t.same(results[2], results[0]);
});

t.test('sizes in um, unknown pixel sizes, and nothing to segment', async (t) => {
  const image = painted(128, 128, nuclei);
  t.equal((await segmentNuclei(image, { minArea: 40 })).count, 3);
  const large = await segmentNuclei(image, { maxArea: 60 });
  t.equal(large.count, 6);
  t.match(large.warnings, [{ code: 'large_objects', message: /painted: 1 object/ }]);
  const unknown = await segmentNuclei({ ...image, mpp: undefined });
  t.same([unknown.count, unknown.warnings.map(({ code }) => code)], [7, ['unknown_mpp']]);
  t.equal((await segmentNuclei(image, { mpp: 5 })).mpp, 5);
  const glass = { ...image, data: new Uint8Array(128 * 128 * 3).fill(245) };
  t.match(await segmentNuclei(glass), { count: 0, warnings: [{ code: 'no_tissue' }] });
  t.match(await segmentNuclei(painted(128, 128, [])), { count: 0, warnings: [{ code: 'no_nuclei' }] });
  for (const value of [0, 120]) t.equal((await segmentNuclei({ ...image, data: new Uint8Array(128 * 128 * 3).fill(value) })).count, 0);
  t.equal((await segmentNuclei({ ...image, width: 0, height: 0, data: new Uint8Array(0) })).count, 0);
  for (const [width, height] of [
    [1, 1],
    [1, 40],
    [40, 1],
    [3, 2],
  ] as const)
    await segmentNuclei(painted(width, height, [[0, 0, 2]])); // prettier-ignore
});

t.test('wrong arguments, and an aborted call', async (t) => {
  const image = painted(20, 20, []);
  for (const options of [{ mpp: 0 }, { mpp: NaN }, { minArea: -1 }, { minArea: 600 }, { smoothing: Infinity }, { splitDepth: -1 }]) {
    await t.rejects(segmentNuclei(image, options), { code: 'UAM_ARGUMENT' });
  }
  await t.rejects(segmentNuclei({ ...image, channels: 1 }), { code: 'UAM_ARGUMENT' });
  await t.rejects(segmentNuclei(image, {}, { signal: AbortSignal.abort() }), { code: 'UAM_ABORTED' });
});

t.test("Otsu's threshold", async (t) => {
  const counts = new Uint32Array(512);
  counts.set([5, 9, 5], 100);
  counts.set([2, 4, 2], 300);
  const { edge, gap } = otsu(counts);
  t.ok(edge > 102 && edge <= 300 && gap === 200);
  t.same(otsu(new Uint32Array(512)), { edge: 0, gap: 0 });
});

/** Matches at an IoU above one half. */
function matches(truth: LabelMask, found: LabelMask): { both: number; either: number } {
  const [a, b] = [findCells(truth), findCells(found)];
  const shared = new Map<string, number>();
  truth.data.forEach((id, i) => {
    const key = `${id} ${found.data[i]}`;
    if (id && found.data[i]) shared.set(key, (shared.get(key) ?? 0) + 1);
  });
  const area = (cells: typeof a, id: number) => cells.areas[cells.ids.indexOf(id)] as number;
  let both = 0;
  for (const [key, pixels] of shared) {
    const [id, other] = key.split(' ').map(Number) as [number, number];
    if (pixels / (area(a, id) + area(b, other) - pixels) > 0.5) both++;
  }
  return { both, either: a.count + b.count - both };
}

const folder = join(packageRoot(), '..', 'shared', 'data', 'dsb2018');
t.test('DSB 2018, purple-stained tissue', { skip: !existsSync(folder) && `no data in ${folder}` }, async (t) => {
  const { default: sharp } = await import('sharp');
  const { decode } = await import('fast-png');
  let [both, either] = [0, 0];
  for (const file of readdirSync(folder).filter((name) => name.endsWith('_labels.png'))) {
    const { data, info } = await sharp(join(folder, file.replace('_labels', '')))
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    const image: RasterImage = { width: info.width, height: info.height, channels: 3, data: new Uint8Array(data), mpp: [0.4, 0.4] };
    const png = decode(readFileSync(join(folder, file)));
    const score = matches({ width: png.width, height: png.height, data: Uint32Array.from(png.data) }, (await segmentNuclei(image)).mask);
    both += score.both;
    either += score.either;
  }
  t.comment(`AP at IoU 0.5: ${(both / either).toFixed(3)}`);
  t.ok(both / either > 0.5, `average precision at IoU 0.5 over all nuclei: ${both / either}`);
});
