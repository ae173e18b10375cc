// The linear layers of UAM-B (width 128, inner width 256, feed-forward 384, rank 8, state 16) over 8192 tokens.
const rows = 8192;

export const LINEAR_LAYERS = [
  { name: 'in_proj', rows, inputs: 128, outputs: 512 },
  { name: 'x_proj', rows, inputs: 256, outputs: 40 },
  { name: 'dt_proj', rows, inputs: 8, outputs: 256 },
  { name: 'out_proj', rows, inputs: 256, outputs: 128 },
  { name: 'qkvo', rows, inputs: 128, outputs: 128 },
  { name: 'gate', rows, inputs: 384, outputs: 8 },
  { name: 'ffn_in', rows, inputs: 128, outputs: 384 },
  { name: 'ffn_out', rows, inputs: 384, outputs: 128 },
] as const;
