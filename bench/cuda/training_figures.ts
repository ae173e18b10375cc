// A step of training of UAM-B on the card: forward, backward, AdamW. Beside the step itself: how many kernels it calls, and the same calls
// one after another without the JavaScript between them, whose absence tells how long the card waits for it.
import { CellClassifier, classifierConfig } from '../../src/heads/cell_classifier.js';
import { crossEntropy, scope, synchronize, Tensor } from '../../src/index.js';
import { setMatmulPrecision } from '../../src/native/device.js';
import { random } from '../passes.js';
import type { UamShape } from '../peer_shapes.js';
import { trainingStep } from '../training_step.js';
import { callAgain, capturedCalls, type Precision, releaseHeld, timed } from './case.js';
import type { Figure } from './table.js';

const FEATURES = 102;
const DENSITY = 0.005; // cells per square micrometre, as in tumour
const TILES = 4;

interface Step {
  kind: 'feature' | 'cell';
  cells: number;
  size: 'S' | 'B';
}

/** A function that takes one step of training on the card. */
function stepOnCard({ kind, cells, size }: Step): () => void {
  const config = classifierConfig({ features: FEATURES, classes: 2, tokens: { kind }, backbone: { size } });
  const model = new CellClassifier(config, 1).to('cuda').train();
  const tiles = Int32Array.from({ length: TILES + 1 }, (_, tile) => Math.round((tile * cells) / TILES));
  const side = Math.sqrt(cells / TILES / DENSITY);
  const positions = Float64Array.from(random([2 * cells]).data, (value) => (side * (value + 1)) / 2);
  const batch = { features: random([cells, FEATURES]), arrangement: model.arrange(positions, tiles) };
  const target = Tensor.from(
    Int32Array.from({ length: cells }, (_, i) => i % 2),
    [cells],
    'cuda',
  );
  return trainingStep(model, batch, target);
}

/** The loss before any training, which must be the CPU's. */
function firstLoss(step: Step, device: 'cpu' | 'cuda'): number {
  const config = classifierConfig({ features: FEATURES, classes: 2, tokens: { kind: step.kind }, backbone: { size: step.size } });
  const model = new CellClassifier(config, 1).to(device).eval();
  const tiles = Int32Array.of(0, step.cells);
  const side = Math.sqrt(step.cells / DENSITY);
  const positions = Float64Array.from(random([2 * step.cells]).data, (value) => (side * (value + 1)) / 2);
  const loss = scope(() => {
    const batch = { features: random([step.cells, FEATURES]), arrangement: model.arrange(positions, tiles) };
    const target = Tensor.from(
      Int32Array.from({ length: step.cells }, (_, i) => i % 2),
      [step.cells],
      device,
    );
    return crossEntropy(model.forward(batch).logits, target).to('cpu').item();
  });
  model.dispose();
  return loss;
}

export interface TrainingFigure extends Figure {
  peer: UamShape;
}

export function* trainingFigures(tiny: boolean, milliseconds: number): Generator<TrainingFigure> {
  const size = tiny ? 'S' : 'B';
  const steps: Step[] = tiny
    ? [{ kind: 'cell', cells: 8, size }]
    : [
        { kind: 'feature', cells: 32, size },
        { kind: 'feature', cells: 256, size },
        { kind: 'cell', cells: 2048, size },
        { kind: 'cell', cells: 16_384, size },
      ];
  const precisions: Precision[] = tiny ? ['float32'] : ['float32', 'bf16'];
  for (const step of steps) {
    for (const precision of precisions) {
      setMatmulPrecision(precision);
      const run = stepOnCard(step);
      const { median, best, samples } = timed(run, milliseconds);
      const calls = capturedCalls(run);
      synchronize();
      const alone = timed(() => calls.forEach(callAgain), milliseconds).median;
      releaseHeld();
      const few = { ...step, cells: Math.min(step.cells, 32) };
      const [here, there] = [firstLoss(few, 'cpu'), firstLoss(few, 'cuda')];
      const peer = {
        op: 'uam',
        size,
        tokens: step.kind,
        cells: step.cells,
        tiles: TILES,
        features: FEATURES,
        mode: 'train',
        precision,
      } as const;
      yield {
        ...{
          group: 'training',
          name: `UAM-${size}, ${step.cells} cells, ${step.kind} tokens, ${precision}`,
          seconds: median,
          best,
          samples,
        },
        amount: { count: step.cells, unit: 'cells' },
        note:
          `${calls.length} kernel calls; without JavaScript between them ${(alone * 1e3).toFixed(2)} ms, ` +
          `so gaps are ${Math.max(0, 100 * (1 - alone / median)).toFixed(0)} % of a step; ` +
          `loss off by ${(Math.abs(there - here) / Math.abs(here)).toExponential(1)} from the CPU's`,
        peer,
      };
    }
  }
}
