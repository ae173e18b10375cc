import { customOp, type DataArray, Tensor } from '../../src/index.js';

/** [a, b, c] -> [a, c, b], elements copied. */
function swapInner(x: Tensor, outer: number, rows: number, columns: number, shape: readonly number[]): Tensor {
  const out = Tensor.empty(shape, x.dtype);
  const to: DataArray = out.data;
  for (let a = 0; a < outer; a++) {
    for (let b = 0; b < rows; b++) {
      for (let c = 0; c < columns; c++) to[(a * columns + c) * rows + b] = x.data[(a * rows + b) * columns + c] as number;
    }
  }
  return out;
}

/** The vectors' (N, C, ...) in this package's order, [N, ..., C]; gradients come back in the vectors' order. */
export function channelsLast(x: Tensor): Tensor {
  const [samples = 1, channels = 1, ...rest] = x.shape;
  const pixels = rest.reduce((a, b) => a * b, 1);
  return customOp(
    'channelsLast',
    [x],
    () => swapInner(x, samples, channels, pixels, [samples, ...rest, channels]),
    ([dOut]) => [swapInner(dOut as Tensor, samples, pixels, channels, x.shape)],
  );
}
