// The next smaller level of a pyramid: each pixel stands for two by two.

/** How four values become one: their mean, or the one that occurs most often among them (of equals the first, row by row). */
export type Reduction = 'mean' | 'majority';

/**
 * Halves two rows into one of `ceil(width / 2)` pixels. A last column without a partner counts twice, and so does a single row given as
 * both.
 *
 * @param source holds both rows, which begin at `upper` and `lower`
 * @param target takes the new row from `at` on
 */
export function halveRows(
  source: Uint8Array,
  upper: number,
  lower: number,
  width: number,
  channels: number,
  how: Reduction,
  target: Uint8Array,
  at: number,
): void {
  const step = 2 * channels;
  const pairs = width >> 1;
  const reduce = how === 'mean' ? mean : majority;
  for (let c = 0; c < channels; c++) {
    let [a, b, to] = [upper + c, lower + c, at + c];
    for (let i = 0; i < pairs; i++, a += step, b += step, to += channels) {
      target[to] = reduce(source[a]!, source[a + channels]!, source[b]!, source[b + channels]!);
    }
    if (width % 2 === 1) target[to] = reduce(source[a]!, source[a]!, source[b]!, source[b]!);
  }
}

const mean = (a: number, b: number, c: number, d: number): number => (a + b + c + d + 2) >> 2;

function majority(a: number, b: number, c: number, d: number): number {
  if (a === b || a === c || a === d) return a; // two against two: the first
  if (b === c || b === d) return b;
  return c === d ? c : a;
}
