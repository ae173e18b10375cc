import { kernel } from '../native/call.js';
import type { FloatArray } from '../tensor/arena.js';
import { activationFunction } from './activation.js';

export interface GemmParams {
  transposeA?: boolean;
  transposeB?: boolean;
  accumulate?: boolean;
  activation: number;
  batch: number;
  aBatch: number;
  bBatch: number;
  m: number;
  n: number;
  k: number;
  a: FloatArray;
  b: FloatArray;
  bias?: FloatArray;
  c: FloatArray;
  preActivation?: FloatArray;
}

/** c[i] = activation(op(a[i]) op(b[i]) + bias), or c[i] += op(a[i]) op(b[i]); the contract is native/kernels/gemm.h. */
export const gemm = kernel<GemmParams>('gemm', (p) => {
  const { f } = activationFunction(p.activation);
  const { m, n, k } = p;
  for (let i = 0; i < p.batch; i++) {
    const a = p.aBatch === 1 ? 0 : i * m * k;
    const b = p.bBatch === 1 ? 0 : i * k * n;
    for (let row = 0; row < m; row++) {
      for (let column = 0; column < n; column++) {
        const at = (i * m + row) * n + column;
        let total = p.accumulate ? (p.c[at] as number) : (p.bias?.[column] ?? 0);
        for (let t = 0; t < k; t++) {
          total +=
            (p.a[a + (p.transposeA ? t * m + row : row * k + t)] as number) *
            (p.b[b + (p.transposeB ? column * k + t : t * n + column)] as number);
        }
        if (p.preActivation) p.preActivation[at] = total;
        p.c[at] = f(total);
      }
    }
  }
});

/** One product without more: c = op(a) op(b), of `shape` [m, n, k]. */
export function product(
  a: FloatArray,
  b: FloatArray,
  c: FloatArray,
  [m, n, k]: [number, number, number],
  { transposeA = false, transposeB = false } = {},
): void {
  gemm({ transposeA, transposeB, activation: 0, batch: 1, aBatch: 1, bBatch: 1, m, n, k, a, b, c });
}
