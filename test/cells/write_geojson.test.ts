import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { cellContours, findCells, polygonsFrom, rasterizePolygons, readGeoJson, writeGeoJson } from '../../src/cells/index.js';
import { anyMask, manyCells } from '../support/masks.js';

const folder = t.testdir();
const path = join(folder, 'cells.geojson');

t.test('what is written is what QuPath reads', async (t) => {
  const polygons = polygonsFrom([
    [
      [
        [0, 0],
        [4, 0],
        [4, 4],
        [0, 4],
      ],
      [
        [1, 1],
        [1, 2],
        [2, 2],
        [2, 1],
      ],
    ],
    [
      [
        [10.004, 0.126],
        [12, 0],
        [12, 2],
      ],
      [
        [20, 0],
        [22, 0],
        [22, 2],
      ],
    ],
    [
      [
        [1, 1],
        [2, 2],
      ],
    ],
  ]); // prettier-ignore
  const options = {
    ids: ['a', undefined, 'c'],
    classes: ['Tumor', undefined, 'Stroma'],
    measurements: { 'Area µm^2': [15, NaN, 0] },
    colors: { Tumor: [200, 0, 0] },
  } as const; // prettier-ignore
  t.equal(await writeGeoJson(path, polygons, options), 2);
  const written = JSON.parse(readFileSync(path, 'utf8'));
  t.same(written.features[0], {
    type: 'Feature',
    id: 'a',
    geometry: {
      type: 'Polygon',
      coordinates: [
        [
          [0, 0],
          [4, 0],
          [4, 4],
          [0, 4],
          [0, 0],
        ],
        [
          [1, 1],
          [1, 2],
          [2, 2],
          [2, 1],
          [1, 1],
        ],
      ],
    },
    properties: { objectType: 'detection', classification: { name: 'Tumor', color: [200, 0, 0] }, measurements: { 'Area µm^2': 15 } },
  }); // prettier-ignore
  t.same(written.features[1].properties, { objectType: 'detection', measurements: {} });
  t.equal(written.features[1].geometry.type, 'MultiPolygon');
  t.same(written.features[1].geometry.coordinates[0][0][0], [10, 0.13]);
  t.same(readdirSync(folder), ['cells.geojson']);
});

t.test('cells of any mask come back as they were', async (t) => {
  await fc.assert(
    fc.asyncProperty(anyMask, async (mask) => {
      const cells = findCells(mask);
      await writeGeoJson(path, cellContours(mask, cells), { ids: cells.ids, classes: Array.from(cells.ids, String) });
      const back = await readGeoJson(path);
      t.same(back.classes, Array.from(cells.ids, String));
      t.same(rasterizePolygons(back.polygons, { width: mask.width, height: mask.height, ids: cells.ids }).mask.data, mask.data);
    }),
    { numRuns: 60 },
  );
});

t.test('many cells, packed; the same bytes every time', async (t) => {
  const mask = manyCells(1500, 1500);
  const cells = findCells(mask);
  const polygons = cellContours(mask, cells);
  for (const name of ['a.geojson.gz', 'b.geojson.gz'])
    t.equal(await writeGeoJson(join(folder, name), polygons, { ids: cells.ids }), cells.count);
  t.same(readFileSync(join(folder, 'a.geojson.gz')), readFileSync(join(folder, 'b.geojson.gz')));
  const back = await readGeoJson(join(folder, 'a.geojson.gz'));
  t.same(back.polygons.points, polygons.points);
});

t.test('what cannot be written is said, and leaves nothing behind', async (t) => {
  const polygons = polygonsFrom([
    [
      [
        [0, 0],
        [1, 0],
        [1, 1],
      ],
    ],
  ]); // prettier-ignore
  await t.rejects(writeGeoJson(join(folder, 'none', 'x.geojson'), polygons), { code: 'UAM_IO', message: /none/ });
  await t.rejects(writeGeoJson(folder, polygons), { code: 'UAM_IO' });
  await t.rejects(writeGeoJson(path, polygons, { classes: [] }), { code: 'UAM_SHAPE', message: /classes/ });
  t.notOk(readdirSync(folder).some((name) => name.endsWith('.tmp')));
});
