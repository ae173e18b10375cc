import fc from 'fast-check';
import t from 'tap';
import {
  type NeighbourhoodColumn,
  type NeighbourhoodOptions,
  neighbourhood,
  neighbourhoodFeatures,
} from '../../src/radiomics/neighbourhood.js';
import { distance } from '../support/planes.js';
import { uniform } from '../support/random.js';

type Table = Record<string, Float64Array>;

async function table(centroids: ArrayLike<number>, options: NeighbourhoodOptions): Promise<Table> {
  const columns = await neighbourhood(Float64Array.from(centroids), options);
  return Object.fromEntries(columns.map(({ name, data }: NeighbourhoodColumn) => [name.replace('neighbourhood_', ''), data]));
}

const image = { width: 100, height: 80, mpp: 0.5 };
const names = [
  ...[1, 3, 5, 10].map((k) => `NearestDistance${k}`),
  ...['Count15um', 'Count30um', 'Mean15um_area', 'Mean30um_area'],
  ...['DelaunayDegree', 'DelaunayMeanEdge', 'DelaunayMinEdge', 'DelaunayMaxEdge', 'DelaunaySdEdge', 'VoronoiArea'],
];

t.test('columns are the records, with units', async (t) => {
  const features = [{ name: 'area', unit: 'um^2', data: Float64Array.of(1, 2, 3) }];
  const columns = await neighbourhood(Float64Array.of(1, 1, 9, 9, 20, 3), { ...image, features });
  t.same(
    columns.map(({ name }) => name),
    names.map((name) => `neighbourhood_${name}`),
  );
  t.same(
    columns.map(({ data: _, ...record }) => record),
    neighbourhoodFeatures(features),
  );
  for (const { name, unit, definition, source, data } of columns) {
    t.ok(unit && definition && source && data.length === 3, name);
  }
  const units = Object.fromEntries(columns.map(({ name, unit }) => [name, unit]));
  t.same(
    [units['neighbourhood_NearestDistance1'], units['neighbourhood_Mean15um_area'], units['neighbourhood_VoronoiArea']],
    ['um', 'um^2', 'um^2'],
  );
});

t.test('no, one and two cells, cells at one place and on a line', async (t) => {
  for (const data of Object.values(await table([], image))) t.equal(data.length, 0);

  const one = await table([20, 30], image);
  t.same(one['VoronoiArea'], [100 * 80 * 0.25]);
  t.same([one['Count15um'], one['Count30um'], one['DelaunayDegree']], [[0], [0], [0]]);
  for (const name of ['NearestDistance1', 'NearestDistance10', 'DelaunayMeanEdge', 'DelaunayMinEdge', 'DelaunayMaxEdge', 'DelaunaySdEdge'])
    t.same(one[name], [Number.NaN], name);

  const two = await table([19.5, 30, 59.5, 30], image);
  t.same(two['NearestDistance1'], [20, 20]);
  t.same(two['NearestDistance3'], [Number.NaN, Number.NaN]);
  t.same(
    [two['Count15um'], two['Count30um']],
    [
      [0, 0],
      [1, 1],
    ],
  );
  t.same(
    [two['DelaunayDegree'], two['DelaunayMeanEdge'], two['DelaunaySdEdge']],
    [
      [1, 1],
      [20, 20],
      [0, 0],
    ],
  );
  t.same(two['VoronoiArea'], [40 * 80 * 0.25, 60 * 80 * 0.25]);

  const twins = await table([20, 30, 20, 30], image);
  t.same(twins['NearestDistance1'], [0, 0]);
  t.same(twins['Count15um'], [1, 1]);
  t.same(
    [twins['DelaunayDegree'], twins['DelaunayMeanEdge']],
    [
      [0, 0],
      [Number.NaN, Number.NaN],
    ],
  );
  t.same(twins['VoronoiArea'], [1000, 1000], 'they share the image');

  for (const [dx, dy] of [
    [8, 0],
    [0, 8],
    [5, 3],
  ] as const) {
    const line = await table(
      [3, 1, 0, 4, 2].flatMap((k) => [10 + k * dx, 10 + k * dy]),
      { ...image, mpp: undefined },
    );
    t.same(line['DelaunayDegree'], [2, 2, 1, 1, 2], 'in the order given');
    const step = Math.sqrt(dx * dx + dy * dy);
    t.ok(distance(line['DelaunayMaxEdge'] as Float64Array, Array(5).fill(step)) < 1e-12);
    t.ok(Math.abs((line['VoronoiArea'] as Float64Array).reduce((a, b) => a + b) - 8000) < 1e-8);
  }
});

t.test('a lattice: four neighbours, whatever diagonals a triangulation takes', async (t) => {
  const points: number[] = [];
  for (let y = 0; y < 8; y++) for (let x = 0; x < 10; x++) points.push(4.5 + 10 * x, 4.5 + 10 * y);
  const { DelaunayDegree: degree, VoronoiArea: area, NearestDistance3: third, Count15um: count } = await table(points, image);
  const inner = 3 * 10 + 5;
  t.same([degree?.[inner], degree?.[0], degree?.[5]], [4, 2, 3]);
  t.ok(area?.every((value) => Math.abs(value - 25) < 1e-9));
  t.same([third?.[inner], count?.[inner]], [5, 28], '29 lattice points lie within 3 steps, one of them the cell');
});

t.test('means skip NaN and the cell itself', async (t) => {
  const data = Float64Array.of(1000, 2, Number.NaN, 4);
  const { Mean15um_area: near, Mean30um_area: far } = await table([10, 10, 20, 10, 10, 20, 50, 10], {
    ...image,
    features: [{ name: 'area', data }],
  });
  t.same(near, [3 - 1, (1000 + 4) / 2, (1000 + 2) / 2, 2]);
  t.same(far, [3, (1000 + 4) / 2, (1000 + 2 + 4) / 3, (1000 + 2) / 2]);
  const lonely = await table([10, 10, 90, 70], { ...image, features: [{ name: 'area', data: Float64Array.of(1, 2) }] });
  t.same(lonely['Mean30um_area'], [Number.NaN, Number.NaN]);
});

t.test('without micrometres per pixel lengths are in pixels, and what is named in um is NaN', async (t) => {
  const columns = await neighbourhood(Float64Array.of(10, 10, 20, 10), {
    width: 100,
    height: 80,
    features: [{ name: 'a', data: Float64Array.of(1, 2) }],
  });
  for (const { name, unit, data, definition } of columns) {
    if (/\d+um/.test(name)) {
      t.same(data, [Number.NaN, Number.NaN], name);
      t.match(definition, /not known/);
    } else t.match(unit, /^(px|px\^2|cells)$/, name);
  }
  t.same(columns[0]?.data, [10, 10]);
});

t.test('pixels that are not square', async (t) => {
  const tall = await table([10, 10, 20, 10, 10, 20], { width: 40, height: 30, mpp: [0.5, 2] });
  t.same(tall['NearestDistance1'], [5, 5, 20]);
  t.ok(Math.abs((tall['VoronoiArea'] as Float64Array).reduce((a, b) => a + b) - 40 * 30) < 1e-9);
});

t.test('what cannot be used is refused', async (t) => {
  const pair = Float64Array.of(1, 1);
  const feature = (data: unknown, name = 'a') => ({ name, data: data as Float64Array });
  const refused = (centroids: unknown, options: object) =>
    t.rejects(neighbourhood(centroids as Float64Array, { ...image, ...options } as NeighbourhoodOptions), { name: 'UamError' });
  await refused(Float64Array.of(1, 2, 3), {});
  await refused([1, 2], {});
  await refused(Float64Array.of(1, Number.NaN), {});
  for (const mpp of [0, -1, Number.NaN, [1, 0]]) await refused(pair, { mpp });
  for (const width of [-1, Number.NaN, undefined]) await refused(pair, { width });
  await refused(pair, { features: [feature([1])] });
  await refused(pair, { features: [feature(Float64Array.of(1, 2))] });
  await refused(pair, { features: [feature(Float64Array.of(1)), feature(Float64Array.of(2))] });
  await t.rejects(neighbourhood(pair, { ...image, signal: AbortSignal.abort() }), { code: 'UAM_ABORTED' });
});

// Centroids as masks give them: fractions, some equal, some on a lattice.
const someCells = fc
  .tuple(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 1, max: 60 }), fc.constantFrom(1, 3, 7))
  .map(([seed, n, denominator]) => {
    const next = uniform(seed);
    const place = (side: number) => Math.floor(next() * side * denominator) / denominator;
    return {
      centroids: Array.from({ length: n }, () => [place(99), place(79)] as const),
      area: Array.from({ length: n }, () => next() * 100),
    };
  });

/** Runs once on cells as they are and once on cells moved by `move`; the columns must agree, after `order` put the cells back. */
async function unchanged(
  cells: { centroids: (readonly [number, number])[]; area: number[] },
  move: (x: number, y: number) => [number, number],
  size: { width: number; height: number },
  order: number[] = [...cells.area.keys()],
): Promise<boolean> {
  const features = (area: number[]) => [{ name: 'area', data: Float64Array.from(area) }];
  const before = await table(cells.centroids.flat(), { ...image, features: features(cells.area) });
  const moved = order.map((i) => move(...(cells.centroids[i] as [number, number])));
  const after = await table(moved.flat(), { ...size, mpp: 0.5, features: features(order.map((i) => cells.area[i] as number)) });
  return names.every((name) => {
    const want = order.map((i) => before[name]?.[i] as number);
    const exact = /Nearest|Count|Degree/.test(name);
    const got = after[name] as Float64Array;
    return exact ? want.every((value, k) => Object.is(value, got[k])) : distance(got, want) < 1e-9;
  });
}

t.test('order of cells, turns and mirrors change nothing', async () => {
  const shuffled = (n: number, seed: number) => {
    const next = uniform(seed);
    return Array.from({ length: n }, (_, i) => [next(), i] as const)
      .sort(([a], [b]) => a - b)
      .map(([, i]) => i);
  };
  const size = { width: 100, height: 80 };
  await fc.assert(
    fc.asyncProperty(someCells, fc.integer(), async (cells, seed) => {
      const order = shuffled(cells.area.length, seed);
      return unchanged(cells, (x, y) => [x, y], size, order);
    }),
    { numRuns: 60 },
  );
  // The mirrored coordinate is rounded, so ties may break: cells on a lattice of halves stay exact.
  const exact = someCells.map(({ centroids, area }) => ({
    centroids: centroids.map(([x, y]) => [Math.round(x * 8) / 8, Math.round(y * 8) / 8] as const),
    area,
  }));
  await fc.assert(
    fc.asyncProperty(exact, (cells) => unchanged(cells, (x, y) => [79 - y, x], { width: 80, height: 100 })),
    { numRuns: 60 },
  );
  await fc.assert(
    fc.asyncProperty(exact, (cells) => unchanged(cells, (x, y) => [99 - x, y], size)),
    { numRuns: 60 },
  );
  await fc.assert(
    fc.asyncProperty(exact, (cells) => unchanged(cells, (x, y) => [x, 79 - y], size)),
    { numRuns: 60 },
  );
});

t.test('moving cells changes what is measured between them in nothing', async () => {
  await fc.assert(
    fc.asyncProperty(
      someCells,
      fc.integer({ min: -500, max: 500 }),
      fc.integer({ min: 0, max: 500 }),
      async ({ centroids, area }, dx, dy) => {
        const onEighths = centroids.map(([x, y]) => [Math.round(x * 8) / 8, Math.round(y * 8) / 8] as const);
        const features = [{ name: 'area', data: Float64Array.from(area) }];
        const here = await table(onEighths.flat(), { ...image, features });
        const there = await table(
          onEighths.flatMap(([x, y]) => [x + dx, y + dy]),
          { ...image, features },
        );
        return names.every((name) => name === 'VoronoiArea' || distance(there[name] as Float64Array, here[name] as Float64Array) < 1e-9);
      },
    ),
    { numRuns: 60 },
  );
});

t.test('Voronoi areas sum to the image; each is what counting fine pixels says', async (t) => {
  await fc.assert(
    fc.asyncProperty(someCells, async ({ centroids }) => {
      const { VoronoiArea: area } = await table(centroids.flat(), image);
      return Math.abs((area as Float64Array).reduce((a, b) => a + b) - 2000) < 1e-6;
    }),
    { numRuns: 60 },
  );
  const next = uniform(4);
  const centroids = Array.from({ length: 12 }, () => [next() * 99, next() * 79] as const);
  const { VoronoiArea: area } = await table(centroids.flat(), image);
  const counted = new Float64Array(12);
  for (let y = -0.45; y < 79.5; y += 0.1) {
    for (let x = -0.45; x < 99.5; x += 0.1) {
      const squared = centroids.map(([cx, cy]) => (cx - x) ** 2 + (cy - y) ** 2);
      (counted[squared.indexOf(Math.min(...squared))] as number) += 0.01 * 0.25;
    }
  }
  t.ok(distance(area as Float64Array, counted) < 2e-3);
});

t.test('the Delaunay graph is that of empty circles', async (t) => {
  const next = uniform(11);
  const points = Array.from({ length: 25 }, () => [next() * 99, next() * 79] as const);
  const { DelaunayDegree: degree } = await table(points.flat(), image);
  const wanted = new Float64Array(25);
  // Three points are a Delaunay triangle where no other lies in their circle.
  const edges = new Set<string>();
  const cross = (a: number, b: number, c: number) => {
    const [p, q, r] = [points[a], points[b], points[c]] as [
      readonly [number, number],
      readonly [number, number],
      readonly [number, number],
    ];
    return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]);
  };
  const inside = (a: number, b: number, c: number, d: number) => {
    const rows = [a, b, c].map((i) => {
      const [dx, dy] = [(points[i]?.[0] as number) - (points[d]?.[0] as number), (points[i]?.[1] as number) - (points[d]?.[1] as number)];
      return [dx, dy, dx * dx + dy * dy];
    }) as [number[], number[], number[]];
    const [[a0, a1, a2], [b0, b1, b2], [c0, c1, c2]] = rows as unknown as [
      [number, number, number],
      [number, number, number],
      [number, number, number],
    ];
    const determinant = a0 * (b1 * c2 - b2 * c1) - a1 * (b0 * c2 - b2 * c0) + a2 * (b0 * c1 - b1 * c0);
    return determinant * Math.sign(cross(a, b, c)) > 0;
  };
  for (let a = 0; a < 25; a++)
    for (let b = a + 1; b < 25; b++)
      for (let c = b + 1; c < 25; c++) {
        if (points.some((_, d) => d !== a && d !== b && d !== c && inside(a, b, c, d))) continue;
        for (const edge of [
          [a, b],
          [b, c],
          [a, c],
        ])
          edges.add(edge.join());
      }
  for (const edge of edges) for (const p of edge.split(',')) (wanted[Number(p)] as number)++;
  t.same(degree, wanted);
});
