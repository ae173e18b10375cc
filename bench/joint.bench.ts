// Cells and regions in one model: encoder, decoder and whole steps on tiles of 512 pixels, on the way from the image to both answers.
import { jointConfig } from '../src/heads/joint_config.js';
import { jointLoss } from '../src/heads/joint_loss.js';
import { JointModel } from '../src/heads/joint_model.js';
import { grad, noGrad, scope, Tensor } from '../src/index.js';
import { arrange } from '../src/tokens/arrangement.js';
import { type EncoderSize, encoderConfig, encoderLevels } from '../src/uam/image_encoder.js';
import { imageBatch } from '../src/uam/image_features.js';
import type { BenchCase, TimedCase, Work } from './harness.js';
import { random } from './passes.js';

const SIDE = 512;
const MPP = 0.5;
/** Of a tile in tumour. */
const CELLS = 330;
const FEATURES = 102;

function make(size: EncoderSize) {
  const cells = { features: FEATURES, classes: 2, backbone: { size } };
  const model = new JointModel(jointConfig({ cells, image: { builtIn: { size } } }), 1);
  const data = Uint8Array.from(random([SIDE * SIDE * 3]).data, (value) => 128 + 100 * value);
  const image = imageBatch([{ width: SIDE, height: SIDE, channels: 3, data, mpp: [MPP, MPP] }]);
  const positions = Float64Array.from(random([2 * CELLS], 1, 2).data, (value) => (SIDE * MPP * (value + 1)) / 2);
  const batch = { cells: { features: random([CELLS, FEATURES]), arrangement: arrange(positions) }, image };
  const targets = {
    cells: Tensor.from(Int32Array.from({ length: CELLS }, (_, i) => i % 2)),
    regions: Tensor.from(
      Uint8Array.from({ length: SIDE * SIDE }, (_, i) => Number(i % SIDE < 200)),
      [1, SIDE, SIDE],
    ),
  };
  return { model, batch, targets };
}

/** Operations of the encoder, level by level: what enters the level, and its blocks. */
function encoderWork(size: EncoderSize): Work[] {
  const { channels, depths } = encoderConfig({ size });
  return channels.map((c, i) => {
    const points = (SIDE / (4 * 2 ** i)) ** 2;
    const before = channels[i - 1];
    const entry = before ? 2 * 4 * before * c : 2 * 48 * c;
    return { flops: points * (entry + (depths[i] as number) * (2 * 49 * c + 2 * 8 * c * c)) };
  });
}

/** Operations of the decoder: 1x1 and 3x3 convolutions of every level, and the last one. */
function decoderWork(size: EncoderSize): Work[] {
  const levels = encoderLevels(encoderConfig({ size }));
  const smoothing = 2 * 9 * 128 ** 2;
  const each = levels.map(({ stride, channels }) => ({ flops: (SIDE / stride) ** 2 * (2 * 128 * channels + smoothing) }));
  return [...each, { flops: (SIDE / 4) ** 2 * (smoothing + 2 * 128) }];
}

/** Each product has two more behind it. */
const trained = (parts: readonly Work[]): { parts: Work[] } => ({ parts: parts.map(({ flops = 0 }) => ({ flops: 3 * flops })) });

function casesOf(size: EncoderSize): TimedCase[] {
  const [encoder, decoder] = [encoderWork(size), decoderWork(size)];
  const amount = { count: SIDE * SIDE, unit: 'pixels' };
  const called = (what: string) => `${what} ${size}, ${SIDE} x ${SIDE}`;
  return [
    {
      name: called('encoder forward'),
      setup: () => {
        const { model, batch } = make(size);
        return () => scope(() => void noGrad(() => model.encoder?.forward(batch.image)));
      },
      work: { parts: encoder },
      amount,
    },
    {
      name: called('decoder forward'),
      setup: () => {
        const { model, batch } = make(size);
        const features = noGrad(() => model.encoder?.forward(batch.image));
        return () => scope(() => void noGrad(() => features && model.segmentation.forward(features)));
      },
      work: { parts: decoder },
      amount,
    },
    {
      name: called(`both answers, ${CELLS} cells`),
      setup: () => {
        const { model, batch } = make(size);
        return () => scope(() => void noGrad(() => model.forward(batch)));
      },
      work: { parts: [...encoder, ...decoder] },
      amount,
    },
    ...[false, true].map(
      (recompute): TimedCase => ({
        name: called(`gradients, ${CELLS} cells${recompute ? ', recomputed' : ''}`),
        setup: () => {
          const { model, batch, targets } = make(size);
          model.train();
          return () =>
            scope(() => {
              const { total } = jointLoss(model.forward(batch, { at: { seed: 1, step: 1 }, recompute }), targets);
              grad(total as Tensor, model.parameters());
            });
        },
        work: trained([...encoder, ...decoder]),
        amount,
      }),
    ),
  ];
}

export default (['S', 'B'] as const).flatMap(casesOf) satisfies BenchCase[];
