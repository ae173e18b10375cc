// .npy files of kinds that the package does not write.

/** A file of this type and shape with these bytes or doubles. */
export function npyOf(descr: string, shape: readonly number[], values: Float64Array | Uint8Array, fortran = false): Buffer {
  const order = fortran ? 'True' : 'False';
  const dict = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': (${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`;
  const text = `${dict.padEnd(Math.ceil((dict.length + 11) / 64) * 64 - 11)}\n`;
  const head = Buffer.from('\x93NUMPY\x01\x00\0\0', 'latin1');
  head.writeUInt16LE(text.length, 8);
  return Buffer.concat([head, Buffer.from(text, 'latin1'), bytesOf(values, descr[0] === '>')]);
}

function bytesOf(values: Float64Array | Uint8Array, big: boolean): Buffer {
  if (values instanceof Uint8Array) return Buffer.from(values);
  const out = Buffer.alloc(8 * values.length);
  values.forEach((value, i) => void (big ? out.writeDoubleBE(value, 8 * i) : out.writeDoubleLE(value, 8 * i)));
  return out;
}

/** A list of texts as NumPy writes it: four bytes a character. */
export function npyTexts(texts: readonly string[], order: '<' | '>' = '<'): Buffer {
  const width = Math.max(...texts.map((text) => [...text].length), 1);
  const out = Buffer.alloc(4 * width * texts.length);
  texts.forEach((text, i) => {
    [...text].forEach((letter, j) => {
      const at = 4 * (i * width + j);
      const point = letter.codePointAt(0) as number;
      void (order === '<' ? out.writeUInt32LE(point, at) : out.writeUInt32BE(point, at));
    });
  });
  return npyOf(`${order}U${width}`, [texts.length], out);
}
