import type { CellClassifier } from '../src/heads/cell_classifier.js';
import { adamwState, adamwStep, backward, crossEntropy, scope, type Tensor } from '../src/index.js';
import type { CellBatch } from '../src/tokens/cell_batch.js';

/** A function that takes one step of training, wherever the model is: forward, backward, AdamW. */
export function trainingStep(model: CellClassifier, batch: CellBatch, target: Tensor): () => void {
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
