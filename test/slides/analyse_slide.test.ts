// A slide from end to end, with a model whose answers are known: cells once, no seams, and what is refused.
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { cellContours, findCells, readGeoJson, writeGeoJson } from '../../src/cells/index.js';
import type { RasterImage } from '../../src/image/image.js';
import { readImage } from '../../src/image/read_image.js';
import { resampleImage } from '../../src/image/resample.js';
import { writeMask } from '../../src/image/write_mask.js';
import { extract } from '../../src/radiomics/extract.js';
import { analyseSlide, type SlideOptions, type SlideParts } from '../../src/slides/analyse_slide.js';
import type { SlideInput } from '../../src/slides/prepare_slide.js';
import { demoTile } from '../../src/train/index.js';
import { rejectsWith, sameValues } from '../support/expect.js';
import { colourModel, folderOf, writeLabels, writeSlide } from '../support/slide_file.js';

const demo = demoTile({ width: 700, height: 520, seed: 5 });
const sizes = { tile: 256, block: 300 };

/** Runs on this thread, with a model that stands in for a trained one. */
const run = (input: Omit<SlideInput, 'model'>, options: SlideOptions, model = colourModel(), parts: SlideParts = {}) =>
  analyseSlide({ ...input, model: input.image }, { table: 'csv', ...options }, { sizes, loadModel: async () => model, ...parts });

interface Feature {
  properties: { name: string; classification?: { name: string }; measurements: Record<string, number> };
  geometry: { coordinates: [number, number][][] };
}

const featuresIn = (out: string) => JSON.parse(readFileSync(join(out, 'cells.geojson'), 'utf8')).features as Feature[];

/** Sees that the answers are what the model would have said of the whole image. */
async function checkCalls(t: Test, out: string): Promise<void> {
  const table = await extract(demo.image, demo.mask, { features: ['firstorder_Mean'], channels: ['r'] });
  const means = new Map([...table.ids].map((id, i) => [id, table.column('r_firstorder_Mean').data[i] as number]));
  const features = featuresIn(out);
  for (const { properties } of features) {
    const mean = means.get(Number(properties.name)) as number;
    const { measurements, classification } = properties;
    if (!(Math.abs((measurements['r_firstorder_Mean'] as number) - mean) < 1e-4)) t.fail(`${properties.name}: mean ${mean}`);
    const light = 1 / (1 + Math.exp(-(mean - 110) / 20)); // logits -l and l, at temperature 2
    if (!(Math.abs((measurements['Probability light'] as number) - light) < 1e-5)) t.fail(`${properties.name}: light ${light}`);
    if (classification?.name !== (light > 0.5 ? 'light' : 'dark')) t.fail(`${properties.name}: ${classification?.name}`);
  }
  t.equal(new Set(features.map(({ properties }) => properties.name)).size, means.size, 'each cell once');
  t.equal(features.length, means.size);
}

t.test('a mask: every nucleus once, with the features and the answers of the whole', async (t) => {
  const folder = folderOf(t);
  const image = writeSlide(join(folder, 'slide.tif'), demo.image);
  const mask = writeLabels(join(folder, 'mask.tif'), demo.mask);
  const out = join(folder, 'out');
  const { record, files } = await run({ image, mask }, { out, measurements: ['r_firstorder_Mean'] });
  t.same(readdirSync(out).sort(), [...files].sort());
  t.notOk(existsSync(`${out}.work`));
  t.equal(record.counts.cells, findCells(demo.mask).count);
  await checkCalls(t, out);
  const rows = readFileSync(join(out, 'cells.csv'), 'utf8').trim().split('\n');
  t.equal(rows.length, 1 + record.counts.cells);
  t.match(rows[0], /^class,label,x,y,touches_border,status,probability_dark,probability_light,confidence,r_firstorder_Mean$/);
});

t.test('polygons come back as they were given', async (t) => {
  const folder = folderOf(t);
  const image = writeSlide(join(folder, 'slide.tif'), demo.image);
  const cells = join(folder, 'nuclei.geojson.gz');
  const found = findCells(demo.mask);
  await writeGeoJson(cells, cellContours(demo.mask, found));
  const out = join(folder, 'out');
  const { record } = await run({ image, cells }, { out, measurements: ['r_firstorder_Mean'] });
  t.equal(record.counts.cells, found.count);
  await checkCalls(t, out);
  const given = await readGeoJson(cells);
  const written = await readGeoJson(join(out, 'cells.geojson'));
  const points = (file: typeof given) => [...file.polygons.points].sort((a, b) => a - b);
  sameValues(t, points(written), points(given), 'the same points');
});

t.test('without a mask nuclei are found, the same at every seam', async (t) => {
  const folder = folderOf(t);
  const image = writeSlide(join(folder, 'slide.tif'), demo.image);
  const whole = join(folder, 'whole');
  const cut = join(folder, 'cut');
  await run({ image }, { out: whole }, colourModel(), { sizes: { tile: 1024, block: 1024 } });
  await run({ image }, { out: cut });
  const places = (out: string) =>
    featuresIn(out)
      .map(({ geometry }) => JSON.stringify(geometry.coordinates))
      .sort();
  const [a, b] = [new Set(places(whole)), places(cut)];
  t.ok(a.size > 50);
  const same = b.filter((place) => a.has(place)).length;
  t.ok(same >= 0.97 * a.size && b.length <= 1.02 * a.size, `${same} of ${a.size} outlines are the same, ${b.length} in all`);
});

t.test('other pixel sizes: levels are chosen, or resampled', async (t) => {
  const folder = folderOf(t);
  const half = await resampleImage(demo.image, [2, 2]);
  const answers: number[] = [];
  for (const [name, mpp, levels] of [
    ['own', 0.5, []],
    ['level', 0.25, [half]],
    ['resampled', 0.25, []],
  ] as [string, number, RasterImage[]][]) {
    const image = writeSlide(join(folder, `${name}.tif`), demo.image, { mpp, levels });
    const mask = writeLabels(join(folder, `${name}_mask.tif`), demo.mask);
    const { record } = await run({ image, mask }, { out: join(folder, name) });
    t.same([record.slide.level, record.slide.gridWidth], name === 'own' ? [0, 700] : name === 'level' ? [1, 350] : [0, 350], name);
    t.ok(Math.abs((record.slide.gridMpp[0] as number) - 0.5) < 1e-6);
    const xs = featuresIn(join(folder, name)).flatMap(({ geometry }) => geometry.coordinates.flat().map(([x]) => x));
    t.ok(Math.max(...xs) > 600 && Math.max(...xs) <= 700, 'places are those of the full resolution');
    answers.push(record.counts.cells);
  }
  t.ok(Math.abs((answers[0] as number) - (answers[1] as number)) <= 3, answers.join());
  t.equal(answers[1], answers[2]);
});

t.test('models of cells alone, and of regions alone', async (t) => {
  const folder = folderOf(t);
  const image = writeSlide(join(folder, 'slide.tif'), demo.image);
  const cells = await run({ image }, { out: join(folder, 'cells') }, colourModel({ reads: { cells: true, image: false } }));
  t.same(cells.files, ['cells.csv', 'cells.geojson', 'files.json', 'run.json']);
  const regions = await run({ image }, { out: join(folder, 'regions') }, colourModel({ reads: { cells: false, image: true } }));
  t.same(regions.files, ['files.json', 'regions.geojson', 'regions.tif', 'run.json']);
  t.equal(regions.record.counts.blocks, 0);
});

t.test('a slide without tissue, one without nuclei, one smaller than a tile', async (t) => {
  const folder = folderOf(t);
  const plain = (width: number, height: number, colour: number[]): RasterImage => ({
    ...{ width, height, channels: 3, data: new Uint8Array(width * height * 3).map((_, i) => colour[i % 3] as number) },
  });
  const asked: number[] = [];
  const model = colourModel({ asked: (_, pixels) => void asked.push(pixels) });
  const glass = await run(
    { image: writeSlide(join(folder, 'glass.tif'), plain(600, 300, [244, 243, 244])) },
    { out: join(folder, 'a') },
    model,
  );
  t.same([asked.length, glass.record.counts.skippedTiles, glass.record.counts.cells], [0, glass.record.counts.tiles, 0]);
  t.match(glass.record.warnings, [{ code: 'no_tissue' }]);
  t.same(featuresIn(join(folder, 'a')), []);
  const eosin = await run(
    { image: writeSlide(join(folder, 'eosin.tif'), plain(300, 300, [220, 150, 190])) },
    { out: join(folder, 'b') },
    model,
  );
  t.ok(asked.length > 0);
  t.match(eosin.record.warnings, [{ code: 'no_nuclei' }]);
  const small = demoTile({ width: 90, height: 70, seed: 3 });
  const tiny = await run({ image: writeSlide(join(folder, 'small.tif'), small.image) }, { out: join(folder, 'c') }, model);
  t.same([tiny.record.counts.tiles, asked.at(-1)], [1, 90 * 70]);
});

t.test('what is refused, and leaves nothing', async (t) => {
  const folder = folderOf(t);
  const image = writeSlide(join(folder, 'slide.tif'), demo.image);
  const out = join(folder, 'out');
  const nowhere = writeSlide(join(folder, 'no_mpp.tif'), demo.image, { mpp: null });
  await rejectsWith(t, run({ image: nowhere }, { out }), 'UAM_DATA', /does not tell its pixel size.*--mpp/);
  const mask = writeLabels(join(folder, 'mask.tif'), { width: 4, height: 4, data: new Uint32Array(16).fill(1) });
  await rejectsWith(t, run({ image, mask }, { out }), 'UAM_SHAPE', /slide's size, 700 x 520, received 4 x 4/);
  await rejectsWith(t, run({ image, mask, cells: mask }, { out }), 'UAM_ARGUMENT', /exclude each other/);
  await rejectsWith(t, run({ image: join(folder, 'absent.svs') }, { out }), 'UAM_INPUT', /absent/);
  await rejectsWith(t, run({ image }, { out, maxMemory: 2e8 }), 'UAM_ARGUMENT', /maxMemory must be at least \d+ MB/);
  await rejectsWith(t, run({ image }, { out, measurements: ['glcm_Contrast'] }), 'UAM_ARGUMENT', /no 'glcm_Contrast'/);
  await rejectsWith(t, run({ image, mpp: 20 }, { out }), 'UAM_DATA', /do not go with a model/);
  const region = colourModel({ reads: { cells: false, image: true } });
  await rejectsWith(t, run({ image, mask }, { out }, region), 'UAM_ARGUMENT', /reads no cells/);
  const grey = { width: 300, height: 300, channels: 1 as const, data: new Uint8Array(90_000).fill(120) };
  await rejectsWith(
    t,
    run({ image: writeSlide(join(folder, 'grey.tif'), grey) }, { out: join(folder, 'grey') }),
    'UAM_DATA',
    /one channel/,
  );
  mkdirSync(out);
  writeFileSync(join(out, 'mine.txt'), 'notes');
  await rejectsWith(t, run({ image }, { out }), 'UAM_ARGUMENT', /did not make it/);
  t.notOk(existsSync(`${out}.work`));
  mkdirSync(`${join(folder, 'x')}.work`);
  writeFileSync(join(folder, 'x.work', 'mine.txt'), 'notes');
  await rejectsWith(t, run({ image }, { out: join(folder, 'x') }), 'UAM_ARGUMENT', /in the way/);
});

t.test('regions: what the model says of each pixel, without a seam', async (t) => {
  const folder = folderOf(t);
  const image = writeSlide(join(folder, 'slide.tif'), demo.image);
  const out = join(folder, 'out');
  const { record } = await run({ image }, { out, overlay: true });
  t.same((await readImage(join(out, 'overlay.png'))).width, 700);
  const { data, width, height, mpp } = await readImage(join(out, 'regions.tif'));
  t.same([width, height, mpp], [700, 520, [0.5, 0.5]]);
  const { data: rgb } = demo.image;
  const truth = Uint8Array.from({ length: width * height }, (_, i) => ((rgb[3 * i] as number) <= (rgb[3 * i + 2] as number) ? 1 : 0));
  const wrong = truth.reduce((sum, value, i) => sum + Number(value !== data[i]), 0);
  t.equal(wrong, 0);
  const area = truth.reduce((sum, value) => sum + value, 0) * 0.25e-6;
  t.ok(Math.abs((record.counts.regions['blue'] as number) - area) < 1e-6);
  const outlines = JSON.parse(readFileSync(join(out, 'regions.geojson'), 'utf8')).features as {
    properties: { objectType: string; classification: { name: string }; measurements: { 'Region area um^2': number } };
  }[];
  t.match(outlines[0]?.properties, { objectType: 'annotation', classification: { name: 'blue' } });
  const outlined = outlines.reduce((sum, { properties }) => sum + properties.measurements['Region area um^2'], 0);
  t.ok(Math.abs(outlined / 1e6 - area) < 1e-3 * area, `${outlined} of ${area * 1e6}`);
});

t.test('PNG slides and PNG masks are unpacked, and come to the same', async (t) => {
  const folder = folderOf(t);
  const { width, height, data } = demo.image;
  const { default: sharp } = await import('sharp');
  const png = join(folder, 'slide.png');
  await sharp(data as Uint8Array, { raw: { width, height, channels: 3 } })
    .png()
    .toFile(png);
  const mask = join(folder, 'mask.png');
  await writeMask(mask, demo.mask);
  await run({ image: png, mask, mpp: 0.5 }, { out: join(folder, 'png') });
  const tiff = { image: writeSlide(join(folder, 'slide.tif'), demo.image), mask: writeLabels(join(folder, 'mask.tif'), demo.mask) };
  await run(tiff, { out: join(folder, 'tiff') });
  for (const name of ['cells.geojson', 'cells.csv', 'regions.geojson']) {
    t.equal(readFileSync(join(folder, 'png', name), 'utf8'), readFileSync(join(folder, 'tiff', name), 'utf8'), name);
  }
  const grey = join(folder, 'grey.png');
  await sharp(new Uint8Array(width * height), { raw: { width, height, channels: 1 } })
    .toColourspace('b-w')
    .png()
    .toFile(grey);
  await rejectsWith(t, run({ image: grey, mpp: 0.5 }, { out: join(folder, 'grey') }), 'UAM_DATA', /no 8-bit RGB image/);
  const damaged = join(folder, 'damaged.png');
  writeFileSync(damaged, readFileSync(png).subarray(0, 40_000));
  await rejectsWith(t, run({ image: damaged, mpp: 0.5 }, { out: join(folder, 'damaged') }), 'UAM_FORMAT', /cannot be unpacked/);
  await rejectsWith(
    t,
    run({ image: tiff.image, mask: mask, mpp: 0.5 }, { out: join(folder, 'x'), maxMemory: 3e6 }),
    'UAM_ARGUMENT',
    /read whole/,
  );
});
