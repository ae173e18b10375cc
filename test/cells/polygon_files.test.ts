import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { findCells, rasterizePolygons, readGeoJson, readHoverNet, readPolygons, ringArea } from '../../src/cells/index.js';
import { JsonCutter } from '../../src/cells/json_items.js';
import { UamError } from '../../src/errors.js';
import { anyMask } from '../support/masks.js';

const folder = t.testdir();
const square = (x: number, y: number, size: number) => [
  [x, y],
  [x + size, y],
  [x + size, y + size],
  [x, y + size],
  [x, y],
]; // prettier-ignore
const polygon = (...rings: number[][][]) => ({ type: 'Polygon', coordinates: rings });

async function file(name: string, content: unknown): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, typeof content === 'string' || Buffer.isBuffer(content) ? content : JSON.stringify(content));
  return path;
}

const qupath = [
  {
    type: 'Feature',
    id: 'a-1',
    geometry: polygon(square(0, 0, 6), square(2, 2, 2)),
    nucleusGeometry: polygon(square(1, 1, 3)),
    properties: {
      objectType: 'cell',
      classification: { name: 'Tumor', color: [200, 0, 0] },
      measurements: { 'Area "µm^2" {\\': 31.2 },
    },
  },
  {
    type: 'Feature',
    geometry: { type: 'MultiPolygon', coordinates: [[square(8, 0, 2)], [square(8, 4, 2)]] },
    properties: { objectType: 'detection', classification: 'Stroma' },
  },
  {
    type: 'Feature',
    id: 7,
    geometry: polygon(square(20, 20, 1)),
    properties: { objectType: 'cell', classification: { names: ['Immune', 'CD3'] } },
  },
];

t.test('QuPath GeoJSON: collections, lists, single features, bare geometries, gzip, a byte order mark', async (t) => {
  const collection = { type: 'FeatureCollection', features: qupath };
  for (const path of [
    await file('collection.geojson', collection),
    await file('last.geojson', { features: qupath, type: 'FeatureCollection' }),
    await file('list.json', qupath),
    await file('packed.geojson.gz', gzipSync(JSON.stringify(collection, null, 2))),
    await file('mark.geojson', `\ufeff ${JSON.stringify(collection)}\r\n`),
  ]) {
    const found = await readPolygons(path);
    t.equal(found.format, 'geojson');
    t.same([...found.ids], [1, 2, 3]);
    t.same(found.names, ['a-1', undefined, '7']);
    t.same(found.classes, ['Tumor', 'Stroma', 'Immune: CD3']);
    t.same(found.objectTypes, ['cell', 'detection', 'cell']);
    t.same(found.warnings, []);
    t.same([...findCells(rasterizePolygons(found.polygons, { width: 30, height: 30 }).mask).areas], [9, 8, 1]);
    const cells = await readGeoJson(path, { compartment: 'cell' });
    t.same([...findCells(rasterizePolygons(cells.polygons, { width: 30, height: 30 }).mask).areas], [32, 8, 1]);
    t.same([ringArea(cells.polygons, 0), ringArea(cells.polygons, 1)], [36, -4]);
    t.equal((await readGeoJson(path, { splitParts: true })).ids.length, 4);
  }
  t.equal((await readPolygons(await file('one.json', qupath[0]))).classes[0], 'Tumor');
  t.equal((await readPolygons(await file('bare.json', polygon(square(0, 0, 2))))).polygons.count, 1);
  t.equal((await readPolygons(await file('none.json', []))).polygons.count, 0);
  t.equal((await readPolygons(await file('none2.json', { type: 'FeatureCollection', features: [] }))).polygons.count, 0);
});

t.test('NaN and infinities, which are no JSON, but written by QuPath and Python', async (t) => {
  const text = JSON.stringify(qupath).replace('31.2', 'NaN,"NaN \\\\" : -Infinity, "b": [Infinity,1]');
  t.same((await readPolygons(await file('nan.geojson', text))).classes, ['Tumor', 'Stroma', 'Immune: CD3']);
  const nuclei = '{"mag": NaN, "nuc": {"3": {"contour": [[1,1],[2,2]], "type_prob": NaN, "type": 1}}}';
  t.same([...(await readPolygons(await file('nan.json', nuclei))).ids], [3]);
  await t.rejects(readPolygons(await file('nan2.json', nuclei.replace('[2,2]', '[NaN,2]'))), { code: 'UAM_FORMAT', message: /position 2/ });
});

t.test('what is odd but usable is told once', async (t) => {
  const cells = ['cell', 'annotation', 'cell', 'root'].map((objectType, i) => ({
    type: 'Feature',
    geometry: polygon(square(i * 3, 0, 2).slice(0, i === 2 ? 4 : 5)),
    properties: { objectType },
  }));
  const others = [
    { type: 'Feature', geometry: null, properties: null },
    { type: 'Feature', geometry: { type: 'Point', coordinates: [1, 2] } },
    {
      type: 'Feature',
      geometry: {
        type: 'LineString',
        coordinates: [
          [1, 2],
          [3, 4],
        ],
      },
    }, // prettier-ignore
    {
      type: 'Feature',
      geometry: polygon(
        [
          [0, 0],
          [1, 1],
        ],
        square(0, 0, 1),
      ),
      properties: { objectType: 'cell' },
    }, // prettier-ignore
  ];
  const found = await readGeoJson(await file('odd.json', [...cells, ...others]));
  t.same([...found.ids], [1, 2, 3]);
  t.same(found.warnings.map(({ code }) => code).sort(), ['no_geometry', 'not_a_cell', 'not_a_polygon', 'open_ring', 'short_ring']);
  t.match(found.warnings.find(({ code }) => code === 'not_a_polygon')?.message, /2 times, first feature 6: .*Point/);
  const drawn = rasterizePolygons(found.polygons, { width: 9, height: 3 });
  t.same([[...drawn.lost], findCells(drawn.mask).count], [[3], 2]);
  const annotations = await readGeoJson(await file('annotations.json', [cells[1], others[0]]));
  t.equal(annotations.ids.length, 1, 'without cells, annotations are what the file is about');
});

/** Contours as OpenCV gives them: the centres of the outermost pixels, walked round (Moore's neighbours), 8-connected. */
function mooreContour(inside: (x: number, y: number) => boolean, x0: number, y0: number): [number, number][] {
  const around = [
    [-1, 0],
    [-1, -1],
    [0, -1],
    [1, -1],
    [1, 0],
    [1, 1],
    [0, 1],
    [-1, 1],
  ] as const; // prettier-ignore
  const contour: [number, number][] = [];
  let [x, y, from] = [x0, y0, 0];
  const seen = new Set<string>();
  for (;;) {
    if (seen.has(`${x},${y},${from}`)) return contour;
    seen.add(`${x},${y},${from}`);
    contour.push([x, y]);
    const next = Array.from({ length: 8 }, (_, i) => (from + i) % 8).find((k) => inside(x + around[k]![0], y + around[k]![1]));
    if (next === undefined) return contour;
    [x, y] = [x + around[next]![0], y + around[next]![1]];
    from = (next + (next % 2 ? 5 : 6)) % 8;
  }
}

t.test('HoVer-Net JSON: outermost pixels belong to the nucleus', async (t) => {
  const nuc = {
    4: {
      bbox: [
        [1, 1],
        [4, 4],
      ],
      centroid: [2, 2],
      contour: [
        [1, 1],
        [3, 1],
        [3, 3],
        [1, 3],
      ],
      type: 1,
      type_prob: 0.9,
    }, // prettier-ignore
    90: { contour: [[6, 0]], type: 0 },
    7: {
      contour: [
        [8, 0],
        [8, 4],
      ],
      type: null,
    }, // prettier-ignore
    12: { contour: [], type: 1 },
    13: { contour: [[[0, 6]], [[2, 8]]] },
  };
  for (const content of [{ mag: 40, nuc }, { nuc, mag: 40 }, nuc]) {
    const found = await readPolygons(await file('nuclei.json', content));
    t.equal(found.format, 'hovernet');
    t.same([...found.ids], [4, 7, 13, 90]); // JavaScript lists whole-number names in rising order
    t.same(found.classes, ['1', undefined, undefined, '0']);
    t.equal(found.magnification, content === nuc ? undefined : 40);
    t.same(
      found.warnings.map(({ code }) => code),
      ['no_contour'],
    );
    const { mask, lost } = rasterizePolygons(found.polygons, { width: 10, height: 10, ids: found.ids });
    const cells = findCells(mask);
    t.same([[...cells.ids], [...cells.areas], lost.length], [[4, 7, 13, 90], [9, 5, 3, 1], 0]);
    t.same([...cells.boxes.subarray(0, 8)], [1, 1, 4, 4, 8, 0, 9, 5]);
  }
  const cellvit = {
    wsi_metadata: { magnification: 20 },
    type_map: { 1: 'Neoplastic' },
    cells: [
      { contour: nuc[4].contour, type: 1 },
      { contour: [[5, 5]], type: 2 },
    ],
  }; // prettier-ignore
  const found = await readPolygons(await file('cellvit.json', cellvit));
  t.same([[...found.ids], found.classes, found.magnification], [[1, 2], ['Neoplastic', '2'], 20]);
  const named = await readHoverNet(await file('named.json', { nuc: { a: nuc[4], b: nuc[90] } }));
  t.same([[...named.ids], named.names, named.warnings[0]?.code], [[1, 2], ['a', 'b'], 'renumbered']);
});

t.test('the contour of any shape without holes gives back its pixels', async (t) => {
  await fc.assert(
    fc.asyncProperty(anyMask, async (mask) => {
      // The piece (over sides and corners) that holds the first pixel of a label, its holes filled.
      const { width, height } = mask;
      const first = mask.data.findIndex((label) => label !== 0);
      if (first < 0) return;
      const grow = (start: number[], ok: (i: number) => boolean, diagonal: boolean) => {
        const seen = new Set(start);
        for (const i of seen) {
          for (const [dx, dy] of [
            [-1, 0],
            [1, 0],
            [0, -1],
            [0, 1],
            [-1, -1],
            [1, -1],
            [-1, 1],
            [1, 1],
          ].slice(0, diagonal ? 8 : 4) as [number, number][]) {
            const [x, y] = [(i % (width + 2)) + dx, Math.floor(i / (width + 2)) + dy];
            const n = y * (width + 2) + x;
            if (x >= 0 && y >= 0 && x < width + 2 && y < height + 2 && !seen.has(n) && ok(n)) seen.add(n);
          }
        }
        return seen;
      };
      const label = (i: number) => {
        const [x, y] = [(i % (width + 2)) - 1, Math.floor(i / (width + 2)) - 1];
        return x < 0 || y < 0 || x >= width || y >= height ? 0 : (mask.data[y * width + x] as number);
      };
      const at = (Math.floor(first / width) + 1) * (width + 2) + (first % width) + 1;
      const piece = grow([at], (i) => label(i) === mask.data[first], true);
      const outside = grow([0], (i) => !piece.has(i), false);
      const inside = (x: number, y: number) => x >= 0 && y >= 0 && x < width + 2 && y < height + 2 && !outside.has(y * (width + 2) + x);
      const contour = mooreContour(inside, at % (width + 2), Math.floor(at / (width + 2)));
      const found = await readHoverNet(await file('shape.json', { nuc: { 1: { contour } } }));
      const drawn = rasterizePolygons(found.polygons, { width: width + 2, height: height + 2 }).mask;
      t.same(
        Array.from(drawn.data),
        Array.from(drawn.data, (_, i) => (outside.has(i) ? 0 : 1)),
      );
    }),
    { numRuns: 150 },
  );
});

t.test('broken files are told with their place', async (t) => {
  const geo = JSON.stringify({ type: 'FeatureCollection', features: qupath });
  const refused = async (name: string, content: unknown, code: string, message: RegExp) =>
    t.rejects(readPolygons(await file(name, content)), { code, message }, name);
  await refused('cut', geo.slice(0, -40), 'UAM_FORMAT', /ends too early/);
  await refused('empty', '', 'UAM_FORMAT', /empty/);
  await refused('tail', `${geo} x`, 'UAM_FORMAT', /after the end/);
  await refused('text', 'hello', 'UAM_FORMAT', /expected an object or a list/);
  await refused('other', { a: 1 }, 'UAM_FORMAT', /neither GeoJSON/);
  await refused('comma', '{"features":[{"geometry":null} {}]}', 'UAM_FORMAT', /byte 31 \(item 2 of "features"\): expected a comma/);
  await refused('inner', '{"features":[{"a":}]}', 'UAM_FORMAT', /item 1 of "features"/);
  await refused(
    'infinite',
    '{"features":[{"geometry":{"type":"Polygon","coordinates":[[[0,0],[1,1e999],[1,1]]]}}]}',
    'UAM_FORMAT',
    /feature 1, ring 1, position 2/,
  ); // prettier-ignore
  await refused('number', [1], 'UAM_FORMAT', /feature 1/);
  await refused('positions', [{ geometry: polygon([[0, 0], [1]]) }], 'UAM_FORMAT', /position 2 .*\[1\]/); // prettier-ignore
  await refused('nocoords', [{ geometry: { type: 'Polygon' } }], 'UAM_FORMAT', /no list of coordinates/);
  await refused(
    'large',
    {
      nuc: {
        5: {
          contour: [
            [0, 0],
            [1e9, 0],
          ],
        },
      },
    },
    'UAM_DATA',
    /nucleus 1 \("5"\)/,
  ); // prettier-ignore
  await refused('contour', { nuc: { 5: { contour: [[0, 'a']] } } }, 'UAM_FORMAT', /position 1/);
  await refused('gzip', gzipSync(geo).subarray(0, 60), 'UAM_FORMAT', /gzip/);
  await t.rejects(readPolygons(join(folder, 'absent.json')), { code: 'UAM_INPUT', message: /absent\.json/ });
  await t.rejects(readPolygons(folder), { code: 'UAM_INPUT' });
  await t.rejects(readHoverNet(await file('list.json', [])), { code: 'UAM_FORMAT' });
  await t.rejects(readGeoJson(await file('c.json', []), { compartment: 'x' as 'cell' }), { code: 'UAM_ARGUMENT' });
});

t.test('a file may come in pieces of any length', async (t) => {
  const bytes = Buffer.from(
    JSON.stringify({ type: 'FeatureCollection', more: [1, { a: '}"\\' }], 'ключ "é"': 'µ', features: qupath, end: true }),
  );
  const cut = (length: number) => {
    const cutter = new JsonCutter('test', ['features']);
    const items = [];
    for (let at = 0; at < bytes.length; at += length) items.push(...cutter.push(bytes.subarray(at, at + length)));
    cutter.finish();
    return items;
  };
  const whole = cut(bytes.length);
  t.same(
    whole.filter(({ container }) => container === 'features').map(({ value }) => value),
    qupath,
  );
  for (const length of [1, 2, 3, 7, 64]) t.same(cut(length), whole);
});

t.test('10,000 mutated files of each kind: a result or an error of ours', { timeout: 120000 }, async (t) => {
  let state = 7;
  const random = (n: number) => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 8) % n;
  const geo = Buffer.from(JSON.stringify({ type: 'FeatureCollection', features: qupath }));
  const hover = Buffer.from(
    JSON.stringify({
      mag: 40,
      nuc: {
        1: {
          contour: [
            [1, 1],
            [3, 1],
            [3, 3],
          ],
          type: 1,
        },
        2: { contour: [[9, 9]] },
      },
    }),
  ); // prettier-ignore
  for (const [seed, read] of [
    [geo, readGeoJson],
    [hover, readHoverNet],
    [gzipSync(geo), readPolygons],
  ] as const) {
    // prettier-ignore
    let errors = 0;
    const one = async (slot: number) => {
      const bytes = Buffer.from(seed);
      for (let n = 1 + random(3); n > 0; n--)
        bytes[random(bytes.length)] = random(2) ? random(256) : ('[]{}",:0-.e\\'.charCodeAt(random(12)) as number);
      const path = await file(`fuzz_${slot}`, random(4) ? bytes : bytes.subarray(0, random(bytes.length)));
      try {
        const { polygons, ids } = await read(path);
        if (polygons.count !== ids.length) t.fail('a polygon without an id');
        rasterizePolygons(polygons, { width: 20, height: 20, ids });
      } catch (error) {
        errors++;
        if (!(error instanceof UamError) || !['UAM_FORMAT', 'UAM_DATA'].includes(error.code)) {
          t.fail(String(error), { file: bytes.toString('latin1') });
        }
      }
    };
    for (let i = 0; i < (read === readPolygons ? 1000 : 10000); i += 20)
      await Promise.all(Array.from({ length: 20 }, (_, slot) => one(slot)));
    t.ok(errors > 100, `${errors} errors`);
  }
});
