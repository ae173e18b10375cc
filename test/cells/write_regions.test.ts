import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FeatureCollection, Polygon } from 'geojson';
import t from 'tap';
import { openRegionGeoJson, type RegionGeoJsonOptions, rasterizePolygons, readGeoJson, traceRegions } from '../../src/cells/index.js';
import { rejectsWith } from '../support/expect.js';

const folder = t.testdir();
const path = join(folder, 'regions.geojson');

/** Rounded blots of two kinds. */
function blots(width: number, height: number): Uint8Array {
  return Uint8Array.from({ length: width * height }, (_, at) => {
    const [x, y] = [at % width, Math.floor(at / width)];
    const level = Math.sin(x / 7) * Math.cos(y / 9) + 0.6 * Math.sin((x + y) / 5);
    return level > 0.35 ? 1 : level < -0.9 ? 2 : 0;
  });
}

async function write(data: Uint8Array, options: RegionGeoJsonOptions, rowsAtOnce: number, to = path): Promise<number> {
  const file = await openRegionGeoJson(to, options);
  const step = rowsAtOnce * options.width;
  for (let at = 0; at < data.length; at += step) await file.writeRows(data.subarray(at, at + step));
  return file.close();
}

const parsed = (): FeatureCollection<Polygon> => JSON.parse(readFileSync(path, 'utf8'));

t.test('what QuPath opens: annotations with class, colour and area, in pixels of the slide', async (t) => {
  const data = Uint8Array.of(0, 1, 1, 1, 0, 1, 0, 1, 2, 1, 1, 1); // prettier-ignore
  const options = {
    width: 4,
    regions: ['tumour', 'stroma'],
    scale: [2.5, 2],
    mpp: 4,
    colors: { stroma: [1, 2, 3] },
    tolerance: 0,
  } as const;
  t.equal(await write(data, options, 1), 2);
  t.same(parsed(), {
    type: 'FeatureCollection',
    features: [
      {
        type: 'Feature',
        geometry: {
          type: 'Polygon',
          coordinates: [
            [
              [0, 4],
              [2.5, 4],
              [2.5, 6],
              [0, 6],
              [0, 4],
            ],
          ],
        },
        properties: {
          objectType: 'annotation',
          classification: { name: 'stroma', color: [1, 2, 3] },
          measurements: { 'Region area um^2': 16 },
        },
      },
      {
        type: 'Feature',
        geometry: {
          type: 'Polygon',
          coordinates: [
            [
              [2.5, 0],
              [10, 0],
              [10, 6],
              [2.5, 6],
              [2.5, 0],
            ],
            [
              [5, 2],
              [5, 4],
              [7.5, 4],
              [7.5, 2],
              [5, 2],
            ],
          ],
        },
        properties: {
          objectType: 'annotation',
          classification: { name: 'tumour', color: [213, 94, 0] },
          measurements: { 'Region area um^2': 128 },
        },
      },
    ],
  }); // prettier-ignore
});

t.test('the same bytes however the rows come, and the mask comes back', async (t) => {
  const [width, height] = [90, 120];
  const data = blots(width, height);
  for (const tolerance of [0, 1]) {
    const options = { width, regions: ['a', 'b'], tolerance };
    await write(data, options, height);
    const whole = readFileSync(path);
    for (const rows of [1, 7, 64]) {
      await write(data, options, rows);
      t.ok(readFileSync(path).equals(whole), `${rows} rows at once`);
    }
    const { polygons, classes } = await readGeoJson(path);
    const { mask } = rasterizePolygons(polygons, { width, height });
    const back = mask.data.map((id) => (id === 0 ? 0 : classes[id - 1] === 'a' ? 1 : 2));
    const wrong = back.reduce((sum, value, i) => sum + Number(value !== data[i]), 0);
    t.ok(tolerance === 0 ? wrong === 0 : wrong > 0 && wrong < 0.08 * data.length, `${wrong} pixels differ`);
  }
  const packed = join(folder, 'regions.geojson.gz');
  const count = await write(data, { width, regions: ['a', 'b'] }, 16, packed);
  t.equal((await readGeoJson(packed)).polygons.count, count);
});

t.test('specks go, small holes are filled', async (t) => {
  const data = Uint8Array.from(
    [
      '111111.1', //
      '1.11.1..',
      '11111111',
      '1....1..',
      '1.22.1.1',
      '1....1.1',
      '1111111.',
    ].join(''),
    (letter) => (letter === '.' ? 0 : Number(letter)),
  );
  const mask = { width: 8, height: 7, data };
  const { polygons, values, pixels } = traceRegions(mask, { minPixels: 3, tolerance: 0 });
  t.same([...values], [1], 'the island of two pixels is a speck, too');
  t.equal(pixels[0], data.reduce((sum, value, i) => sum + Number(value === 1 && ![7, 39, 47].includes(i)), 0) + 2, 'with the filled holes');
  t.equal(polygons.ringOffsets.length - 1, 2, 'the large hole stays');
  const options = { width: 8, regions: ['a', 'b'], mpp: 0.5, minArea: 0.75, tolerance: 0 };
  t.equal(await write(data, options, 2), 1, 'the same in square micrometres');
});

t.test('nothing, and everything', async (t) => {
  t.equal(await write(new Uint8Array(50), { width: 10, regions: ['a'] }, 1), 0);
  t.same(parsed().features, []);
  t.equal(await write(new Uint8Array(50).fill(1), { width: 10, regions: ['a'] }, 5), 1);
  t.same(parsed().features[0]?.geometry.coordinates, [
    [
      [0, 0],
      [10, 0],
      [10, 5],
      [0, 5],
      [0, 0],
    ],
  ]); // prettier-ignore
});

t.test('what is wrong is said, and leaves nothing', async (t) => {
  const good = { width: 4, regions: ['a'] };
  for (const bad of [{ width: 0 }, { regions: [] }, { scale: 0 }, { mpp: [1, -1] }, { minArea: 5 }, { minArea: -1 }, { tolerance: -1 }]) {
    await rejectsWith(t, openRegionGeoJson(join(folder, 'bad.geojson'), { ...good, ...bad } as RegionGeoJsonOptions), 'UAM_ARGUMENT', /./);
  }
  await rejectsWith(t, openRegionGeoJson(join(folder, 'none/x.geojson'), good), 'UAM_IO', /none/);
  const file = await openRegionGeoJson(join(folder, 'bad.geojson'), good);
  await rejectsWith(t, file.writeRows(new Uint8Array(5)), 'UAM_SHAPE', /whole rows of 4/);
  await file.writeRows(Uint8Array.of(0, 2, 0, 0));
  await rejectsWith(t, file.close(), 'UAM_DATA', /value 2/);
  const ended = await openRegionGeoJson(join(folder, 'bad.geojson'), { ...good, signal: AbortSignal.abort() });
  await rejectsWith(t, ended.writeRows(new Uint8Array(4)), 'UAM_ABORTED', /bad.geojson/);
  await ended.abort();
  t.notOk(readdirSync(folder).some((name) => name.includes('bad') || name.endsWith('.tmp')));
  t.throws(() => traceRegions({ width: 2, height: 2, data: new Uint8Array(3) }), { code: 'UAM_SHAPE' });
});
