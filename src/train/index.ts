// Training and the model as a whole: the public API of `train`.

export { bootstrapIntervals, pairedDifference } from './bootstrap.js';
export type { ReadJointOptions } from './collect_tiles.js';
export {
  CellDataset,
  type CellSample,
  type ClassLabel,
  type DatasetOptions,
  type SampleInput,
  type Split,
  type Truth,
} from './dataset.js';
export { type DemoTile, type DemoTileOptions, demoTile, demoTileAsync } from './demo_tile.js';
export type { OnDevice } from './devices.js';
export { atTemperature, type EvaluateOptions, evaluate } from './evaluate.js';
export type { Augmentation, FitOptions, FitProgress, FitSettings } from './fit_options.js';
export { holdOut } from './held_out.js';
export type { ImageInput, ScaledImage } from './image_cells.js';
export {
  JointDataset,
  type JointDatasetOptions,
  type JointSample,
  type JointSampleInput,
  type TilePixels,
} from './joint_dataset.js';
export type { JointFitOptions, JointSettings } from './joint_settings.js';
export {
  type JointAnswer,
  type JointFitReport,
  type JointPredictOptions,
  JointUAM,
  type JointUamOptions,
} from './joint_uam.js';
export { learningCurves } from './learning_curves.js';
export { matchPoints } from './match_points.js';
export { scorePredictions } from './metrics.js';
export { openJointDataset } from './open_joint_dataset.js';
export { Predictions } from './predictions.js';
export { auprc, auroc, rocCurve } from './ranking.js';
export { readConic } from './read_conic.js';
export { readJointDataset } from './read_joint_manifest.js';
export { type LizardOptions, readLizard } from './read_lizard.js';
export { type ReadDatasetOptions, readDataset } from './read_manifest.js';
export { type PanNukeFiles, type PanNukeOptions, readPanNuke } from './read_pannuke.js';
export { type ReadTableOptions, readTable } from './read_table.js';
export { readTileFolder, type TileFolderOptions } from './read_tile_folder.js';
export { DEFAULT_RECIPE, type ExtractionRecipe } from './recipe.js';
export { type RegionCountOptions, regionCounts } from './region_counts.js';
export { pairedRegionDifference, type ScoredImage, type ScoreRegionsOptions, scoreRegions } from './region_scores.js';
export type { BootstrapOptions } from './resampled.js';
export type { SeenSample } from './seen.js';
export { checkLeakage, type Fold, groupedFolds, type PatientSplit, type SplitSamples, splitByPatient } from './split.js';
export { fitTemperature, softmaxAt } from './temperature.js';
export { type TestedTiles, type TestJointOptions, testJointModel } from './test_joint_model.js';
export { type TestModelOptions, testModel } from './test_model.js';
export type { TestedPoints } from './tested_points.js';
export type { EpochRecord } from './training_state.js';
export { type CellInput, type FitReport, type PredictOptions, UAM, type UamOptions } from './uam.js';
