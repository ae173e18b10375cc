import t from 'tap';
import { grad, memory, noGrad, scope, Tensor } from '../../src/index.js';
import { Initializer } from '../../src/nn/initializer.js';
import { add, mul } from '../../src/ops/binary.js';
import { sum } from '../../src/ops/reduce.js';
import { geluErf } from '../../src/ops/unary.js';
import { encoderConfig, encoderParameterCount, ImageEncoder } from '../../src/uam/image_encoder.js';
import { checkLevels, type ImageBatch, type ImageFeatures, imageBatch, PIXEL_SCALE } from '../../src/uam/image_features.js';
import { onBackend, testBackends } from '../support/backends.js';
import { checkGradients } from '../support/directional.js';
import { noiseImage } from '../support/images.js';
import { doubled, moved } from '../support/models.js';
import { relativeError, sameBits } from '../support/near.js';
import { randomTensor } from '../support/random.js';

const SMALL = { channels: [4, 6], depths: [1, 1] };
const small = () => moved(new ImageEncoder(encoderConfig(SMALL), new Initializer(3)));
const inDoubles = (batch: ImageBatch): ImageBatch => ({ ...batch, pixels: doubled(batch.pixels) });

t.test('1,899,872 parameters, and what is counted is what there is', async (t) => {
  t.equal(encoderParameterCount(encoderConfig()), 1899872);
  for (const options of [{}, { size: 'S' as const }, SMALL, { channels: [3], depths: [0] }]) {
    const config = encoderConfig(options);
    const encoder = new ImageEncoder(config, new Initializer(1));
    t.equal(encoder.parameterCount, encoderParameterCount(config), JSON.stringify(config));
    encoder.dispose();
  }
  const encoder = new ImageEncoder(encoderConfig(), new Initializer(1));
  t.same(encoder.levels, [
    { name: 'res2', stride: 4, channels: 32 },
    { name: 'res3', stride: 8, channels: 64 },
    { name: 'res4', stride: 16, channels: 128 },
    { name: 'res5', stride: 32, channels: 256 },
  ]);
  const names = encoder.namedParameters().map(([name]) => name);
  t.ok(names.includes('stages.2.blocks.3.depthwise.weight') && names.includes('stages.0.conv.weight'));
  const decays = new Map(names.map((name, i) => [name, encoder.decays()[i]]));
  t.same(
    ['stages.0.blocks.0.scale', 'stages.0.norm.weight', 'stages.0.conv.bias', 'stages.0.conv.weight'].map((name) => decays.get(name)),
    [false, false, false, true],
  );
  encoder.dispose();
});

t.test('one block, by its definition', async (t) => {
  const encoder = moved(new ImageEncoder(encoderConfig({ channels: [2], depths: [1] }), new Initializer(3))).cast('float64');
  const p = Object.fromEntries(encoder.namedParameters()) as Record<string, Tensor>;
  const at = (name: string, i: number) => (p[name] as Tensor).data[i] as number;
  const batch = inDoubles(imageBatch([noiseImage(12, 8, 4)], { multiple: 4 }));
  const pixel = (y: number, x: number, c: number) => batch.pixels.data[(y * 12 + x) * 3 + c] as number;
  const norm = (values: number[], name: string) => {
    const mean = values.reduce((a, b) => a + b) / values.length;
    const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
    return values.map((value, c) => ((value - mean) / Math.sqrt(variance + 1e-6)) * at(`${name}.weight`, c) + at(`${name}.bias`, c));
  };
  const stem = Array.from({ length: 2 * 3 }, (_, i) => {
    const [oy, ox] = [Math.floor(i / 3), i % 3];
    const values = [0, 1].map((o) => {
      let total = at('stages.0.conv.bias', o);
      for (let k = 0; k < 48; k++) {
        const [y, x, channel] = [Math.floor(k / 12), Math.floor(k / 3) % 4, k % 3];
        total += at('stages.0.conv.weight', o * 48 + k) * pixel(4 * oy + y, 4 * ox + x, channel);
      }
      return total;
    });
    return norm(values, 'stages.0.norm');
  });
  const block = 'stages.0.blocks.0';
  const expected = stem.map((own, i) => {
    const [oy, ox] = [Math.floor(i / 3), i % 3];
    const filtered = [0, 1].map((c) => {
      let total = at(`${block}.depthwise.bias`, c);
      for (let ky = 0; ky < 7; ky++) {
        for (let kx = 0; kx < 7; kx++) {
          const [y, x] = [oy + ky - 3, ox + kx - 3];
          if (y >= 0 && y < 2 && x >= 0 && x < 3)
            total += at(`${block}.depthwise.weight`, c * 49 + ky * 7 + kx) * (stem[y * 3 + x]?.[c] as number);
        }
      }
      return total;
    });
    const normed = norm(filtered, `${block}.norm`);
    const inner = Array.from({ length: 8 }, (_, j) =>
      normed.reduce((total, value, c) => total + value * at(`${block}.expand.weight`, c * 8 + j), at(`${block}.expand.bias`, j)),
    );
    const active = [...noGrad(() => geluErf(Tensor.from(Float64Array.from(inner)))).data];
    return own.map((value, c) => {
      const branch = active.reduce((total, a, j) => total + a * at(`${block}.reduce.weight`, j * 2 + c), at(`${block}.reduce.bias`, c));
      return value + at(`${block}.scale`, c) * branch;
    });
  });
  const { levels } = noGrad(() => encoder.forward(batch));
  t.ok(relativeError(levels[0]?.tensor.data as Float64Array, Float64Array.from(expected.flat())) < 1e-13);
  encoder.dispose();
});

const lossOf = ({ levels }: ImageFeatures): Tensor =>
  levels
    .map(({ tensor }, i) => {
      const g = randomTensor(tensor.shape, 90 + i);
      return sum(mul(tensor, tensor.dtype === 'float64' ? doubled(g) : g));
    })
    .reduce((a, b) => add(a, b));

t.test('finite differences', async (t) => {
  const encoder = small().cast('float64');
  const batch = inDoubles(imageBatch([noiseImage(9, 17, 4), noiseImage(9, 17, 5)], { multiple: 8 }));
  checkGradients(t, encoder.namedParameters(), () => lossOf(encoder.forward(batch)));
  encoder.dispose();
});

t.test('any size: levels cover the image; one-pixel levels; images do not meet', async (t) => {
  const encoder = new ImageEncoder(encoderConfig({ size: 'S' }), new Initializer(3));
  for (const [width, height] of [
    [1, 1],
    [32, 32],
    [33, 31],
    [100, 5],
  ] as const) {
    const both = imageBatch([noiseImage(width, height, 1), noiseImage(width, height, 2)]);
    const { levels } = noGrad(() => encoder.forward(both));
    const padded = [Math.ceil(height / 32) * 32, Math.ceil(width / 32) * 32] as const;
    t.same(
      levels.map(({ tensor }) => tensor.shape),
      [4, 8, 16, 32].map((stride, i) => [2, padded[0] / stride, padded[1] / stride, 16 * 2 ** i]),
      `${width} x ${height}`,
    );
    const second = noGrad(() => encoder.forward(imageBatch([noiseImage(width, height, 2)])));
    levels.forEach(({ tensor }, i) => {
      const alone = second.levels[i]?.tensor as Tensor;
      t.ok(relativeError(tensor.rows(1, 2).data, alone.data) < 1e-5);
    });
  }
  encoder.dispose();
});

t.test('1, 2 and 4 threads, a second run, recomputed: the same bits', async (t) => {
  const fastest = testBackends().at(-1);
  if (fastest?.backend !== 'cpu') return t.pass('# without the addon there is one thread');
  const encoder = moved(new ImageEncoder(encoderConfig({ size: 'S' }), new Initializer(3)));
  const batch = imageBatch([noiseImage(96, 70, 1), noiseImage(96, 70, 2)]);
  const once = (threads: number, recompute = false) =>
    onBackend(fastest, threads, () =>
      scope(() => {
        const features = encoder.forward(batch, { recompute });
        const gradients = grad(lossOf(features), encoder.parameters());
        return [...features.levels.map(({ tensor }) => tensor), ...gradients].map(({ data }) => data.slice());
      }),
    );
  const first = once(1);
  for (const [label, other] of Object.entries({ 2: once(2), 4: once(4), again: once(1), recomputed: once(2, true) })) {
    t.ok(
      first.every((data, i) => sameBits(data, other[i] as typeof data)),
      label,
    );
  }
  encoder.dispose();
});

t.test('recomputing takes less memory; steps leave none behind', async (t) => {
  const encoder = new ImageEncoder(encoderConfig({ size: 'S' }), new Initializer(3));
  const batch = imageBatch([noiseImage(128, 128, 1)]);
  const peak = (recompute: boolean) => {
    memory.trim();
    const before = memory.stats().liveBytes;
    scope(() => grad(lossOf(encoder.forward(batch, { recompute })), encoder.parameters()).length);
    t.equal(memory.stats().liveBytes, before, 'all memory comes back');
    return memory.stats().peakBytes - before;
  };
  const [kept, again] = [peak(false), peak(true)];
  t.ok(again < 0.7 * kept, `${again} of ${kept} bytes`);
  encoder.dispose();
});

t.test('imageBatch: scaling, grey, 16 bits, borders that go on, and what it refuses', async (t) => {
  const image = {
    width: 3,
    height: 2,
    channels: 3 as const,
    data: Uint8Array.from({ length: 18 }, (_, i) => 10 * i),
    mpp: [0.5, 0.5] as const,
  };
  const { pixels, ...place } = imageBatch([image], { multiple: 4 });
  t.same(place, { height: 2, width: 3, mpp: 0.5, origin: Float64Array.of(0, 0) });
  t.same(pixels.shape, [1, 4, 4, 3]);
  const value = (y: number, x: number, c: number) => pixels.data[(y * 4 + x) * 3 + c] as number;
  for (let c = 0; c < 3; c++) {
    const scaled = (byte: number) => (byte - (PIXEL_SCALE.mean[c] as number)) / (PIXEL_SCALE.std[c] as number);
    t.ok(Math.abs(value(1, 2, c) - scaled(10 * (15 + c))) < 1e-6);
    t.equal(value(3, 3, c), value(1, 2, c), 'the corner goes on');
    t.equal(value(0, 3, c), value(0, 2, c));
  }
  const deep = { ...image, data: Uint16Array.from(image.data, (byte) => 257 * byte) };
  t.ok(relativeError(imageBatch([deep], { multiple: 4 }).pixels.data, pixels.data) < 1e-6);
  const grey = { width: 1, height: 1, channels: 1 as const, data: Uint8Array.of(128), mpp: [0.5, 0.5] as const };
  t.same([...imageBatch([grey], { multiple: 1, scale: { mean: [0, 0, 0], std: [1, 2, 4] } }).pixels.data], [128, 64, 32]);
  const wrong: [() => unknown, string, RegExp][] = [
    [() => imageBatch([]), 'UAM_ARGUMENT', /at least one image/],
    [() => imageBatch([image, grey]), 'UAM_SHAPE', /3 x 2, as the first/],
    [() => imageBatch([{ ...image, data: new Uint8Array(3) }]), 'UAM_SHAPE', /18 values, received 3/],
    [() => imageBatch([{ ...image, mpp: undefined }]), 'UAM_DATA', /received unknown/],
    [() => imageBatch([{ ...image, mpp: [0.5, 0.25] }]), 'UAM_DATA', /both axes/],
    [() => imageBatch([image, { ...image, mpp: [0.25, 0.25] }]), 'UAM_DATA', /all images/],
    [() => imageBatch([image], { origin: Float64Array.of(1) }), 'UAM_SHAPE', /1 images/],
    [() => imageBatch([{ ...image, width: 0, data: new Uint8Array(0) }]), 'UAM_SHAPE', /one pixel/],
  ];
  for (const [call, code, message] of wrong) t.throws(call, { code, message });
});

t.test('what cannot be', async (t) => {
  const wrong: [object, RegExp][] = [
    [{ size: 'XL' }, /S or B/],
    [{ widths: [1] }, /'widths'/],
    [{ channels: [1.5] }, /channels/],
    [{ channels: [4, 8] }, /one per level \(2\)/],
    [{ depths: [-1, 1, 1, 1] }, /depths/],
  ];
  for (const [options, message] of wrong) t.throws(() => encoderConfig(options), { code: 'UAM_ARGUMENT', message });
  const encoder = small();
  const batch = imageBatch([noiseImage(8, 8)], { multiple: 8 });
  t.throws(() => encoder.forward({ ...batch, pixels: Tensor.zeros([1, 8, 12, 3]) }), { code: 'UAM_SHAPE', message: /multiples of 8/ });
  t.throws(() => encoder.forward({ ...batch, origin: Float64Array.of() }), { code: 'UAM_SHAPE', message: /origin/ });
  const level = { name: 'a', stride: 4, channels: 2 };
  const lists: [object[], RegExp][] = [
    [[], /at least one/],
    [[level, { ...level, name: 'b', stride: 16 }], /8, twice that of a/],
    [[{ ...level, stride: 0 }], /stride/],
    [[{ ...level, channels: 0 }], /channels/],
    [[level, { ...level, stride: 8 }], /two levels/],
  ];
  for (const [list, message] of lists) t.throws(() => checkLevels(list as never, 'x'), { code: 'UAM_ARGUMENT', message });
  encoder.dispose();
});
