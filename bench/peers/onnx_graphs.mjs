// One ONNX graph per op of ../peer_shapes.ts, each in the layout that ONNX Runtime likes best (convolutions: channels first).
// A graph names its inputs with their dims; weights are constants, so that ONNX Runtime may pack them ahead, as it would in use.
import { constant, graph, model, node, value } from './onnx_model.mjs';

export function random(count, scale = 1, seed = 1) {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31 - 1) * scale;
  });
}

const product = (dims) => dims.reduce((a, b) => a * b, 1);
const weights = (name, dims) => constant(name, dims, random(product(dims), 0.1));
const axes = (name, ...list) => constant(name, [list.length], BigInt64Array.from(list, BigInt));

/** A graph of one node: { inputs, outputs } are lists of [name, dims]. */
function single(type, inputs, outputs, attributes, constants = [], domain = '') {
  const names = [...inputs.map(([name]) => name), ...constants.map(([name]) => name)];
  const nodes = [
    node(
      type,
      names,
      outputs.map(([name]) => name),
      attributes,
      domain,
    ),
  ];
  return { nodes, inputs, outputs, constants: constants.map(([name, dims]) => weights(name, dims)) };
}

const elementwise = {
  exp: ['Exp'],
  log: ['Log'],
  sqrt: ['Sqrt'],
  tanh: ['Tanh'],
  sigmoid: ['Sigmoid'],
  softplus: ['Softplus'],
  relu: ['Relu'],
  gelu_erf: ['Gelu'],
  gelu_tanh: ['Gelu', { approximate: 'tanh' }],
  silu: ['QuickGelu', { alpha: { float: 1 } }, 'com.microsoft'], // x * sigmoid(alpha x)
};

// The state h [batch, dim, state] runs through a Scan over tokens; softplus and the skip are done for all tokens at once.
function selectiveScan({ batch, tokens, dim, state }) {
  const body = graph({
    nodes: [
      node('Unsqueeze', ['delta_t', 'last'], ['delta_column']),
      node('Mul', ['delta_column', 'A'], ['delta_a']),
      node('Exp', ['delta_a'], ['decay']),
      node('Mul', ['decay', 'h'], ['kept']),
      node('Unsqueeze', ['drive_t', 'last'], ['drive_column']),
      node('Unsqueeze', ['b_t', 'middle'], ['b_row']),
      node('Mul', ['drive_column', 'b_row'], ['added']),
      node('Add', ['kept', 'added'], ['h_next']),
      node('Unsqueeze', ['c_t', 'last'], ['c_column']),
      node('MatMul', ['h_next', 'c_column'], ['y_column']),
      node('Squeeze', ['y_column', 'last'], ['y_t']),
    ],
    inputs: [
      value('h', [batch, dim, state]),
      value('delta_t', [batch, dim]),
      value('drive_t', [batch, dim]),
      value('b_t', [batch, state]),
      value('c_t', [batch, state]),
    ],
    outputs: [value('h_next', [batch, dim, state]), value('y_t', [batch, dim])],
    constants: [
      axes('last', 2),
      axes('middle', 1),
      constant(
        'A',
        [dim, state],
        random(dim * state).map((a) => -1 - Math.abs(a)),
      ),
    ],
  });
  return {
    nodes: [
      node('Softplus', ['raw_delta'], ['delta']),
      node('Mul', ['delta', 'u'], ['drive']),
      node('Scan', ['h0', 'delta', 'drive', 'B', 'C'], ['h_last', 'y_scan'], { body: { graph: body }, num_scan_inputs: 4 }),
      node('Mul', ['u', 'D'], ['skip']),
      node('Add', ['y_scan', 'skip'], ['y']),
    ],
    inputs: [
      ['h0', [batch, dim, state]],
      ['u', [tokens, batch, dim]],
      ['raw_delta', [tokens, batch, dim]],
      ['B', [tokens, batch, state]],
      ['C', [tokens, batch, state]],
    ],
    outputs: [['y', [tokens, batch, dim]]],
    constants: [weights('D', [dim])],
  };
}

function attention({ batch, heads, queries, keys, headDim, causal }) {
  const width = heads * headDim;
  const inputs = [
    ['q', [batch, queries, width]],
    ['k', [batch, keys, width]],
    ['v', [batch, keys, width]],
  ];
  const attributes = { num_heads: heads, ...(causal ? { unidirectional: 1 } : {}) };
  return single('MultiHeadAttention', inputs, [['y', [batch, queries, width]]], attributes, [], 'com.microsoft');
}

function conv2d({ batch, height, width, inputs, outputs, kernel, stride = 1, dilation = 1, padding, groups = 1 }) {
  const pad = padding ?? ((kernel - 1) * dilation) >> 1;
  const size = (n) => Math.floor((n + 2 * pad - dilation * (kernel - 1) - 1) / stride) + 1;
  return single(
    'Conv',
    [['x', [batch, inputs, height, width]]],
    [['y', [batch, outputs, size(height), size(width)]]],
    { group: groups, pads: [pad, pad, pad, pad], strides: [stride, stride], dilations: [dilation, dilation] },
    [
      ['weight', [outputs, inputs / groups, kernel, kernel]],
      ['bias', [outputs]],
    ],
  );
}

function rows(type, { rows: count, features }, attributes, constants) {
  return single(type, [['x', [count, features]]], [['y', [count, features]]], attributes, constants);
}

const builders = {
  matmul: ({ m, k, n, transposeA, transposeB }) =>
    single(
      'Gemm',
      [
        ['a', transposeA ? [k, m] : [m, k]],
        ['b', transposeB ? [n, k] : [k, n]],
      ],
      [['y', [m, n]]],
      { transA: Number(!!transposeA), transB: Number(!!transposeB) },
    ),
  linear: ({ rows: count, inputs, outputs }) =>
    single('Gemm', [['x', [count, inputs]]], [['y', [count, outputs]]], { transB: 1 }, [
      ['weight', [outputs, inputs]],
      ['bias', [outputs]],
    ]),
  attention,
  selective_scan: selectiveScan,
  layernorm: (shape) =>
    rows('LayerNormalization', shape, { axis: -1 }, [
      ['weight', [shape.features]],
      ['bias', [shape.features]],
    ]),
  rmsnorm: (shape) => rows('RMSNormalization', shape, { axis: -1 }, [['weight', [shape.features]]]),
  softmax: (shape) => rows('Softmax', shape, { axis: -1 }),
  log_softmax: (shape) => rows('LogSoftmax', shape, { axis: -1 }),
  conv2d,
  causal_conv1d: ({ batch, tokens, dim, width }) =>
    single('Conv', [['x', [batch, dim, tokens]]], [['y', [batch, dim, tokens]]], { group: dim, pads: [width - 1, 0] }, [
      ['weight', [dim, 1, width]],
      ['bias', [dim]],
    ]),
  unary: ({ function: name, count }) => {
    const [type, attributes, domain] = elementwise[name];
    return single(type, [['x', [count]]], [['y', [count]]], attributes, [], domain);
  },
};

/** { bytes, inputs, outputs } for a shape, or null: ONNX Runtime infers, so it knows no backward. */
export function build(shape) {
  if (shape.direction === 'backward' || !builders[shape.op]) return null;
  const parts = builders[shape.op](shape);
  const listed = (entries) => entries.map(([name, dims]) => value(name, dims));
  const bytes = model({ ...parts, inputs: listed(parts.inputs), outputs: listed(parts.outputs) });
  return { bytes, inputs: parts.inputs, outputs: parts.outputs };
}
