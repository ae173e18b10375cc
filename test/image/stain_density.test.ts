import fc from 'fast-check';
import t from 'tap';
import type { RasterImage } from '../../src/image/image.js';
import { ruifrok } from '../../src/image/stain_matrix.js';
import { type StainOptions, stainPlanes, stainPlanesAsync } from '../../src/image/stains.js';
import { onBackend } from '../support/backends.js';

const reference = { name: 'reference', backend: 'reference' as const };
const cpu = { name: 'cpu', backend: 'cpu' as const };
const image = (...values: number[]): RasterImage => ({ width: values.length / 3, height: 1, channels: 3, data: Uint8Array.from(values) });

t.test('white is nothing, and a pure stain is that stain alone', async (t) => {
  const planes = stainPlanes(image(255, 255, 255, 0, 0, 0, 1, 1, 1));
  for (const plane of [planes.haematoxylin, planes.eosin, planes.residual]) {
    t.equal(plane?.[0], 0);
    t.equal(plane?.[1], plane?.[2], '0 counts as 1');
  }
  // Optical densities in proportion to haematoxylin's row: 255^(1 - d row / 255)
  const unit = Math.hypot(...(ruifrok[0] as readonly number[]));
  for (const density of [10, 40, 90]) {
    const rgb = (ruifrok[0] as readonly number[]).map((od) => Math.round(255 ** (1 - (density * od) / unit / 255)));
    const { haematoxylin, eosin, residual } = stainPlanes(image(...rgb));
    t.ok(Math.abs((haematoxylin?.[0] as number) - density) < 1, `${haematoxylin?.[0]} of ${density}`);
    t.ok(Math.abs(eosin?.[0] as number) < 1 && Math.abs(residual?.[0] as number) < 1);
  }
});

t.test('densities put together give back the optical densities', async (t) => {
  const od = (value: number) => (-Math.log(Math.max(1, value) / 255) * 255) / Math.log(255);
  const custom = [
    [0.6, 0.7, 0.4],
    [0.2, 0.9, 0.3],
    [0.3, 0.1, 0.9],
  ]; // prettier-ignore
  fc.assert(
    fc.property(fc.array(fc.nat(255), { minLength: 3, maxLength: 3 }), fc.constantFrom('ruifrok' as const, custom), (rgb, stains) => {
      const { haematoxylin, eosin, residual, matrix } = stainPlanes(image(...rgb), { stains });
      for (const row of matrix) t.ok(Math.abs(Math.hypot(...row) - 1) < 1e-12);
      rgb.forEach((value, c) => {
        const sum = [haematoxylin, eosin, residual].reduce(
          (total, plane, s) => total + (plane?.[0] as number) * (matrix[s]?.[c] as number),
          0,
        );
        t.ok(Math.abs(sum - od(value)) < 1e-3);
      });
    }),
  );
});

t.test('the kernel is its definition, on any number of threads, and makes only what is asked for', async (t) => {
  const data = Uint8Array.from({ length: 3 * 90000 }, (_, i) => (Math.imul(i, 2654435761) >>> 8) & 255);
  const noise: RasterImage = { width: 300, height: 300, channels: 3, data };
  for (const options of [{}, { planes: ['eosin'] }, { stains: 'macenko', planes: ['haematoxylin'] }, { planes: [] }] as StainOptions[]) {
    const want = onBackend(reference, 1, () => stainPlanes(noise, options));
    t.same(
      onBackend(cpu, 1, () => stainPlanes(noise, options)),
      want,
    );
    t.same(
      onBackend(cpu, 3, () => stainPlanes(noise, options)),
      want,
    );
    t.same(await stainPlanesAsync(noise, options), want);
    t.same(Object.keys(want).sort(), [...(options.planes ?? ['eosin', 'haematoxylin', 'residual']), 'matrix'].sort());
  }
  await t.rejects(stainPlanesAsync(noise, {}, { signal: AbortSignal.abort() }), { code: 'UAM_ABORTED' });
});

t.test('what cannot be taken apart is refused', async (t) => {
  const rgb = image(1, 2, 3);
  const refused = (stains: unknown) => t.throws(() => stainPlanes(rgb, { stains } as StainOptions), { code: 'UAM_ARGUMENT' });
  for (const stains of [
    'pas',
    [[1, 2, 3]],
    [
      [1, 2, 3],
      [2, 4, 6],
    ],
    [
      [1, 2],
      [3, 4],
    ],
    [
      [1, 0, 0],
      [0, 1, 0],
      [1, 1, 0],
    ],
    [
      [0, 0, 0],
      [1, 0, 0],
    ],
    [
      [1, NaN, 0],
      [0, 1, 0],
    ],
  ])
    refused(stains); // prettier-ignore
  t.throws(() => stainPlanes(rgb, { planes: ['dab'] as unknown as ['eosin'] }), { code: 'UAM_ARGUMENT' });
  t.throws(() => stainPlanes({ ...rgb, channels: 1 }), { code: 'UAM_ARGUMENT', message: /8-bit RGB/ });
  t.throws(() => stainPlanes({ ...rgb, data: new Float32Array(3) }), { code: 'UAM_ARGUMENT', message: /Float32Array/ });
  t.throws(() => stainPlanes({ ...rgb, width: 2 }), { code: 'UAM_SHAPE' });
});
