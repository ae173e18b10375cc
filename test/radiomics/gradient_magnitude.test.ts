import t from 'tap';
import { UamError } from '../../src/index.js';
import { gradientMagnitude, gradientMagnitudeKernel } from '../../src/radiomics/filters/gradient.js';
import { agrees, testPlane, testSizes } from '../support/planes.js';

t.test('the kernel is its definition', async (t) => {
  for (const [width, height] of testSizes) {
    const make = () => ({
      params: { width, height, spacingX: 0.5, spacingY: 0.23, x: testPlane(width, height), y: new Float64Array(width * height) },
      outputs: ['y' as const],
    });
    agrees(t, gradientMagnitudeKernel, `${width} x ${height}`, make);
  }
});

t.test('a slope has its gradient, half of it at the edges', async (t) => {
  const [width, height] = [6, 5];
  const slope = Float64Array.from({ length: 30 }, (_, i) => 3 * (i % width) + 4 * Math.floor(i / width));
  const y = await gradientMagnitude(slope, { width, height }, [1, 1]);
  t.equal(y[width + 1], 5);
  t.equal(y[0], 2.5);
  t.equal(y[1], Math.fround(Math.hypot(3, 2)));
  const fine = await gradientMagnitude(slope, { width, height }, [0.25, 0.25]);
  t.equal(fine[width + 1], 20);
  const wide = await gradientMagnitude(slope, { width, height }, [3, 4]);
  t.equal(wide[width + 1], Math.fround(Math.SQRT2));
});

t.test('NaN and infinity reach their neighbours only', async (t) => {
  const x = testPlane(7, 7);
  x[24] = Number.NaN;
  const y = await gradientMagnitude(x, { width: 7, height: 7 }, [1, 1]);
  t.same(
    [...y.keys()].filter((i) => Number.isNaN(y[i])),
    [17, 23, 25, 31],
  );
});

t.test('a spacing of 0 is refused', async (t) => {
  const x = new Float64Array(4);
  await t.rejects(gradientMagnitude(x, { width: 2, height: 2 }, [0, 1]), UamError);
});
