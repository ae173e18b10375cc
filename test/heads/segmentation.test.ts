import t from 'tap';
import { SegmentationHead, segmentationParameterCount } from '../../src/heads/segmentation.js';
import { conv2d, grad, groupNorm, matmul, memory, noGrad, scope, silu, slice, type Tensor, upsampleBilinear } from '../../src/index.js';
import { Initializer } from '../../src/nn/initializer.js';
import { add, mul } from '../../src/ops/binary.js';
import { sum } from '../../src/ops/reduce.js';
import { encoderConfig, encoderLevels } from '../../src/uam/image_encoder.js';
import type { ImageFeatures } from '../../src/uam/image_features.js';
import { onBackend, testBackends } from '../support/backends.js';
import { checkGradients } from '../support/directional.js';
import { doubledFeatures, randomFeatures } from '../support/images.js';
import { doubled, moved } from '../support/models.js';
import { relativeError, sameBits } from '../support/near.js';
import { randomTensor } from '../support/random.js';

const levels = encoderLevels(encoderConfig({ size: 'S' }));
const lossOf = (x: Tensor): Tensor => {
  const g = randomTensor(x.shape, 44);
  return sum(mul(x, x.dtype === 'float64' ? doubled(g) : g));
};

t.test('800,641 parameters', async (t) => {
  t.equal(segmentationParameterCount([32, 64, 128, 256]), 800641);
  const full = new SegmentationHead({ levels: encoderLevels(encoderConfig()) }, new Initializer(1));
  t.equal(full.parameterCount, 800641);
  const [first] = levels;
  for (const [list, regions] of [
    [levels, 3],
    [[first as (typeof levels)[number]], 1],
  ] as const) {
    const head = new SegmentationHead({ levels: list, regions }, new Initializer(1));
    t.equal(
      head.parameterCount,
      segmentationParameterCount(
        list.map(({ channels }) => channels),
        regions,
      ),
    );
    head.dispose();
  }
});

t.test('every size of image; one-pixel levels; images do not meet', async (t) => {
  const head = moved(new SegmentationHead({ levels, regions: 2 }, new Initializer(1)));
  for (const size of [
    [1, 1],
    [32, 32],
    [33, 70],
  ] as const) {
    const features = randomFeatures(levels, size, { count: 2 });
    const logits = noGrad(() => head.forward(features));
    t.same(logits.shape, [2, size[1], size[0], 2]);
    t.ok(logits.data.every(Number.isFinite));
    const second = {
      ...features,
      origin: new Float64Array(2),
      levels: features.levels.map((level) => ({ ...level, tensor: level.tensor.rows(1, 2) })),
    };
    const alone = noGrad(() => head.forward(second));
    t.ok(alone.data.every((value, i) => Math.abs(value - (logits.rows(1, 2).data[i] as number)) < 1e-4));
  }
  head.dispose();
});

t.test('two levels, written out', async (t) => {
  const two = levels.slice(0, 2);
  const head = moved(new SegmentationHead({ levels: two }, new Initializer(1)));
  const features = randomFeatures(two, [13, 24]);
  const p = Object.fromEntries(head.namedParameters()) as Record<string, Tensor>;
  const smooth = (x: Tensor, name: string) => {
    const norm = { weight: p[`${name}.norm.weight`], bias: p[`${name}.norm.bias`] };
    return silu(groupNorm(conv2d(x, p[`${name}.conv.weight`] as Tensor, { padding: 1 }), 8, norm));
  };
  const project = (x: Tensor, name: string) => add(matmul(x, p[`${name}.weight`] as Tensor), p[`${name}.bias`] as Tensor);
  const [fine, coarse] = features.levels.map(({ tensor }) => tensor) as [Tensor, Tensor];
  const expected = noGrad(() => {
    const below = upsampleBilinear(smooth(project(coarse, 'laterals.1'), 'levels.1'), [6, 4]);
    const sum = smooth(add(project(fine, 'laterals.0'), below), 'levels.0');
    return slice(upsampleBilinear(project(smooth(sum, 'last'), 'logits'), [24, 16]), [0, 0, 0], [1, 24, 13]);
  });
  const logits = noGrad(() => head.forward(features));
  t.same(logits.shape, [1, 24, 13, 1]);
  t.ok(relativeError(logits.data, expected.data) < 1e-5);
  head.dispose();
});

t.test('finite differences', async (t) => {
  const two = levels.slice(0, 2);
  const head = moved(new SegmentationHead({ levels: two }, new Initializer(1))).cast('float64');
  const features = doubledFeatures(randomFeatures(two, [7, 8]));
  const maps = features.levels.map(({ name, tensor }): [string, Tensor] => [name, tensor.requireGrad()]);
  checkGradients(t, [...maps, ...head.namedParameters()], () => lossOf(head.forward(features)));
  head.dispose();
});

t.test('1, 2 and 4 threads, recomputed: the same bits, less memory', async (t) => {
  const fastest = testBackends().at(-1);
  if (fastest?.backend !== 'cpu') return t.pass('# without the addon there is one thread');
  const head = moved(new SegmentationHead({ levels }, new Initializer(1)));
  const features: ImageFeatures = randomFeatures(levels, [90, 64]);
  const peaks: number[] = [];
  const once = (threads: number, recompute = false) =>
    onBackend(fastest, threads, () => {
      memory.trim();
      const before = memory.stats().liveBytes;
      const result = scope(() => {
        const logits = head.forward(features, { recompute });
        return [logits, ...grad(lossOf(logits), head.parameters())].map(({ data }) => data.slice());
      });
      peaks.push(memory.stats().peakBytes - before);
      return result;
    });
  const first = once(1);
  for (const [label, other] of Object.entries({ 2: once(2), 4: once(4), recomputed: once(2, true) })) {
    t.ok(
      first.every((data, i) => sameBits(data, other[i] as typeof data)),
      label,
    );
  }
  t.ok((peaks[3] as number) < (peaks[0] as number), `${peaks[3]} bytes recomputed, ${peaks[0]} kept`);
  head.dispose();
});

t.test('what cannot be', async (t) => {
  t.throws(() => new SegmentationHead({ levels, regions: 0 }, new Initializer(1)), { code: 'UAM_ARGUMENT', message: /regions/ });
  t.throws(() => new SegmentationHead({ levels: [] }, new Initializer(1)), { code: 'UAM_ARGUMENT', message: /level/ });
  const head = new SegmentationHead({ levels }, new Initializer(1));
  t.throws(() => head.forward(randomFeatures(levels.slice(0, 3), [32, 32])), {
    code: 'UAM_SHAPE',
    message: /encoder that the model was made for/,
  });
  head.dispose();
});
