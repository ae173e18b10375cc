// NumPy files read by parts, and arrays of texts.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { UamError } from '../../src/errors.js';
import { encodeNpy, readNpy } from '../../src/image/npy.js';
import { openNpy } from '../../src/image/npy_file.js';
import { readNpyTexts } from '../../src/image/npy_texts.js';
import { damaged, seeded } from '../support/damage.js';
import { rejectsWith } from '../support/expect.js';
import { npyOf, npyTexts } from '../support/npy_file.js';

const folder = mkdtempSync(join(tmpdir(), 'uam-npy-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, bytes: Uint8Array): string => {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
};

t.test('parts of an array are what the whole holds', async (t) => {
  const values = Float64Array.from({ length: 3 * 2 * 4 }, (_, i) => i / 8);
  for (const [name, bytes] of [
    ['little.npy', npyOf('<f8', [3, 2, 4], values)],
    ['big.npy', npyOf('>f8', [3, 2, 4], values)],
    [
      'ids.npy',
      encodeNpy(
        Int32Array.from(values, (value) => 8 * value),
        [3, 8],
      ),
    ],
  ] as const) {
    const whole = readNpy(bytes);
    const array = await openNpy(file(name, bytes));
    t.same([array.shape, array.dtype], [whole.shape, whole.dtype]);
    for (const i of [2, 0, 1]) t.same(await array.read(i), whole.data.slice(8 * i, 8 * i + 8), `${name}, entry ${i}`);
    await rejectsWith(t, array.read(3), 'UAM_ARGUMENT', /one of its 3, from 0, received 3/);
    await array.close();
  }
});

t.test('what cannot be read by parts', async (t) => {
  const sound = encodeNpy(new Float32Array(24), [3, 8]);
  await rejectsWith(t, openNpy(join(folder, 'none.npy')), 'UAM_INPUT', /none\.npy/);
  await rejectsWith(t, openNpy(file('cut.npy', sound.subarray(0, sound.length - 1))), 'UAM_FORMAT', /3 x 8 float32 needs 96 .* has 95/);
  await rejectsWith(t, openNpy(file('text.npy', Buffer.from('no array at all'))), 'UAM_FORMAT', /not a NumPy array/);
  await rejectsWith(t, openNpy(file('flat.npy', encodeNpy(new Float32Array(3), [3]))), 'UAM_DATA', /two axes or more/);
  await rejectsWith(t, openNpy(file('turned.npy', npyOf('<f8', [3, 2], new Float64Array(6), true))), 'UAM_DATA', /Fortran order/);
  await rejectsWith(t, openNpy(file('names.npy', npyTexts(['a', 'b']))), 'UAM_DATA', /'<U1'/);
});

t.test('texts', async (t) => {
  const names = ['Adrenal_gland', 'Breast', '', 'Kolon \u00e4\u{1f600}'];
  t.same(await readNpyTexts(file('little.npy', npyTexts(names))), names);
  t.same(await readNpyTexts(file('big.npy', npyTexts(names, '>'))), names);
  t.same(await readNpyTexts(file('bytes.npy', npyOf('|S6', [2], Buffer.from('Breastpi\0\0\0\0')))), ['Breast', 'pi']);
  const bytes = npyTexts(names);
  await rejectsWith(t, readNpyTexts(file('cut.npy', bytes.subarray(0, bytes.length - 4))), 'UAM_FORMAT', /truncated/);
  const spoilt = Uint8Array.from(bytes);
  spoilt.fill(255, spoilt.length - 8);
  await rejectsWith(t, readNpyTexts(file('spoilt.npy', spoilt)), 'UAM_FORMAT', /no text/);
  await rejectsWith(t, readNpyTexts(file('numbers.npy', encodeNpy(new Float32Array(3), [3]))), 'UAM_DATA', /texts such as/);
});

t.test('damaged files are refused, or read', async (t) => {
  const random = seeded(5);
  const numbers = npyOf('<f8', [3, 2, 4], new Float64Array(24));
  const texts = npyTexts(['Breast', 'Colon']);
  const tries = Math.min(2000, Number(process.env['UAM_FUZZ'] ?? 2000));
  let refused = 0;
  for (let i = 0; i < tries; i++) {
    const bytes = damaged(i % 2 ? texts : numbers, random);
    const work = i % 2 ? readNpyTexts(bytes) : openNpy(bytes).then((array) => array.read(0));
    await work.catch((error) => {
      if (!(error instanceof UamError)) throw error;
      refused++;
    });
  }
  t.ok(refused > tries / 3, `${refused} of ${tries} were refused`);
});
