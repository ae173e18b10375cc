import t from 'tap';
import { type ConvOptions, conv2d, noGrad, Tensor } from '../../src/index.js';
import { nativeRuntime } from '../../src/native/device.js';
import { onBackend } from '../support/backends.js';
import { relativeError } from '../support/near.js';
import { randomTensor } from '../support/random.js';
import { type OpCase, testOp } from '../support/spec.js';

type Options = Omit<ConvOptions, 'bias'>;

interface ConvCase extends Options {
  x: [batch: number, height: number, width: number, inputs: number];
  outputs: number;
  kernel: number | [number, number];
  bias?: boolean;
}

function opCase({ x, outputs, kernel, bias = true, ...options }: ConvCase): OpCase {
  const [kernelHeight, kernelWidth] = typeof kernel === 'number' ? [kernel, kernel] : kernel;
  const inputs = {
    x: randomTensor(x, 1),
    weight: randomTensor([outputs, kernelHeight, kernelWidth, x[3] / (options.groups ?? 1)], 2),
    ...(bias ? { bias: randomTensor([outputs], 3) } : {}),
  };
  return {
    name: `x [${x}], ${outputs} outputs, kernel ${kernelHeight} x ${kernelWidth}, ${JSON.stringify(options)}${bias ? '' : ', no bias'}`,
    inputs,
    run: (tensors) => conv2d(tensors.x as Tensor, tensors.weight as Tensor, { bias: tensors.bias, ...options }),
  };
}

t.test('every kernel size, stride, padding and dilation', async (t) => {
  const cases: ConvCase[] = [];
  for (const kernel of [1, 3, 5, 7]) {
    for (const stride of [1, 2, 3]) cases.push({ x: [2, 9, 11, 3], outputs: 4, kernel, stride, padding: kernel >> 1 });
  }
  cases.push(
    { x: [1, 8, 8, 2], outputs: 3, kernel: 3, dilation: 2 },
    { x: [1, 9, 7, 2], outputs: 3, kernel: 3, dilation: 3, padding: 3, stride: 2 },
    { x: [1, 9, 9, 2], outputs: 3, kernel: 3, dilation: 2, stride: 4, padding: 1 },
    { x: [1, 12, 12, 2], outputs: 3, kernel: 2, stride: 5 }, // pixels between kernels get no gradient
    { x: [1, 8, 8, 3], outputs: 5, kernel: 4, stride: 4 },
    { x: [1, 7, 10, 2], outputs: 3, kernel: [1, 5], stride: [2, 1], padding: [0, 2] },
    { x: [1, 7, 10, 2], outputs: 3, kernel: [4, 2], stride: [1, 3], dilation: [2, 1], padding: [3, 0] },
    { x: [2, 4, 5, 3], outputs: 2, kernel: 3, bias: false },
    // kernels side by side, alone in one direction or the other, and nearly so
    { x: [2, 8, 12, 3], outputs: 18, kernel: 4, stride: 4 },
    { x: [1, 6, 8, 5], outputs: 17, kernel: [3, 2], stride: [1, 2], padding: [1, 0] },
    { x: [2, 6, 9, 3], outputs: 4, kernel: [2, 3], stride: [2, 1], dilation: [1, 2] },
    { x: [2, 1, 12, 3], outputs: 5, kernel: [1, 4], stride: [1, 4] },
    { x: [1, 5, 9, 4], outputs: 4, kernel: 2, stride: 2 },
    { x: [1, 6, 8, 6], outputs: 4, kernel: 2, stride: 2, groups: 2 },
  );
  testOp(t, cases.map(opCase));
});

t.test('channels around the vector width, as inputs and as outputs', async (t) => {
  const counts = [1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 49];
  testOp(
    t,
    counts.map((inputs) => opCase({ x: [1, 3, 5, inputs], outputs: 3, kernel: 3, padding: 1 })),
  );
  testOp(
    t,
    counts.map((outputs) => opCase({ x: [1, 3, 5, 2], outputs, kernel: 3, padding: 1 })),
  );
  testOp(
    t,
    counts.map((outputs) => opCase({ x: [2, 3, 5, 6], outputs, kernel: 1 })),
  );
});

t.test('widths around the register tile', async (t) => {
  testOp(
    t,
    [1, 2, 5, 6, 7, 11, 12, 13, 25].map((width) => opCase({ x: [1, 2, width, 3], outputs: 4, kernel: 3, padding: 1 })),
  );
});

t.test('images of one pixel, kernels larger than the image, empty batches', async (t) => {
  testOp(t, [
    opCase({ x: [1, 1, 1, 3], outputs: 4, kernel: 1 }),
    opCase({ x: [1, 1, 1, 3], outputs: 4, kernel: 7, padding: 3 }),
    opCase({ x: [1, 1, 9, 3], outputs: 4, kernel: 3, padding: 1 }),
    opCase({ x: [1, 9, 1, 3], outputs: 4, kernel: 3, padding: 1, stride: 2 }),
    opCase({ x: [2, 2, 3, 3], outputs: 4, kernel: 5, padding: 4 }),
    opCase({ x: [1, 2, 2, 2], outputs: 2, kernel: 1, padding: 3 }), // most positions see padding only
    opCase({ x: [1, 2, 2, 2], outputs: 2, kernel: 1, padding: 5, stride: 5 }), // all of them do
    opCase({ x: [0, 4, 4, 3], outputs: 4, kernel: 3, padding: 1 }),
    opCase({ x: [2, 4, 4, 3], outputs: 0, kernel: 3, padding: 1 }),
    opCase({ x: [2, 4, 4, 0], outputs: 3, kernel: 3, padding: 1 }),
  ]);
});

t.test('groups, from two to one for every channel', async (t) => {
  testOp(t, [
    opCase({ x: [2, 5, 6, 6], outputs: 4, kernel: 3, padding: 1, groups: 2 }),
    opCase({ x: [1, 5, 6, 6], outputs: 9, kernel: 3, padding: 1, groups: 3, stride: 2, dilation: 2 }),
    opCase({ x: [1, 5, 6, 4], outputs: 8, kernel: 3, groups: 4 }), // two outputs from each input
    opCase({ x: [1, 5, 6, 8], outputs: 4, kernel: 1, groups: 4 }),
    opCase({ x: [1, 4, 5, 68], outputs: 70, kernel: 3, padding: 1, groups: 2 }),
  ]);
});

t.test('many pixels and many channels: several tasks, panels and shares of the weight gradient', async (t) => {
  const large = (conv: ConvCase): OpCase => ({ ...opCase(conv), skipFiniteDifferences: true, tolerance: 4e-6, gradTolerance: 1e-5 });
  testOp(t, [
    large({ x: [1, 48, 30, 8], outputs: 70, kernel: 3, padding: 1 }),
    large({ x: [2, 12, 30, 16], outputs: 40, kernel: 3, padding: 1, stride: 2 }),
    large({ x: [1, 5, 1100, 3], outputs: 6, kernel: 3, padding: 1 }),
    large({ x: [3, 30, 31, 20], outputs: 35, kernel: 1 }),
    large({ x: [1, 4, 4, 200], outputs: 100, kernel: 3, padding: 1 }),
  ]);
});

t.test('tiles of kernels of 3 x 3: odd sizes, any padding, channels around the vectors, batches, many tasks', async (t) => {
  const tiled = (conv: ConvCase): OpCase => ({ ...opCase(conv), skipFiniteDifferences: true });
  testOp(t, [
    tiled({ x: [1, 12, 14, 32], outputs: 32, kernel: 3, padding: 1 }),
    tiled({ x: [1, 13, 11, 33], outputs: 47, kernel: 3, padding: 1 }),
    tiled({ x: [2, 9, 10, 40], outputs: 49, kernel: 3, bias: false }),
    tiled({ x: [1, 7, 12, 36], outputs: 65, kernel: 3, padding: 2 }),
    tiled({ x: [1, 4, 13, 32], outputs: 32, kernel: 3, padding: [4, 3] }), // rows and columns that see padding only
    tiled({ x: [7, 3, 3, 34], outputs: 32, kernel: 3, padding: 1 }),
    tiled({ x: [1, 11, 18, 128], outputs: 72, kernel: 3, padding: 1 }),
    tiled({ x: [1, 37, 66, 32], outputs: 32, kernel: 3, padding: 1 }), // shares of the weight gradient
    tiled({ x: [1, 11, 12, 32], outputs: 200, kernel: 3, padding: 1 }),
  ]);
});

t.test('NaN and infinities reach exactly the outputs that see them', async (t) => {
  const spoilt = (value: number): OpCase => {
    const made = opCase({ x: [1, 6, 7, 3], outputs: 20, kernel: 3, padding: 1 });
    (made.inputs.x as Tensor).data[3 * (7 * 2 + 3) + 1] = value;
    return { ...made, name: `x with ${value}`, skipFiniteDifferences: true };
  };
  testOp(t, [spoilt(Number.NaN), spoilt(Number.POSITIVE_INFINITY), spoilt(Number.NEGATIVE_INFINITY)]);

  // Tiles of 3 x 3 kernels share their sums, in which such values would hide their neighbours or overflow.
  const inTiles = (input: 'x' | 'weight', value: number): OpCase => {
    const made = opCase({ x: [1, 12, 14, 32], outputs: 32, kernel: 3, padding: 1, bias: false });
    const data = (made.inputs[input] as Tensor).data;
    data[32 * (input === 'x' ? 14 * 5 + 6 : 9 * 3 + 4) + 1] = value;
    return { ...made, name: `tiles, ${input} with ${value}`, skipFiniteDifferences: true };
  };
  testOp(t, [
    ...[Number.NaN, Number.POSITIVE_INFINITY, 3e38, -2e12].map((value) => inTiles('x', value)),
    ...[3e38, -2e12].map((value) => inTiles('weight', value)),
  ]);
});

t.test('a large value leaves the targets alone that do not see it', { skip: nativeRuntime() ? false : 'no addon' }, async (t) => {
  const weight = randomTensor([32, 3, 3, 32], 2);
  const x = randomTensor([1, 12, 14, 32], 1);
  const outputs = (value: number) => {
    x.data[32 * (14 * 5 + 6)] = value;
    return onBackend({ name: 'cpu', backend: 'cpu' }, 2, () => noGrad(() => conv2d(x, weight, { padding: 1 }).data.slice()));
  };
  const unseen = (data: ArrayLike<number>) =>
    Array.from({ length: 12 * 14 * 32 }, (_, i) => {
      const pixel = Math.floor(i / 32);
      return Math.abs(Math.floor(pixel / 14) - 5) <= 1 && Math.abs((pixel % 14) - 6) <= 1 ? 0 : (data[i] as number);
    });
  t.ok(relativeError(unseen(outputs(1e13)), unseen(outputs(0))) < 1e-6);
  // of the size that a network holds, in the sums of a tile it costs no more than it would in one target's
  t.ok(relativeError(unseen(outputs(30)), unseen(outputs(0))) < 1e-5);
});

t.test('the depthwise kernels agree with the dense ones', { skip: nativeRuntime() ? false : 'no addon' }, async (t) => {
  const channels = 20;
  const x = randomTensor([2, 9, 12, channels], 5);
  const weight = randomTensor([channels, 3, 3, 1], 6);
  const dense = Tensor.zeros([channels, 3, 3, channels]);
  for (let c = 0; c < channels; c++)
    for (let tap = 0; tap < 9; tap++) dense.data[(c * 9 + tap) * channels + c] = weight.data[c * 9 + tap] as number;
  onBackend({ name: 'cpu', backend: 'cpu' }, 2, () =>
    noGrad(() => {
      const options = { padding: 1, stride: 2 };
      const expected = conv2d(x, dense, options).data;
      t.ok(relativeError(conv2d(x, weight, { ...options, groups: channels }).data, expected) < 1e-6);
    }),
  );
});

t.test('impossible shapes and options are refused with the reason', async (t) => {
  const x = randomTensor([1, 4, 4, 6], 1);
  const weight = randomTensor([4, 3, 3, 6], 2);
  const refused = (code: string, message: RegExp, run: () => unknown) => t.throws(run, { name: 'UamError', code, message });
  refused('UAM_SHAPE', /kernel of height 3 .* does not fit an image of height 2 with padding 0/, () =>
    conv2d(randomTensor([1, 2, 4, 6], 1), weight),
  );
  refused('UAM_SHAPE', /reaches over 5 with dilation 2/, () => conv2d(x, weight, { dilation: 2 }));
  refused('UAM_SHAPE', /weight must be \[outputs, kernelHeight, kernelWidth, 3\]/, () => conv2d(x, weight, { groups: 2 }));
  refused('UAM_SHAPE', /6 channels of x cannot be split into 4 groups/, () => conv2d(x, weight, { groups: 4 }));
  refused('UAM_SHAPE', /outputs must be divisible by the 3 groups/, () => conv2d(x, randomTensor([4, 3, 3, 2], 2), { groups: 3 }));
  refused('UAM_SHAPE', /bias must be \[4\]/, () => conv2d(x, weight, { bias: randomTensor([3], 1) }));
  refused('UAM_SHAPE', /x must be \[batch, height, width, channels\]/, () => conv2d(randomTensor([4, 4, 6], 1), weight));
  refused('UAM_ARGUMENT', /stride must be an integer >= 1/, () => conv2d(x, weight, { stride: 0 }));
  refused('UAM_ARGUMENT', /padding must be an integer >= 0/, () => conv2d(x, weight, { padding: [1, -1] }));
  refused('UAM_ARGUMENT', /unknown option 'strides'/, () => conv2d(x, weight, { strides: 2 } as Options));
  refused('UAM_DTYPE', /float/, () => conv2d(x, Tensor.from(new Int32Array(4 * 9 * 6), [4, 3, 3, 6])));
});
