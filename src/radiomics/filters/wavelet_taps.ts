import { UamError } from '../../errors.js';
import { biorthogonalTaps } from './wavelet_biorthogonal.js';
import { orthogonalTaps } from './wavelet_orthogonal.js';

/** The decomposition filters of a wavelet, in pywt's order of taps. */
export interface WaveletTaps {
  low: Float64Array;
  high: Float64Array;
}

const otherNames: Readonly<Record<string, string>> = { db1: 'haar', 'bior1.1': 'haar', 'rbio1.1': 'haar' };

/** Every wavelet that `waveletTaps` knows, by pywt's names. */
export function waveletNames(): string[] {
  const splines = Object.keys(biorthogonalTaps);
  return [...Object.keys(orthogonalTaps), ...splines, ...splines.map((name) => name.replace('bior', 'rbio')), ...Object.keys(otherNames)];
}

/** @throws UamError `UAM_ARGUMENT` for a name that is not one of `waveletNames()` */
export function waveletTaps(wavelet: string): WaveletTaps {
  const name = Object.hasOwn(otherNames, wavelet) ? (otherNames[wavelet] as string) : wavelet;
  if (Object.hasOwn(orthogonalTaps, name)) {
    const low = Float64Array.from(orthogonalTaps[name] as readonly number[]);
    return { low, high: mirror(low.toReversed()) };
  }
  const spline = name.replace('rbio', 'bior');
  if (Object.hasOwn(biorthogonalTaps, spline)) {
    const [decompose, rebuild] = (biorthogonalTaps[spline] as readonly (readonly number[])[]).map((taps) => Float64Array.from(taps));
    // A reverse wavelet decomposes with what its namesake rebuilds with, backwards.
    const [low, partner] = (spline === name ? [decompose, rebuild] : [rebuild?.toReversed(), decompose?.toReversed()]) as [
      Float64Array,
      Float64Array,
    ];
    return { low, high: mirror(partner) };
  }
  throw new UamError('UAM_ARGUMENT', `wavelet must be one of ${waveletNames().join(', ')}, received '${String(wavelet)}'`);
}

/** The high-pass partner of a low-pass reconstruction filter: every other sign turned, beginning with the first. */
const mirror = (rebuild: Float64Array): Float64Array => rebuild.map((tap, j) => (j % 2 === 0 ? -tap : tap));
