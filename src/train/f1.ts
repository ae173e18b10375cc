/**
 * The mean over classes of F1 = 2 TP / (2 TP + FP + FN). A class that neither occurs nor is predicted has none and is left out.
 *
 * @param truth a class per case, from 0
 * @param predicted the answer per case; -1 where there is none, which is an error in the case's class
 * @param classes how many there are
 * @returns NaN where there is no case at all
 */
export function macroF1(truth: ArrayLike<number>, predicted: ArrayLike<number>, classes: number): number {
  const [hits, missed, wrong] = [new Float64Array(classes), new Float64Array(classes), new Float64Array(classes)];
  for (let i = 0; i < truth.length; i++) {
    const [wanted, given] = [truth[i] as number, predicted[i] as number];
    if (wanted === given) hits[wanted]! += 1;
    else {
      missed[wanted]! += 1;
      if (given >= 0) wrong[given]! += 1;
    }
  }
  const scores = Array.from(hits, (hit, c) => (2 * hit) / (2 * hit + (missed[c] as number) + (wrong[c] as number)));
  const known = scores.filter((score) => !Number.isNaN(score));
  return known.reduce((sum, score) => sum + score, 0) / known.length;
}
