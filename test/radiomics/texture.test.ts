// All classes in one call give the rows of the classes' own kernels, to the last bit: whichever classes are asked for, on any region
// under any settings, for any number of threads and wherever the list is cut.
import fc from 'fast-check';
import t from 'tap';
import type { Plane } from '../../src/image/image.js';
import { hasCuda, setBackend, setThreads } from '../../src/native/device.js';
import { type RoiMask, roiInput } from '../../src/radiomics/roi.js';
import { completeSettings, type Settings } from '../../src/radiomics/settings.js';
import { JOINT_CLASSES, textureKernel, textureParams } from '../../src/radiomics/texture.js';
import { featureBackends, hostDevice } from '../support/backends.js';
import { anyRegion, anySettings } from '../support/radiomics_spec.js';
import { oneRegion, runClass } from '../support/radiomics_vectors.js';

/** A NaN is a NaN: JavaScript keeps no count of its bits. */
const same = (a: Float64Array, b: Float64Array): boolean => a.length === b.length && a.every((x, k) => Object.is(x, b[k]));

const bits = (rows: Float64Array): string => Buffer.from(rows.buffer, rows.byteOffset, rows.byteLength).toString('hex');

function runTogether(names: readonly string[], regions: RoiMask, plane: Plane, partial: Partial<Settings>): Float64Array {
  const settings = completeSettings(partial);
  const classes = JOINT_CLASSES.filter(({ name }) => names.includes(name));
  const params = textureParams(classes, roiInput(regions, plane, settings), settings, settings.spacing ?? [1, 1]);
  textureKernel(params, { device: hostDevice() });
  return params.out;
}

/** The rows of the classes' own kernels, side by side. */
function runApart(names: readonly string[], regions: RoiMask, plane: Plane, partial: Partial<Settings>): Float64Array {
  const parts = names.map((name) => runClass(name, regions, plane, partial));
  const rows = Array.from({ length: regions.rois }, (_, r) =>
    parts.flatMap(({ names: own, rows }) => [...rows.subarray(r * own.length, (r + 1) * own.length)]),
  );
  return Float64Array.from(rows.flat());
}

const anyClasses = fc.subarray(
  JOINT_CLASSES.map(({ name }) => name),
  { minLength: 1 },
);

const everyClass = JOINT_CLASSES.map(({ name }) => name);

/** Squares of 1 to 9 pixels a side with holes. */
function squares(): { regions: RoiMask; plane: Plane } {
  const width = 100;
  const labels = new Uint32Array(width * width);
  const plane = Uint8Array.from(labels, (_, at) => Math.imul(at, 2654435761) >>> 24);
  const boxes: number[] = [];
  for (let cell = 0; cell < 100; cell++) {
    const [x0, y0, size] = [(cell % 10) * 10, Math.floor(cell / 10) * 10, 1 + (cell % 9)];
    boxes.push(x0, y0, x0 + size, y0 + size);
    for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) if ((x * y) % 5 !== 4) labels[(y0 + y) * width + x0 + x] = cell + 1;
  }
  const ids = Uint32Array.from({ length: 100 }, (_, cell) => cell + 1);
  return { regions: { height: width, width, rois: 100, labels, ids, boxes: Int32Array.from(boxes) }, plane };
}

for (const backend of featureBackends()) {
  t.test(`texture: the rows of the classes' own kernels, ${backend}`, async (t) => {
    setBackend(backend);
    t.teardown(() => setBackend('cpu'));
    fc.assert(
      fc.property(anyRegion, anySettings, anyClasses, ({ shape, mask, plane }, settings, names) => {
        const regions = oneRegion(mask, shape);
        const [together, apart] = [runTogether(names, regions, plane, settings), runApart(names, regions, plane, settings)];
        if (!same(together, apart)) throw new Error(`${names}: ${together} is not ${apart}`);
      }),
      { numRuns: backend === 'reference' ? 30 : backend === 'cpu' ? 300 : 100 },
    );
  });
}

t.test('texture: many regions, any number of threads, any part of the list', async (t) => {
  const { regions, plane } = squares();
  t.teardown(() => setThreads(2));
  for (const threads of [1, 2, 4]) {
    setThreads(threads);
    const settings = { distances: [1, 2], binWidth: 10 };
    const rows = runTogether(everyClass, regions, plane, settings);
    t.equal(bits(rows), bits(runApart(everyClass, regions, plane, settings)), `${threads} threads`);
    const tail = { ...regions, rois: 7, ids: regions.ids.subarray(90, 97), boxes: regions.boxes.subarray(360, 388) };
    const columns = rows.length / 100;
    t.equal(bits(runTogether(everyClass, tail, plane, settings)), bits(rows.slice(90 * columns, 97 * columns)));
  }
});

t.test(
  'texture: a card gives one set of bits, in every run and for any part of the list',
  { skip: !hasCuda() && 'no CUDA device' },
  async (t) => {
    const { regions, plane } = squares();
    t.teardown(() => setBackend('cpu'));
    setBackend('cuda');
    const settings = { distances: [1, 2], binWidth: 10 };
    const rows = runTogether(everyClass, regions, plane, settings);
    t.equal(bits(runTogether(everyClass, regions, plane, settings)), bits(rows), 'a second run');
    const tail = { ...regions, rois: 7, ids: regions.ids.subarray(90, 97), boxes: regions.boxes.subarray(360, 388) };
    const columns = rows.length / 100;
    t.equal(bits(runTogether(everyClass, tail, plane, settings)), bits(rows.slice(90 * columns, 97 * columns)), 'cells 90 to 96 alone');
  },
);

t.test('texture: what does not fit is refused, and nothing asked for is nothing done', async (t) => {
  const { regions, plane } = squares();
  const settings = completeSettings({});
  for (const backend of featureBackends()) {
    setBackend(backend);
    t.teardown(() => setBackend('cpu'));
    const params = textureParams(JOINT_CLASSES, roiInput(regions, plane, settings), settings, [1, 1]);
    const where = { device: hostDevice() };
    t.throws(() => textureKernel({ ...params, glcm: false }, where), { code: 'UAM_SHAPE' }, backend);
    textureKernel(textureParams([], roiInput(regions, plane, settings), settings, [1, 1]), where);
  }
  setBackend('cpu');
  const params = textureParams(JOINT_CLASSES, roiInput(regions, plane, settings), settings, [1, 1]);
  t.throws(() => textureKernel({ ...params, distances: Int32Array.of(0) }), { code: 'UAM_ARGUMENT' });
  t.throws(() => textureKernel({ ...params, alpha: -1 }), { code: 'UAM_ARGUMENT' });
});
