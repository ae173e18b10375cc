// What a model says, for people and for other programs: tables, GeoJSON, overlays, pages.
export type { Rgb } from '../cells/palette.js';
export {
  type CalledCells,
  type CallOptions,
  type CellCalls,
  callCells,
  callsFormat,
  callsTable,
  type WriteCallsOptions,
  writeCalls,
} from './calls.js';
export { classColors } from './class_colors.js';
export type {
  Calibration,
  ClassScores,
  EvaluationReport,
  Interval,
  LearningCurve,
  RegionEvaluation,
  ReliabilityBin,
  RocCurve,
  Scores,
} from './evaluation_report.js';
export { drawOverlay, type OverlayOptions, writeOverlay } from './overlay.js';
export { evaluationPage, writeEvaluation } from './page.js';
export { learningPlots, writeLearningPlots } from './plots.js';
export type { RegionCounts, RegionImage, RegionKindScores, RegionReport, SegmentationScores } from './region_report.js';
export type { RegionOverlay } from './region_tint.js';
export { openSlideOverlay, type SlideOverlay, type SlideOverlayOptions } from './slide_overlay.js';
