// The promise of the generator: what a joint model learns of drawn tissue holds for drawings that it has not seen.
import t from 'tap';
import { extract } from '../../src/radiomics/extract.js';
import { demoTile } from '../../src/train/demo_tile.js';
import { JointDataset } from '../../src/train/joint_dataset.js';
import { JointUAM } from '../../src/train/joint_uam.js';
import { DEFAULT_RECIPE } from '../../src/train/recipe.js';

const SIDE = 256;

async function drawn(seed: number) {
  const { image, mask, classes, classNames, region } = demoTile({ seed, width: SIDE, height: SIDE });
  const table = await extract(image, mask, DEFAULT_RECIPE);
  const names = Array.from(classes, (c) => classNames[c] as string);
  return {
    patient: `patient ${seed}`,
    image,
    table,
    mpp: 0.5,
    classes: names,
    region: region.map((value) => Number(value > 0)),
    classNames,
  };
}

t.test('cells at 0.9, regions at a Dice of 0.9, on unseen drawings', async (t) => {
  const tiles = [];
  for (let seed = 1000; seed < 1020; seed++) tiles.push(await drawn(seed));
  const classes = tiles[0]?.classNames as string[];
  const model = JointUAM.create();
  await model.fit(JointDataset.of(tiles, { mpp: 0.5, classes, extraction: DEFAULT_RECIPE }), {
    epochs: 7,
    validation: 0,
    recompute: false,
  });
  let [right, cells, both, sum] = [0, 0, 0, 0];
  for (const seed of [5000, 5001, 5002, 5003]) {
    const { classes: truth, region, ...tile } = await drawn(seed);
    const { probabilities, regions } = await model.predict(tile);
    truth.forEach((name, i) => {
      const row = [...probabilities.subarray(i * classes.length, (i + 1) * classes.length)];
      right += Number(classes[row.indexOf(Math.max(...row))] === name);
      cells++;
    });
    regions?.forEach((p, i) => {
      const inside = region[i] as number;
      both += p >= 0.5 ? inside : 0;
      sum += Number(p >= 0.5) + inside;
    });
  }
  t.ok(right / cells >= 0.9, `accuracy ${right / cells} of ${cells} cells`);
  t.ok((2 * both) / sum >= 0.9, `Dice ${(2 * both) / sum}`);
});
