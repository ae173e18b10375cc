// Where a plane's values are cut in two: Otsu's threshold, for the whole plane or following it from place to place.
import type { Plane } from '../image/image.js';

const bins = 512;

/** Counts of values in 512 steps from 0 to `top`; what lies outside counts at the ends. NaN counts nowhere. */
export function histogram(plane: Plane, top: number, include?: Uint8Array): Uint32Array {
  const counts = new Uint32Array(bins);
  const scale = bins / top;
  for (let i = 0; i < plane.length; i++) {
    if (include && include[i] === 0) continue;
    const value = plane[i] as number;
    if (value >= 0 || value < 0) counts[Math.min(bins - 1, Math.max(0, Math.floor(value * scale)))]!++;
  }
  return counts;
}

/**
 * Otsu's threshold of a histogram (IEEE Trans. Syst. Man Cybern. 1979;9:62): the step edge that parts it into two classes with the
 * largest variance between them, and that variance as a share of the whole (0 to 1).
 */
export function otsu(counts: Uint32Array): { edge: number; separation: number } {
  let total = 0;
  let sum = 0;
  let squares = 0;
  counts.forEach((count, i) => {
    total += count;
    sum += count * i;
    squares += count * i * i;
  });
  const variance = total > 0 ? squares / total - (sum / total) ** 2 : 0;
  let below = 0;
  let sumBelow = 0;
  let best = 0;
  let edge = 0;
  for (let i = 0; i + 1 < counts.length; i++) {
    below += counts[i] as number;
    sumBelow += i * (counts[i] as number);
    const above = total - below;
    if (below === 0 || above === 0) continue;
    const between = (((below / total) * above) / total) * (sumBelow / below - (sum - sumBelow) / above) ** 2;
    if (between > best) [best, edge] = [between, i + 1];
  }
  return { edge, separation: variance > 0 ? best / variance : 0 };
}

/** Otsu's threshold of a plane of values from 0 to `top`. */
export function otsuThreshold(plane: Plane, top: number, include?: Uint8Array): number {
  return (otsu(histogram(plane, top, include)).edge * top) / bins;
}

const top = 256; // densities are from 0 to about 255
const glass = 12; // haematoxylin and eosin together; an 8-bit grey of about 215

/**
 * The foreground of a density plane. Otsu's threshold is found for the tissue as a whole, and again around each point of a grid; the
 * local one counts within limits of the global one, and between the points of the grid thresholds change linearly.
 *
 * @returns 1 where the density is above the threshold, or nothing where less than a thousandth of the image is tissue
 */
export function foregroundByThreshold(
  density: Float32Array,
  eosin: Float32Array,
  width: number,
  height: number,
  mpp: number,
): Uint8Array | undefined {
  const tissue = new Uint8Array(density.length);
  let count = 0;
  for (let i = 0; i < tissue.length; i++) {
    if ((density[i] as number) + (eosin[i] as number) > glass) {
      tissue[i] = 1;
      count++;
    }
  }
  if (count === 0 || count < tissue.length / 1000) return undefined;
  const global = otsuThreshold(density, top, tissue);
  const grid = localThresholds(density, tissue, width, height, Math.max(16, Math.round(50 / mpp)), global);
  const mask = new Uint8Array(density.length);
  for (let y = 0; y < height; y++) {
    const row = grid.row(y);
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      mask[i] = tissue[i] === 1 && (density[i] as number) > row(x) ? 1 : 0;
    }
  }
  return mask;
}

interface Grid {
  /** The thresholds along a row of pixels. */
  row(y: number): (x: number) => number;
}

function localThresholds(density: Float32Array, tissue: Uint8Array, width: number, height: number, step: number, global: number): Grid {
  const columns = Math.max(1, Math.ceil(width / step));
  const rows = Math.max(1, Math.ceil(height / step));
  const blocks = Array.from({ length: columns * rows }, () => new Uint32Array(bins));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const i = y * width + x;
      if (tissue[i] === 0) continue;
      const bin = Math.min(bins - 1, Math.max(0, Math.floor(((density[i] as number) * bins) / top)));
      (blocks[Math.floor(y / step) * columns + Math.floor(x / step)] as Uint32Array)[bin]!++;
    }
  }
  const thresholds = new Float64Array(columns * rows);
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < columns; c++) {
      // A block and its neighbours: enough tissue for two classes to show.
      const around = new Uint32Array(bins);
      let pixels = 0;
      for (let y = Math.max(0, r - 1); y <= Math.min(rows - 1, r + 1); y++) {
        for (let x = Math.max(0, c - 1); x <= Math.min(columns - 1, c + 1); x++) {
          (blocks[y * columns + x] as Uint32Array).forEach((n, bin) => {
            around[bin]! += n;
            pixels += n;
          });
        }
      }
      const local = pixels > step * step ? (otsu(around).edge * top) / bins : global;
      thresholds[r * columns + c] = Math.min(global * 1.25, Math.max(global * 0.75, local));
    }
  }
  const place = (at: number, n: number): [number, number, number] => {
    const position = Math.min(n - 1, Math.max(0, (at + 0.5) / step - 0.5));
    const first = Math.min(Math.floor(position), Math.max(0, n - 2));
    return [first, Math.min(first + 1, n - 1), position - first];
  };
  return {
    row(y) {
      const [above, below, v] = place(y, rows);
      const line = Float64Array.from({ length: columns }, (_, c) => {
        const upper = thresholds[above * columns + c] as number;
        return upper + v * ((thresholds[below * columns + c] as number) - upper);
      });
      return (x) => {
        const [left, right, u] = place(x, columns);
        return (line[left] as number) + u * ((line[right] as number) - (line[left] as number));
      };
    },
  };
}
