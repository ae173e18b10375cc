import { type AsyncOptions, hostKernel } from '../../native/call.js';
import type { PlaneSize, Spacing } from './plane.js';

interface GradientMagnitude {
  height: number;
  width: number;
  spacingX: number;
  spacingY: number;
  x: Float64Array;
  y: Float64Array;
}

/** The definition (native/kernels/gradient_magnitude.h). */
function gradientMagnitudeReference({ height, width, spacingX, spacingY, x, y }: GradientMagnitude): void {
  const at = (r: number, c: number) => x[Math.min(Math.max(r, 0), height - 1) * width + Math.min(Math.max(c, 0), width - 1)] as number;
  for (let r = 0; r < height; r++) {
    for (let c = 0; c < width; c++) {
      const gx = (at(r, c + 1) - at(r, c - 1)) * (0.5 / spacingX);
      const gy = (at(r + 1, c) - at(r - 1, c)) * (0.5 / spacingY);
      y[r * width + c] = Math.fround(Math.sqrt(gx * gx + gy * gy));
    }
  }
}

export const gradientMagnitudeKernel = hostKernel('gradient_magnitude', gradientMagnitudeReference);

/** The gradient magnitude of a plane as ITK computes it: values are rounded to float32. */
export async function gradientMagnitude(
  x: Float64Array,
  { width, height }: PlaneSize,
  [spacingX, spacingY]: Spacing,
  options?: AsyncOptions,
): Promise<Float64Array> {
  const y = new Float64Array(x.length);
  await gradientMagnitudeKernel.async({ height, width, spacingX, spacingY, x, y }, options);
  return y;
}
