/** Mean negative log likelihood of classes under softmax(logits / temperature). */
function meanLoss(logits: Float32Array, truth: Int32Array, classes: number, temperature: number): number {
  let total = 0;
  for (let i = 0; i < truth.length; i++) {
    const at = i * classes;
    let highest = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < classes; c++) highest = Math.max(highest, logits[at + c] as number);
    let sum = 0;
    for (let c = 0; c < classes; c++) sum += Math.exp(((logits[at + c] as number) - highest) / temperature);
    total += Math.log(sum) - ((logits[at + (truth[i] as number)] as number) - highest) / temperature;
  }
  return total / truth.length;
}

/** Temperatures looked at lie between 1 / WIDEST and WIDEST. */
const WIDEST = 20;
const GOLDEN = (Math.sqrt(5) - 1) / 2;

/**
 * The temperature T under which softmax(logits / T) fits the classes of cases that the model has not learned from (Guo et al. 2017):
 * the least mean negative log likelihood, which is convex in 1 / T, by golden section.
 *
 * @param logits `[cases, classes]`
 * @param truth a class per case
 * @returns between 0.05 and 20; 1 without cases
 */
export function fitTemperature(logits: Float32Array, truth: Int32Array, classes: number): number {
  if (truth.length === 0) return 1;
  const loss = (inverse: number) => meanLoss(logits, truth, classes, 1 / inverse);
  let [low, high] = [1 / WIDEST, WIDEST];
  let [left, right] = [high - GOLDEN * (high - low), low + GOLDEN * (high - low)];
  let [atLeft, atRight] = [loss(left), loss(right)];
  while (high - low > 1e-6) {
    if (atLeft <= atRight) {
      [high, right, atRight] = [right, left, atLeft];
      left = high - GOLDEN * (high - low);
      atLeft = loss(left);
    } else {
      [low, left, atLeft] = [left, right, atRight];
      right = low + GOLDEN * (high - low);
      atRight = loss(right);
    }
  }
  return 2 / (low + high);
}

/** softmax(logits / temperature), row by row, in place of the logits. */
export function toProbabilities(logits: Float32Array, classes: number, temperature: number): Float32Array {
  for (let at = 0; at < logits.length; at += classes) {
    let highest = Number.NEGATIVE_INFINITY;
    for (let i = at; i < at + classes; i++) highest = Math.max(highest, logits[i] as number);
    let sum = 0;
    for (let i = at; i < at + classes; i++) {
      logits[i] = Math.exp(((logits[i] as number) - highest) / temperature);
      sum += logits[i] as number;
    }
    for (let i = at; i < at + classes; i++) logits[i] = (logits[i] as number) / sum;
  }
  return logits;
}
