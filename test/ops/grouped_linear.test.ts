import t from 'tap';
import { groupedLinear, Tensor } from '../../src/index.js';
import { randomTensor } from '../support/random.js';
import { testOp } from '../support/spec.js';

t.test('groups of any size, empty ones too', async (t) => {
  for (const [list, inputs, outputs] of [
    [[0, 3, 3, 8], 5, 7],
    [[0, 0, 0], 2, 3],
    [[0, 40], 9, 33],
    [[0], 2, 3],
    [[0, 1, 2, 60, 61], 12, 20],
    [[0, 300, 340], 16, 8],
  ] as [number[], number, number][]) {
    const offsets = Tensor.from(Int32Array.from(list));
    const groups = list.length - 1;
    const x = randomTensor([list.at(-1) as number, inputs], 1);
    const [weight, bias] = [randomTensor([groups, outputs, inputs], 2), randomTensor([groups, outputs], 3)];
    for (const activation of ['none', 'geluTanh'] as const) {
      testOp(t, [
        {
          name: `offsets [${list}], ${activation}`,
          inputs: { x, weight, bias },
          run: (tensors) => groupedLinear(tensors.x as Tensor, tensors.weight as Tensor, tensors.bias, offsets, { activation }),
        },
      ]);
    }
    testOp(t, [
      {
        name: `offsets [${list}] without bias`,
        inputs: { x, weight },
        run: (tensors) => groupedLinear(tensors.x as Tensor, tensors.weight as Tensor, undefined, offsets),
      },
    ]);
  }
});

t.test('offsets that are not those of the rows are refused', async (t) => {
  const [x, weight] = [randomTensor([4, 2], 1), randomTensor([2, 3, 2], 2)];
  for (const bad of [
    [0, 5, 4],
    [1, 2, 4],
    [0, 2, 3],
    [0, -1, 4],
  ]) {
    t.throws(() => groupedLinear(x, weight, undefined, Tensor.from(Int32Array.from(bad))), {
      code: 'UAM_ARGUMENT',
      message: /start at 0, never fall and end at 4/,
    });
  }
  t.throws(() => groupedLinear(x, weight, undefined, Tensor.from(Int32Array.of(0, 4))), { code: 'UAM_SHAPE' });
  t.throws(() => groupedLinear(x, weight, randomTensor([3], 1), Tensor.from(Int32Array.of(0, 2, 4))), { code: 'UAM_SHAPE' });
});
