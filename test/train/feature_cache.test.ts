// Features kept between runs: the same bits with and without, nothing believed that is not sound, and processes side by side.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { encodeMask } from '../../src/image/write_mask.js';
import { readCheckpoint, writeCheckpoint } from '../../src/nn/checkpoint.js';
import type { CellDataset } from '../../src/train/dataset.js';
import { demoTile } from '../../src/train/demo_tile.js';
import { FeatureCache } from '../../src/train/feature_cache.js';
import { Pace } from '../../src/train/pace.js';
import { type ReadDatasetOptions, readDataset } from '../../src/train/read_manifest.js';
import { rejectsWith } from '../support/expect.js';
import { uniform } from '../support/random.js';

const folder = mkdtempSync(join(tmpdir(), 'uam-cache-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string) => join(folder, name);
const cache = file('cache');
const extraction = { features: ['firstorder', 'neighbourhood'], channels: ['grey'] };
const manifest = file('manifest.csv');

async function drawn(name: string, seed: number): Promise<void> {
  const { image, mask } = demoTile({ seed, width: 160, height: 160 });
  const grey = Uint32Array.from({ length: 160 * 160 }, (_, at) => image.data[3 * at] as number);
  writeFileSync(file(`${name}.png`), await encodeMask({ width: 160, height: 160, data: grey }));
  writeFileSync(file(`${name}_mask.png`), await encodeMask(mask));
}

t.before(async () => {
  for (const seed of [1, 2, 3]) await drawn(`tile${seed}`, seed);
  writeFileSync(file('points.csv'), 'x,y,class\n30,30,a\n80,100,b\n');
  const lines = [1, 2, 3].map((i) => `tile${i}.png,tile${i}_mask.png,points.csv`);
  writeFileSync(manifest, ['image,mask,points', ...lines].join('\n'));
});

/** Reads the manifest; what came of it, and which images were in the cache. */
async function read(more: ReadDatasetOptions = {}): Promise<{ set: CellDataset; cached: boolean[] }> {
  const cached: boolean[] = [];
  const set = await readDataset(manifest, {
    mpp: 0.5,
    extraction,
    cache,
    onProgress: (progress) => void cached.push(progress.cached),
    ...more,
  });
  return { set, cached };
}

const contents = ({ samples }: CellDataset) =>
  samples.map(({ name, table, positions, truth }) => ({
    name,
    truth,
    positions,
    columns: table.columns.map(({ name, data }) => [name, data]),
  }));

t.test('what is kept is what is measured', async (t) => {
  const without = await read({ cache: undefined });
  const first = await read();
  const second = await read();
  t.same(
    [without.cached, first.cached, second.cached],
    [
      [false, false, false],
      [false, false, false],
      [true, true, true],
    ],
  ); // prettier-ignore
  for (const { set } of [first, second]) t.same(contents(set), contents(without.set));
  t.ok(without.set.cells > 30);
  t.equal(readdirSync(cache).length, 3);
});

t.test('other pixels, masks, settings or pixel sizes are other files', async (t) => {
  t.same((await read({ mpp: 0.25 })).cached, [false, false, false]);
  t.same((await read({ extraction: { ...extraction, channels: ['grey'], settings: { binWidth: 10 } } })).cached, [false, false, false]);
  t.same((await read({ extraction: { ...extraction, mpp: 0.25 } })).cached, [false, false, false], 'measured at another size');
  t.same((await read({ extraction: { ...extraction, mpp: 'own' } })).cached, [false, false, false]);
  t.same((await read({ extraction: { ...extraction, mpp: 0.5 } })).cached, [true, true, true], 'what the first image says, too');
  const before = readFileSync(file('tile2.png'));
  writeFileSync(file('tile2.png'), readFileSync(file('tile1.png')));
  t.same((await read()).cached, [true, false, true]);
  writeFileSync(file('tile2.png'), before);
  t.same((await read()).cached, [true, true, true], 'names and dates do not matter');
});

/** Where the cache keeps the first image. */
async function pathOfFirst(): Promise<string> {
  const held = await FeatureCache.open(cache, { ...extraction, mpp: 0.5 }, new Pace('test'));
  const files = { image: file('tile1.png'), mask: file('tile1_mask.png') };
  return join(cache, `${await held.keyOf({ ...files, mpp: undefined, otherwise: 0.5 })}.safetensors`);
}

t.test('a file that is damaged, foreign or half there is made anew', async (t) => {
  const { set } = await read();
  const wanted = contents(set);
  const path = await pathOfFirst();
  const sound = readFileSync(path);
  const next = uniform(7);
  const damages: [string, Uint8Array][] = [
    ['empty', new Uint8Array()],
    ['cut off', sound.subarray(0, sound.length - 5)],
    ['longer', Buffer.concat([sound, Buffer.alloc(8)])],
    ['text', Buffer.from('no such thing')],
  ];
  for (let i = 0; i < 40; i++) {
    const at = Math.floor(next() * sound.length);
    const spoilt = Uint8Array.from(sound);
    spoilt[at] = (spoilt[at] as number) ^ (1 << Math.floor(8 * next()));
    damages.push([`a bit of byte ${at}`, spoilt]);
  }
  for (const [what, bytes] of damages) {
    writeFileSync(path, bytes);
    const { set, cached } = await read();
    // Spaces that fill up the header say nothing: a change there is none.
    if (!cached[0]) t.same(cached, [false, true, true], what);
    t.same(contents(set), wanted, `after ${what}`);
  }
  const { tensors, metadata } = await readCheckpoint(path);
  const changes: Record<string, string>[] = [{ key: 'other' }, { names: '[1]' }, { names: '{' }, { checksum: '' }, { width: '7' }];
  for (const change of changes) {
    await writeCheckpoint(path, tensors, { ...Object.fromEntries(metadata), ...change });
    t.same((await read()).cached, [false, true, true], JSON.stringify(change));
  }
});

t.test('several readers at once, and what cannot be', async (t) => {
  const shared = file('shared');
  const all = await Promise.all([1, 2, 3].map(() => read({ cache: shared })));
  for (const { set } of all) t.same(contents(set), contents((all[0] as { set: CellDataset }).set));
  t.same(
    readdirSync(shared).filter((name) => !/^[0-9a-f]{64}\.safetensors$/.test(name)),
    [],
    'nothing half written is left',
  );
  writeFileSync(file('plain'), '');
  await rejectsWith(t, read({ cache: file('plain') }), 'UAM_IO', /folder .*plain of the cache/);
  rmSync(file('tile3.png'));
  await rejectsWith(t, read(), 'UAM_INPUT', /tile3\.png/);
  await rejectsWith(t, read({ signal: AbortSignal.abort() }), 'UAM_ABORTED', /./);
});
