// Label masks in .npy, .npz and .mat files made by hand; NumPy's and SciPy's own files were compared when the readers were written.
import { deflateSync } from 'node:zlib';
import fc from 'fast-check';
import t from 'tap';
import { encodeNpy, readMask, readNpy } from '../../src/image/index.js';
import { rejectsWith, sameValues } from '../support/expect.js';
import { type MatMatrix, matFile } from '../support/mat_file.js';
import { zipFile } from '../support/zip_file.js';

const codes = (mask: { warnings: { code: string }[] }): string[] => mask.warnings.map(({ code }) => code);

/** A .npy file with any header. */
function npy(dict: string, body: Uint8Array, version = 1): Buffer {
  const length = Buffer.alloc(version === 1 ? 2 : 4);
  length.writeUInt16LE(dict.length);
  return Buffer.concat([Buffer.from(`\x93NUMPY${String.fromCharCode(version, 0)}`, 'latin1'), length, Buffer.from(dict), body]);
}

const dict = (descr: string, shape: string, fortran = 'False') =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': (${shape}), }\n`;

const kinds = {
  '|b1': [0, 1, 1, 0, 1, 1],
  '|u1': [0, 1, 2, 3, 4, 255],
  '|i1': [0, 1, 2, 3, 4, 127],
  u2: [0, 1, 2, 3, 4, 65535],
  i2: [0, 1, 2, 3, 4, 32767],
  u4: [0, 1, 2, 3, 4, 4294967295],
  i4: [0, 1, 2, 3, 4, 2147483647],
  u8: [0, 1, 2, 3, 4, 4294967295],
  i8: [0, 1, 2, 3, 4, 4294967295],
  f4: [0, 1, 2, 3, 4, 16777216],
  f8: [0, 1, 2, 3, 4, 4294967295],
};

function pack(kind: string, values: number[], little: boolean): Buffer {
  const size = Number(kind.at(-1));
  const out = Buffer.alloc(size * values.length);
  for (const [i, value] of values.entries()) {
    const one = Buffer.alloc(size);
    if (kind.endsWith('f4')) one.writeFloatLE(value);
    else if (kind.endsWith('f8')) one.writeDoubleLE(value);
    else if (size === 8) one.writeBigInt64LE(BigInt(value));
    else one.writeUIntLE(value, 0, size);
    if (!little) one.reverse();
    out.set(one, i * size);
  }
  return out;
}

t.test('.npy of every type, byte order and memory order', async (t) => {
  for (const [kind, values] of Object.entries(kinds)) {
    for (const order of kind.startsWith('|') ? [''] : ['<', '>']) {
      const body = pack(kind, values, order !== '>');
      const mask = await readMask(npy(dict(order + kind, '2, 3'), body));
      t.same([mask.width, mask.height, [...mask.data]], [3, 2, values], order + kind);
      t.same(codes(mask).includes('float_mask'), kind.startsWith('f'));
      const turned = await readMask(npy(dict(order + kind, '2, 3', 'True'), body));
      t.same(
        [...turned.data],
        [0, 2, 4, 1, 3, 5].map((i) => values[i]),
        `${order + kind} in Fortran order`,
      );
    }
  }
  t.same((await readMask(npy(dict('<f2', '1, 2'), Buffer.of(0, 0x3c, 0, 0)))).data, Uint32Array.of(1, 0), 'half floats');
  t.same((await readMask(npy(dict('<u2', '1, 2'), Buffer.of(5, 0, 0, 0), 2))).data, Uint32Array.of(5, 0), 'format version 2');
});

t.test('.npy shapes', async (t) => {
  const body = pack('u2', [1, 2, 3, 4, 5, 6], true);
  for (const shape of ['2, 3', '1, 2, 3', '2, 3, 1', '2L, 3L']) {
    const mask = await readMask(npy(dict('<u2', shape), body));
    t.same([mask.width, mask.height, [...mask.data]], [3, 2, [1, 2, 3, 4, 5, 6]], shape);
  }
  for (const shape of ['6,', '', '3, 2, 1, 1', '1, 6, 1, 1', '3, 2, 2', '0, 3']) {
    await rejectsWith(
      t,
      readMask(npy(dict('<u2', shape), Buffer.alloc(100)), { name: 'm.npy' }),
      'UAM_DATA',
      /m.npy: holds an array of shape/,
    );
  }
});

t.test('.npy values and files that are refused', async (t) => {
  const one = (kind: string, value: number | bigint) => {
    const body = Buffer.alloc(8);
    if (typeof value === 'bigint') body.writeBigInt64LE(value);
    else body.writeDoubleLE(value);
    return readMask(npy(dict(`<${kind}`, '1, 1'), body));
  };
  await rejectsWith(t, one('i8', -1n), 'UAM_DATA', /negative id -1/);
  await rejectsWith(t, one('i8', 4294967296n), 'UAM_DATA', /4294967296/);
  await rejectsWith(t, one('u8', -1n), 'UAM_DATA', /more than 4294967295/);
  await rejectsWith(t, one('f8', 1.5), 'UAM_DATA', /whole number/);
  await rejectsWith(t, readMask(npy(dict('|O', '1, 1'), Buffer.alloc(8))), 'UAM_DATA', /pickled.*numpy.save/);
  await rejectsWith(t, readMask(npy(dict('<U3', '1, 1'), Buffer.alloc(12))), 'UAM_DATA', /type '<U3'/);
  await rejectsWith(
    t,
    readMask(npy("{'descr': [('a', '<i4')], 'fortran_order': False, 'shape': (1, 1), }", Buffer.alloc(4))),
    'UAM_FORMAT',
    /records/,
  );
  await rejectsWith(
    t,
    readMask(npy(dict('<i4', '20, 20'), Buffer.alloc(10))),
    'UAM_FORMAT',
    /20 x 20 int32 needs 1600 bytes, the file has 10/,
  );
  await rejectsWith(t, readMask(npy(dict('<i4', '99999999, 99999999'), Buffer.alloc(10))), 'UAM_DATA', /maxPixels/);
  await rejectsWith(t, readMask(npy(dict('<i4', '1, 99999999'), Buffer.alloc(10))), 'UAM_FORMAT', /truncated/);
  t.throws(() => encodeNpy(new Uint8Array(3), [2, 2]), { code: 'UAM_SHAPE' });
});

t.test('readNpy gives back what encodeNpy wrote', async () => {
  const makers = [Uint8Array, Int8Array, Uint16Array, Int16Array, Uint32Array, Int32Array, Float32Array, Float64Array] as const;
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }), fc.constantFrom(...makers), (shape, make) => {
      const data = new make(shape.reduce((a, b) => a * b, 1)).map((_, i) => i * 3);
      const back = readNpy(encodeNpy(data, shape));
      if (back.data.constructor !== make || `${back.shape}` !== `${shape}` || `${back.data}` !== `${data}`) throw new Error(`${shape}`);
    }),
  );
});

t.test('.npz: by name, by usual name, or the only one that fits', async (t) => {
  const ids = Uint32Array.of(0, 9, 9, 70000);
  const grid = encodeNpy(ids, [2, 2]);
  const list = encodeNpy(Float64Array.of(1, 2), [2]);
  const other = encodeNpy(Uint8Array.of(1, 2, 3, 4), [2, 2]);
  for (const options of [{}, { compress: true }, { wide: true }, { wide: true, compress: true }]) {
    const read = async (files: Record<string, Uint8Array>, key?: string) =>
      (await readMask(zipFile(files, options), key ? { key } : {})).data;
    t.same(await read({ 'arr_0.npy': grid }), ids, 'the only one');
    t.same(await read({ 'classes.npy': list, 'seg.npy': grid }), ids, 'the only grid');
    t.same(await read({ 'seg.npy': other, 'labels.npy': grid }), ids, 'a usual name');
    t.same(await read({ 'seg.npy': other, 'labels.npy': grid }, 'seg'), Uint32Array.of(1, 2, 3, 4), 'the name asked for');
  }
  const both = zipFile({ 'a.npy': grid, 'b.npy': other });
  await rejectsWith(t, readMask(both, { name: 'm.npz' }), 'UAM_DATA', /m.npz: holds several arrays .*\(it holds a, b\).*key/);
  await rejectsWith(t, readMask(both, { key: 'c' }), 'UAM_DATA', /no 'c'; it holds a, b/);
  await rejectsWith(t, readMask(zipFile({ 'a.npy': list })), 'UAM_DATA', /shape \[2\]|no array/);
  await rejectsWith(t, readMask(zipFile({ 'a.txt': list })), 'UAM_FORMAT', /no NumPy array/);
  const damaged = zipFile({ 'a.npy': grid });
  damaged[damaged.indexOf('NUMPY') + 130]! ^= 1;
  await rejectsWith(t, readMask(damaged), 'UAM_FORMAT', /checksum/);
  await rejectsWith(t, readMask(both.subarray(0, both.length - 30)), 'UAM_FORMAT', /directory/);
});

const matrix = (name: string, values: number[], shape: number[], little = true, rest: Partial<MatMatrix> = {}): MatMatrix => {
  const bytes = Buffer.alloc(8 * values.length);
  for (const [i, value] of values.entries()) little ? bytes.writeDoubleLE(value, 8 * i) : bytes.writeDoubleBE(value, 8 * i);
  return { name, kind: 6, type: 9, shape, values: bytes, ...rest };
};

t.test('.mat: either byte order, compressed or not, columns first', async (t) => {
  for (const little of [true, false]) {
    for (const compress of [false, true]) {
      const file = matFile([matrix('class', [1, 2], [2, 1], little), matrix('inst_map', [0, 70000, 1, 4, 2, 5], [2, 3], little)], {
        little,
        compress,
      });
      const mask = await readMask(file, { width: 3, height: 2 });
      t.same([...mask.data], [0, 1, 2, 70000, 4, 5], `little-endian ${little}, compressed ${compress}`);
      t.same(codes(mask), [], "MATLAB's doubles are no reason for a warning");
    }
  }
  // MATLAB stores whole numbers as narrowly as they fit, whatever their class.
  const narrow = matrix('inst_map', [], [2, 3], true, { type: 2, values: Buffer.of(0, 3, 1, 4, 2, 5) });
  t.same([...(await readMask(matFile([narrow]))).data], [0, 1, 2, 3, 4, 5]);
  const tiny = matrix('inst_map', [], [2, 2], true, { kind: 9, type: 2, values: Buffer.of(1, 3, 2, 4) });
  t.same([...(await readMask(matFile([tiny], { compress: true }))).data], [1, 2, 3, 4], 'values that share the tag');
});

t.test('.mat: which variable', async (t) => {
  const a = matrix('a', [1, 1, 1, 1], [2, 2]);
  const b = matrix('b', [2, 2, 2, 2], [2, 2]);
  const scalar = matrix('n', [5], [1, 1]);
  t.equal((await readMask(matFile([scalar, a]))).data[0], 1, 'the only matrix');
  t.equal((await readMask(matFile([a, b]), { key: 'b' })).data[0], 2);
  await rejectsWith(t, readMask(matFile([a, b]), { name: 'm.mat' }), 'UAM_DATA', /m.mat: holds several arrays .*a, b.*key/);
  await rejectsWith(t, readMask(matFile([scalar])), 'UAM_DATA', /no array that could be a mask/);
  await rejectsWith(t, readMask(matFile([matrix('s', [1], [1, 1], true, { kind: 2 })]), { key: 's' }), 'UAM_DATA', /class struct/);
  await rejectsWith(t, readMask(matFile([{ ...a, flags: 0x800 }]), { key: 'a' }), 'UAM_DATA', /real numbers/);
  await rejectsWith(t, readMask(matFile([matrix('inst_map', [1, -1, 1, 1], [2, 2])])), 'UAM_DATA', /negative id -1 at x 0, y 1/);
  await rejectsWith(t, readMask(matFile([matrix('inst_map', new Array(8).fill(1), [2, 2, 2])])), 'UAM_DATA', /no array|shape \[2, 2, 2\]/);
});

t.test('.mat: broken files', async (t) => {
  const file = matFile([matrix('inst_map', [1, 2, 3, 4], [2, 2])]);
  await rejectsWith(t, readMask(file.subarray(0, file.length - 16)), 'UAM_FORMAT', /truncated/);
  const version = Buffer.from(file);
  version[125] = 2;
  await rejectsWith(t, readMask(version), 'UAM_FORMAT', /7.3.*-v7/);
  const claim = matFile([matrix('inst_map', [1, 2, 3, 4], [20000, 20000])]);
  await rejectsWith(t, readMask(claim), 'UAM_FORMAT', /32 bytes where 20000 x 20000 values/);
  const bomb = matFile([]);
  const packed = deflateSync(Buffer.alloc(100_000_000));
  const head = Buffer.alloc(8);
  head.writeUInt32LE(15);
  head.writeUInt32LE(packed.length, 4);
  await rejectsWith(t, readMask(Buffer.concat([bomb, head, packed])), 'UAM_FORMAT', /broken compressed variable/);
});

t.test('ids of a large .npy stay as they are', async (t) => {
  const ids = Int32Array.from({ length: 1000 * 700 }, (_, i) => (i * 2654435761) & 0x7fffffff);
  const mask = await readMask(encodeNpy(ids, [700, 1000]));
  sameValues(t, mask.data, ids, 'int32');
});
