// The computations that peers are asked for, in our layout: channels last, float32. bench/peers/README.md says what each peer does
// with them; a peer that does not know an op answers so and is left out of the table.

interface Directed {
  /** 'backward' times the gradients alone, the forward pass having run. Default 'forward'. */
  direction?: 'forward' | 'backward';
}

/** How factors are rounded on a card (setMatmulPrecision). Default 'float32'. */
interface Rounded {
  precision?: 'float32' | 'tf32' | 'bf16';
}

/** a [m, k] times b [k, n]. */
export interface MatmulShape extends Rounded {
  op: 'matmul';
  m: number;
  k: number;
  n: number;
  transposeA?: boolean;
  transposeB?: boolean;
}

/** y [rows, outputs] = x [rows, inputs] weight[outputs, inputs]^T + bias. */
export interface LinearShape extends Directed {
  op: 'linear';
  rows: number;
  inputs: number;
  outputs: number;
}

/** Self attention over `batch` sequences of `queries` x `keys`, without a mask unless causal. */
export interface AttentionShape extends Directed, Rounded {
  op: 'attention';
  batch: number;
  heads: number;
  queries: number;
  keys: number;
  headDim: number;
  causal?: boolean;
}

/** u, delta [batch, tokens, dim]; A [dim, state]; B, C [batch, tokens, state]; D [dim]; softplus on delta. */
export interface SelectiveScanShape extends Directed {
  op: 'selective_scan';
  batch: number;
  tokens: number;
  dim: number;
  state: number;
  /** Gated by silu(z), as in Mamba. */
  gated?: boolean;
}

/** x [rows, features], over the features. */
export interface RowsShape extends Directed {
  op: 'layernorm' | 'rmsnorm' | 'softmax' | 'log_softmax';
  rows: number;
  features: number;
}

/** x [batch, height, width, inputs], weight [outputs, kernel, kernel, inputs / groups]; same padding unless given. */
export interface Conv2dShape extends Directed {
  op: 'conv2d';
  batch: number;
  height: number;
  width: number;
  inputs: number;
  outputs: number;
  kernel: number;
  stride?: number;
  padding?: number;
  dilation?: number;
  groups?: number;
}

/** x [batch, tokens, dim], weight [dim, width], padded on the left. */
export interface CausalConv1dShape extends Directed {
  op: 'causal_conv1d';
  batch: number;
  tokens: number;
  dim: number;
  width: number;
}

/** y[i] = f(x[i]). */
export interface UnaryShape extends Directed {
  op: 'unary';
  function: 'exp' | 'log' | 'sqrt' | 'tanh' | 'sigmoid' | 'silu' | 'softplus' | 'relu' | 'gelu_erf' | 'gelu_tanh';
  count: number;
}

/** The whole model (Amamba): `cells` in `tiles` equal tiles; one prediction, or one step of training. */
export interface UamShape extends Rounded {
  op: 'uam';
  size: 'S' | 'B';
  tokens: 'feature' | 'cell';
  cells: number;
  tiles: number;
  features: number;
  mode: 'predict' | 'train';
}

export type PeerShape =
  | MatmulShape
  | LinearShape
  | AttentionShape
  | SelectiveScanShape
  | RowsShape
  | Conv2dShape
  | CausalConv1dShape
  | UnaryShape
  | UamShape;
