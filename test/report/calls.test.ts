import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { findCells } from '../../src/cells/index.js';
import { type CellCalls, callCells, callsTable, writeCalls } from '../../src/report/calls.js';
import { classColors } from '../../src/report/class_colors.js';
import { runModule, sources } from '../support/child.js';
import { manyCells } from '../support/masks.js';

const folder = t.testdir();
const mask = { width: 6, height: 3, data: Uint32Array.of(0, 4, 4, 0, 9, 0, 0, 4, 4, 0, 9, 0, 0, 0, 0, 0, 0, 7) };
const cells = findCells(mask); // ids 4, 7, 9
const calls: CellCalls = {
  classes: ['tumour', 'lymphocyte', 'other "kind"'],
  probabilities: Float32Array.of(0.5, 0.25, 0.25, NaN, NaN, NaN, 0.125, 0.125, 0.75),
};

t.test('the class of a cell', async (t) => {
  t.same(callCells(calls).names, ['tumour', undefined, 'other "kind"']);
  t.same([...callCells(calls).confidence], [0.5, NaN, 0.75]);
  t.same(callCells(calls, 0.75).names, [undefined, undefined, 'other "kind"']);
  t.same(callCells({ classes: ['a', 'b'], probabilities: Float64Array.of(0.5, 0.5, 0, 1) }).names, ['a', 'b'], 'the first of equals');
  t.same(callCells({ classes: ['a', 'b'], probabilities: new Float64Array(0) }).names, []);
  t.throws(() => callCells({ classes: ['a', 'a'], probabilities: Float64Array.of(1, 0) }), { code: 'UAM_ARGUMENT' });
  t.throws(() => callCells({ classes: ['a', 'b'], probabilities: Float64Array.of(1) }), { code: 'UAM_SHAPE' });
  t.throws(() => callCells(calls, 2), { code: 'UAM_ARGUMENT' });
});

t.test('detections as QuPath reads them', async (t) => {
  const path = join(folder, 'calls.geojson');
  t.equal(await writeCalls(path, cells, calls, { mask, measurements: { 'Area px^2': cells.areas } }), 3);
  const { type, features } = JSON.parse(readFileSync(path, 'utf8'));
  t.equal(type, 'FeatureCollection');
  t.same(features[0].geometry, {
    type: 'Polygon',
    coordinates: [
      [
        [1, 0],
        [3, 0],
        [3, 2],
        [1, 2],
        [1, 0],
      ],
    ],
  }); // prettier-ignore
  t.same(features[0].properties, {
    objectType: 'detection',
    name: '4',
    classification: { name: 'tumour', color: [213, 94, 0] },
    measurements: {
      'Probability tumour': 0.5,
      'Probability lymphocyte': 0.25,
      'Probability other "kind"': 0.25,
      Confidence: 0.5,
      'Area px^2': 4,
    },
  });
  t.same(features[1].properties, { objectType: 'detection', name: '7', measurements: { 'Area px^2': 1 } }, 'no class, no numbers');
  for (const feature of features) {
    const { classification, measurements } = feature.properties;
    if (classification) t.ok(classification.color.every((value: number) => Number.isInteger(value) && value >= 0 && value < 256));
    t.ok(Object.values(measurements).every(Number.isFinite));
  }
  t.same(readdirSync(folder), ['calls.geojson']);
  await writeCalls(path, cells, calls, { mask, atLeast: 0.6, colors: { tumour: [1, 2, 3] } });
  t.notOk(readFileSync(path, 'utf8').includes('"color":[1,2,3]'), 'an uncertain cell has no class');
});

t.test('tables', async (t) => {
  const table = callsTable(cells, calls, { measurements: { area: cells.areas } }, [{ name: 'image', values: 'a.png' }]);
  t.equal(
    table.toCsv(),
    'image,class,label,x,y,touches_border,status,probability_tumour,probability_lymphocyte,"probability_other ""kind""",confidence,area\n' +
      'a.png,tumour,4,1.5,0.5,1,ok,0.5,0.25,0.25,0.5,4\n' +
      'a.png,,7,5,2,1,ok,,,,,1\n' +
      'a.png,"other ""kind""",9,4,0.5,1,ok,0.125,0.125,0.75,0.75,2\n',
  );
  const path = join(folder, 'calls.csv');
  t.equal(await writeCalls(path, cells, calls, { labels: [{ name: 'image', values: 'a.png' }], measurements: { area: cells.areas } }), 3);
  t.equal(readFileSync(path, 'utf8'), table.toCsv());
  const parquet = join(folder, 'calls.parquet');
  // In a process of its own: tap's TypeScript loader cannot resolve what hyparquet-writer imports.
  const { code, stderr } = runModule(`
    import { writeCalls } from '${sources}report/calls.js';
    import { findCells } from '${sources}cells/index.js';
    const cells = findCells({ width: 6, height: 3, data: Uint32Array.of(${mask.data}) });
    const calls = { classes: ${JSON.stringify(calls.classes)}, probabilities: Float32Array.of(${calls.probabilities}) };
    await writeCalls(${JSON.stringify(parquet)}, cells, calls);
  `);
  t.equal(code, 0, stderr);
  const { parquetReadObjects } = await import('hyparquet');
  const bytes = readFileSync(parquet);
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
  const rows = await parquetReadObjects({ file });
  t.match(rows[2], { class: 'other "kind"', label: 9n, confidence: 0.75 });
});

t.test('many cells, packed, in seconds', async (t) => {
  const large = manyCells(1600, 1600, 5);
  const found = findCells(large);
  const probabilities = Float32Array.from({ length: found.count * 3 }, (_, i) => [0.5, 0.25, 0.25][(i + Math.floor(i / 3)) % 3] as number);
  const before = performance.now();
  t.equal(await writeCalls(join(folder, 'many.geojson.gz'), found, { ...calls, probabilities }, { mask: large }), found.count);
  t.comment(`${found.count} cells in ${Math.round(performance.now() - before)} ms`);
});

t.test('refusals', async (t) => {
  await t.rejects(writeCalls(join(folder, 'x.geojson'), cells, calls), { code: 'UAM_ARGUMENT', message: /mask or outlines/ });
  await t.rejects(writeCalls(join(folder, 'x.shp'), cells, calls, { mask }), { code: 'UAM_ARGUMENT', message: /\.geojson, \.csv/ });
  const short = { ...calls, probabilities: Float32Array.of(1, 0, 0) };
  await t.rejects(writeCalls(join(folder, 'x.geojson'), cells, short, { mask }), { code: 'UAM_SHAPE' });
  await t.rejects(writeCalls(join(folder, 'x.csv'), cells, calls, { measurements: { area: [1] } }), { code: 'UAM_SHAPE' });
  await t.rejects(writeCalls(join(folder, 'none/x.csv'), cells, calls), { code: 'UAM_IO' });
  await t.rejects(writeCalls(join(folder, 'x.csv'), cells, calls, { signal: AbortSignal.abort() }), { code: 'UAM_ABORTED' });
});

t.test('colours', async (t) => {
  t.same(classColors(['stromal', 'lymphocyte', 'Tumor']), { stromal: [0, 158, 115], lymphocyte: [0, 114, 178], Tumor: [213, 94, 0] });
  const two = classColors(['tumour a', 'tumour b', '__proto__', 'd']);
  t.equal(new Set(Object.values(two).map(String)).size, 4, 'each its own');
  fc.assert(
    fc.property(fc.uniqueArray(fc.string(), { maxLength: 30 }), (names) => {
      const colors = classColors(names);
      return (
        names.every((name) => Object.hasOwn(colors, name)) && new Set(Object.values(colors).map(String)).size >= Math.min(8, names.length)
      );
    }),
  );
});
