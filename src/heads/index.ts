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
export {
  type ExternalEncoder,
  type JointConfig,
  type JointOptions,
  jointConfig,
  jointParameterCount,
} from './joint_config.js';
export { type JointFacts, type JointFile, loadJointModel, readJointFile, saveJointModel } from './joint_file.js';
export { type JointLoss, type JointLossOptions, type JointTargets, jointLoss, NO_LABEL } from './joint_loss.js';
export { type JointBatch, JointModel, type JointOutput, type JointRun } from './joint_model.js';
export { loadClassifier, type ModelFacts, type ModelFile, readModelFile, saveClassifier } from './model_file.js';
export { modelKind } from './model_kind.js';
export { SegmentationHead, type SegmentationOptions, segmentationParameterCount } from './segmentation.js';
