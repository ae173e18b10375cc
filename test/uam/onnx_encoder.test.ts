// Real graphs, made here, run by the real runtime where it is installed: `cd bench/peers && npm ci`.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { jointConfig } from '../../src/heads/joint_config.js';
import { JointModel } from '../../src/heads/joint_model.js';
import { noGrad } from '../../src/index.js';
import { packageRoot } from '../../src/native/load.js';
import { OnnxEncoder, type OnnxRuntime } from '../../src/uam/onnx_encoder.js';
import { rejectsWith } from '../support/expect.js';
import { noiseImage } from '../support/images.js';
import { moved } from '../support/models.js';
import { randomTensor } from '../support/random.js';

const folder = mkdtempSync(join(tmpdir(), 'uam-onnx-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const peers = join(packageRoot(), 'bench', 'peers');

function installed(): OnnxRuntime | undefined {
  try {
    return createRequire(join(peers, 'package.json'))('onnxruntime-node') as OnnxRuntime;
  } catch {
    return undefined;
  }
}
const runtime = installed();
const skip = runtime ? false : 'onnxruntime-node is not installed: cd bench/peers && npm ci';

const SIZE = 64;
const strides = [4, 8, 16, 32];
const channels = [3, 4, 5, 6];
const weights = channels.map((count, i) => randomTensor([count, 3, 4 * 2 ** i, 4 * 2 ** i], 30 + i).data as Float32Array);

/** A graph with the names and strides of BiomedParse's backbone: `image` to `res2` ... `res5`, one convolution each. */
async function writeGraph(name: string, wrong: Partial<Record<string, unknown>> = {}): Promise<string> {
  const { constant, model, node, value } = await import(pathToFileURL(join(peers, 'onnx_model.mjs')).href);
  const nodes = strides.map((stride, i) =>
    node('Conv', ['image', `weight${i}`], [wrong['output'] && i === 1 ? 'other' : `res${i + 2}`], {
      strides: [stride, stride],
      kernel_shape: [stride, stride],
    }),
  );
  const constants = weights.map((data, i) => constant(`weight${i}`, [channels[i], 3, strides[i], strides[i]], data));
  const outputs = channels.map((count, i) => {
    const length = SIZE / (strides[i] as number);
    return value(wrong['output'] && i === 1 ? 'other' : `res${i + 2}`, [1, count, length, length]);
  });
  const path = join(folder, name);
  writeFileSync(path, model({ nodes, constants, inputs: [value('image', [1, 3, SIZE, SIZE])], outputs }));
  return path;
}

const mean = [123.675, 116.28, 103.53] as const;
const std = [58.395, 57.12, 57.375] as const;
const description = () => ({
  ...{ format: 'uam-onnx-encoder-1', model: 'backbone.onnx', input: 'image', height: SIZE, width: SIZE, mean, std },
  levels: strides.map((stride, i) => ({ name: `res${i + 2}`, output: `res${i + 2}`, stride, channels: channels[i] as number })),
});
let described = 0;
function describe(change: object = {}): string {
  const path = join(folder, `encoder_${described++}.json`);
  writeFileSync(path, JSON.stringify({ ...description(), ...change }));
  return path;
}

t.test('a graph with the names and strides of a BiomedParse backbone', { skip }, async (t) => {
  await writeGraph('backbone.onnx');
  const encoder = await OnnxEncoder.open(describe(), { runtime });
  t.same(
    encoder.levels,
    strides.map((stride, i) => ({ name: `res${i + 2}`, stride, channels: channels[i] })),
  );
  t.match(encoder.modelHash, /^[0-9a-f]{64}$/);
  const twins = await Promise.all([{}, { mean: [0, 0, 0] }].map((change) => OnnxEncoder.open(describe(change), { runtime })));
  t.same(
    twins.map(({ modelHash }) => modelHash === encoder.modelHash),
    [true, false],
    'another scaling is another encoder',
  );
  await Promise.all(twins.map((twin) => twin.close()));
  const image = noiseImage(SIZE, SIZE, 4);
  const { levels, ...rest } = await encoder.encode(image);
  t.same(rest, { height: SIZE, width: SIZE, mpp: 0.5, origin: Float64Array.of(0, 0), modelHash: encoder.modelHash });
  // One output of each level by the definition of the convolution.
  levels.forEach(({ tensor, stride }, i) => {
    const length = SIZE / stride;
    t.same(tensor.shape, [1, length, length, channels[i]]);
    const [y, x, o] = [length - 1, 0, 2];
    let expected = 0;
    for (let c = 0; c < 3; c++) {
      for (let ky = 0; ky < stride; ky++) {
        for (let kx = 0; kx < stride; kx++) {
          const byte = image.data[((y * stride + ky) * SIZE + x * stride + kx) * 3 + c] as number;
          expected +=
            (weights[i]?.[((o * 3 + c) * stride + ky) * stride + kx] as number) * ((byte - (mean[c] as number)) / (std[c] as number));
        }
      }
    }
    const value = tensor.data[(y * length + x) * (channels[i] as number) + o] as number;
    t.ok(Math.abs(value - expected) < 1e-3 * (1 + Math.abs(expected)), `res${i + 2}: ${value}, ${expected} expected`);
  });
  await encoder.close();
});

t.test('smaller images are filled up, and their maps cut to them; larger ones refused', { skip }, async (t) => {
  await writeGraph('backbone.onnx');
  const encoder = await OnnxEncoder.open(describe(), { runtime });
  const small = noiseImage(20, 33, 4);
  const { levels, height, width } = await encoder.encode(small, { mpp: 0.25, origin: Float64Array.of(1, 2) });
  t.same([height, width], [33, 20]);
  t.same(
    levels.map(({ tensor }) => tensor.shape.slice(1, 3)),
    [
      [16, 8],
      [8, 4],
      [4, 2],
      [2, 1],
    ],
  );
  const edge = { ...noiseImage(SIZE, SIZE), data: new Uint8Array(SIZE * SIZE * 3) };
  for (let i = 0; i < edge.data.length; i++) {
    const [y, x, c] = [Math.min(32, Math.floor(i / 3 / SIZE)), Math.min(19, Math.floor(i / 3) % SIZE), i % 3];
    edge.data[i] = small.data[(y * 20 + x) * 3 + c] as number;
  }
  const whole = await encoder.encode(edge);
  const [part, full] = [levels[0], whole.levels[0]].map((level) => level?.tensor.data) as [Float32Array, Float32Array];
  t.ok(part.every((value, i) => value === full[Math.floor(i / 24) * 16 * 3 + (i % 24)]));
  await rejectsWith(t, encoder.encode(noiseImage(65, 10)), 'UAM_SHAPE', /at most 64 x 64, received 65 x 10; cut it into tiles/);
  await rejectsWith(t, encoder.encode({ ...small, mpp: undefined }), 'UAM_DATA', /micrometres per pixel/);
  const several = await Promise.all([1, 2, 3].map((seed) => encoder.encode(noiseImage(SIZE, SIZE, seed))));
  const again = await encoder.encode(noiseImage(SIZE, SIZE, 2));
  t.same(several[1]?.levels[0]?.tensor.data, again.levels[0]?.tensor.data, 'calls side by side');
  await encoder.close();
});

t.test('a joint model on top of it trains adapters only', { skip }, async (t) => {
  await writeGraph('backbone.onnx');
  const encoder = await OnnxEncoder.open(describe(), { runtime });
  const external = { levels: encoder.levels, modelHash: encoder.modelHash, channels: [4, 4, 8, 8] };
  const cells = { features: 2, classes: 2, backbone: { width: 8, depth: 1, heads: 2, state: 4, ffn: 8 } };
  const model = moved(new JointModel(jointConfig({ cells, image: { external } }), 1));
  const features = await encoder.encode(noiseImage(SIZE, SIZE, 4));
  t.same(
    noGrad(() => model.forward({ image: features }).regions?.shape),
    [1, SIZE, SIZE, 1],
  );
  t.ok(features.levels.every(({ tensor }) => !tensor.requiresGrad));
  await encoder.close();
  model.dispose();
});

t.test('graphs and descriptions that do not fit', { skip }, async (t) => {
  await writeGraph('backbone.onnx');
  const open = (change: object) => OnnxEncoder.open(describe(change), { runtime });
  const level = (i: number, change: object) => ({
    levels: description().levels.map((entry, j) => (i === j ? { ...entry, ...change } : entry)),
  });
  await rejectsWith(
    t,
    open({ input: 'pixels' }),
    'UAM_FORMAT',
    /it has inputs image and outputs res2, res3, res4, res5, and .* names the one input pixels/,
  );
  await rejectsWith(t, open(level(1, { output: 'p3' })), 'UAM_FORMAT', /outputs res2, p3/);
  const wrong = await open(level(3, { channels: 7 }));
  await rejectsWith(
    t,
    wrong.encode(noiseImage(SIZE, SIZE)),
    'UAM_FORMAT',
    /output res5 must be float32 \[1, 7, 2, 2\], received float32 \[1, 6, 2, 2\]/,
  );
  await wrong.close();
  writeFileSync(join(folder, 'backbone.onnx'), 'no graph');
  await rejectsWith(t, open({}), 'UAM_FORMAT', /backbone\.onnx: onnxruntime-node cannot load it/);
});

t.test('descriptions that are not sound, without any runtime', async (t) => {
  writeFileSync(join(folder, 'backbone.onnx'), 'stands for a graph');
  const fake = { InferenceSession: {}, Tensor: Object } as unknown as OnnxRuntime;
  const cases: [object, 'UAM_FORMAT' | 'UAM_INPUT', RegExp][] = [
    [{ format: 'x' }, 'UAM_FORMAT', /uam-onnx-encoder-1/],
    [{ mean: [1, 2] }, 'UAM_FORMAT', /"mean" must be 3 numbers/],
    [{ std: [1, 0, 1] }, 'UAM_FORMAT', /"std" must be numbers above 0/],
    [{ height: 48 }, 'UAM_FORMAT', /multiples of the coarsest stride, 32/],
    [{ threads: 2 }, 'UAM_FORMAT', /unknown entry "threads"/],
    [{ model: '/model.onnx' }, 'UAM_FORMAT', /beside this one/],
    [{ levels: [] }, 'UAM_FORMAT', /levels/],
    [{ model: 'absent.onnx' }, 'UAM_INPUT', /absent\.onnx/],
    [{ model: 'backbone.onnx', weights: [{ file: 'absent.data' }] }, 'UAM_INPUT', /absent\.data/],
  ];
  for (const [change, code, message] of cases) await rejectsWith(t, OnnxEncoder.open(describe(change), { runtime: fake }), code, message);
});

const besides = existsSync(join(packageRoot(), 'node_modules', 'onnxruntime-node'));
t.test('without the runtime, the error says how to get it', { skip: besides && 'it is installed beside this package' }, async (t) => {
  await rejectsWith(t, OnnxEncoder.open(describe({ model: 'backbone.onnx' })), 'UAM_ADDON', /npm install onnxruntime-node/);
});
