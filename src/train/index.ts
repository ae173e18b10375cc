// Training and the model as a whole: the public API of `train`.
export {
  CellDataset,
  type CellSample,
  type ClassLabel,
  type DatasetOptions,
  type SampleInput,
  type Split,
  type Truth,
} from './dataset.js';
export type { Augmentation, FitOptions, FitProgress, FitSettings } from './fit_options.js';
export { holdOut } from './held_out.js';
export type { ImageInput } from './image_cells.js';
export { matchPoints } from './match_points.js';
export { Predictions } from './predictions.js';
export { type ReadDatasetOptions, readDataset } from './read_manifest.js';
export { type ReadTableOptions, readTable } from './read_table.js';
export { DEFAULT_RECIPE, type ExtractionRecipe } from './recipe.js';
export type { EpochRecord } from './training_state.js';
export { type CellInput, type FitReport, type PredictOptions, UAM, type UamOptions } from './uam.js';
