import t from 'tap';
import { conv2d, type Tensor } from '../../src/index.js';
import { randomTensor } from '../support/random.js';
import { type OpCase, testOp } from '../support/spec.js';

interface Options {
  stride?: number;
  padding?: number;
  dilation?: number;
}

// conv2d takes the depthwise kernels where every channel is a group
function opCase(shape: [number, number, number, number], kernel: number, options: Options = {}): OpCase {
  const channels = shape[3];
  return {
    name: `x [${shape}], kernel ${kernel}, ${JSON.stringify(options)}`,
    inputs: { x: randomTensor(shape, 1), weight: randomTensor([channels, kernel, kernel, 1], 2), bias: randomTensor([channels], 3) },
    run: ({ x, weight, bias }) => conv2d(x as Tensor, weight as Tensor, { bias, groups: channels, ...options }),
  };
}

t.test('channels around the vector width', async (t) => {
  testOp(
    t,
    [1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 32, 33, 40].map((channels) => opCase([1, 5, 6, channels], 3, { padding: 1 })),
  );
});

t.test('every kernel size, stride and dilation, and widths around the tile of targets', async (t) => {
  testOp(
    t,
    [1, 2, 3, 4, 5, 7, 9].map((kernel) => opCase([1, 11, 21, 5], kernel, { padding: kernel >> 1 })),
  );
  testOp(
    t,
    [1, 2, 3, 4].map((stride) => opCase([1, 10, 13, 3], 3, { padding: 1, stride })),
  );
  testOp(
    t,
    [2, 3].map((dilation) => opCase([1, 10, 13, 3], 3, { padding: dilation, dilation })),
  );
  testOp(
    t,
    [1, 3, 8, 9, 10, 11, 18].map((width) => opCase([1, 3, width, 2], 7, { padding: 3 })),
  );
  testOp(t, [opCase([1, 9, 9, 3], 2, { stride: 4 }), opCase([1, 9, 9, 3], 3, { stride: 2, dilation: 2, padding: 3 })]);
});

t.test('one pixel, a kernel larger than the image, padding alone, an empty batch', async (t) => {
  testOp(t, [
    opCase([1, 1, 1, 5], 1),
    opCase([1, 1, 1, 5], 7, { padding: 3 }),
    opCase([2, 2, 3, 5], 5, { padding: 4 }),
    opCase([1, 2, 2, 5], 1, { padding: 5, stride: 5 }),
    opCase([0, 4, 4, 5], 3, { padding: 1 }),
  ]);
});

t.test('many strips', async (t) => {
  testOp(t, [{ ...opCase([2, 50, 60, 24], 3, { padding: 1 }), skipFiniteDifferences: true, gradTolerance: 1e-5 }]);
});

t.test('NaN and infinities reach exactly the outputs that see them', async (t) => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
    const made = opCase([1, 8, 12, 18], 3, { padding: 1 });
    (made.inputs.x as Tensor).data[18 * (12 * 3 + 5) + 17] = value;
    testOp(t, [{ ...made, name: `x with ${value}`, skipFiniteDifferences: true }]);
  }
});
