// The definition of the sixteen features that grey-level size matrices share: runs (GLRLM), zones (GLSZM), dependents (GLDM).
// native/size_matrix.h is its fast twin.
import { entropy } from './roi.js';

/** How often (or, when weighted, with what weight) a grey level occurs with a size. */
export interface SizeEntry {
  level: number;
  size: number;
  count: number;
}

/** With i the grey level, j the size, c the count, T = sum c, p = c / T. */
export interface SizeFeatures {
  /** sum_i (sum_j c)^2 / T */
  levelNonUniformity: number;
  /** The same / T^2. */
  levelNonUniformityNormalized: number;
  /** sum p (i - mean i)^2 */
  levelVariance: number;
  /** sum_j (sum_i c)^2 / T */
  sizeNonUniformity: number;
  /** The same / T^2. */
  sizeNonUniformityNormalized: number;
  /** sum p (j - mean j)^2 */
  sizeVariance: number;
  /** -sum p log2(p + eps) */
  entropy: number;
  /** T / sum c j */
  percentage: number;
  /** sum p i^2 */
  highLevel: number;
  /** sum p / i^2 */
  lowLevel: number;
  /** sum p j^2 */
  large: number;
  /** sum p / j^2 */
  small: number;
  /** sum p i^2 j^2 */
  largeHigh: number;
  /** sum p j^2 / i^2 */
  largeLow: number;
  /** sum p i^2 / j^2 */
  smallHigh: number;
  /** sum p / (i^2 j^2) */
  smallLow: number;
}

/** Adds equal pairs up, in rising order of level and size. */
export function countPairs(pairs: Iterable<SizeEntry>): SizeEntry[] {
  const entries = new Map<string, SizeEntry>();
  for (const pair of pairs) {
    const key = `${pair.level} ${pair.size}`;
    const entry = entries.get(key);
    if (entry) entry.count += pair.count;
    else entries.set(key, { ...pair });
  }
  return [...entries.values()].sort((a, b) => a.level - b.level || a.size - b.size);
}

/** The features of a matrix that has entries. */
export function describeSizes(entries: readonly SizeEntry[]): SizeFeatures {
  const sum = (term: (i: number, j: number, c: number) => number) =>
    entries.reduce((total, { level, size, count }) => total + term(level, size, count), 0);
  const total = sum((_i, _j, c) => c);
  const mean = (term: (i: number, j: number) => number) => sum((i, j, c) => c * term(i, j)) / total;
  const nonUniformity = (of: (entry: SizeEntry) => number) => {
    const counts = new Map<number, number>();
    for (const entry of entries) counts.set(of(entry), (counts.get(of(entry)) ?? 0) + entry.count);
    return [...counts.values()].reduce((squares, count) => squares + count * count, 0) / total;
  };
  const variance = (of: (i: number, j: number) => number) => {
    const centre = mean(of);
    return mean((i, j) => (of(i, j) - centre) ** 2);
  };
  const levelNonUniformity = nonUniformity(({ level }) => level);
  const sizeNonUniformity = nonUniformity(({ size }) => size);
  return {
    levelNonUniformity,
    levelNonUniformityNormalized: levelNonUniformity / total,
    levelVariance: variance((i) => i),
    sizeNonUniformity,
    sizeNonUniformityNormalized: sizeNonUniformity / total,
    sizeVariance: variance((_i, j) => j),
    entropy: entropy(entries.map(({ count }) => count / total)),
    percentage: total / sum((_i, j, c) => c * j),
    highLevel: mean((i) => i ** 2),
    lowLevel: mean((i) => 1 / i ** 2),
    large: mean((_i, j) => j ** 2),
    small: mean((_i, j) => 1 / j ** 2),
    largeHigh: mean((i, j) => (i * j) ** 2),
    largeLow: mean((i, j) => (j / i) ** 2),
    smallHigh: mean((i, j) => (i / j) ** 2),
    smallLow: mean((i, j) => 1 / (i * j) ** 2),
  };
}
