import { type AsyncOptions, hostKernel } from '../native/call.js';

interface Neighbours {
  n: number;
  nearest: number;
  radiusCount: number;
  features: number;
  points: Float64Array;
  radii: Float64Array;
  values: Float64Array;
  distances: Float64Array;
  counts: Float64Array;
  means: Float64Array;
}

/** The definition (native/kernels/neighbours.h): every point looks at every other. */
function neighboursReference({ n, nearest, radii, features, points, values, distances, counts, means }: Neighbours): void {
  const squared = (i: number, j: number) => {
    const dx = (points[i * 2] as number) - (points[j * 2] as number);
    const dy = (points[i * 2 + 1] as number) - (points[j * 2 + 1] as number);
    return dx * dx + dy * dy;
  };
  for (let i = 0; i < n; i++) {
    const others = Array.from({ length: n }, (_, j) => ({ j, squared: squared(i, j) })).filter(({ j }) => j !== i);
    others.sort((a, b) => (a.squared < b.squared ? -1 : a.squared > b.squared ? 1 : a.j - b.j));
    for (let k = 0; k < nearest; k++) distances[i * nearest + k] = Math.sqrt(others[k]?.squared ?? Number.NaN);
    for (const [q, radius] of radii.entries()) {
      const around = others.filter((other) => other.squared <= radius * radius);
      counts[q * n + i] = around.length;
      for (let f = 0; f < features; f++) {
        const known = around.map(({ j }) => values[f * n + j] as number).filter((value) => !Number.isNaN(value));
        means[(q * features + f) * n + i] = known.reduce((sum, value) => sum + value, 0) / known.length;
      }
    }
  }
}

export const neighboursKernel = hostKernel('neighbours', neighboursReference);

/** What lies around each of `n` points. Arrays are laid out as in native/kernels/neighbours.h. */
export interface NeighbourResult {
  /** `[n, nearest]`: rising; NaN where there are fewer other points. */
  distances: Float64Array;
  /** `[radii, n]`: other points at a distance of at most the radius. */
  counts: Float64Array;
  /** `[radii, features, n]`: means over those, without NaN; NaN where there is none. */
  means: Float64Array;
}

/**
 * @param points `[n, 2]`, finite
 * @param values `[features, n]`
 */
export async function findNeighbours(
  points: Float64Array,
  nearest: number,
  radii: Float64Array,
  values: readonly Float64Array[],
  options?: AsyncOptions,
): Promise<NeighbourResult> {
  const n = points.length / 2;
  const all = new Float64Array(values.length * n);
  for (const [f, data] of values.entries()) all.set(data, f * n);
  const result = {
    distances: new Float64Array(n * nearest),
    counts: new Float64Array(radii.length * n),
    means: new Float64Array(radii.length * values.length * n),
  };
  const params = { n, nearest, radiusCount: radii.length, features: values.length, points, radii, values: all, ...result };
  await neighboursKernel.async(params, options);
  return result;
}
