import { crossEntropy, Tensor } from '../src/index.js';
import type { TimedCase } from './harness.js';
import { backwardPass, forwardPass, random } from './passes.js';

function loss(rows: number, classes: number): TimedCase[] {
  const make = (): [Tensor, Tensor] => [
    random([rows, classes], 4),
    Tensor.from(Int32Array.from({ length: rows }, (_, i) => (i * 7) % classes)),
  ];
  const exps = rows * classes;
  return [
    {
      name: `forward ${rows}x${classes}`,
      setup: () => {
        const [logits, target] = make();
        return forwardPass(() => crossEntropy(logits, target));
      },
      work: { exps, bytes: 4 * exps + 4 * rows },
    },
    {
      name: `backward ${rows}x${classes}`,
      setup: () => {
        const [logits, target] = make();
        return backwardPass([logits], () => crossEntropy(logits, target));
      },
      work: { exps, bytes: 8 * exps + 4 * rows },
    },
  ];
}

export default [...loss(1 << 20, 5), ...loss(1 << 16, 64)];
