import t from 'tap';
import { type AdamwOptions, adamwState, adamwStep, Tensor, UamError } from '../../src/index.js';
import { onBackend, testBackends } from '../support/backends.js';
import { relativeError, sameBits } from '../support/near.js';
import { randomTensor } from '../support/random.js';

/** Three steps from a random start; the parameter and both moments after them. */
function train(sizes: readonly number[], options: AdamwOptions & { amsgrad?: boolean }, float64 = false): Tensor[] {
  const { amsgrad, ...stepOptions } = options;
  const random = (n: number, seed: number) => {
    const values = randomTensor([n], seed, -1, 1);
    return float64 ? Tensor.from(Float64Array.from(values.data)) : values;
  };
  const parameters = sizes.map((n, i) => random(n, i + 1));
  const state = adamwState(parameters, { amsgrad });
  for (let step = 1; step <= 3; step++) {
    adamwStep(
      parameters,
      sizes.map((n, i) => random(n, 100 * step + i)),
      state,
      stepOptions,
    );
  }
  return [...parameters, ...state.m, ...state.v, ...(state.vMax ?? [])];
}

t.test('lengths around the vector and the block, against float64, the same bits for any number of threads', async (t) => {
  const sizes = [0, ...Array.from({ length: 18 }, (_, i) => i + 1), 31, 33, 16383, 16384, 16385, 40000];
  for (const options of [
    { learningRate: 0.01, weightDecay: 0.1 },
    { amsgrad: true, clipNorm: 0.5 },
    { betas: [0, 0.5] as const, weightDecay: sizes.map((n) => n % 3) },
  ]) {
    const expected = onBackend({ name: 'oracle', backend: 'reference' }, 1, () => train(sizes, options, true));
    for (const backend of testBackends()) {
      const one = onBackend(backend, 1, () => train(sizes, options));
      const worst = Math.max(...one.map((tensor, i) => relativeError(tensor.data, (expected[i] as Tensor).data, 1e-6)));
      t.ok(worst < 1e-6, `${backend.name}: ${JSON.stringify(Object.keys(options))} off by ${worst.toExponential(1)}`);
      for (const threads of [2, 4]) {
        const many = onBackend(backend, threads, () => train(sizes, options));
        t.ok(
          many.every((tensor, i) => sameBits(tensor.data, (one[i] as Tensor).data)),
          `${threads} threads`,
        );
      }
    }
  }
});

t.test('a minimum is found', async (t) => {
  const weight = Tensor.from([3, -2]);
  const state = adamwState([weight]);
  for (let step = 0; step < 400; step++) {
    const gradient = Tensor.from(Array.from(weight.data, (value, i) => 2 * (value - (i + 1))));
    adamwStep([weight], [gradient], state, { learningRate: 0.05, weightDecay: 0 });
  }
  t.ok(relativeError(weight.data, [1, 2]) < 1e-3);
});

t.test('the norm is that of all gradients together, and clipping reaches them all', async (t) => {
  const parameters = [Tensor.zeros([1]), Tensor.zeros([1])];
  const state = adamwState(parameters);
  const gradients = [Tensor.from([30]), Tensor.from([-40])];
  t.equal(adamwStep(parameters, gradients, state, { clipNorm: 5 }), 50);
  t.ok(relativeError([state.m[0]?.data[0] as number, state.m[1]?.data[0] as number], [0.3, -0.4]) < 1e-6);
  t.same(
    gradients.map((gradient) => gradient.item()),
    [30, -40],
    'gradients are left as they were',
  );
});

t.test('a parameter without a gradient stays as it is', async (t) => {
  const parameters = [Tensor.from([1]), Tensor.from([1])];
  adamwStep(parameters, [undefined, Tensor.from([1])], adamwState(parameters));
  t.equal(parameters[0]?.item(), 1);
  t.not(parameters[1]?.item(), 1);
});

t.test('gradients that are not finite are refused by name, and nothing is updated', async (t) => {
  for (const backend of testBackends()) {
    onBackend(backend, 2, () => {
      for (const bad of [Number.NaN, Infinity, -Infinity]) {
        const parameters = [Tensor.from([1]), Tensor.from([1, 2])];
        const state = adamwState(parameters);
        t.throws(() => adamwStep(parameters, [Tensor.from([1]), Tensor.from([0, bad])], state, { names: ['a.weight', 'b.weight'] }), {
          code: 'UAM_NONFINITE',
          message: `adamwStep: the gradient of parameter b.weight has norm ${Math.abs(bad)}; nothing was updated`,
        });
        t.same([state.step, ...(parameters[0] as Tensor).data, ...(state.m[0] as Tensor).data], [0, 1, 0], backend.name);
      }
    });
  }
});

t.test('bad input is refused in words', async (t) => {
  const parameters = [Tensor.zeros([2])];
  const gradients = [Tensor.zeros([2])];
  const state = adamwState(parameters);
  const wrong = (options: object) => () => adamwStep(parameters, gradients, state, options);
  t.throws(wrong({ learningRate: Number.NaN }), {
    code: 'UAM_ARGUMENT',
    message: /learningRate must be a finite number >= 0, received NaN/,
  });
  t.throws(wrong({ betas: [0.9, 1] }), { code: 'UAM_ARGUMENT' });
  t.throws(wrong({ weightDecay: [0, 0] }), { code: 'UAM_ARGUMENT' });
  t.throws(wrong({ clipNorm: 0 }), { code: 'UAM_ARGUMENT' });
  t.throws(wrong({ lr: 1 }), /unknown option 'lr'/);
  t.throws(() => adamwStep(parameters, [], state), UamError);
  t.throws(() => adamwStep(parameters, [Tensor.zeros([3])], state), { code: 'UAM_SHAPE' });
  t.equal(state.step, 0);
});
