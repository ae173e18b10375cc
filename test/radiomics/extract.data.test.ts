// Real images of four sets: every feature says something of every cell, or there is a reason why not.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { readImage, readMask } from '../../src/image/index.js';
import { packageRoot } from '../../src/native/load.js';
import { features } from '../../src/radiomics/catalogue.js';
import { extract } from '../../src/radiomics/extract.js';
import { STATUS_NAMES } from '../../src/radiomics/table_columns.js';

const data = join(packageRoot(), '../shared/data');

/** Micrometres per pixel as shared/data/README.md gives them; of dsb2018 nobody knows them. */
const SETS: Readonly<Record<string, { labels: string; mpp?: number; images: number }>> = {
  puma: { labels: '_labels.png', mpp: 0.23, images: 1 },
  brca_m2c: { labels: '_autolabels.png', mpp: 0.5, images: 2 },
  nucls: { labels: '_labels.png', mpp: 0.25, images: 2 },
  dsb2018: { labels: '_labels.png', images: 2 },
};

/** Where NaN is the answer although the cell is sound. */
const NAN_ALLOWED: readonly [pattern: RegExp, when: 'always' | 'without mpp', reason: string][] = [
  [/^neighbourhood_Mean\d+um_/, 'always', 'no cell lies as near'],
  [/^neighbourhood_Count\d+um$/, 'without mpp', 'nobody knows how far a micrometre is'],
  [/_?ring_/, 'always', 'other nuclei stand wall to wall about it'],
];

/** Columns that may be the same for each of more than fifty cells. */
const CONSTANT_ALLOWED = new Map([
  ['morphology_Holes', 'annotators fill nuclei'],
  ['morphology_EulerNumber', 'and draw each in one piece'],
]);

const imagesOf = (set: string, { labels, images }: (typeof SETS)[string]): string[] =>
  readdirSync(join(data, set))
    .filter((file) => file.endsWith(labels))
    .sort()
    .slice(0, images)
    .map((file) => join(data, set, file.slice(0, -labels.length)));

for (const [set, about] of Object.entries(SETS)) {
  t.test(set, { skip: !existsSync(join(data, set)) && `no ${join(data, set)}` }, async (t) => {
    for (const base of imagesOf(set, about)) {
      const image = await readImage(`${base}.png`, about.mpp ? { mpp: about.mpp } : {});
      const mask = await readMask(base + about.labels, { width: image.width, height: image.height });
      const table = await extract(image, mask, { features: ['all'], channels: ['grey', 'haematoxylin', 'eosin'] });
      t.equal(table.length, new Set(mask.data.filter(Boolean)).size, `${table.length} cells of ${base}`);
      const sound = [...table.status.keys()].filter((row) => STATUS_NAMES[table.status[row] as number] === 'ok');
      t.ok(sound.length > 0.97 * table.length, `${sound.length} are sound`);
      const value = (name: string, row: number) => table.column(name).data[row] as number;
      const unreasonable: string[] = [];
      for (const row of sound) {
        // the reasons themselves
        for (const radius of about.mpp ? ['15um', '30um'] : []) {
          const alone = value(`neighbourhood_Count${radius}`, row) === 0;
          if (alone !== Number.isNaN(value(`neighbourhood_Mean${radius}_firstorder_Mean`, row)))
            unreasonable.push(`Mean${radius} of ${row}`);
        }
        const noRing = Number.isNaN(value('ring_firstorder_Mean', row));
        const ring = table.names.filter((name) => name.startsWith('ring_firstorder'));
        if (!ring.every((name) => Number.isNaN(value(name, row)) === noRing)) unreasonable.push(`ring of ${row}`);
      }
      const constant: string[] = [];
      for (const { name, data: values } of table.columns) {
        const own = sound.map((row) => values[row] as number);
        const numbers = own.filter((value) => !Number.isNaN(value));
        const excuse = NAN_ALLOWED.find(([pattern, when]) => pattern.test(name) && (when === 'always' || !about.mpp));
        if (numbers.length < own.length && !excuse) unreasonable.push(`${name}: ${own.length - numbers.length} of ${own.length}`);
        if (!numbers.every(Number.isFinite)) unreasonable.push(`${name} is not finite`);
        const same = new Set(numbers).size < 2 && !(excuse && numbers.length === 0);
        if (same && own.length > 50 && !CONSTANT_ALLOWED.has(name)) constant.push(`${name} is ${numbers[0]}`);
      }
      t.same(unreasonable, [], 'NaN has a reason');
      t.same(constant, [], 'columns tell cells apart');
    }
  });
}

t.test('no feature of the default set is excused', async (t) => {
  const names = features.filter((feature) => feature.default).map(({ name }) => name);
  t.same(
    names.filter((name) => CONSTANT_ALLOWED.has(name) || NAN_ALLOWED.some(([pattern]) => pattern.test(name))),
    [],
  );
});
