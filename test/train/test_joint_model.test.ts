// A joint model on tiles that it has not seen: cells and regions.
import { join } from 'node:path';
import t from 'tap';
import { evaluationPage } from '../../src/report/page.js';
import { evaluate } from '../../src/train/evaluate.js';
import { JointDataset, type JointSampleInput } from '../../src/train/joint_dataset.js';
import { JointUAM } from '../../src/train/joint_uam.js';
import { regionCounts } from '../../src/train/region_counts.js';
import { scoreRegions } from '../../src/train/region_scores.js';
import { testJointModel } from '../../src/train/test_joint_model.js';
import { rejectsWith } from '../support/expect.js';
import { jointTile, LITTLE_JOINT } from '../support/joint_sets.js';

const folder = t.testdir();
const tiles = Array.from({ length: 8 }, (_, i) => jointTile(i));
const known = JointDataset.of(tiles.slice(0, 4), { mpp: 0.5 });
const fresh = JointDataset.of(tiles.slice(6), { mpp: 0.5 });
const one = JointDataset.of(tiles.slice(7), { mpp: 0.5 });
const model = JointUAM.create({ ...LITTLE_JOINT, seed: 3 });
await model.fit(known, { epochs: 2, crop: 64, validation: JointDataset.of(tiles.slice(4, 6), { mpp: 0.5 }) });

t.test('cells as the model tells them before its temperature, regions as counts', async (t) => {
  const progress: number[] = [];
  const { points, regions } = await testJointModel(model, fresh, { onProgress: ({ done }) => progress.push(done) });
  t.same(progress, [1, 2]);
  t.equal(points?.truth.length, 24);
  t.same(new Set(points?.patients), new Set(['patient 3']));
  const own = await model.predict(fresh.samples[0]!);
  const warm = Array.from(own.probabilities.subarray(0, 2), (p) => p ** model.temperature);
  t.ok(Math.abs((points?.probabilities[0] as number) - (warm[0] as number) / ((warm[0] as number) + (warm[1] as number))) < 1e-5);
  t.same(
    regions.map(({ name, patient }) => [name, patient]),
    [
      ['tile 6', 'patient 3'],
      ['tile 7', 'patient 3'],
    ],
  );
  const { region, image } = fresh.samples[0] as { region: Uint8Array; image: { width: number; height: number } };
  t.same(regions[0]?.counts, await regionCounts(own.regions as Float32Array, region, { ...image, mpp: 0.5 }));
  const strict = await testJointModel(model, one, { threshold: 1, tolerance: 0 });
  t.match(strict.regions[0]?.counts, [{ tp: 0, fp: 0, calledEdge: 0 }], 'the threshold goes through');
  const report = await evaluate(points!, {
    temperature: model.temperature,
    resamples: 20,
    regions: await scoreRegions(regions, { resamples: 20, note: 'derived from points' }),
  });
  t.equal(report.regions?.kinds[0]?.images, 2);
  t.match(evaluationPage(report), /Region masks: derived from points/);
});

t.test('whatever a tile lacks', async (t) => {
  const [first, second] = tiles.slice(6) as [JointSampleInput, JointSampleInput];
  const mixed = JointDataset.of(
    [
      { ...first, region: undefined, classes: undefined, points: { cells: [2, -1], classes: ['tumour', 'stroma'] } },
      { ...second, table: undefined, positions: undefined, classes: undefined },
      { ...first, name: 'no image', patient: 'other', image: undefined, region: undefined },
    ],
    { mpp: 0.5, classes: ['stroma', 'tumour'] },
  );
  const { points, regions } = await testJointModel(model, mixed);
  t.same(Array.from(points?.truth ?? []).slice(0, 2), [1, 0]);
  t.ok(Number.isNaN(points?.probabilities[2]), 'a point on no cell has no answer');
  t.equal(points?.truth.length, 14);
  t.same(
    regions.map(({ name }) => name),
    ['tile 7'],
  );
  const bare = await testJointModel(model, JointDataset.of([{ ...first, classes: undefined, region: undefined }], { mpp: 0.5 }));
  t.same([bare.points, bare.regions], [undefined, []]);
  const blind = JointDataset.of([{ ...first, image: undefined }], { mpp: 0.5 });
  await rejectsWith(t, testJointModel(model, blind), 'UAM_DATA', /tile 6 has a region mask, and no image/);
});

t.test('a model of regions alone', async (t) => {
  const alone = JointUAM.create({ ...LITTLE_JOINT, task: 'region', seed: 3 });
  await alone.fit(known, { epochs: 1, crop: 64, validation: 0 });
  const { points, regions } = await testJointModel(alone, one);
  t.equal(points, undefined);
  t.equal(regions.length, 1);
});

t.test('refusals', async (t) => {
  await rejectsWith(t, testJointModel(model, known), 'UAM_DATA', /patient 0 was trained on/);
  t.equal((await testJointModel(model, JointDataset.of(tiles.slice(0, 1), { mpp: 0.5 }), { seenAllowed: true })).regions.length, 1);
  const others = tiles.slice(6).map((tile) => ({ ...tile, classes: (tile.classes as string[]).map((name) => `other ${name}`) }));
  await rejectsWith(t, testJointModel(model, JointDataset.of(others, { mpp: 0.5 })), 'UAM_DATA', /classes are stroma, tumour/);
  const regions = JointDataset.of(tiles.slice(6), { mpp: 0.5, regions: ['necrosis'] });
  await rejectsWith(t, testJointModel(model, regions), 'UAM_DATA', /regions are tumour, those of the tested tiles necrosis/);
  const { samples, classes } = fresh;
  await rejectsWith(t, testJointModel(model, new JointDataset(samples, classes, ['tumour'], 0.25)), 'UAM_DATA', /pixel size.*0\.25 um/);
  await rejectsWith(t, testJointModel(model, fresh, { signal: AbortSignal.abort() }), 'UAM_ABORTED', /ended/);
  const path = join(folder, 'model.safetensors');
  await model.save(path);
  t.same(await testJointModel(await JointUAM.load(path), one), await testJointModel(model, one), 'a model from its file');
});
