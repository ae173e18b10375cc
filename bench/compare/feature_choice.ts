import type { CellDataset } from '../../src/train/dataset.js';

/** Sums over the labelled cells of one class. */
interface Sums {
  count: number;
  sum: number;
  squares: number;
}

/** Variance between classes over variance within (the F of an analysis of variance) of ranks would be sturdier; values, cut, do here. */
function separation(values: Float64Array, labels: Int32Array, classes: number): number {
  const finite = values.filter(Number.isFinite).sort();
  if (finite.length < 3) return 0;
  const at = (share: number) => finite[Math.floor(share * (finite.length - 1))] as number;
  const [low, high] = [at(0.01), at(0.99)];
  const sums: Sums[] = Array.from({ length: classes }, () => ({ count: 0, sum: 0, squares: 0 }));
  const unit = Math.max(Math.abs(low), Math.abs(high)) || 1;
  values.forEach((value, i) => {
    if (!Number.isFinite(value)) return;
    const own = sums[labels[i] as number] as Sums;
    const cut = Math.max(low, Math.min(high, value)) / unit;
    own.count++;
    own.sum += cut;
    own.squares += cut * cut;
  });
  const known = sums.filter(({ count }) => count > 0);
  const total = known.reduce((sum, { count }) => sum + count, 0);
  const mean = known.reduce((sum, own) => sum + own.sum, 0) / total;
  const between = known.reduce((sum, own) => sum + own.count * (own.sum / own.count - mean) ** 2, 0);
  const within = known.reduce((sum, own) => sum + own.squares - own.sum ** 2 / own.count, 0);
  return within > 0 ? between / within : 0;
}

/** The `most` features whose means differ most between the classes of the labelled cells; of equal ones, the first by name. */
export function telling({ samples, classes, features }: CellDataset, most: number, usable: (name: string) => boolean): string[] {
  const labels = Int32Array.from(samples.flatMap(({ truth }) => [...truth.classes].filter((_, i) => (truth.cells[i] as number) >= 0)));
  const scores = features.filter(usable).map((name) => {
    const values = Float64Array.from(
      samples.flatMap(({ table, truth }) => {
        const data = table.columns.find((column) => column.name === name)?.data as ArrayLike<number>;
        return [...truth.cells].filter((cell) => cell >= 0).map((cell) => data[cell] as number);
      }),
    );
    return { name, score: separation(values, labels, classes.length) };
  });
  scores.sort((a, b) => b.score - a.score || (a.name < b.name ? -1 : 1));
  return scores.slice(0, most).map(({ name }) => name);
}
