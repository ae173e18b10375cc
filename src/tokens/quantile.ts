/** Moves the k-th smallest number to place k, none greater before it and none smaller behind it (Hoare's selection). */
function select(numbers: Float64Array, k: number): void {
  let [low, high] = [0, numbers.length - 1];
  while (low < high) {
    const pivot = middleOfThree(numbers[low] as number, numbers[(low + high) >> 1] as number, numbers[high] as number);
    let [i, j] = [low, high];
    while (i <= j) {
      while ((numbers[i] as number) < pivot) i++;
      while ((numbers[j] as number) > pivot) j--;
      if (i > j) break;
      const swapped = numbers[i] as number;
      numbers[i++] = numbers[j] as number;
      numbers[j--] = swapped;
    }
    if (k <= j) high = j;
    else if (k >= i) low = i;
    else return;
  }
}

const middleOfThree = (a: number, b: number, c: number): number => Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));

/**
 * The value below which a share of the numbers lies, between neighbours in proportion (the method 7 of Hyndman and Fan, NumPy's default).
 *
 * @param numbers finite, at least one; their order changes
 */
export function quantile(numbers: Float64Array, share: number): number {
  const at = share * (numbers.length - 1);
  const low = Math.floor(at);
  select(numbers, low);
  const below = numbers[low] as number;
  if (at === low) return below;
  let above = Number.POSITIVE_INFINITY;
  for (let i = low + 1; i < numbers.length; i++) above = Math.min(above, numbers[i] as number);
  return below === above ? below : below + (at - low) * (above - below);
}
