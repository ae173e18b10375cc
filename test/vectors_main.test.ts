// `npm run vectors`: its exit code is what a script goes by.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { ibsiFixture } from './support/ibsi_vectors.js';
import { vectorFolder } from './support/radiomics_spec.js';
import type { Expected } from './support/radiomics_vectors.js';

const program = fileURLToPath(new URL('./support/vectors_main.js', import.meta.url));

function vectors(...args: string[]): { code: number | null; text: string } {
  const { status, stdout, stderr } = spawnSync('env', ['-u', 'NODE_OPTIONS', process.execPath, program, ...args], { encoding: 'utf8' });
  return { code: status, text: stdout + stderr };
}

t.test('the IBSI phantom: 0 where all agrees, 1 where one value or one pixel does not', async (t) => {
  const { image, mask, features } = ibsiFixture();
  const folder = (pixels: typeof image, references: typeof features) => ({
    'phantom.json': JSON.stringify({ image: pixels, mask }),
    'reference_digital_phantom.json': JSON.stringify({ features: references }),
  });
  const otherPixels = structuredClone(image);
  (otherPixels[0]?.[0] as number[])[0] = 6;
  const base = t.testdir({
    sound: folder(image, features),
    value: folder(
      image,
      features.map((entry) => (entry.tag === 'stat_mean' ? { ...entry, value: 2.2 } : entry)),
    ),
    pixel: folder(otherPixels, features),
    nothing: folder(
      image,
      features.filter(({ tag }) => tag.startsWith('morph')),
    ),
    torn: { 'phantom.json': '{' },
  });
  const sound = vectors(join(base, 'sound'));
  t.equal(sound.code, 0, sound.text);
  t.match(sound.text, /136 passed, 0 failed, 351 not applicable/);
  const value = vectors(join(base, 'value'));
  t.equal(value.code, 1);
  t.match(value.text, /FAIL stat_mean .*consensus 2.2 .*\n(.*\n)*135 passed, 1 failed/);
  const pixel = vectors(join(base, 'pixel'));
  t.equal(pixel.code, 1);
  t.match(pixel.text, /FAIL/);
  t.equal(vectors(join(base, 'nothing')).code, 1, 'nothing compared is nothing shown');
  t.equal(vectors(join(base, 'torn')).code, 1);
});

t.test(
  'radiomics: 1 where one value is off by more than it may be',
  { skip: !existsSync(vectorFolder) && `no ${vectorFolder}` },
  async (t) => {
    const json = (name: string) => JSON.parse(readFileSync(join(vectorFolder, name), 'utf8'));
    const { meta, rois } = json('rois.json') as { meta: object; rois: { values: Expected }[] };
    const folder = (regions: object[]) => ({
      'rois.json': JSON.stringify({ meta, rois: regions }),
      rois: t.fixture('symlink', join(vectorFolder, 'rois')),
      'composed512.json': JSON.stringify({ meta, cells: [] }),
      'composed512_image.npy': t.fixture('symlink', join(vectorFolder, 'composed512_image.npy')),
      'composed512_labels.npy': t.fixture('symlink', join(vectorFolder, 'composed512_labels.npy')),
      'matrices.json': JSON.stringify({ rois: [] }),
      'derived.json': JSON.stringify({ meta: json('derived.json').meta, rois: [] }),
    });
    const few = rois.slice(0, 3);
    const off = structuredClone(few);
    const contrast = off[1]?.values['bw5']?.['glcm'] as Record<string, number>;
    contrast['Contrast'] = (contrast['Contrast'] as number) * (1 + 1e-6);
    const base = t.testdir({ sound: folder(few), off: folder(off) });
    const sound = vectors(join(base, 'sound'));
    t.equal(sound.code, 0, sound.text);
    const wrong = vectors(join(base, 'off'));
    t.equal(wrong.code, 1);
    t.match(wrong.text, /bw5: Contrast: expected/);
    t.match(wrong.text, / 1 failed/);
    t.equal(vectors(join(base, 'off'), '--op', 'gldm').code, 0, 'the other classes are sound');
  },
);

t.test('wrong words on the command line', async (t) => {
  const none = vectors();
  t.equal(none.code, 1);
  t.match(none.text, /usage: npm run vectors/);
  t.equal(vectors(join(t.testdir({}), 'absent')).code, 1);
});
