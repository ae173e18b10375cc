// Datasets: classes and points, who is held out, tiles, and the order of epochs.
import fc from 'fast-check';
import t from 'tap';
import { FeatureTable } from '../../src/radiomics/table.js';
import { fitScaling } from '../../src/tokens/scaling.js';
import { CellDataset } from '../../src/train/dataset.js';
import { classWeights, countLabels, epochOrder, groupsOf, labelledItems, labelWeights } from '../../src/train/epoch_plan.js';
import { holdOut } from '../../src/train/held_out.js';
import { matchPoints } from '../../src/train/match_points.js';
import { Pace } from '../../src/train/pace.js';
import { packCells } from '../../src/train/packed_cells.js';
import { tilesOf } from '../../src/train/tiles.js';
import { smallSet, tilesOfCells } from '../support/training_sets.js';

const table = { length: 3, columns: [{ name: 'glcm_F', data: [1, 2, 4] }] };

t.test('classes by name, by number, and not known', async (t) => {
  const named = CellDataset.from([{ table, classes: ['b', null, 'a'] }]);
  t.same(
    [named.classes, named.counts()],
    [
      ['a', 'b'],
      [1, 1],
    ],
  );
  t.same([...(named.samples[0]?.truth.cells ?? [])], [0, 2]);
  t.same(CellDataset.from([{ table, classes: Int32Array.of(1, -1, 0) }]).classes, ['class 0', 'class 1']);
  t.same(CellDataset.from([{ table, classes: ['b', '', ''] }], { classes: ['x', 'b'] }).counts(), [0, 1]);
  t.throws(() => CellDataset.from([{ table, classes: ['c', '', ''] }], { classes: ['a'] }), { code: 'UAM_DATA', message: /no class 'c'/ });
  t.throws(() => CellDataset.from([{ table, classes: ['a'] }]), { code: 'UAM_SHAPE' });
  t.throws(() => CellDataset.from([{ table, classes: [0.5, 1, 1] }]), { code: 'UAM_DATA' });
  t.throws(() => CellDataset.from([{ table, classes: ['a', 'a', 'a'] }], { classes: ['a', 'a'] }), { code: 'UAM_ARGUMENT' });
});

t.test('several points on a cell count each; a point on none is kept', async (t) => {
  const set = CellDataset.from([{ table, points: { cells: [1, 1, -1, 0], classes: ['a', 'b', 'a', ''] } }]);
  t.same(set.counts(), [2, 1]);
  const packed = await packCells(set.samples, fitScaling(table), false, new Pace('test'));
  t.same([[...packed.labelStarts], [...packed.labels], [...packed.unmatched]], [[0, 0, 2, 2], [0, 1], [0]]);
  t.throws(() => CellDataset.from([{ table, points: { cells: [3], classes: ['a'] } }]), { code: 'UAM_DATA', message: /from -1 to 2/ });
  t.throws(() => CellDataset.from([{ table, points: { cells: [1, 2], classes: ['a'] } }]), { code: 'UAM_SHAPE' });
  t.throws(() => CellDataset.from([{ table, points: { cells: [], classes: [] }, classes: ['a', 'a', 'a'] }]), { code: 'UAM_ARGUMENT' });
});

t.test('samples must have the same features; a feature table gives its places', async (t) => {
  const other = { length: 1, columns: [{ name: 'glcm_G', data: [1] }] };
  t.throws(() => CellDataset.from([{ table }, { table: other }]), { code: 'UAM_DATA', message: /glcm_G/ });
  t.throws(() => CellDataset.from([{ table }, { table: { length: 1, columns: [] } }]), { code: 'UAM_DATA' });
  t.throws(() => CellDataset.from([{ table: { length: 2, columns: [{ name: 'glcm_F', data: [1] }] } }]), { code: 'UAM_SHAPE' });
  const features = new FeatureTable({
    ...{ ids: Uint32Array.of(4), centroids: Float64Array.of(10, 20), touchesBorder: Uint8Array.of(0), status: Uint8Array.of(0) },
    columns: [{ name: 'glcm_F', unit: '1', definition: '', data: Float64Array.of(1) }],
  });
  t.same([...(CellDataset.from([{ table: features, mpp: [0.5, 0.25] }]).samples[0]?.positions ?? [])], [5, 5]);
  t.equal(CellDataset.from([{ table: features }]).samples[0]?.positions, undefined);
  t.throws(() => CellDataset.from([{ table: features, mpp: 0 }]), { code: 'UAM_ARGUMENT' });
  t.throws(() => CellDataset.from([{ table, positions: Float64Array.of(1) }]), { code: 'UAM_SHAPE' });
});

t.test('held-out patients are whole, drawn by the seed, and never all', async (t) => {
  const set = smallSet({ tiles: 20 });
  const { training, validation } = holdOut(set, undefined, 3);
  t.equal(validation?.patients.length, 2);
  t.same([...training.patients, ...(validation?.patients ?? [])].sort(), set.patients.sort());
  t.same(holdOut(set, undefined, 3).validation?.patients, validation?.patients);
  t.ok([1, 2, 4, 5].some((seed) => String(holdOut(set, 0.2, seed).validation?.patients) !== String(validation?.patients)));
  t.equal(holdOut(set, 0, 1).validation, undefined);
  t.equal(holdOut(set, 0.99, 1).training.patients.length, 1);
  t.equal(holdOut(smallSet({ tiles: 2 }), 0.5, 1).validation, undefined, 'one patient alone is learned from');
});

t.test('points belong to the nucleus under them, or within 3 px', async (t) => {
  const mask = { width: 9, height: 3, data: new Uint32Array(27) };
  mask.data[9] = 5;
  mask.data[9 + 8] = 7;
  const points = Float64Array.of(0, 1, 3, 1, 4, 1, 3.2, 1, 5, 1, -2.9, 1, 0.4, 1.4, 100, 100);
  t.same([...matchPoints(mask, points)], [5, 5, 0, 0, 7, 5, 5, 0]);
  t.same(
    [...matchPoints({ width: 3, height: 1, data: Uint32Array.of(9, 0, 2) }, Float64Array.of(1, 0))],
    [2],
    'a tie goes to the lower id',
  );
  t.throws(() => matchPoints(mask, Float64Array.of(Number.NaN, 1)), { code: 'UAM_DATA' });
});

t.test('tiles hold every cell once, none too many, none too wide', async (t) => {
  const place = fc.double({ min: -5000, max: 5000, noNaN: true });
  fc.assert(
    fc.property(fc.array(fc.tuple(place, place), { maxLength: 300 }), fc.integer({ min: 1, max: 40 }), (list, most) => {
      const positions = Float64Array.from(list.flat());
      const tiles = tilesOf(positions, { size: 700, most });
      const cells = tiles.flatMap((tile) => [...tile]);
      t.same(
        cells.sort((a, b) => a - b),
        list.map((_, i) => i),
      );
      for (const tile of tiles) {
        if (tile.length === 0 || tile.length > most) return false;
        for (const axis of [0, 1]) {
          const along = [...tile].map((cell) => positions[2 * cell + axis] as number);
          if (Math.max(...along) - Math.min(...along) > 700 + 1e-9) return false;
        }
      }
      return true;
    }),
    { numRuns: 50 },
  );
  t.same(tilesOf(Float64Array.of(0, 0, 500, 0, 500, 500)).length, 1, 'a field that fits stays whole');
  t.same(tilesOf(new Float64Array(20), { most: 3 }).length, 4, 'cells at one place are cut, too');
});

t.test('every epoch has its own order; the sampler makes classes alike', async (t) => {
  const set = CellDataset.from(
    tilesOfCells({ tiles: 2, cells: 100 }).map((tile) => ({ ...tile, classes: Array.from({ length: 100 }, (_, i) => (i < 90 ? 0 : 1)) })),
  );
  const packed = await packCells(set.samples, fitScaling(set.samples[0]?.table as typeof table), false, new Pace('test'));
  const items = labelledItems(packed);
  const order = (epoch: number, counts?: number[]) =>
    epochOrder(items, { seed: 1, epoch, weights: counts && labelWeights(items, packed, counts) }).map(({ from }) => from);
  t.same(
    [...order(0)].sort((a, b) => a - b),
    items.map(({ from }) => from),
  );
  t.notSame(order(0), order(1));
  t.same(order(1), order(1));
  const counts = countLabels(packed.labels, 2);
  const drawn = order(0, counts);
  t.equal(drawn.length, items.length);
  t.ok(Math.abs(drawn.filter((row) => row % 100 >= 90).length - 100) <= 10, 'half of the draws are of the rare class');
  const weights = classWeights([90, 10, 0]);
  t.ok(Math.abs((weights[1] as number) / (weights[0] as number) - 3) < 1e-12, String(weights));
  t.equal(weights[2], 0);
  t.same(
    groupsOf(items.slice(0, 5), 2).map((group) => group.length),
    [2, 2, 1],
  );
  t.same(groupsOf([{ from: 0, to: 9, index: 0 }], 2).length, 1);
});
