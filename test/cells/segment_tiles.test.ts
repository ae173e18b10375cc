import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findCells, type RegionSource, type SegmentTilesOptions, segmentNuclei, segmentTiles } from '../../src/cells/index.js';
import type { RasterImage } from '../../src/image/image.js';
import { openImage } from '../../src/image/open_image.js';
import { packageRoot } from '../../src/native/load.js';

/** A slide of round nuclei, some of which touch; mpp 0.5. */
function slide(width: number, height: number): RasterImage {
  const data = new Uint8Array(width * height * 3);
  let state = 9;
  const random = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  for (let i = 0; i < width * height; i++) data.set([225 + (i % 5), 165 + (i % 7), 205], i * 3);
  for (let n = 0; n < (width * height) / 700; n++) {
    const [cx, cy, r] = [random() * width, random() * height, 5 + random() * 5];
    for (let y = Math.max(0, Math.ceil(cy - r)); y < Math.min(height, cy + r); y++) {
      for (let x = Math.max(0, Math.ceil(cx - r)); x < Math.min(width, cx + r); x++) {
        if ((x - cx) ** 2 + (y - cy) ** 2 < r * r) data.set([95 + (x % 9), 65 + (y % 9), 140], (y * width + x) * 3);
      }
    }
  }
  return { width, height, channels: 3, data, mpp: [0.5, 0.5], name: 'slide' };
}

function sourceOf(image: RasterImage): RegionSource {
  return {
    ...image,
    read({ x: x0, y: y0, width, height }) {
      const data = new Uint8Array(width * height * 3);
      for (let y = 0; y < height; y++) {
        const from = ((y0 + y) * image.width + x0) * 3;
        data.set(image.data.subarray(from, from + width * 3) as Uint8Array, y * width * 3);
      }
      return { width, height, channels: 3, data };
    },
  };
}

t.test('parts give the nuclei of the whole, each once and whole', async (t) => {
  const image = slide(700, 560);
  const threshold = 60;
  const whole = await segmentNuclei(image, { threshold });
  const joined = new Uint32Array(image.width * image.height);
  let [count, parts] = [0, 0];
  for await (const { x, y, mask, count: own, first, done, total } of segmentTiles(sourceOf(image), { threshold, tile: 200 })) {
    t.same([first, done, total], [count, ++parts, 12]);
    count += own;
    mask.data.forEach((id, i) => {
      if (id === 0) return;
      const at = (y + Math.floor(i / mask.width)) * image.width + x + (i % mask.width);
      if (joined[at] !== 0) t.fail('two nuclei in one pixel');
      joined[at] = id;
    });
  }
  t.ok(whole.count > 200, `${whole.count} nuclei`);
  t.equal(count, whole.count);
  const renamed = new Map<number, number>();
  joined.forEach((id, i) => {
    const want = whole.mask.data[i] as number;
    if (!renamed.has(id)) renamed.set(id, want);
    if (renamed.get(id) !== want) t.fail(`pixel ${i}`);
  });
  t.equal(new Set(renamed.values()).size, renamed.size);
});

t.test('the threshold and the stains come from the whole slide', async (t) => {
  const image = slide(900, 400);
  image.data.fill(240, 0, image.data.length / 2);
  for (const options of [{}, { stains: 'macenko' }, { stains: 'macenko', threshold: 50 }] as SegmentTilesOptions[]) {
    let count = 0;
    for await (const tile of segmentTiles(sourceOf(image), { ...options, tile: 150 })) {
      t.same(tile.warnings, []);
      t.equal(findCells(tile.mask).count, tile.count);
      count += tile.count;
    }
    const whole = await segmentNuclei(image, options);
    t.ok(Math.abs(count / whole.count - 1) < 0.05, `${count} in parts, ${whole.count} in the whole`);
  }
});

const svs = join(packageRoot(), '..', 'shared', 'data', 'wsi', 'CMU-1-Small-Region.svs');
t.test('a slide, as openImage reads it', { skip: !existsSync(svs) && `no file ${svs}` }, async (t) => {
  const image = await openImage(svs);
  let [count, parts] = [0, 0];
  for await (const tile of segmentTiles(image, { tile: 1024 })) {
    count += tile.count;
    parts++;
    t.equal(tile.image.width, tile.mask.width);
  }
  const whole = await segmentNuclei(await image.read());
  await image.close();
  t.equal(parts, 9);
  t.ok(whole.count > 2000 && Math.abs(count / whole.count - 1) < 0.1, `${count} nuclei in parts, ${whole.count} in the whole`);
});

t.test('glass, unknown pixel sizes, and wrong arguments', async (t) => {
  const image = slide(60, 40);
  const all = async (source: RegionSource, options: SegmentTilesOptions = {}, signal?: AbortSignal) => {
    const tiles = [];
    for await (const tile of segmentTiles(source, options, signal ? { signal } : {})) tiles.push(tile);
    return tiles;
  };
  const glass = await all(sourceOf({ ...image, data: new Uint8Array(7200).fill(250) }), { tile: 32 });
  t.same(
    glass.map(({ count, warnings }) => [count, warnings.length]),
    Array(4).fill([0, 0]),
  );
  const unknown = await all(sourceOf({ ...image, mpp: undefined }), { tile: 32 });
  t.same(
    unknown.map(({ warnings }) => warnings.map(({ code }) => code)),
    [['unknown_mpp'], [], [], []],
  );
  await t.rejects(all(sourceOf(image), { tile: 1.5 }), { code: 'UAM_ARGUMENT' });
  await t.rejects(all({ ...sourceOf(image), width: 0 }), { code: 'UAM_ARGUMENT' });
  await t.rejects(all({ ...sourceOf(image), read: () => image }, { tile: 32 }), { code: 'UAM_ARGUMENT', message: /read must give/ });
  await t.rejects(all(sourceOf(image), {}, AbortSignal.abort()), { code: 'UAM_ABORTED' });
});
