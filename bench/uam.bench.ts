// Whole models: cells in prediction and in a step of training, for sizes S and B with feature tokens and with cell tokens.

import { CellClassifier, classifierConfig } from '../src/heads/cell_classifier.js';
import { adamwState, adamwStep, backward, crossEntropy, noGrad, scope, Tensor } from '../src/index.js';
import type { CellBatch } from '../src/tokens/cell_batch.js';
import type { TimedCase, Work } from './harness.js';
import { random } from './passes.js';

const FEATURES = 102;
/** As in tumour: cells per square micrometre. */
const DENSITY = 0.005;
/** Cells of a batch: about as many tokens with both tokenisers. */
const CELLS = { feature: 32, cell: 3296 };

type Size = 'S' | 'B';
type Kind = keyof typeof CELLS;

interface Setting {
  size: Size;
  kind: Kind;
  architecture: 'amamba' | 'amamba-moe';
}

function make({ size, kind, architecture }: Setting): { model: CellClassifier; batch: CellBatch; target: Tensor } {
  const cells = CELLS[kind];
  const model = new CellClassifier(
    classifierConfig({ features: FEATURES, classes: 2, tokens: { kind }, backbone: { size, architecture } }),
    1,
  );
  const side = Math.sqrt(cells / DENSITY);
  const positions = Float64Array.from(random([2 * cells]).data, (value) => (side * (value + 1)) / 2);
  const target = Tensor.from(Int32Array.from({ length: cells }, (_, i) => i % 2));
  return { model, batch: { features: random([cells, FEATURES]), arrangement: model.arrange(positions) }, target };
}

/** What the layers must do, by section 9 of the specification; tokeniser and head are less than a hundredth of it. */
function forwardWork({ size, kind, architecture }: Setting): Work {
  const { backbone } = classifierConfig({ features: FEATURES, classes: 2, backbone: { size, architecture } });
  const { width: D, heads: H, state: N, depth } = backbone;
  const [E, R, K] = [2 * D, Math.ceil(D / 16), 4];
  const L = kind === 'feature' ? CELLS.feature * (FEATURES + 1) : CELLS.cell;
  // Neighbours within 64 um at this density, at most 64, and the cell itself; some stand at the border and have fewer.
  const seen = kind === 'feature' ? FEATURES + 1 : 58;
  const inner = architecture === 'amamba' ? backbone.ffn : backbone.topK * backbone.expertFfn;
  const mixing = architecture === 'amamba' ? 6 * D * H : 4 * D + 2 * D * backbone.experts;
  const products = 4 * D * E + 4 * E * (R + 2 * N) + 4 * R * E + 2 * E * D + 8 * D * D + mixing + 6 * D * inner;
  const flops = products + 4 * K * E + 16 * E * N + 4 * seen * D;
  const exps = 2 * E * N + 6 * E + seen * H + inner + H;
  return { flops: L * depth * flops, exps: L * depth * exps };
}

/** One step: forward, backward, AdamW. */
function trainingStep(setting: Setting): () => void {
  const { model, batch, target } = make(setting);
  const parameters = model.train().parameters();
  const state = adamwState(parameters);
  let step = 0;
  return () =>
    scope(() => {
      const { logits } = model.forward(batch, { at: { seed: 1, step: step++ } });
      backward(crossEntropy(logits, target));
      const gradients = parameters.map(({ grad }) => grad);
      adamwStep(parameters, gradients, state, { learningRate: 1e-4, clipNorm: 1 });
      model.zeroGrad();
    });
}

function casesOf(setting: Setting): TimedCase[] {
  const { size, kind, architecture } = setting;
  const name = `${architecture} ${size}, ${CELLS[kind]} cells, ${kind} tokens`;
  const work = forwardWork(setting);
  return [
    {
      name: `predict ${name}`,
      setup: () => {
        const { model, batch } = make(setting);
        return () => scope(() => void noGrad(() => model.forward(batch)));
      },
      work,
    },
    {
      name: `train ${name}`,
      setup: () => trainingStep(setting),
      // Each product has two more behind it; the scans compute their exponentials again.
      work: { flops: 3 * (work.flops ?? 0), exps: 2 * (work.exps ?? 0) },
      ...(size === 'B' && kind === 'feature' && architecture === 'amamba' ? { goal: 0.6 } : {}),
    },
  ];
}

const cases: TimedCase[] = (['amamba', 'amamba-moe'] as const).flatMap((architecture) =>
  (['S', 'B'] as const).flatMap((size) => (['feature', 'cell'] as const).flatMap((kind) => casesOf({ size, kind, architecture }))),
);

export default cases;
