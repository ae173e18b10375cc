import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { Tensor, UamError } from '../../src/index.js';
import {
  decodeCheckpoint,
  encodeCheckpoint,
  readCheckpoint,
  readCheckpointHeader,
  type StoredTensor,
  writeCheckpoint,
} from '../../src/nn/checkpoint.js';
import { rejectsWith } from '../support/expect.js';

const folder = mkdtempSync(join(tmpdir(), 'uam-checkpoint-'));
t.teardown(() => rmSync(folder, { recursive: true }));

/** A file from a header of one's own and some bytes of data. */
function file(header: unknown, data: Uint8Array = new Uint8Array(0), length?: bigint): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const head = Buffer.alloc(8);
  head.writeBigUInt64LE(length ?? BigInt(text.length));
  return Buffer.concat([head, text, data]);
}

const bytes = (tensors: Map<string, StoredTensor>, metadata?: Record<string, string>) => Buffer.concat(encodeCheckpoint(tensors, metadata));

t.test('what is written is read', async (t) => {
  const number = fc.double({ noDefaultInfinity: false, noNaN: false });
  const arrays = fc.oneof(
    fc.array(number, { maxLength: 20 }).map((list) => Float32Array.from(list)),
    fc.array(number, { maxLength: 20 }).map((list) => Float64Array.from(list)),
    fc.array(fc.integer(), { maxLength: 20 }).map((list) => Int32Array.from(list)),
    fc.array(fc.nat(255), { maxLength: 20 }).map((list) => Uint8Array.from(list)),
  );
  const name = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((text) => !['__metadata__', '__proto__'].includes(text));
  const metadata = fc.dictionary(name, fc.string({ unit: 'grapheme' }));
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(name, arrays), { selector: ([key]) => key, maxLength: 8 }), metadata, (list, notes) => {
      const tensors = new Map(list.map(([key, data]) => [key, { shape: [1, data.length], data }]));
      const back = decodeCheckpoint(bytes(tensors, notes));
      t.same(new Map([...back.metadata].sort()), new Map(Object.entries(notes).sort()));
      t.equal(back.tensors.size, tensors.size);
      for (const [key, { shape, data }] of tensors) {
        const read = back.tensors.get(key) as StoredTensor;
        t.same(read.shape, shape);
        t.equal(read.data.constructor, data.constructor);
        t.ok(read.data.every((value, i) => Object.is(value, data[i])));
      }
    }),
    { numRuns: 60 },
  );
});

t.test('files: read, replaced as a whole, no traces', async (t) => {
  const path = join(folder, 'model.safetensors');
  await writeCheckpoint(path, new Map([['a', Tensor.from([1, 2])]]), { note: 'first' });
  await writeCheckpoint(path, new Map([['b.c', Tensor.from([3, 4, 5, 6], [2, 2])]]), { note: 'second' });
  const { tensors, metadata } = await readCheckpoint(path);
  t.same([...(tensors.get('b.c') as StoredTensor).data], [3, 4, 5, 6]);
  t.equal(metadata.get('note'), 'second');
  t.same((await readCheckpointHeader(path)).entries.get('b.c'), { type: 'F32', shape: [2, 2], begin: 0, end: 16 });
  t.same(readdirSync(folder), ['model.safetensors']);
  t.equal(readFileSync(path).length % 16, 0);
  await rejectsWith(t, readCheckpoint(join(folder, 'absent')), 'UAM_INPUT', /absent.*cannot be read/);
  await rejectsWith(t, readCheckpoint(folder), 'UAM_INPUT', /not a file|cannot be read/);
  await rejectsWith(t, writeCheckpoint(join(folder, 'no', 'such'), new Map()), 'UAM_IO', /cannot write .*folder .* does not exist/);
  writeFileSync(path, readFileSync(path).subarray(0, -3));
  await rejectsWith(t, readCheckpoint(path), 'UAM_FORMAT', /cut off/);
  await rejectsWith(t, readCheckpointHeader(path), 'UAM_FORMAT', /cut off/);
});

t.test('what cannot be written', async (t) => {
  t.throws(() => bytes(new Map([['__metadata__', Tensor.from([1])]])), { code: 'UAM_ARGUMENT' });
  t.throws(() => bytes(new Map([['a', { shape: [3], data: new Float32Array(2) }]])), { code: 'UAM_SHAPE' });
  t.throws(() => bytes(new Map(), { a: 1 as unknown as string }), { code: 'UAM_ARGUMENT' });
  t.throws(() => bytes(new Map(), { a: 'x'.repeat(17e6) }), { code: 'UAM_ARGUMENT' });
});

t.test('half precision becomes float32', async (t) => {
  const halves = Uint16Array.of(0x0000, 0x8000, 0x3c00, 0xc000, 0x7bff, 0x0001, 0x03ff, 0x7c00, 0xfc00, 0x7e00, 0x3555);
  const half = decodeCheckpoint(file({ h: { dtype: 'F16', shape: [11], data_offsets: [0, 22] } }, new Uint8Array(halves.buffer)));
  const expected = [0, -0, 1, -2, 65504, 2 ** -24, 1023 * 2 ** -24, Infinity, -Infinity, NaN, 0.333251953125];
  t.ok((half.tensors.get('h') as StoredTensor).data.every((value, i) => Object.is(value, expected[i])));
  const brains = Uint16Array.of(0x3f80, 0xc040, 0x7f80, 0x0001);
  const brain = decodeCheckpoint(file({ b: { dtype: 'BF16', shape: [4], data_offsets: [0, 8] } }, new Uint8Array(brains.buffer)));
  t.same([...(brain.tensors.get('b') as StoredTensor).data], [1, -3, Infinity, 2 ** -133]);
});

t.test('headers that mean harm', async (t) => {
  const f32 = (shape: unknown, offsets: unknown) => ({ dtype: 'F32', shape, data_offsets: offsets });
  const eight = new Uint8Array(8);
  const harmful: [string, Buffer, RegExp][] = [
    ['empty', Buffer.alloc(0), /it has 0 bytes/],
    ['short', Buffer.alloc(9), /it has 9 bytes/],
    ['header beyond the file', file('{}', eight, 11n), /claims a header of 11 bytes/],
    ['huge header', file('{}', eight, 2n ** 64n - 1n), /claims a header/],
    ['no JSON', file('{"a":'), /not JSON/],
    ['no UTF-8', Buffer.concat([Buffer.from([3, 0, 0, 0, 0, 0, 0, 0]), Buffer.from([0x22, 0xff, 0x22])]), /not JSON in UTF-8/],
    ['a list', file('[]'), /not an object/],
    ['null', file('null'), /not an object/],
    ['trailing bytes', file({}, eight), /tensors take 0 bytes, and 8 follow/],
    ['unknown type', file({ a: { dtype: 'F8_E4M3', shape: [8], data_offsets: [0, 8] } }, eight), /element type "F8_E4M3"/],
    ['type from the prototype', file({ a: { dtype: 'toString', shape: [8], data_offsets: [0, 8] } }, eight), /element type/],
    ['no entry', file({ a: 7 }, eight), /"a" is not an object/],
    ['other keys', file({ a: { ...f32([2], [0, 8]), code: 'x' } }, eight), /entry "code"/],
    ['negative length', file({ a: f32([-2], [0, 8]) }, eight), /no shape/],
    ['broken length', file({ a: f32([1.5], [0, 8]) }, eight), /no shape/],
    ['length as text', file({ a: f32(['2'], [0, 8]) }, eight), /no shape/],
    ['too many axes', file({ a: f32([1, 1, 1, 1, 1, 1, 1, 1, 2], [0, 8]) }, eight), /no shape/],
    ['overflow', file({ a: f32([2 ** 30, 2 ** 30, 2 ** 30], [0, 8]) }, eight), /bytes by its shape/],
    ['shape and bytes differ', file({ a: f32([3], [0, 8]) }, eight), /12 bytes by its shape/],
    ['three offsets', file({ a: f32([2], [0, 4, 8]) }, eight), /no data_offsets/],
    ['falling offsets', file({ a: f32([2], [8, 0]) }, eight), /8 bytes by its shape/],
    ['overlap', file({ a: f32([2], [0, 8]), b: f32([1], [4, 8]) }, eight), /"b" begins at byte 4/],
    ['gap', file({ a: f32([1], [0, 4]), b: f32([1], [8, 12]) }, new Uint8Array(12)), /"b" begins at byte 8/],
    ['metadata of numbers', file({ __metadata__: { a: 1 } }), /more than text/],
    ['metadata as a list', file({ __metadata__: [] }), /__metadata__ is not an object/],
    ['long name', file({ ['a'.repeat(600)]: f32([0], [0, 0]) }), /longer than 512/],
  ];
  for (const [name, data, text] of harmful) t.throws(() => decodeCheckpoint(data), { code: 'UAM_FORMAT', message: text }, name);
  t.equal(
    decodeCheckpoint(file('{"__proto__":{"dtype":"U8","shape":[8],"data_offsets":[0,8]}}', eight)).tensors.size,
    1,
    '__proto__ is a name',
  );
});

t.test('damaged files never do more than throw UAM_FORMAT', async (t) => {
  const whole = bytes(
    new Map<string, StoredTensor>([
      ['w', Tensor.from([1, 2, 3, 4], [2, 2])],
      ['n', { shape: [3], data: Int32Array.of(1, 2, 3) }],
    ]),
    { a: 'b' },
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
      fc.nat(whole.length),
      (edits, cut) => {
        const damaged = Buffer.from(cut % 3 === 0 ? whole.subarray(0, cut) : whole);
        for (const [at, value] of edits) if (at < damaged.length) damaged[at] = value;
        try {
          for (const { shape, data } of decodeCheckpoint(damaged).tensors.values()) {
            if (shape.reduce((product, n) => product * n, 1) !== data.length) return false;
          }
          return true;
        } catch (error) {
          return error instanceof UamError && error.code === 'UAM_FORMAT';
        }
      },
    ),
    { numRuns: 1500 },
  );
  t.pass();
});
