import type { CellClassifier } from '../heads/cell_classifier.js';
import { bring } from '../tensor/bring.js';
import { noGrad } from '../tensor/context.js';
import { scope } from '../tensor/scope.js';
import type { Tensor } from '../tensor/tensor.js';
import type { CellBatch } from '../tokens/cell_batch.js';

const sound = (tensor: Tensor): boolean => (bring(tensor, 'cpu').data as Float32Array).every(Number.isFinite);

/**
 * Where numbers stop being finite in a model that works on this batch: a parameter, the features, the tokens, a layer or the head, in
 * the order in which a batch meets them. Dropout and its like are left out.
 *
 * @returns words for an error
 */
export function firstNonFinite(model: CellClassifier, batch: CellBatch): string {
  const parameter = model.namedParameters().find(([, tensor]) => !sound(tensor));
  if (parameter) return `the parameter ${parameter[0]}`;
  if (!sound(batch.features)) return 'the features';
  const training = model.training;
  model.eval();
  try {
    return scope(() => noGrad(() => firstLayer(model, batch)));
  } finally {
    model.train(training);
  }
}

function firstLayer(model: CellClassifier, batch: CellBatch): string {
  const { x, layout } = model.tokeniser.forward(batch);
  if (!sound(x)) return 'the output of tokens';
  let states = x;
  for (const layer of model.backbone.layers) {
    states = layer.forward(states, { layout }).x;
    if (!sound(states)) return `the output of backbone.layers.${layer.index}`;
  }
  return sound(model.forward(batch).logits) ? 'the loss of a step with dropout' : 'the output of head';
}
