// The whole flow from JavaScript: what it gives, what it writes, and what it refuses before it works.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { analyseImage } from '../src/pipeline.js';
import { extract } from '../src/radiomics/extract.js';
import { CellDataset } from '../src/train/dataset.js';
import { demoTile } from '../src/train/demo_tile.js';
import { UAM } from '../src/train/uam.js';
import { rejectsWith } from './support/expect.js';
import { LITTLE } from './support/training_sets.js';

const folder = mkdtempSync(join(tmpdir(), 'uam-pipeline-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);

const extraction = { features: ['firstorder'], channels: ['grey'] };
const { image, mask, classes, classNames } = demoTile({ seed: 4, width: 128, height: 128 });
const table = await extract(image, mask, extraction);
const labels = Array.from(classes, (c) => classNames[c] as string);
const model = UAM.create(LITTLE);
await model.fit(CellDataset.from([{ table, mpp: image.mpp, classes: labels }], { classes: classNames, extraction }), {
  epochs: 2,
  validation: 0,
});

t.test('its middle is UAM.analyse', async (t) => {
  const phases = new Set<string>();
  const { predictions, cells, warnings } = await analyseImage(
    { image, mask, model },
    { onProgress: ({ phase }) => void phases.add(phase) },
  );
  t.same(predictions.probabilities, (await UAM.analyse({ image, mask, model })).probabilities);
  t.same(cells.ids, predictions.table?.ids);
  t.same([warnings, [...phases]], [[], ['extract', 'predict']]);
  const found = await analyseImage({ image, model });
  t.ok(found.cells.count > 0 && found.predictions.length === found.cells.count, 'without a mask the nuclei are found');
});

t.test('files, from a model by its path', async (t) => {
  await model.save(file('model.safetensors'));
  const out = [file('a.geojson'), file('a.csv')];
  const { measurements, cells } = await analyseImage(
    { image, mask, model: file('model.safetensors') },
    { out, overlay: file('a.png'), measurements: ['firstorder_Mean'], colors: { tumour: [1, 2, 3] }, objectType: 'annotation' },
  );
  t.same(Object.keys(measurements), ['firstorder_Mean']);
  const { features } = JSON.parse(readFileSync(file('a.geojson'), 'utf8'));
  t.equal(features.length, cells.count);
  t.equal(features[0].properties.objectType, 'annotation');
  t.ok(existsSync(file('a.png')));
  await analyseImage({ image, mask, model }, { out: file('all.csv'), measurements: 'all' });
  t.match(readFileSync(file('all.csv'), 'utf8'), /^class,.*,confidence,firstorder_10Percentile,/);
});

t.test('an image without cells gives empty files', async (t) => {
  const none = { width: 128, height: 128, data: new Uint32Array(128 * 128) };
  const { predictions } = await analyseImage(
    { image, mask: none, model },
    { out: [file('none.geojson'), file('none.csv')], overlay: file('none.png') },
  );
  t.equal(predictions.length, 0);
  t.same(JSON.parse(readFileSync(file('none.geojson'), 'utf8')).features, []);
  t.equal(readFileSync(file('none.csv'), 'utf8').trim().split('\n').length, 1);
});

t.test('what cannot be is refused before any work is done', async (t) => {
  const before = readdirSync(folder);
  const input = { image, mask, model: file('nothing.safetensors') };
  await rejectsWith(t, analyseImage(input, { out: 'a.txt' }), 'UAM_ARGUMENT', /a\.txt: the name must end in/);
  await rejectsWith(t, analyseImage(input, { overlay: 'a.jpg' }), 'UAM_ARGUMENT', /ends in \.png/);
  await rejectsWith(t, analyseImage(input), 'UAM_INPUT', /nothing\.safetensors/);
  const { mpp: _, ...unscaled } = image;
  await rejectsWith(t, analyseImage({ image: unscaled, mask, model }), 'UAM_DATA', /does not tell its pixel size; give mpp/);
  await rejectsWith(
    t,
    analyseImage({ image, mask, model }, { measurements: ['glcm_Contrast'], out: file('x.csv') }),
    'UAM_ARGUMENT',
    /no feature 'glcm_Contrast'/,
  );
  await rejectsWith(t, analyseImage({ image, mask, model }, { out: file('x.csv'), signal: AbortSignal.abort() }), 'UAM_ABORTED', /./);
  t.same(readdirSync(folder), before);
});
