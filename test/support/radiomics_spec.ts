// What every class of radiomics features must hold: PyRadiomics' values, the same from the TypeScript definition and the native
// kernel on regions of any form, the same bits for any number of threads, NaN where there is nothing to describe.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import type { Plane } from '../../src/image/image.js';
import { type Backend, hasCuda, setBackend, setThreads } from '../../src/native/device.js';
import { packageRoot } from '../../src/native/load.js';
import type { RoiMask } from '../../src/radiomics/roi.js';
import type { Settings } from '../../src/radiomics/settings.js';
import { emulatesCuda, featureBackends } from './backends.js';
import {
  type ClassResult,
  composedCases,
  fixtureCases,
  matrixCases,
  oneRegion,
  roiCases,
  runClass,
  runMatrices,
  runRois,
} from './radiomics_vectors.js';

export const vectorFolder = join(packageRoot(), '../shared/vectors/radiomics');

/** A mask of up to 9 x 9 with holes and parts, and an image of few or many levels, of any of the four kinds. */
export const anyRegion = fc
  .record({ width: fc.integer({ min: 1, max: 9 }), height: fc.integer({ min: 1, max: 9 }) })
  .chain(({ width, height }) =>
    fc.record({
      shape: fc.constant([height, width]),
      mask: fc
        .array(fc.constantFrom(0, 1, 1, 1), { minLength: width * height, maxLength: width * height })
        .filter((mask) => mask.includes(1)),
      plane: fc
        .constantFrom(3, 40, 256)
        .chain((range) => fc.array(fc.nat(range - 1), { minLength: width * height, maxLength: width * height }))
        .chain((values) =>
          fc.constantFrom<Plane>(
            Uint8Array.from(values),
            Uint16Array.from(values, (v) => v * 250),
            Float32Array.from(values, (v) => v * 1.7 - 100),
            Float64Array.from(values, (v) => v / 3),
          ),
        ),
    }),
  );

export const anySettings: fc.Arbitrary<Partial<Settings>> = fc.record(
  {
    binWidth: fc.constantFrom(1, 5, 25, 0.3),
    binCount: fc.constantFrom(null, 1, 8, 16),
    distances: fc.constantFrom([1], [2], [1, 2], [3, 1]),
    symmetricalGLCM: fc.boolean(),
    weightingNorm: fc.constantFrom(null, 'manhattan', 'euclidean', 'infinity', 'no_weighting'),
    gldm_a: fc.constantFrom(0, 1, 2.5),
    spacing: fc.constantFrom<[number, number]>([1, 1], [0.25, 0.5]),
    resegmentRange: fc.constantFrom(null, [20, 200], [0.2], [-1, 1]),
    resegmentMode: fc.constantFrom('absolute', 'relative', 'sigma'),
    standard: fc.constantFrom('pyradiomics', 'ibsi'),
  },
  { requiredKeys: [] },
);

/** Close enough to be the same number reached in another order. */
export const alike = (a: number, b: number): boolean =>
  Object.is(a, b) || (Number.isNaN(a) && Number.isNaN(b)) || a === b || Math.abs(a - b) <= 1e-9 + 1e-7 * Math.abs(b);

function on<T>(backend: Backend, run: () => T): T {
  setBackend(backend);
  try {
    return run();
  } finally {
    setBackend('cpu');
  }
}

/** What may be left where large terms cancel: ClusterShade is a sum of third powers of either sign. */
function cancelled(feature: string, { names, rows }: ReturnType<typeof runClass>): number {
  return feature === 'ClusterShade' ? 1e-14 * (rows[names.indexOf('ClusterProminence')] as number) ** 0.75 : 0;
}

/** Names of the columns that differ between the native kernel and its definition. */
export function differences(name: string, regions: RoiMask, plane: Plane, settings: Partial<Settings>, loose: readonly string[]): string[] {
  const native = runClass(name, regions, plane, settings);
  const plain = on('reference', () => runClass(name, regions, plane, settings));
  return native.names.flatMap((feature, k) => {
    const [a, b] = [native.rows[k] as number, plain.rows[k] as number];
    const same = alike(a, b) || Math.abs(a - b) <= (loose.includes(feature) ? 2e-6 : 0) + cancelled(feature, native);
    return same ? [] : [`${feature}: native ${a}, definition ${b}`];
  });
}

export interface SpecOptions {
  /** PyRadiomics has values for it. Default `true`. */
  pyradiomics?: boolean;
  /** Columns where rounding may move a value that is nearly 0 by up to 2e-6 (roots of rounding errors). */
  loose?: readonly string[];
}

/** Tests one class; call it once per test file. */
export function testClass(name: string, { pyradiomics = true, loose = [] }: SpecOptions = {}): void {
  const wrong = (results: Iterable<ClassResult>) => {
    const list = [...results];
    return { rows: list.length, wrong: list.filter((result) => result.wrong.length > 0).slice(0, 5) };
  };

  if (pyradiomics) {
    for (const backend of featureBackends()) {
      t.test(`${name}: PyRadiomics' values of the fixture, ${backend}`, async (t) => {
        setBackend(backend);
        t.teardown(() => setBackend('cpu'));
        const { rois, matrices } = fixtureCases();
        const values = wrong(runRois(rois, name));
        t.ok(values.rows > 200, `${values.rows} rows`);
        t.same(values.wrong, []);
        t.same(wrong(runMatrices(matrices, name)).wrong, []);
      });
    }
    t.test(`${name}: PyRadiomics' values of ../shared/vectors`, { skip: !existsSync(vectorFolder) && 'absent' }, async (t) => {
      t.same(wrong(runRois(roiCases(vectorFolder), name)).wrong, []);
      t.same(wrong(runRois(composedCases(vectorFolder), name)).wrong, []);
      t.same(wrong(runMatrices(matrixCases(vectorFolder), name)).wrong, []);
    });
  }

  t.test(`${name}: the kernel computes its definition, on any region under any settings`, async () => {
    fc.assert(
      fc.property(anyRegion, anySettings, ({ shape, mask, plane }, settings) => {
        const found = differences(name, oneRegion(mask, shape), plane, settings, loose);
        if (found.length > 0) throw new Error(found.join('\n'));
      }),
      { numRuns: 300 },
    );
  });

  t.test(`${name}: the same bits for any number of threads and wherever the list is cut`, async (t) => {
    const { regions, plane } = manyRegions();
    t.teardown(() => setThreads(2));
    setThreads(1);
    const { rows, names } = runClass(name, regions, plane, { distances: [1, 2] });
    for (const threads of [2, 4]) {
      setThreads(threads);
      t.same(
        Buffer.from(runClass(name, regions, plane, { distances: [1, 2] }).rows.buffer),
        Buffer.from(rows.buffer),
        `${threads} threads`,
      );
    }
    const tail = { ...regions, rois: 7, ids: regions.ids.subarray(90, 97), boxes: regions.boxes.subarray(360, 388) };
    const part = runClass(name, tail, plane, { distances: [1, 2] }).rows;
    t.same(Buffer.from(part.buffer), Buffer.from(rows.slice(90 * names.length, 97 * names.length).buffer), 'cells 90 to 96 alone');
  });

  t.test(`${name}: a card gives the CPU's rows`, { skip: !hasCuda() && 'no CUDA device' }, async (t) => {
    fc.assert(
      fc.property(anyRegion, anySettings, ({ shape, mask, plane }, settings) => {
        const found = cardDifferences(name, oneRegion(mask, shape), plane, settings);
        if (found.length > 0) throw new Error(found.join('\n'));
      }),
      { numRuns: 200 },
    );
    t.same(cardDifferences(name, manyRegions().regions, manyRegions().plane, { distances: [1, 2] }), [], 'many regions');
    for (const [kind, plane] of Object.entries(largePlanes())) {
      const { regions } = largeRegions();
      for (const settings of [{}, { binWidth: 0.01, distances: [2] }, { binCount: 32, symmetricalGLCM: true }])
        t.same(cardDifferences(name, regions, plane, settings), [], `regions of several warps, ${kind}, ${JSON.stringify(settings)}`);
    }
  });

  t.test(`${name}: pixels that are not numbers, labels that are not there, no regions`, async (t) => {
    const regions = oneRegion([1, 1, 1, 1], [2, 2]);
    const none = runClass(name, { ...regions, ids: Uint32Array.of(7) }, Float64Array.of(1, 2, 3, 4), {});
    t.ok(none.rows.every(Number.isNaN), 'a label that is not in its box gives NaN');
    for (const bad of [Number.NaN, Infinity, -Infinity]) {
      runClass(name, regions, Float64Array.of(1, bad, 3, 4), {}); // and nothing hangs or dies
    }
    const empty = { ...regions, rois: 0, ids: new Uint32Array(0), boxes: new Int32Array(0) };
    t.equal(runClass(name, empty, Float64Array.of(1, 2, 3, 4), {}).rows.length, 0);
    for (const box of [
      [0, 0, 3, 2],
      [-1, 0, 1, 1],
      [1, 1, 1, 1],
      [0, 0, 2, 2 ** 31 - 1],
    ]) {
      const run = () => runClass(name, { ...regions, boxes: Int32Array.from(box) }, Float64Array.of(1, 2, 3, 4), {});
      t.throws(run, { code: 'UAM_ARGUMENT' }, `box ${box}`);
    }
  });
}

/**
 * Names of the columns that differ between a card and the CPU. The formulas are the same and in the same order, so rows are equal to the
 * last bit; a real card's logarithms of large or broken numbers, and its exponentials, may differ in theirs.
 */
export function cardDifferences(name: string, regions: RoiMask, plane: Plane, settings: Partial<Settings>): string[] {
  const card = on('cuda', () => runClass(name, regions, plane, settings));
  const { rows } = on('cpu', () => runClass(name, regions, plane, settings));
  const near = (a: number, b: number) => !emulatesCuda() && Math.abs(a - b) <= 1e-12 * Math.max(1, Math.abs(b));
  const columns = card.names.length;
  return card.names.flatMap((feature, column) => {
    const at = rows.findIndex((_, k) => {
      const [a, b] = [card.rows[k] as number, rows[k] as number];
      return k % columns === column && !Object.is(a, b) && !near(a, b);
    });
    return at < 0 ? [] : [`${feature} of region ${(at - column) / columns}: card ${card.rows[at]}, CPU ${rows[at]}`];
  });
}

const LARGE = 150;

/** Regions whose boxes take blocks of 2, 4 and 8 warps. */
export function largeRegions(): { regions: RoiMask } {
  const labels = new Uint32Array(LARGE * LARGE);
  const boxes = Int32Array.of(0, 0, LARGE, LARGE, 3, 2, 50, 41, 60, 20, 149, 119);
  for (let r = 0; r < 3; r++) {
    const [x0 = 0, y0 = 0, x1 = 0, y1 = 0] = boxes.subarray(4 * r, 4 * r + 4);
    for (let y = y0; y < y1; y++) for (let x = x0; x < x1; x++) if ((x * 7 + y * 3) % 11 !== r) labels[y * LARGE + x] = r + 1;
  }
  return { regions: { height: LARGE, width: LARGE, rois: 3, labels, ids: Uint32Array.of(1, 2, 3), boxes } };
}

/** Few levels, and nearly as many as pixels. */
export function largePlanes(): Record<string, Plane> {
  const bytes = Uint8Array.from(
    { length: LARGE * LARGE },
    (_, at) => 100 + 60 * Math.sin(at / 9) + ((Math.imul(at, 2654435761) >>> 26) % 64),
  );
  return { bytes, floats: Float32Array.from(bytes, (value, at) => value / 3 + (Math.imul(at, 40503) & 1023) / 97) };
}

/** 100 regions of 1 to 60 pixels on one image. */
function manyRegions(): { regions: RoiMask; plane: Plane } {
  const width = 100;
  const labels = new Uint32Array(width * width);
  const plane = new Uint8Array(width * width);
  let state = 1;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  for (let at = 0; at < plane.length; at++) plane[at] = Math.floor(next() * 256);
  const boxes: number[] = [];
  const ids: number[] = [];
  for (let cell = 0; cell < 100; cell++) {
    const [x0, y0] = [(cell % 10) * 10, Math.floor(cell / 10) * 10];
    const size = 1 + (cell % 9);
    ids.push(3 * cell + 5);
    boxes.push(x0, y0, x0 + size, y0 + size);
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) if (next() < 0.8 || x + y === 0) labels[(y0 + y) * width + x0 + x] = 3 * cell + 5;
    }
  }
  return { regions: { height: width, width, rois: 100, labels, ids: Uint32Array.from(ids), boxes: Int32Array.from(boxes) }, plane };
}
