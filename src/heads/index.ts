// States to answers: the public API of `heads`.
export { CellClassHead } from './cell_class.js';
export {
  CellClassifier,
  type ClassifierConfig,
  type ClassifierOptions,
  type ClassifierOutput,
  classifierConfig,
  classifierParameterCount,
} from './cell_classifier.js';
export { loadClassifier, type ModelFacts, type ModelFile, readModelFile, saveClassifier } from './model_file.js';
