// The consensus values of the Image Biomarker Standardisation Initiative, with `standard: 'ibsi'`.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { packageRoot } from '../../src/native/load.js';
import { onBackend } from '../support/backends.js';
import { type IbsiPhantom, ibsiFixture, ibsiFolder, isPlanar, runIbsi } from '../support/ibsi_vectors.js';

const folder = join(packageRoot(), '../shared/vectors/ibsi');

/**
 * Values of planes that no feature answers: forms of volumes, local peaks, three spreads, the histogram's other statistics, volume
 * histograms, distance zones, and the energy of dependence counts.
 */
const UNANSWERED = /^(morph_|loc_|ivh_|dzm_|ih_(?!entropy|uniformity)|stat_(medad|cov|qcod)$|ngl_dc_energy)/;

function all(t: Test, phantom: IbsiPhantom): void {
  const results = runIbsi(phantom);
  const compared = results.filter(({ feature }) => feature !== undefined);
  t.equal(results.length, 487);
  t.equal(compared.length, 136);
  t.same(
    compared.filter(({ passed }) => !passed),
    [],
    'all agree to three digits',
  );
  const answered = new Set(compared.map(({ tag }) => tag));
  const expected = phantom.features.filter((reference) => isPlanar(reference) && !UNANSWERED.test(reference.tag)).map(({ tag }) => tag);
  t.same([...answered], expected, 'what is not compared is of volumes, or nothing here computes it');
}

t.test('the phantom of the fixtures', async (t) => {
  for (const backend of ['cpu', 'reference'] as const) onBackend({ name: backend, backend }, 2, () => all(t as Test, ibsiFixture()));
});

t.test('the phantom of ../shared', { skip: !existsSync(folder) && `no ${folder}` }, async (t) => {
  all(t as Test, ibsiFolder(folder));
  t.same({ ...ibsiFixture(), origin: undefined }.image, ibsiFolder(folder).image, 'the fixture is the same phantom');
});

t.test('a wrong number is seen', async (t) => {
  const phantom = ibsiFixture();
  const [first] = runIbsi(phantom).filter(({ feature }) => feature === 'glcm_Contrast');
  const features = phantom.features.map((entry) =>
    entry.tag === first?.tag ? { ...entry, value: (entry.value as number) * 1.01 } : entry,
  );
  t.same(
    runIbsi({ ...phantom, features }).flatMap(({ tag, passed }) => (passed ? [] : [tag])),
    [first?.tag],
  );
});
