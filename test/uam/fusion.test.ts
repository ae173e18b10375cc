import t from 'tap';
import { noGrad, type Tensor } from '../../src/index.js';
import { Initializer } from '../../src/nn/initializer.js';
import type { Module } from '../../src/nn/module.js';
import { add, mul } from '../../src/ops/binary.js';
import { sum } from '../../src/ops/reduce.js';
import { arrange } from '../../src/tokens/arrangement.js';
import { CrossFusion, type FusionCells, fusionParameterCount, MeanFusion } from '../../src/uam/fusion.js';
import { ImageAdapters } from '../../src/uam/image_adapters.js';
import type { ImageFeatures } from '../../src/uam/image_features.js';
import { checkGradients } from '../support/directional.js';
import { doubledFeatures, randomFeatures } from '../support/images.js';
import { doubled, moved } from '../support/models.js';
import { sameBits } from '../support/near.js';
import { randomTensor } from '../support/random.js';

const levels = [
  { name: 'fine', stride: 8, channels: 3 },
  { name: 'middle', stride: 16, channels: 5 },
];
const options = { width: 8, heads: 2, levels };
const cross = () => new CrossFusion(options, new Initializer(3));
const mean = () => new MeanFusion(options, new Initializer(3));

// Two tiles of five and three cells with images of 40 x 24 pixels (20 x 12 um); the sixth cell lies outside.
const arrangement = arrange(Float64Array.of(1, 1, 9, 4, 19, 11, 5, 5, 6, 5, 40, 3, 2, 2, 12, 8), Int32Array.of(0, 5, 8));
const cells: FusionCells = { arrangement, imageOfTile: Int32Array.of(0, 1) };
const features = (): ImageFeatures => randomFeatures(levels, [40, 24], { count: 2 });
const tokens = () => randomTensor([8, 8], 31);

const maps = ({ levels }: ImageFeatures): Tensor[] => levels.map(({ tensor }) => tensor);
const lossOf = (list: readonly Tensor[]): Tensor =>
  list
    .map((x, i) => sum(mul(x, x.dtype === 'float64' ? doubled(randomTensor(x.shape, 70 + i)) : randomTensor(x.shape, 70 + i))))
    .reduce((a, b) => add(a, b));
const setTo = (module: Module, name: string, value: number) => new Map(module.namedParameters()).get(name)?.data.fill(value);

t.test('parameters are as many as counted', async (t) => {
  const wide = [4, 8, 16, 32].map((stride, i) => ({ name: `l${i}`, stride, channels: 7 * (i + 1) }));
  for (const [width, list] of [
    [8, levels],
    [64, wide],
  ] as const) {
    const given = { width, heads: 2, levels: list };
    t.equal(new CrossFusion(given, new Initializer(1)).parameterCount, fusionParameterCount('cross', width, list));
    t.equal(new MeanFusion(given, new Initializer(1)).parameterCount, fusionParameterCount('mean', width, list));
  }
  t.equal(fusionParameterCount('none', 8, levels), 0);
  const decays = new Map(
    cross()
      .namedParameters()
      .map(([name], i) => [name, cross().decays()[i]]),
  );
  t.same(
    ['alpha1', 'no_cell', 'back.weight', 'sample', 'to_cells.q_proj'].map((name) => decays.get(name)),
    [false, false, true, true, true],
  );
});

t.test('at the start cells and image come out as they went in, bit by bit', async (t) => {
  const given = features();
  const meeting = cross().meet(given, cells);
  const x = tokens();
  t.ok(sameBits(meeting.cells(x).data, x.data));
  const told = [
    maps(meeting.features()),
    maps(cross().meet(given, undefined).features()),
    maps(mean().forward(given, tokens(), arrangement.tiles, cells.imageOfTile)),
  ];
  for (const list of told) t.ok(list.every((map, i) => sameBits(map.data, maps(given)[i]?.data as Float32Array)));
});

t.test('each gate opens its own way', async (t) => {
  const given = features();
  const changed = (open: string[]) => {
    const fusion = cross();
    for (const name of open) setTo(fusion, name, 0.5);
    const meeting = fusion.meet(given, cells);
    const x = meeting.cells(tokens()).data;
    const after = maps(meeting.features());
    return {
      rows: Array.from({ length: 8 }, (_, row) => !sameBits(x.slice(8 * row, 8 * row + 8), tokens().data.slice(8 * row, 8 * row + 8))),
      maps: after.map((map, i) => !sameBits(map.data, maps(given)[i]?.data as Float32Array)),
    };
  };
  const outside = arrangement.rows[5] as number;
  const inside = Array.from({ length: 8 }, (_, row) => row !== outside);
  t.same(changed(['alpha1']), { rows: inside, maps: [false, false] }, 'a cell outside of the image sees nothing of it');
  t.same(changed(['alpha2']), { rows: inside, maps: [false, false] });
  t.same(changed(['alpha3']), { rows: inside.map(() => false), maps: [false, false] }, 'the way back is still closed');
  t.same(changed(['alpha3', 'back.weight']), { rows: inside.map(() => false), maps: [false, true] });
});

t.test('cells of one tile change nothing in another', async (t) => {
  const fusion = moved(cross());
  const told = (x: Tensor) => {
    const meeting = fusion.meet(features(), cells);
    const after = meeting.cells(x);
    return { cells: after, map: maps(meeting.features())[1] as Tensor };
  };
  const other = tokens();
  for (let i = 40; i < 64; i++) other.data[i] = 9; // rows 5 to 7: the second tile
  const [a, b] = [told(tokens()), told(other)];
  t.ok(sameBits(a.cells.rows(0, 5).data.slice(), b.cells.rows(0, 5).data.slice()));
  t.ok(sameBits(a.map.rows(0, 1).data.slice(), b.map.rows(0, 1).data.slice()));
  t.notOk(sameBits(a.map.rows(1, 2).data.slice(), b.map.rows(1, 2).data.slice()), 'the cells are seen, the one outside too');
});

t.test('finite differences: cross, with and without cells, and with images at different places', async (t) => {
  const fusion = moved(cross()).cast('float64');
  const x = doubled(tokens()).requireGrad();
  for (const origin of [Float64Array.of(0, 0, 0, 0), Float64Array.of(0, 0, 2, -1)]) {
    const given = { ...doubledFeatures(features()), origin };
    for (const map of maps(given)) map.requireGrad();
    const named: [string, Tensor][] = [
      ['x', x],
      ...maps(given).map((map, i): [string, Tensor] => [`map ${i}`, map]),
      ...fusion.namedParameters(),
    ];
    for (const recompute of [false, true]) {
      checkGradients(t, named, () => {
        const meeting = fusion.meet(given, cells, recompute);
        const told = meeting.cells(x);
        return lossOf([told, ...maps(meeting.features())]);
      });
    }
    checkGradients(t, named.slice(1), () => lossOf(maps(fusion.meet(given, undefined).features())));
  }
});

t.test('finite differences and missing cells: mean', async (t) => {
  const fusion = moved(mean()).cast('float64');
  const x = doubled(tokens()).requireGrad();
  const given = doubledFeatures(randomFeatures(levels, [40, 24], { count: 3 }));
  const tiles = Int32Array.of(0, 5, 5, 8, 8);
  const imageOfTile = Int32Array.of(2, 0, -1, 1); // the third tile's cells have no image, images 0 and 1 have no cells
  const told = (states?: Tensor) => maps(fusion.forward(given, states, tiles, imageOfTile));
  checkGradients(t, [['x', x], ...fusion.namedParameters()], () => lossOf(told(x)));
  checkGradients(t, fusion.namedParameters(), () => lossOf(told()));
  const [some, none] = noGrad(() => [told(x), told()]);
  t.ok(
    sameBits(some[0]?.rows(0, 2).data.slice() as Float64Array, none[0]?.rows(0, 2).data.slice() as Float64Array),
    'images without cells',
  );
  t.notOk(sameBits(some[0]?.rows(2, 3).data.slice() as Float64Array, none[0]?.rows(2, 3).data.slice() as Float64Array));
});

t.test('adapters', async (t) => {
  const adapters = moved(new ImageAdapters(levels, [4, 6], new Initializer(1)));
  t.same(
    adapters.namedParameters().map(([name]) => name),
    ['fine.weight', 'fine.bias', 'middle.weight', 'middle.bias'],
  );
  const given = features();
  const out = adapters.forward(given);
  t.same(
    out.levels.map(({ tensor, channels }) => [tensor.shape.at(-1), channels]),
    [
      [4, 4],
      [6, 6],
    ],
  );
  t.throws(() => adapters.forward({ ...given, levels: given.levels.slice(1) }), {
    code: 'UAM_SHAPE',
    message: /fine \(3 at 1\/8\), middle \(5 at 1\/16\)/,
  });
  t.throws(() => adapters.forward({ ...given, width: 60 }), { code: 'UAM_SHAPE', message: /fine of 60 x 24 pixels/ });
  t.throws(() => new ImageAdapters(levels, [4], new Initializer(1)), { code: 'UAM_ARGUMENT', message: /channels of middle/ });
  t.throws(() => new CrossFusion({ ...options, levels: levels.slice(0, 1) }, new Initializer(1)), {
    code: 'UAM_ARGUMENT',
    message: /stride 16/,
  });
  t.throws(() => cross().meet(given, undefined).cells(tokens()), { code: 'UAM_ARGUMENT' });
});
