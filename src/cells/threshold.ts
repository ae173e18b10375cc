// Where a plane's values are cut in two: Otsu's threshold, and how it follows the plane from place to place.
import type { Plane } from '../image/image.js';

const bins = 512;
const top = 256; // densities are from 0 to about 255
const leastGap = 6; // between nuclei and the rest; images with nuclei have 12 and more, noise 2
const glass = 12; // haematoxylin and eosin together; an 8-bit grey of about 215

/** Counts of the densities of tissue in 512 steps from 0 to 256; what lies outside counts at the ends. NaN counts nowhere. */
function histogram(plane: Plane, tissue: Uint8Array): Uint32Array {
  const counts = new Uint32Array(bins);
  const scale = bins / top;
  for (let i = 0; i < plane.length; i++) {
    if (tissue[i] === 0) continue;
    const value = plane[i] as number;
    if (value >= 0 || value < 0) counts[Math.min(bins - 1, Math.max(0, Math.floor(value * scale)))]!++;
  }
  return counts;
}

/**
 * Otsu's threshold of a histogram (IEEE Trans. Syst. Man Cybern. 1979;9:62): the step edge that parts it into two classes with the
 * largest variance between them; `gap` is how far the classes' means lie apart, in steps.
 */
export function otsu(counts: Uint32Array): { edge: number; gap: number } {
  let total = 0;
  let sum = 0;
  counts.forEach((count, i) => {
    total += count;
    sum += count * i;
  });
  let below = 0;
  let sumBelow = 0;
  let best = 0;
  let edge = 0;
  let gap = 0;
  for (let i = 0; i + 1 < counts.length; i++) {
    below += counts[i] as number;
    sumBelow += i * (counts[i] as number);
    const above = total - below;
    if (below === 0 || above === 0) continue;
    const apart = (sum - sumBelow) / above - sumBelow / below;
    const between = (below / total) * (above / total) * apart ** 2;
    if (between > best) [best, edge, gap] = [between, i + 1, apart];
  }
  return { edge, gap };
}

/** Otsu's threshold of the densities of what is tissue; nothing where that parts no stain from another, but noise. */
export function densityThreshold(density: Plane, tissue: Uint8Array): number | undefined {
  const { edge, gap } = otsu(histogram(density, tissue));
  return gap * (top / bins) < leastGap ? undefined : edge * (top / bins);
}

/**
 * The foreground of a density plane: where it is above `0.8 m + 0.22 g` and above `0.6 g`, with g Otsu's threshold of the tissue and m the
 * mean around the pixel. So nuclei that lie close together are parted by what is between them, and pale nuclei count where they are
 * darker than their surroundings. (Weights found on PUMA, NuCLS and DSB 2018 images.)
 *
 * @param density smoothed a little
 * @param around the same density, smoothed over the distance of some nuclei
 * @param tissue 1 for tissue, 0 for glass
 * @param global g
 */
export function foreground(density: Float32Array, around: Float32Array, tissue: Uint8Array, global: number): Uint8Array {
  const mask = new Uint8Array(density.length);
  for (let i = 0; i < mask.length; i++) {
    const threshold = Math.max(0.6 * global, 0.8 * (around[i] as number) + 0.22 * global);
    mask[i] = tissue[i] === 1 && (density[i] as number) > threshold ? 1 : 0;
  }
  return mask;
}

/** 1 where the densities of the stains say that there is tissue; nothing where that is less than a thousandth of the image. */
export function findTissue(haematoxylin: Float32Array, eosin: Float32Array): Uint8Array | undefined {
  const { tissue, count } = stainedPixels(haematoxylin, eosin);
  return count === 0 || count < tissue.length / 1000 ? undefined : tissue;
}

/** 1 where the densities of the stains say that there is tissue, and how often. */
export function stainedPixels(haematoxylin: Float32Array, eosin: Float32Array): { tissue: Uint8Array; count: number } {
  const tissue = new Uint8Array(haematoxylin.length);
  let count = 0;
  for (let i = 0; i < tissue.length; i++) {
    if ((haematoxylin[i] as number) + (eosin[i] as number) > glass) {
      tissue[i] = 1;
      count++;
    }
  }
  return { tissue, count };
}
