// What an evaluation says of regions, as plain data: a part of the evaluation's JSON and of its page. `train` fills it.
import type { Interval } from './evaluation_report.js';

/** One kind of region in one image, counted in pixels: all that its scores need. Pixels without a known truth count in `unknown` alone. */
export interface RegionCounts {
  /** Inside, and called inside. */
  tp: number;
  /** Outside, and called inside. */
  fp: number;
  /** Inside, and called outside. */
  fn: number;
  /** Outside, and called outside. */
  tn: number;
  unknown: number;
  /** Boundary pixels of the called region ... */
  calledEdge: number;
  /** ... and how many of them have one of the true region within the tolerance. */
  calledNear: number;
  /** Boundary pixels of the true region ... */
  trueEdge: number;
  /** ... and how many of them have one of the called region within the tolerance. */
  trueNear: number;
}

/** NaN (`null` in JSON) where there is nothing to compute a score from. */
export interface SegmentationScores {
  /** TP / (TP + FP) */
  precision: number;
  /** TP / (TP + FN) */
  recall: number;
  /** 2 TP / (2 TP + FP + FN) */
  dice: number;
  /** TP / (TP + FP + FN) */
  iou: number;
  /** 2 P R / (P + R) of the boundary pixels that are matched within the tolerance: P of the called ones, R of the true ones. */
  boundaryF1: number;
}

export interface RegionKindScores {
  name: string;
  /** Images of which any pixel has a known truth. */
  images: number;
  /** Of these, images in which the region neither is nor is called: they have no scores of their own. */
  bothEmpty: number;
  /** Of these, images that are called somewhere, but have none of it: precision, Dice and IoU are 0, and there is no recall. */
  trueEmpty: number;
  /** Part of the known pixels that lie in it: what calling everything would have as its precision. */
  share: number;
  /** From the pixels of all images together. */
  pooled: SegmentationScores;
  /** Mean of each score over the images that have it. */
  perImage: SegmentationScores;
}

export interface RegionImage {
  name: string;
  patient: string;
  /** By kind, in the order of `kinds`. */
  counts: readonly RegionCounts[];
  scores: readonly SegmentationScores[];
}

export interface RegionReport {
  /** Called inside from this probability on. */
  threshold: number;
  /** How far from each other boundaries may lie and still match, in micrometres. */
  tolerance: number;
  /** Patients (or slides) whose images have any known pixel. */
  patients: number;
  kinds: RegionKindScores[];
  /** By name: `dice:tumour`, ... pooled, and `imageDice:tumour`, ... the mean over images. */
  intervals: Record<string, Interval>;
  /** Share of the resamples inside the intervals. */
  level: number;
  images: RegionImage[];
  /** What has to be known of the true regions, such as that they are derived from points. */
  note?: string | undefined;
}
