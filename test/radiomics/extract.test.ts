// The whole extraction: PyRadiomics' values, the same bits however the work is cut, and its course: blocks, progress, abort.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { RasterImage } from '../../src/image/image.js';
import { hasCuda, setBackend, setThreads } from '../../src/native/device.js';
import { knownFeatures } from '../../src/radiomics/catalogue.js';
import { extract, extractBlocks } from '../../src/radiomics/extract.js';
import { FeatureTable } from '../../src/radiomics/table.js';
import { emulatesCuda } from '../support/backends.js';
import { rejectsWith } from '../support/expect.js';
import { composedInput, differentBits, differentValues, greyFor, tissue } from '../support/extractions.js';
import { vectorFolder } from '../support/radiomics_spec.js';
import { compare, type Expected } from '../support/radiomics_vectors.js';

const PYRADIOMICS = ['firstorder', 'shape2D', 'glcm', 'glrlm', 'glszm', 'ngtdm', 'gldm'];

t.test("PyRadiomics' values of 200 cells", { skip: !existsSync(vectorFolder) && `no ${vectorFolder}` }, async (t) => {
  const { meta, cells } = JSON.parse(readFileSync(join(vectorFolder, 'composed512.json'), 'utf8')) as {
    meta: { settings: Record<string, object> };
    cells: { label: number; type: string; checkMask_error_default: string | null; values: Expected }[];
  };
  const { image, mask } = composedInput(vectorFolder);
  // deprecated features too, as the vectors have those that still compute
  const features = Object.fromEntries(Object.entries(knownFeatures()).filter(([name]) => PYRADIOMICS.includes(name)));
  for (const setting of Object.keys(cells[0]?.values ?? {})) {
    const table = await extract(image, mask, { features, settings: meta.settings[setting] ?? {} });
    t.same(
      [...table.ids],
      cells.map(({ label }) => label).sort((a, b) => a - b),
    );
    let values = 0;
    const wrong = cells.flatMap(({ label, type, values: expected }) => {
      const row = table.row(table.ids.indexOf(label));
      return Object.entries(expected[setting] ?? {}).flatMap(([of, known]) => {
        const names = (features[of] as string[]).filter((name) => row[`${of}_${name}`] !== undefined);
        const found = compare(
          type,
          names,
          names.map((name) => row[`${of}_${name}`] as number),
          known,
        );
        values += found.features;
        return found.wrong.map((text) => `${label} ${of} ${text}`);
      });
    });
    t.same(wrong.slice(0, 5), [], `${setting}: ${values} values`);
    t.ok(values > 200 * 102);
    for (const { label, checkMask_error_default: refused } of cells) {
      if (!refused) continue;
      t.not(table.statusOf(table.ids.indexOf(label)), 'ok', `cell ${label}: PyRadiomics says ${refused}`);
    }
  }
});

t.test('the same bits for any block size and any number of threads', async (t) => {
  const { image, mask } = tissue(150, 130);
  const options = {
    features: ['all'],
    channels: ['grey', 'haematoxylin', 'eosin'],
    imageTypes: { Original: {}, LoG: { sigma: [1.5] } },
    settings: { spacing: [0.5, 0.5] as [number, number] },
  };
  t.teardown(() => setThreads(2));
  setThreads(1);
  const expected = await extract(image, mask, options);
  t.ok(expected.length > 25, `${expected.length} cells`);
  t.ok(expected.columns.length > 6 * 102, `${expected.columns.length} columns`);
  for (const threads of [1, 2, 4]) {
    setThreads(threads);
    for (const blockSize of [1, 7, 4096]) {
      t.same(
        differentBits(await extract(image, mask, { ...options, blockSize }), expected),
        [],
        `${threads} threads, blocks of ${blockSize}`,
      );
    }
  }
});

t.test('device: a card gives the same table, and one that is absent says why', async (t) => {
  const { image, mask } = tissue(70, 60);
  const options = { features: ['all'], imageTypes: { Original: {}, Square: {} } };
  if (!hasCuda()) {
    await rejectsWith(t, extract(image, mask, { device: 'cuda' }), 'UAM_DEVICE', /./);
    return;
  }
  const card = await extract(image, mask, { ...options, device: 'cuda', blockSize: 5 });
  const expected = await extract(image, mask, options);
  if (emulatesCuda()) t.same(differentBits(card, expected), []);
  else {
    const near = (_name: string, value: number) => 1e-12 * Math.max(1, Math.abs(value));
    for (let row = 0; row < card.length; row++) t.same(differentValues(expected.row(row), card.row(row), near), []);
  }
});

t.test('the definitions in TypeScript give the same table', async (t) => {
  const { image, mask } = tissue(60, 50);
  const options = {
    features: ['all'],
    channels: ['grey', 'eosin'],
    imageTypes: { Original: {}, Square: {}, Wavelet: { wavelet: 'haar' } },
    settings: { spacing: [0.5, 0.5] as [number, number] },
  };
  const native = await extract(image, mask, options);
  setBackend('reference');
  t.teardown(() => setBackend('cpu'));
  const plain = await extract(image, mask, options);
  t.ok(native.length >= 4, `${native.length} cells`);
  t.same(plain.names, native.names);
  // Roots of what may be rounding errors about 0.
  const allowed = (name: string, value: number) => 1e-9 + 1e-7 * Math.abs(value) + (/_(MCC|Imc2)$/.test(name) ? 2e-6 : 0);
  native.ids.forEach((id, row) => {
    t.same(differentValues(plain.row(row), native.row(row), allowed), [], `cell ${id}`);
  });
});

t.test('8 bits, 16 bits and floats of the same numbers give the same features', async (t) => {
  const { mask } = tissue(70, 60);
  const image = greyFor(mask);
  const options = { features: ['all'], imageTypes: { Original: {}, Wavelet: { wavelet: 'haar' } } };
  const expected = await extract(image, mask, options);
  for (const kind of [Uint16Array, Float32Array, Float64Array]) {
    const table = await extract({ ...image, data: kind.from(image.data) }, mask, options);
    // Bytes are summed from their histogram: the same numbers in another order.
    const [reordered, others] = [[] as string[], [] as string[]];
    for (const name of differentBits(table, expected)) (/RobustMeanAbsoluteDeviation$/.test(name) ? reordered : others).push(name);
    t.same(others, [], kind.name);
    for (const name of reordered) {
      const [a, b] = [table.column(name).data, expected.column(name).data];
      t.ok(
        a.every((value, row) => Number.isNaN(value) || Math.abs(value - (b[row] as number)) <= 1e-12 * value),
        `${kind.name} ${name}`,
      );
    }
  }
  const wide = await extract({ ...image, data: Uint16Array.from(image.data, (value) => value * 257) }, mask, {
    settings: { binWidth: 25 * 257 },
  });
  t.same([...wide.column('glcm_Contrast').data], [...expected.column('glcm_Contrast').data], '16 bits with bins as wide');
});

t.test('blocks come one by one', async (t) => {
  const { image, mask } = tissue(100, 80);
  const whole = await extract(image, mask);
  const blocks: FeatureTable[] = [];
  const seen: { done: number; total: number }[] = [];
  for await (const block of extractBlocks(image, mask, { blockSize: 4, onProgress: (progress) => seen.push(progress) })) blocks.push(block);
  t.ok(blocks.slice(0, -1).every(({ length }) => length === 4));
  t.same(differentBits(FeatureTable.concat(blocks), whole), []);
  t.equal(seen.length, blocks.length);
  t.same(seen.at(-1), { done: whole.length, total: whole.length });
  t.ok(seen.every(({ done }, at) => done === Math.min(4 * (at + 1), whole.length)));
});

t.test('the first block is there before the others are computed', async (t) => {
  const { image, mask } = tissue(100, 80);
  const stop = new AbortController();
  const blocks = extractBlocks(image, mask, { blockSize: 1, signal: stop.signal });
  const { value: first } = await blocks.next();
  t.equal(first?.length, 1);
  stop.abort();
  await rejectsWith(t, blocks.next(), 'UAM_ABORTED', /abort/);
  t.same(await blocks.next(), { done: true, value: undefined }, 'and nothing comes after that');
});

t.test('whoever has seen enough may leave', async (t) => {
  const { image, mask } = tissue(100, 80);
  const seen: number[] = [];
  for await (const block of extractBlocks(image, mask, { blockSize: 2, onProgress: ({ done }) => seen.push(done) })) {
    t.equal(block.length, 2);
    break;
  }
  t.same(seen, [], 'nothing was computed that nobody asked for');
  t.equal((await extract(image, mask)).ids[0], [...new Set(mask.data)].filter(Boolean).sort((a, b) => a - b)[0]);
});

t.test('abort', async (t) => {
  const { image, mask } = tissue(400, 400);
  const options = { features: ['all'], channels: ['grey', 'haematoxylin', 'eosin'], settings: { binWidth: 1 } };
  const expected = await extract(image, mask, { features: ['glcm'] });
  await rejectsWith(t, extract(image, mask, { ...options, signal: AbortSignal.abort() }), 'UAM_ABORTED', /abort/);
  const late = new AbortController();
  const work = extract(image, mask, { ...options, blockSize: 8, signal: late.signal, onProgress: () => late.abort() });
  await rejectsWith(t, work, 'UAM_ABORTED', /abort/);
  const midway = new AbortController();
  setTimeout(() => midway.abort(), 15);
  await rejectsWith(t, extract(image, mask, { ...options, signal: midway.signal }), 'UAM_ABORTED', /abort/);
  t.same(differentBits(await extract(image, mask, { features: ['glcm'] }), expected), [], 'and later calls work as before');
});

t.test('extractions side by side do not disturb each other', async (t) => {
  const inputs = [1, 2, 3].map((seed) => tissue(90, 70, seed));
  const alone: FeatureTable[] = [];
  for (const { image, mask } of inputs) alone.push(await extract(image, mask));
  const together = await Promise.all(inputs.map(({ image, mask }) => extract(image, mask, { blockSize: 3 })));
  together.forEach((table, at) => {
    t.same(differentBits(table, alone[at] as FeatureTable), []);
  });
});

t.test('an error of the caller reaches it', async (t) => {
  const { image, mask } = tissue(60, 50);
  const fail = () => {
    throw new Error('the disk is full');
  };
  await t.rejects(extract(image, mask, { onProgress: fail }), /the disk is full/);
  await rejectsWith(t, extract({ ...image, channels: 4 } as unknown as RasterImage, mask), 'UAM_ARGUMENT', /channels/);
});
