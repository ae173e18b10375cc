// shape2D against the values that PyRadiomics gives: ../shared/vectors/radiomics.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { packageRoot } from '../../src/native/load.js';
import { shape2d } from '../../src/radiomics/shape2d.js';
import { regionsOf } from '../support/label_images.js';
import { parseNpy } from '../support/npy.js';
import { differences, shapeRows } from '../support/shape_rows.js';

const folder = join(packageRoot(), '..', 'shared', 'vectors', 'radiomics');
const skip = existsSync(folder) ? false : `no vectors at ${folder}`;

type Values = Record<string, { shape2D: Record<string, number | null> }>;
interface Golden {
  meta: { settings: Record<string, { spacing?: [number, number] }> };
  rois: { id: string; type: string; values: Values }[];
  cells: { label: number; type: string; values: Values }[];
}
const read = (name: string): Golden => JSON.parse(readFileSync(join(folder, name), 'utf8'));
const labels = (name: string) => {
  const { data, shape } = parseNpy(readFileSync(join(folder, name)));
  return { height: shape[0] as number, width: shape[1] as number, data: Uint32Array.from(data) };
};

/** A straight line has no width: PyRadiomics' values there are rounding noise. */
const tolerance = (name: string, value: number): number =>
  (name === 'Elongation' || name === 'MinorAxisLength') && Math.abs(value) < 1e-6 ? 1e-6 : 1e-9 + 1e-7 * Math.abs(value);

t.test('every region of interest with every setting', { skip }, async (t) => {
  const { meta, rois } = read('rois.json');
  for (const reference of [false, true]) {
    for (const { id, values } of rois) {
      const regions = regionsOf(labels(`rois/${id}_mask.npy`));
      const wrong = Object.entries(values).flatMap(([setting, { shape2D }]) => {
        const spacing = meta.settings[setting]?.spacing ?? [1, 1];
        const [row = {}] = shapeRows(shape2d, regions, { spacing, reference });
        return differences(row, shape2D, tolerance).map((text) => `${setting} ${text}`);
      });
      t.same(wrong, [], `${id}, ${reference ? 'reference' : 'kernel'}`);
    }
  }
});

t.test('the image of 200 cells', { skip }, async (t) => {
  const { cells } = read('composed512.json');
  const regions = regionsOf(labels('composed512_labels.npy'));
  for (const reference of [false, true]) {
    const rows = shapeRows(shape2d, regions, { reference });
    const wrong = cells.flatMap(({ label, values }) => {
      const row = rows[regions.ids.indexOf(label)] ?? {};
      return Object.values(values).flatMap(({ shape2D }) => differences(row, shape2D, tolerance).map((text) => `${label} ${text}`));
    });
    t.same(wrong, [], reference ? 'reference' : 'kernel');
    t.equal(rows.length, 200);
  }
});
