// A training step of a small Mamba-and-attention layer on packed sequences: learns, repeats to the bit, and leaves memory flat.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import {
  adamwState,
  adamwStep,
  add,
  attention,
  backward,
  causalConv1d,
  crossEntropy,
  dropout,
  exp,
  gather,
  linear,
  memory,
  mul,
  neg,
  reshape,
  rmsNorm,
  scope,
  selectiveScan,
  setThreads,
  silu,
  slice,
  Tensor,
} from '../../src/index.js';
import { sameBits } from '../support/near.js';
import { randomTensor, uniform } from '../support/random.js';

const sequences = 24;
const width = 16;
const state = 4;
const inputs = 6;

interface Sample {
  x: Tensor;
  offsets: Int32Array;
  last: Tensor;
  target: Tensor;
}

/** Sequences of several lengths; the class is the sign of the mean of the first input. */
function makeSample(): Sample {
  const next = uniform(5);
  const lengths = Array.from({ length: sequences }, () => 3 + Math.floor(9 * next()));
  const offsets = Int32Array.from([0, ...lengths]).map((_, i) => lengths.slice(0, i).reduce((a, b) => a + b, 0));
  const x = randomTensor([offsets.at(-1) as number, inputs], 6);
  const target = Int32Array.from({ length: sequences }, (_, s) => {
    let total = 0;
    for (let token = offsets[s] as number; token < (offsets[s + 1] as number); token++) total += x.data[token * inputs] as number;
    return total > 0 ? 1 : 0;
  });
  const last = offsets.slice(1).map((end) => end - 1);
  return { x, offsets, last: Tensor.from(last), target: Tensor.from(target) };
}

function makeModel() {
  let seed = 100;
  const parameter = (shape: number[], scale: number) => randomTensor(shape, seed++, -scale, scale).requireGrad();
  return {
    embed: parameter([width, inputs], 0.5),
    norm: Tensor.full([width], 1).requireGrad(),
    inProj: parameter([2 * width, width], 0.4),
    convWeight: parameter([width, 4], 0.5),
    convBias: parameter([width], 0.1),
    xProj: parameter([width + 2 * state, width], 0.3),
    deltaBias: parameter([width], 0.1),
    aLog: parameter([width, state], 0.5),
    skip: Tensor.full([width], 1).requireGrad(),
    outProj: parameter([width, width], 0.3),
    qkv: parameter([3 * width, width], 0.3),
    head: parameter([2, width], 0.3),
  };
}

type Model = ReturnType<typeof makeModel>;

function lossOf(m: Model, { x, offsets, last, target }: Sample, step: number): Tensor {
  const h = linear(x, m.embed);
  const tokens = h.shape[0] as number;
  const u = rmsNorm(h, { weight: m.norm, eps: 1e-6 });
  const xz = linear(u, m.inProj);
  const conv = causalConv1d(slice(xz, [0, 0], [tokens, width]), m.convWeight, { bias: m.convBias, activation: 'silu', offsets });
  const projected = linear(conv, m.xProj);
  const part = (from: number, to: number) => reshape(slice(projected, [0, from], [tokens, to]), [tokens, 1, to - from]);
  const { out } = selectiveScan(
    {
      u: conv,
      delta: slice(projected, [0, 0], [tokens, width]),
      A: neg(exp(m.aLog)),
      B: part(width, width + state),
      C: part(width + state, width + 2 * state),
      D: m.skip,
      z: slice(xz, [0, width], [tokens, 2 * width]),
      deltaBias: m.deltaBias,
      offsets,
    },
    { deltaSoftplus: true },
  );
  const mixed = add(h, dropout(linear(out, m.outProj), 0.05, { seed: 1, step }));
  const qkv = linear(mixed, m.qkv);
  const heads = (i: number) => reshape(slice(qkv, [0, i * width], [tokens, (i + 1) * width]), [tokens, 2, width / 2]);
  const attended = attention(heads(0), heads(1), heads(2), { offsetsQ: offsets, offsetsK: offsets });
  const y = add(mixed, mul(silu(reshape(attended.out, [tokens, width])), 0.5));
  return crossEntropy(linear(gather(y, last), m.head), target);
}

function train(steps: number, afterEach: (step: number) => void = () => {}): { losses: number[]; model: Model } {
  const sample = makeSample();
  const model = makeModel();
  const parameters = Object.values(model);
  const optimizer = adamwState(parameters);
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    losses.push(
      scope(() => {
        const loss = lossOf(model, sample, step);
        backward(loss);
        adamwStep(
          parameters,
          parameters.map((parameter) => parameter.grad as Tensor),
          optimizer,
          { learningRate: 1e-2, clipNorm: 1, names: Object.keys(model) },
        );
        for (const parameter of parameters) {
          parameter.grad?.dispose();
          parameter.grad = undefined;
        }
        return loss.item();
      }),
    );
    afterEach(step);
  }
  return { losses, model };
}

t.test('a layer of every kind learns, to the same bits with 1, 2 and 4 threads', async (t) => {
  const runs = [1, 2, 4].map((threads) => {
    setThreads(threads);
    return train(60);
  });
  setThreads(2);
  const [first] = runs as [(typeof runs)[number]];
  t.ok((first.losses.at(-1) as number) < 0.3 * (first.losses[0] as number), `loss ${first.losses[0]} to ${first.losses.at(-1)}`);
  for (const run of runs) {
    t.same(run.losses, first.losses);
    for (const [name, parameter] of Object.entries(run.model)) t.ok(sameBits(parameter.data, first.model[name as keyof Model].data), name);
  }
});

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

t.test('1,000 training steps leave resident memory flat', async (t) => {
  const live: number[] = [];
  const resident: number[] = [];
  train(1100, (step) => {
    if (step % 250 !== 99) return;
    collectGarbage(); // so that what is measured is held, and not only not yet collected
    live.push(memory.stats().liveBytes);
    resident.push(process.memoryUsage().rss);
  });
  t.ok(
    live.every((bytes) => bytes === live[0]),
    'every buffer taken in a step is given back in it',
  );
  // What leaks does so in any 500 steps; pages that the system took and gives back come in some of them.
  const rises = [0, 1, 2].map((first) => (resident[first + 2] as number) - (resident[first] as number));
  const growth = (2 * Math.min(...rises)) / 2 ** 20;
  t.ok(growth < 24, `resident memory grew by ${growth.toFixed(1)} MB`);
});
