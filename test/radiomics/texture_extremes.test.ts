// The texture matrices where they are largest, emptiest or most awkward: thousands of grey levels, a million pixels, zones that
// join late, pixels on their own.
import t from 'tap';
import type { Plane } from '../../src/image/image.js';
import { callKernel } from '../../src/native/call.js';
import { gldm } from '../../src/radiomics/gldm.js';
import { type RoiMask, roiInput } from '../../src/radiomics/roi.js';
import { completeSettings, type Settings } from '../../src/radiomics/settings.js';
import { differences } from '../support/radiomics_spec.js';
import { oneRegion, rawMatrix, runClass } from '../support/radiomics_vectors.js';
import { uniform } from '../support/random.js';

const CLASSES = ['glrlm', 'glszm', 'ngtdm', 'gldm'];

interface Picture {
  regions: RoiMask;
  plane: Plane;
}

/** Region 1 from a picture: `.` lies outside, a digit is the intensity, and with binWidth 1 the grey level from the lowest on. */
function picture(...rows: string[]): Picture {
  const pixels = [...rows.join('')];
  const mask = pixels.map((pixel) => (pixel === '.' ? 0 : 1));
  return { regions: oneRegion(mask, [rows.length, rows[0]?.length ?? 0]), plane: Uint8Array.from(pixels, (p) => Number(p) || 0) };
}

function feature(name: string, column: string, { regions, plane }: Picture, settings: Partial<Settings> = {}): number {
  const { names, rows } = runClass(name, regions, plane, { binWidth: 1, ...settings });
  return rows[names.indexOf(column)] as number;
}

const matrix = (name: string, { regions, plane }: Picture, settings: Partial<Settings> = {}): number[][] =>
  rawMatrix(name, regions, plane, { binWidth: 1, ...settings });

t.test('thousands of grey levels, near and far apart', async (t) => {
  const side = 30;
  const next = uniform(1);
  const mask = Array.from({ length: side * side }, () => Number(next() < 0.9));
  const spread: Record<string, () => number> = {
    '16 bits': () => 65535 * next(),
    'some far away': () => (next() < 0.8 ? 300 * next() : 60000 * next()),
    'two far apart': () => (next() < 0.5 ? 0 : 65535),
  };
  for (const [kind, value] of Object.entries(spread)) {
    const plane = Uint16Array.from(mask, value);
    for (const name of CLASSES) {
      for (const settings of [{ binWidth: 1 }, { binWidth: 2, distances: [1, 3], gldm_a: 200, weightingNorm: 'euclidean' as const }]) {
        t.same(differences(name, oneRegion(mask, [side, side]), plane, settings, []), [], `${name}, ${kind}`);
      }
    }
  }
  const wide = Float64Array.from(mask, () => 1e9 * next() ** 4);
  for (const name of CLASSES) t.same(differences(name, oneRegion(mask, [side, side]), wide, { binWidth: 1 }, []), [], `${name}, 1e9`);
});

t.test('a million pixels', async (t) => {
  const side = 1000;
  const regions = oneRegion(new Uint8Array(side * side).fill(1), [side, side]);
  const flat = { regions, plane: new Uint16Array(side * side).fill(7) };
  t.equal(feature('glszm', 'LargeAreaEmphasis', flat), 1e12);
  t.equal(feature('ngtdm', 'Coarseness', flat), 1e6);
  t.equal(feature('gldm', 'GrayLevelNonUniformity', flat), 1e6);
  t.equal(feature('glrlm', 'GrayLevelVariance', flat), 0);
  const next = uniform(2);
  const noise = { regions, plane: Uint16Array.from(flat.plane, () => 65536 * next()) };
  for (const name of CLASSES) {
    const { rows } = runClass(name, noise.regions, noise.plane, { binWidth: 1 });
    t.ok(rows.every(Number.isFinite), `${name} of noise`);
  }
});

t.test('zones that only meet below, and at corners', async (t) => {
  const zones = (...rows: string[]) =>
    matrix('glszm', picture(...rows)).map(([level = 0, size = 0, count]) => [level + 1, size + 1, count]);
  t.same(
    zones('20202', '20202', '22222'),
    [
      [1, 2, 2],
      [3, 11, 1],
    ],
    'a comb',
  );
  t.same(zones('1.1', '.1.', '1.1'), [[1, 5, 1]], 'corners touch');
  t.same(
    zones('12', '21'),
    [
      [1, 2, 1],
      [2, 2, 1],
    ],
    'diagonals cross',
  );
  t.same(zones('1.1', '1.1'), [[1, 2, 2]], 'a gap parts');
  t.same(
    zones('0111110', '0100010', '0101010', '0100010', '0111110'),
    [
      [1, 5, 2],
      [1, 8, 1],
      [2, 1, 1],
      [2, 16, 1],
    ],
    'rings in rings',
  );
});

t.test('a hole ends a run, and directions without two pixels on a line are dropped', async (t) => {
  const runs = (...rows: string[]) => matrix('glrlm', picture(...rows));
  t.same(runs('11.1111'), [
    [0, 1, 0, 1],
    [0, 3, 0, 1],
  ]);
  t.same(runs('1', '1', '2'), [
    [0, 1, 0, 1],
    [1, 0, 0, 1],
  ]);
  t.same(runs('1...', '...1'), [], "a long knight's move apart: no line holds both");
  t.same(runs('1..', '...', '..1'), [[0, 0, 0, 2]], 'only the falling diagonal does');
  const apart = picture('1...', '...1');
  t.ok(Number.isNaN(feature('glrlm', 'RunEntropy', apart)));
  t.equal(feature('glrlm', 'RunEntropy', apart, { weightingNorm: 'infinity' }), 0, 'as PyRadiomics');
  t.ok(Number.isNaN(feature('glrlm', 'RunPercentage', apart, { weightingNorm: 'infinity' })));
});

t.test('IBSI leaves pixels without neighbours out of NGTDM', async (t) => {
  const lonely = picture('12..3');
  t.same(matrix('ngtdm', lonely), [
    [1, 1, 1, 0],
    [1, 1, 2, 0],
    [1, 0, 3, 0],
  ]);
  t.same(matrix('ngtdm', lonely, { standard: 'ibsi' }), [
    [1, 1, 1, 0],
    [1, 1, 2, 0],
  ]);
  t.equal(feature('ngtdm', 'Coarseness', lonely, { standard: 'ibsi' }), 1);
  const apart = picture('1.1', '...', '1.1');
  t.equal(feature('ngtdm', 'Coarseness', apart), 1e6);
  t.ok(Number.isNaN(feature('ngtdm', 'Coarseness', apart, { standard: 'ibsi' })));
  t.equal(feature('ngtdm', 'Coarseness', apart, { standard: 'ibsi', distances: [2] }), 1e6, 'at distance 2 they are neighbours');
});

t.test('gldm_a compares numbers of grey levels', async (t) => {
  const dependents = (gldm_a: number) => matrix('gldm', picture('148'), { gldm_a }).map(([level = 0, count]) => [level + 1, count]);
  t.same(dependents(2.9), [
    [1, 0],
    [4, 0],
    [8, 0],
  ]);
  t.same(dependents(3), [
    [1, 1],
    [4, 1],
    [8, 0],
  ]);
  t.same(dependents(1e300), [
    [1, 1],
    [4, 2],
    [8, 1],
  ]);
});

t.test('the kernels refuse distances and alphas that make no sense', async (t) => {
  const { regions, plane } = picture('12', '34');
  const settings = completeSettings();
  const out = new Float64Array(16);
  const params = { ...gldm.params(roiInput(regions, plane, settings), settings, [1, 1], out), out };
  t.throws(() => callKernel('gldm', { ...params, distances: Int32Array.of(0) }), { code: 'UAM_ARGUMENT' });
  t.throws(() => callKernel('gldm', { ...params, distances: Int32Array.of(-3) }), { code: 'UAM_ARGUMENT' });
  t.throws(() => callKernel('gldm', { ...params, distances: new Int32Array(0), distanceCount: 0 }), { code: 'UAM_ARGUMENT' });
  t.throws(() => callKernel('gldm', { ...params, alpha: -1 }), { code: 'UAM_ARGUMENT' });
  t.throws(() => callKernel('gldm', { ...params, alpha: Number.NaN }), { code: 'UAM_ARGUMENT' });
  callKernel('gldm', { ...params, distances: Int32Array.of(2 ** 31 - 1) });
  t.ok(out.every(Number.isNaN), 'nothing lies that far away');
});
