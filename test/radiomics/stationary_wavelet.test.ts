// Oracle: PyWavelets' swtn called as PyRadiomics calls it, in test/fixtures/filters.json. Bits, not tolerances: pixels of a band lie on
// the edges of grey-level bins, and the last bit then decides.
import t from 'tap';
import { UamError } from '../../src/index.js';
import { stationaryWaveletKernel, waveletBands } from '../../src/radiomics/filters/wavelet.js';
import { waveletNames, waveletTaps } from '../../src/radiomics/filters/wavelet_taps.js';
import { filterFixture } from '../support/filter_fixture.js';
import { agrees, testPlane, testSizes } from '../support/planes.js';

t.test('the kernel is its definition', async (t) => {
  for (const [width, height] of testSizes) {
    for (const wavelet of ['haar', 'coif1', 'bior2.2', 'dmey']) {
      const { low: lowTaps, high: highTaps } = waveletTaps(wavelet);
      for (const axis of [0, 1]) {
        const x = testPlane(width, height);
        if (x.length > 20) [x[7], x[12]] = [Number.NaN, Number.POSITIVE_INFINITY];
        const make = () => ({
          params: {
            ...{ width, height, taps: lowTaps.length, axis, lowTaps, highTaps, x },
            low: new Float64Array(width * height),
            high: new Float64Array(width * height),
          },
          outputs: ['low' as const, 'high' as const],
        });
        agrees(t, stationaryWaveletKernel, `${wavelet} axis ${axis} of ${width} x ${height}`, make);
      }
    }
  }
});

t.test('bands are those of PyWavelets, to the bit', async (t) => {
  const { width, height, image, wavelets } = filterFixture();
  for (const { wavelet, level, start_level: startLevel, bands } of wavelets) {
    const names: string[] = [];
    for await (const { level: at, band, plane } of waveletBands(
      Float64Array.from(image),
      { width, height },
      { wavelet, level, startLevel },
    )) {
      const name = `wavelet${at === 1 ? '' : at}-${band}`;
      names.push(name);
      t.same([...plane], bands[name], `${wavelet} ${name}`);
    }
    t.same(names, Object.keys(bands));
  }
});

t.test('every wavelet of the tables makes what PyWavelets makes', async (t) => {
  const { image, energies } = filterFixture();
  const x = Float64Array.from(image.slice(0, 12));
  for (const [wavelet, [lowEnergy, highEnergy, low3, high5]] of Object.entries(energies)) {
    const { low: lowTaps, high: highTaps } = waveletTaps(wavelet);
    const [low, high] = [new Float64Array(12), new Float64Array(12)];
    stationaryWaveletKernel({ width: 12, height: 1, taps: lowTaps.length, axis: 0, lowTaps, highTaps, x, low, high });
    const energy = (band: Float64Array) => band.reduce((sum, value) => sum + value * value, 0);
    const near = (got: number, want: number) => Math.abs(got - want) <= 1e-12 * Math.max(Math.abs(want), 100);
    t.ok(near(energy(low), lowEnergy) && near(energy(high), highEnergy), wavelet);
    t.same([low[3], high[5]], [low3, high5], `${wavelet}, to the bit`);
  }
  t.same(Object.keys(energies).sort(), waveletNames().sort(), 'none is missing, none is extra');
});

t.test('an unknown wavelet and absurd taps are refused', async (t) => {
  for (const name of ['', 'db99', 'toString', 'rbio']) t.throws(() => waveletTaps(name), UamError);
  const empty = new Float64Array(0);
  const params = { width: 2, height: 1, taps: 0, axis: 0, lowTaps: empty, highTaps: empty, x: new Float64Array(2) };
  t.throws(() => stationaryWaveletKernel({ ...params, low: new Float64Array(2), high: new Float64Array(2) }), UamError);
});
