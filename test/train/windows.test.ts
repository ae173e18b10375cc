// Fields larger than a tile: every cell once, the same bits in any threads, and cells near a cut judged as if there were none.
import fc from 'fast-check';
import t from 'tap';
import { setThreads } from '../../src/index.js';
import { CellDataset, type SampleInput } from '../../src/train/dataset.js';
import { Pace } from '../../src/train/pace.js';
import { UAM } from '../../src/train/uam.js';
import { byCell, windowsOf } from '../../src/train/windows.js';
import { uniform } from '../support/random.js';
import { LITTLE } from '../support/training_sets.js';

const pace = () => new Pace('test');

t.test('windows cover every cell, are no wider and no fuller than they may be', async (t) => {
  const place = fc.double({ min: -3000, max: 3000, noNaN: true });
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(place, place), { maxLength: 200 }), fc.integer({ min: 3, max: 60 }), async (list, most) => {
      const positions = Float64Array.from(list.flat());
      const { tiles, weights } = await windowsOf(positions, { size: 700, most }, pace());
      t.same(
        [...new Set(tiles.flatMap((tile) => [...tile]))].sort((a, b) => a - b),
        [...list.keys()],
      ); // prettier-ignore
      tiles.forEach((tile, at) => {
        const wide = [0, 1].map((axis) => {
          const along = [...tile].map((cell) => positions[2 * cell + axis] as number);
          return Math.max(...along) - Math.min(...along);
        });
        t.ok(Math.max(...wide) <= 700 + 1e-9);
        t.ok(tile.length <= most || Math.max(...wide) <= 16);
        t.ok(weights.length === 0 || (weights[at]?.length === tile.length && weights[at].every((weight) => weight > 0 && weight <= 1)));
      });
    }),
    { numRuns: 30 },
  );
});

t.test('a field that fits stays whole; one place, or none, is no trouble', async (t) => {
  const fits = await windowsOf(Float64Array.of(0, 0, 512, 0, 512, 512), {}, pace());
  t.same([fits.tiles.map((tile) => [...tile]), fits.weights], [[[0, 1, 2]], []]);
  t.same(await windowsOf(new Float64Array(), {}, pace()), { tiles: [], weights: [] });
  const heap = await windowsOf(new Float64Array(20), { most: 3 }, pace());
  t.same(
    heap.tiles.map(({ length }) => length),
    [10],
  ); // prettier-ignore
});

t.test('places that are covered alike are weighed alike; far from an edge one window decides', async (t) => {
  const positions = Float64Array.from({ length: 2 * 101 }, (_, i) => (i % 2 === 0 ? 10 * (i >> 1) : 0)); // a line of 1000 um
  const { tiles, weights } = await windowsOf(positions, { size: 400 }, pace());
  t.same(
    tiles.map((tile) => [(tile[0] as number) * 10, (tile.at(-1) as number) * 10]),
    [
      [0, 400],
      [300, 700],
      [600, 1000],
    ],
  ); // prettier-ignore
  const weight = (window: number, x: number) => weights[window]?.[(tiles[window] as Int32Array).indexOf(x / 10)] as number;
  t.ok(Math.abs(weight(0, 350) - weight(1, 350)) < 1e-7, 'in the middle of where two meet');
  t.ok(weight(0, 310) > 10 * weight(1, 310));
  const answers = Float32Array.from(tiles.flatMap((tile, window) => [...tile].map(() => window)));
  const source = Int32Array.from(tiles.flatMap((tile) => [...tile]));
  const means = await byCell(answers, 1, { source, weights: Float32Array.from(weights.flatMap((list) => [...list])) }, 101, pace());
  t.same([means[0], means[50], means[100]], [0, 1, 2]);
  t.ok(Math.abs((means[35] as number) - 0.5) < 1e-6);
});

/** A field of cells whose class is that of their neighbourhood: nobody can tell it from a cell alone. */
function field(side: number, cells: number, seed: number): SampleInput & { positions: Float64Array } {
  const next = uniform(seed);
  const positions = Float64Array.from({ length: 2 * cells }, () => side * next());
  const own = Float64Array.from({ length: cells }, () => next());
  const classes = Array.from(own, (_, i) => {
    let [sum, count] = [0, 0];
    for (let j = 0; j < cells; j++) {
      const far = Math.hypot(
        (positions[2 * i] as number) - (positions[2 * j] as number),
        (positions[2 * i + 1] as number) - (positions[2 * j + 1] as number),
      ); // prettier-ignore
      if (far > 30) continue;
      sum += own[j] as number;
      count++;
    }
    return sum / count > 0.5 ? 'high' : 'low';
  });
  return { name: `field ${seed}`, table: { length: cells, columns: [{ name: 'glcm_F', data: own }] }, positions, classes };
}

/** Rows of a table and their places. */
function part({ table, positions }: SampleInput & { positions: Float64Array }, rows: readonly number[]) {
  const columns = table.columns.map(({ name, data }) => ({ name, data: rows.map((row) => data[row] as number) }));
  return {
    table: { length: rows.length, columns },
    positions: Float64Array.from(rows.flatMap((row) => [...positions.subarray(2 * row, 2 * row + 2)])),
  };
}

t.test('cells near a cut are judged as in the middle of a tile', async (t) => {
  const side = 200;
  const tiles = Array.from({ length: 12 }, (_, i) => field(side, 200, i + 1));
  const model = UAM.create({ ...LITTLE, tokens: { kind: 'cell', radius: 40 }, dropout: 0, dropPath: 0 });
  await model.fit(CellDataset.from(tiles), { epochs: 60, batch: 2, learningRate: 1e-2, validation: 0 });
  const large = field(3 * side, 9 * 200, 99);
  const whole = await model.predict(large);
  t.equal(whole.length, 1800);
  t.ok([...whole.probabilities, ...whole.embeddings].every(Number.isFinite), 'every cell has its answer');

  // The grid that training would cut: each square by itself; and each cell in the middle of a square of its own.
  const all = [...whole.classes.keys()];
  const at = (cell: number, axis: number) => large.positions[2 * cell + axis] as number;
  const near = all.filter((cell) => [0, 1].some((axis) => [1, 2].some((cut) => Math.abs(at(cell, axis) - cut * side) < 10))).slice(0, 100);
  const [cutError, windowError] = [[] as number[], [] as number[]];
  const answerIn = async (cell: number, inside: (other: number) => boolean) => {
    const rows = all.filter(inside);
    const { probabilities } = await model.predict(part(large, rows), { embeddings: false });
    return probabilities[2 * rows.indexOf(cell)] as number;
  };
  for (const cell of near) {
    const square = [0, 1].map((axis) => Math.min(2, Math.floor(at(cell, axis) / side)));
    const cut = await answerIn(cell, (other) => [0, 1].every((axis) => Math.min(2, Math.floor(at(other, axis) / side)) === square[axis]));
    const middle = await answerIn(cell, (other) => [0, 1].every((axis) => Math.abs(at(other, axis) - at(cell, axis)) < side / 2));
    cutError.push(Math.abs(cut - middle));
    windowError.push(Math.abs((whole.probabilities[2 * cell] as number) - middle));
  }
  const mean = (list: number[]) => list.reduce((a, b) => a + b, 0) / list.length;
  t.comment(`mean difference from the answer in the middle: cut ${mean(cutError).toFixed(3)}, windows ${mean(windowError).toFixed(3)}`);
  t.ok(mean(windowError) < 0.8 * mean(cutError)); // how a tile lies changes every answer a little: 0 it cannot be

  setThreads(1);
  const bits = (await model.predict(large)).probabilities;
  for (const threads of [2, 4]) {
    setThreads(threads);
    t.same((await model.predict(large)).probabilities, bits, `${threads} threads`);
  }
});
