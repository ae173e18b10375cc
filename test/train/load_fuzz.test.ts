// Model files from strangers: 10,000 damaged ones (`UAM_FUZZ` shortens it) end in UAM_FORMAT or in a sound model, never in anything else.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { UamError } from '../../src/errors.js';
import { memory } from '../../src/tensor/memory.js';
import { CellDataset } from '../../src/train/dataset.js';
import { UAM } from '../../src/train/uam.js';
import { damaged, seeded } from '../support/damage.js';
import { rejectsWith } from '../support/expect.js';
import { LITTLE, tilesOfCells } from '../support/training_sets.js';

const folder = mkdtempSync(join(tmpdir(), 'uam-strangers-'));
t.teardown(() => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'model.safetensors');
const rounds = Number(process.env['UAM_FUZZ'] ?? 10_000);

async function bytesOfModel(): Promise<Buffer> {
  const model = UAM.create({ ...LITTLE, width: 8, depth: 1 });
  await model.fit(CellDataset.from(tilesOfCells({ tiles: 2 }), { extraction: { features: ['glcm'] } }), { epochs: 1, validation: 0 });
  await model.save(path);
  return readFileSync(path);
}

/** A file of this header and some data. */
function fileOf(header: unknown, data = 0): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, Buffer.alloc(data)]);
}

t.test('damaged models', async (t) => {
  const sound = await bytesOfModel();
  const headerEnd = 8 + Number(sound.readBigUInt64LE());
  const random = seeded(11);
  const before = memory.stats().liveBytes;
  let loaded = 0;
  for (let i = 0; i < rounds; i++) {
    // Most of a file are numbers, of which nearly any will do: half of the time only the header is damaged.
    const header = i % 2 === 0;
    const bytes = header
      ? Buffer.concat([damaged(sound.subarray(0, headerEnd), random), sound.subarray(headerEnd)])
      : damaged(sound, random);
    writeFileSync(path, bytes);
    try {
      const model = await UAM.load(path);
      loaded++;
      if (!model.trained || !(model.temperature > 0)) t.fail(`round ${i}: a model that is none`);
    } catch (error) {
      if (!(error instanceof UamError && error.code === 'UAM_FORMAT')) t.fail(`round ${i}: ${(error as Error).stack}`);
    }
  }
  t.comment(`${loaded} of ${rounds} could be loaded`);
  t.ok(loaded > 0 && loaded < rounds);
  t.equal(memory.stats().liveBytes, before, 'no tensors are left');
});

t.test('files that mean harm take no more memory than they are long', async (t) => {
  const sound = await bytesOfModel();
  const length = Number(sound.readBigUInt64LE());
  const header = JSON.parse(sound.subarray(8, 8 + length).toString());
  const config = JSON.parse(header.__metadata__['uam.config']);
  const withConfig = (change: object) => {
    const metadata = { ...header.__metadata__, 'uam.config': JSON.stringify({ ...config, ...change }) };
    return Buffer.concat([fileOf({ ...header, __metadata__: metadata }), sound.subarray(8 + length)]);
  };
  const { __metadata__: metadata } = header;
  const huge = { dtype: 'F32', shape: [1e9, 1e9], data_offsets: [0, 4e18] };
  const cases: [string, Buffer][] = [
    ['a header of 2^63 bytes', Buffer.from('ffffffffffffff7f', 'hex')],
    ['a header longer than the file', Buffer.concat([Buffer.from([255, 255, 0, 0, 0, 0, 0, 0]), Buffer.from('{}')])],
    ['nested without end', fileOf(`${'['.repeat(200_000)}`)],
    ['no object', fileOf('"x"')],
    ['a tensor larger than the file', fileOf({ __metadata__: metadata, huge })],
    [
      'a million tensors of nothing',
      fileOf({
        __metadata__: metadata,
        ...Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`t${i}`, { dtype: 'F32', shape: [0], data_offsets: [0, 0] }])),
      }),
    ], // prettier-ignore
    ['a model wider than the file', withConfig({ backbone: { ...config.backbone, width: 4096, ffn: 16_384, depth: 64 } })],
    ['features without number', withConfig({ features: 2 ** 40 })],
    ['a negative depth', withConfig({ backbone: { ...config.backbone, depth: -1 } })],
    ['prototypes', fileOf('{"__proto__":{"polluted":true},"__metadata__":{"__proto__":"x","uam.format":"1"}}')],
  ];
  for (const [what, bytes] of cases) {
    writeFileSync(path, bytes);
    const before = process.memoryUsage().rss;
    await rejectsWith(t, UAM.load(path), 'UAM_FORMAT', /model\.safetensors/);
    t.ok(process.memoryUsage().rss - before < 300e6, what);
  }
  t.equal(({} as { polluted?: boolean }).polluted, undefined);
});
