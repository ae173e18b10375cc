// ONNX models as bytes: the few messages of onnx.proto3 that a graph of float32 tensors needs, written by hand.
// Numbers in the calls are the field numbers of onnx.proto3.

const encoder = new TextEncoder();

function varint(value) {
  const bytes = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    bytes.push(rest > 0n ? low | 128 : low);
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}

const join = (parts) => Buffer.concat(parts.flat(Infinity));
const int = (field, value) => [varint(field << 3), varint(value)];
const bytes = (field, content) => [varint((field << 3) | 2), varint(content.length), content];
const text = (field, value) => bytes(field, encoder.encode(value));
const message = (field, parts) => bytes(field, join(parts));
const float = (field, value) => [varint((field << 3) | 5), new Uint8Array(Float32Array.of(value).buffer)];

const FLOAT = 1;
const INT64 = 7;

/** A constant: Float32Array, or BigInt64Array for shapes and axes. */
export function constant(name, dims, data) {
  const type = data instanceof BigInt64Array ? INT64 : FLOAT;
  const raw = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return [dims.map((dim) => int(1, dim)), int(2, type), text(8, name), bytes(9, raw)];
}

/** A graph's input or output. */
export function value(name, dims) {
  const shape = dims.map((dim) => message(1, int(1, dim)));
  return [text(1, name), message(2, message(1, [int(1, FLOAT), message(2, shape)]))];
}

/** Attributes may be whole numbers, { float }, strings, arrays of whole numbers, or { graph }. */
function attribute(name, given) {
  const typed = (type, content) => [text(1, name), content, int(20, type)];
  if (typeof given === 'number') return typed(2, int(3, given));
  if (typeof given === 'string') return typed(3, text(4, given));
  if (Array.isArray(given))
    return typed(
      7,
      given.map((item) => int(8, item)),
    );
  return 'graph' in given ? typed(5, message(6, given.graph)) : typed(1, float(2, given.float));
}

export function node(type, inputs, outputs, attributes = {}, domain = '') {
  return [
    inputs.map((input) => text(1, input)),
    outputs.map((output) => text(2, output)),
    text(4, type),
    Object.entries(attributes).map(([name, given]) => message(5, attribute(name, given))),
    domain ? text(7, domain) : [],
  ];
}

export function graph({ nodes, inputs, outputs, constants = [] }) {
  return [
    nodes.map((item) => message(1, item)),
    text(2, 'graph'),
    constants.map((item) => message(5, item)),
    inputs.map((item) => message(11, item)),
    outputs.map((item) => message(12, item)),
  ];
}

/** The bytes that InferenceSession.create takes. */
export function model(parts) {
  const opset = (domain, version) => message(8, [text(1, domain), int(2, version)]);
  return join([int(1, 10), message(7, graph(parts)), opset('', 23), opset('com.microsoft', 1)]);
}
