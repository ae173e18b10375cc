/**
 * The second greatest singular value of `p(i, j) / sqrt(px(i) py(j))`, for shares `p` that sum to 1: the greatest is 1, and
 * the second is the maximal correlation of `i` and `j`. By one-sided Jacobi rotations, after taking the first away.
 */
export function largestSingularValueBut1(p: readonly (readonly number[])[]): number {
  const n = p.length;
  const px = p.map((row) => row.reduce((a, b) => a + b, 0));
  const py = p.map((_, j) => p.reduce((sum, row) => sum + (row[j] as number), 0));
  const root = (values: number[], i: number) => Math.sqrt(values[i] as number);
  // columns[j][i]
  const columns = p.map((_, j) =>
    p.map((row, i) => {
      const scale = root(px, i) * root(py, j);
      return scale > 0 ? (row[j] as number) / scale - scale : 0;
    }),
  );
  const dot = (a: number[], b: number[]) => a.reduce((sum, x, k) => sum + x * (b[k] as number), 0);
  for (let sweep = 0; sweep < 60; sweep++) {
    let rotated = false;
    for (let a = 0; a < n; a++) {
      for (let b = a + 1; b < n; b++) {
        const u = columns[a] as number[];
        const v = columns[b] as number[];
        const alpha = dot(u, u);
        const beta = dot(v, v);
        const gamma = dot(u, v);
        if (Math.abs(gamma) <= 1e-15 * Math.sqrt(alpha * beta) || gamma === 0) continue;
        rotated = true;
        const zeta = (beta - alpha) / (2 * gamma);
        const t = (zeta >= 0 ? 1 : -1) / (Math.abs(zeta) + Math.hypot(1, zeta));
        const c = 1 / Math.hypot(1, t);
        columns[a] = u.map((x, k) => c * x - c * t * (v[k] as number));
        columns[b] = v.map((x, k) => c * t * (u[k] as number) + c * x);
      }
    }
    if (!rotated) break;
  }
  return Math.max(...columns.map((column) => Math.sqrt(dot(column, column))));
}
