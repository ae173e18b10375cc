// What an evaluation says, as plain data: the same object is the JSON file and what the page shows. `train` fills it.
import type { RegionReport } from './region_report.js';

/** How well one class is told from the others. NaN (`null` in JSON) where there is nothing to compute it from. */
export interface ClassScores {
  name: string;
  /** Points of this class. */
  support: number;
  /** Points called this class. */
  predicted: number;
  /** Of the points called this class, the part that is. */
  precision: number;
  /** Of the points of this class, the part called so; a point without an answer is not. */
  recall: number;
  /** 2 TP / (2 TP + FP + FN). */
  f1: number;
  /** Area under the ROC curve of this class against the rest, ties counted half. */
  auroc: number;
  /** Average precision of this class against the rest. */
  auprc: number;
}

/** Every number that an evaluation gives; see `evaluate` for the definitions. */
export interface Scores {
  /** Labelled points. */
  count: number;
  /** Of these, points without an answer. */
  missed: number;
  accuracy: number;
  balancedAccuracy: number;
  macroF1: number;
  macroAuroc: number;
  macroAuprc: number;
  /** Mean over points of the sum over classes of (p - y)^2: 0 to 2. */
  brier: number;
  /** Mean of -log p(truth) in nats over the answered points. */
  logLoss: number;
  /** Expected calibration error over 15 bins of equal mass, of the answered points. */
  ece: number;
  perClass: ClassScores[];
  /** `[C][C + 1]`: rows are the truth, columns the calls; the last column counts points without an answer. */
  confusion: number[][];
}

/** A value with a bootstrap interval. */
export interface Interval {
  value: number;
  low: number;
  high: number;
  /** Resamples that had a value: fewer than drawn where a class was absent from some. */
  resamples: number;
}

/** One bin of a reliability curve. */
export interface ReliabilityBin {
  /** Answers in the bin. */
  count: number;
  /** Mean confidence. */
  confidence: number;
  /** Part of the calls that are right. */
  accuracy: number;
}

/** Points of an ROC curve, from (0, 0) to (1, 1). */
export interface RocCurve {
  name: string;
  auroc: number;
  falsePositiveRate: number[];
  truePositiveRate: number[];
}

/** A curve over the steps or epochs of a training. */
export interface LearningCurve {
  /** Curves of one chart are drawn together: `'loss'`, `'macro F1'`. */
  chart: string;
  /** `'training'`, `'validation'`. */
  name: string;
  x: number[];
  y: number[];
}

export interface Calibration {
  scores: { ece: number; brier: number; logLoss: number };
  bins: ReliabilityBin[];
}

/** An evaluation as JSON and as a page. */
export interface EvaluationReport {
  /** What was evaluated on what, for the heading. */
  title: string;
  classes: string[];
  /** Patients (or slides) that the points come from; 0 where they were not given. */
  patients: number;
  /** After temperature scaling where `temperature` is given. */
  scores: Scores;
  /** By name: `accuracy`, `macroF1`, ..., and `auroc:tumour`, `f1:tumour`, ... per class. */
  intervals: Record<string, Interval>;
  /** Share of the resamples inside the intervals, such as 0.95. */
  level: number;
  /** What logits are divided by; absent where nothing was fitted. */
  temperature?: number | undefined;
  /** Before temperature scaling; absent where nothing was fitted. */
  uncalibrated?: Calibration | undefined;
  calibrated: Calibration;
  roc: RocCurve[];
  learning?: LearningCurve[] | undefined;
  /** Settings and remarks, shown as a list. */
  notes?: string[] | undefined;
  /** How regions are told; absent where none were scored. */
  regions?: RegionReport | undefined;
}

/** An evaluation of regions alone: of a model that classifies no cells, or where no cell has a label. */
export interface RegionEvaluation {
  title: string;
  regions: RegionReport;
  learning?: LearningCurve[] | undefined;
  notes?: string[] | undefined;
}
