// Joint models that see the image through feature maps of another encoder.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { RasterImage } from '../../src/image/image.js';
import { Tensor } from '../../src/tensor/tensor.js';
import { JointDataset } from '../../src/train/joint_dataset.js';
import { JointUAM } from '../../src/train/joint_uam.js';
import { TileModel } from '../../src/train/tile_model.js';
import { writeImageFeatures } from '../../src/uam/feature_files.js';
import { rejectsWith } from '../support/expect.js';
import { CLASSES, jointTile, LITTLE_JOINT, SIDE } from '../support/joint_sets.js';

const folder = mkdtempSync(join(tmpdir(), 'uam-maps-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));

/** Maps that say how bright the image is: an encoder that others might have. */
async function encode(name: string, image: RasterImage, modelHash = 'brightness-1'): Promise<string> {
  const levels = [8, 16].map((stride) => {
    const side = SIDE / stride;
    const brightness = Float32Array.from({ length: side * side * 2 }, (_, i) => {
      const [x, y] = [((i >> 1) % side) * stride, Math.floor((i >> 1) / side) * stride];
      return (image.data[3 * (y * SIDE + x) + (i & 1)] as number) / 100 - 1;
    });
    return { name: `map${stride}`, stride, channels: 2, height: side, width: side, tensor: Tensor.from(brightness, [1, side, side, 2]) };
  });
  const path = join(folder, `${name}.features.json`);
  const place = { height: SIDE, width: SIDE, mpp: 0.5, origin: Float64Array.of(0, 0) };
  await writeImageFeatures(path, { ...place, levels, modelHash }, image);
  return path;
}

async function tileWithMaps(seed: number, modelHash?: string) {
  const tile = jointTile(seed);
  return { ...tile, maps: await encode(`tile${seed}`, tile.image as RasterImage, modelHash) };
}

t.test('learns from maps, with the image or without it, and remembers whose maps they are', async (t) => {
  const tiles = await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map((seed) => tileWithMaps(seed)));
  const half = tiles.map((tile, i) => (i % 2 === 0 ? tile : { ...tile, image: undefined }));
  const model = JointUAM.create({ ...LITTLE_JOINT, encoder: 'maps' });
  const dataset = JointDataset.of(half, { mpp: 0.5, classes: CLASSES });
  const { history } = await model.fit(dataset, { epochs: 12, batch: 2, learningRate: 5e-3, validation: 0 });
  t.ok((history.at(-1)?.loss as number) < 0.7 * (history[0]?.loss as number), 'the loss falls');
  await model.save(join(folder, 'maps.safetensors'));
  const loaded = await JointUAM.load(join(folder, 'maps.safetensors'));
  const unseen = await tileWithMaps(50);
  const { probabilities, regions } = await loaded.predict(unseen);
  t.equal(probabilities.length, 2 * (unseen.table?.length as number));
  let [both, sum] = [0, 0];
  regions?.forEach((p, i) => {
    both += p > 0.5 ? (unseen.region[i] as number) : 0;
    sum += Number(p > 0.5) + (unseen.region[i] as number);
  });
  t.ok((2 * both) / sum > 0.8, `Dice ${(2 * both) / sum}`);
  t.same(await loaded.predict({ ...unseen, image: undefined }), { probabilities, regions }, 'the maps are what it sees');
  const blind = await loaded.predict({ ...unseen, maps: undefined, image: undefined });
  t.equal(blind.regions, undefined, 'without maps there are cells alone');

  await rejectsWith(t, TileModel.load(join(folder, 'maps.safetensors')), 'UAM_DATA', /feature maps of brightness-1/);

  const foreign = await tileWithMaps(51, 'brightness-2');
  await rejectsWith(t, loaded.predict(foreign), 'UAM_DATA', /modelHash.*brightness-1.*brightness-2/s);
  const other = { ...unseen, image: { ...jointTile(60).image, mpp: [0.5, 0.5] } as RasterImage };
  await rejectsWith(t, loaded.predict(other), 'UAM_DATA', /pixelsSha256/);
});
