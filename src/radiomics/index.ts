// Cells to rows of features: the public API of `radiomics`.
export { type FeatureChoice, type FeatureInfo, features, knownFeatures } from './catalogue.js';
export type { Channel } from './channels.js';
export { extract, extractBlocks } from './extract.js';
export type { ExtractOptions, LabelInput } from './extract_options.js';
export type { FeatureUnit } from './feature_class.js';
export { type DerivedImage, derivedImageNames, deriveImages, type ImageTypeOptions } from './image_types.js';
export {
  type AveragedFeature,
  type NeighbourhoodColumn,
  type NeighbourhoodFeature,
  type NeighbourhoodOptions,
  neighbourhood,
  neighbourhoodFeatures,
} from './neighbourhood.js';
export { checkParameters, type Parameters, readParameterFile } from './parameter_file.js';
export { RING_DIFFERENCES, type Rings, ringDifferences, ringMask, ringMaskAsync } from './ring.js';
export { completeSettings, DEFAULT_SETTINGS, type Settings, type WeightingNorm } from './settings.js';
export { type FeatureRow, FeatureTable } from './table.js';
export { type CellStatus, type FeatureColumn, type FeatureTableParts, STATUS_NAMES, type TextColumn } from './table_columns.js';
export { openTableWriter, type TableWriter, type TableWriterOptions } from './table_writer.js';
