// Whether probabilities mean what they say: reliability and calibration error. temperature.ts mends it.
import type { ReliabilityBin } from '../report/evaluation_report.js';
import { type Ranking, rank } from './ranking.js';
import type { Scored } from './tested_points.js';

/** Bins of the expected calibration error. */
export const ECE_BINS = 15;

/** The answered points from the least confident on, and their confidences. */
export interface ConfidenceRanking {
  ranking: Ranking;
  /** Indices of the answered points; the ranking speaks of these. */
  answered: Uint32Array;
  confidence: Float64Array;
}

export function rankConfidence({ count, classes, predicted, probabilities }: Scored): ConfidenceRanking {
  const answered = Uint32Array.from([...Array(count).keys()].filter((i) => (predicted[i] as number) >= 0));
  const confidence = Float64Array.from(answered, (i) => probabilities[i * classes.length + (predicted[i] as number)] as number);
  return { answered, confidence, ranking: rank(confidence.map((value) => -value)) }; // rank() puts the greatest first
}

/**
 * Bins of equal mass over the confidences: answers sorted by confidence, the one with `before` answers of the `n` before it in bin
 * floor(15 before / n). Equal confidences share a bin, so that no order of the input matters.
 */
export function reliability(
  { truth, predicted }: Scored,
  { ranking: { order, groupEnds }, answered, confidence }: ConfidenceRanking,
  weights?: ArrayLike<number>,
): ReliabilityBin[] {
  const weightOf = (at: number) => (weights ? (weights[answered[at] as number] as number) : 1);
  let total = 0;
  for (let at = 0; at < answered.length; at++) total += weightOf(at);
  const sums = Array.from({ length: ECE_BINS }, () => ({ count: 0, confidence: 0, right: 0 }));
  let [before, at] = [0, 0];
  for (const end of groupEnds) {
    const bin = sums[Math.min(ECE_BINS - 1, Math.floor((ECE_BINS * before) / total))];
    for (; at < end; at++) {
      const own = order[at] as number;
      const weight = weightOf(own);
      const i = answered[own] as number;
      before += weight;
      if (weight === 0 || !bin) continue;
      bin.count += weight;
      bin.confidence += weight * (confidence[own] as number);
      if (truth[i] === predicted[i]) bin.right += weight;
    }
  }
  return sums
    .filter(({ count }) => count > 0)
    .map(({ count, confidence: sum, right }) => ({ count, confidence: sum / count, accuracy: right / count }));
}

/** Sum over bins of their share of the answers times |accuracy - mean confidence|; NaN without answers. */
export function calibrationError(bins: readonly ReliabilityBin[]): number {
  const total = bins.reduce((sum, { count }) => sum + count, 0);
  return bins.reduce((sum, { count, confidence, accuracy }) => sum + count * Math.abs(accuracy - confidence), 0) / total;
}
