import t from 'tap';
import { type MoeRouteOptions, moeFfn, Tensor } from '../../src/index.js';
import { randomTensor } from '../support/random.js';
import { type OpCase, type Tensors, testOp } from '../support/spec.js';

const call = ({ x, gate, w1, b1, w2, b2 }: Tensors, options: MoeRouteOptions) =>
  moeFfn(x as Tensor, gate as Tensor, w1 as Tensor, b1, w2 as Tensor, b2, options);

function ffnCase(tokens: number, width: number, hidden: number, experts: number, options: MoeRouteOptions, biased = true): OpCase {
  return {
    name: `${tokens} tokens of ${width}, hidden ${hidden}, ${experts} experts, ${JSON.stringify(options)}${biased ? '' : ', no bias'}`,
    inputs: {
      x: randomTensor([tokens, width], 1),
      gate: randomTensor([experts, width], 2, -2, 2),
      w1: randomTensor([experts, hidden, width], 3),
      w2: randomTensor([experts, width, hidden], 4),
      ...(biased && { b1: randomTensor([experts, hidden], 5), b2: randomTensor([experts, width], 6) }),
    },
    run: (inputs) => {
      const { out, loadBalance, zLoss } = call(inputs, options);
      return { out, loadBalance, zLoss };
    },
    onHost: options.capacity !== undefined, // which choices stay is counted on the CPU
  };
}

t.test('routing, experts and weights together; gradients of all of them', async (t) => {
  testOp(t, [
    ffnCase(13, 8, 12, 4, { k: 2, renormalize: true }),
    ffnCase(13, 8, 12, 4, { k: 2, renormalize: true, capacity: 5 }),
    ffnCase(17, 5, 7, 3, { k: 1, capacity: 4 }),
    ffnCase(17, 5, 7, 3, { k: 3 }, false),
    ffnCase(1, 1, 1, 1, { k: 1 }),
    ffnCase(0, 4, 4, 2, { k: 1 }),
  ]);
});

t.test('an expert that nobody chose gets zero gradients, and one that is broken harms nobody else', async (t) => {
  const inputs = ffnCase(3, 2, 2, 2, { k: 1 }).inputs;
  const gate = Tensor.from([1, 0, -1, 0], [2, 2]); // expert 0 where x[0] > 0
  const x = Tensor.from([1, 2, 3, 4, 5, 6], [3, 2]);
  const w2 = Tensor.from([1, 2, 3, 4, Number.NaN, 1, 1, 1], [2, 2, 2]);
  testOp(t, [
    {
      name: 'expert 1 idle',
      inputs: { ...inputs, x, gate, w2 },
      run: (all) => call(all, { k: 1 }).out,
      wrt: ['w1', 'w2', 'b1', 'b2'],
      skipFiniteDifferences: true,
    },
  ]);
});

t.test('bad input is refused in words', async (t) => {
  const { inputs } = ffnCase(3, 2, 4, 2, { k: 1 });
  t.throws(() => call({ ...inputs, w2: inputs.w1 as Tensor }, { k: 1 }), { code: 'UAM_SHAPE', message: /moeFfn: w2 must be \[2, 2, 4\]/ });
  t.throws(() => call({ ...inputs, gate: Tensor.zeros([2, 3]) }, { k: 1 }), { code: 'UAM_SHAPE' });
  t.throws(() => call({ ...inputs, b1: Tensor.zeros([2, 3]) }, { k: 1 }), { code: 'UAM_SHAPE' });
  t.throws(() => call(inputs, { k: 3 }), { code: 'UAM_ARGUMENT' });
});
