import { gemm } from '../src/ops/gemm.js';
import type { TimedCase } from './harness.js';
import { random } from './passes.js';
import { LINEAR_LAYERS } from './uam_b.js';

/** The product alone: c [m, n] = op(a) op(b). */
function productCase(name: string, m: number, n: number, k: number, { transposeA = false, transposeB = false } = {}): TimedCase {
  return {
    name: `${name} ${m}x${n}x${k}${transposeA ? ' a^T' : ''}${transposeB ? ' b^T' : ''}`,
    setup: () => {
      const [a, b, c] = [random([m, k]), random([k, n], 1, 2), random([m, n])].map(({ data }) => data as Float32Array) as [
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      return () => gemm({ transposeA, transposeB, activation: 0, batch: 1, aBatch: 1, bBatch: 1, m, n, k, a, b, c });
    },
    work: { flops: 2 * m * n * k, bytes: 4 * (m * k + k * n + m * n) },
    peers: { op: 'matmul', m, k, n, transposeA, transposeB },
  };
}

const cases: TimedCase[] = [
  productCase('square', 1024, 1024, 1024),
  productCase('few rows', 128, 512, 512),
  productCase('narrow', 8192, 64, 64),
  productCase('small', 64, 64, 64),
  productCase('one row', 1, 512, 512, { transposeB: true }),
  // the gradients of a weight: k is the number of tokens
  ...LINEAR_LAYERS.map(({ name, rows, inputs, outputs }) =>
    productCase(`weight gradient ${name}`, outputs, inputs, rows, { transposeA: true }),
  ),
];

export default cases;
