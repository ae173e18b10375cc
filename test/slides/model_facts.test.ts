// What the head of a model's file says is what the loaded model says.
import { join } from 'node:path';
import t from 'tap';
import { extract } from '../../src/radiomics/extract.js';
import { modelFacts } from '../../src/slides/model_facts.js';
import { CellDataset, demoTile, UAM } from '../../src/train/index.js';
import { TileModel } from '../../src/train/tile_model.js';
import { folderOf, writeJointModel } from '../support/slide_file.js';

t.test('of a joint model, and of one of cells', async (t) => {
  const folder = folderOf(t);
  const { image, mask, classes, classNames } = demoTile({ width: 128, height: 128 });
  const extraction = { features: ['firstorder'], channels: ['grey'], mpp: 0.5 };
  const labels = Array.from(classes, (c) => classNames[c] as string);
  const table = await extract(image, mask, extraction);
  const dataset = CellDataset.from([{ table, mpp: 0.5, classes: labels }], { classes: classNames, extraction });
  const uam = UAM.create({ width: 8, depth: 1, heads: 2, state: 4, ffn: 8 });
  await uam.fit(dataset, { epochs: 1, validation: 0 });
  const cells = join(folder, 'cells.safetensors');
  await uam.save(cells);
  for (const path of [cells, await writeJointModel(join(folder, 'joint.safetensors'))]) {
    const facts = await modelFacts(path);
    const model = await TileModel.load(path);
    for (const key of ['classes', 'regions', 'mpp', 'extraction', 'features', 'temperature', 'reads'] as const)
      t.same(facts[key], model[key], key);
    t.equal(facts.side(0.5), model.side(0.5));
    model.dispose();
  }
});
