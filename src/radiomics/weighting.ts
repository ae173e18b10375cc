import type { WeightingNorm } from './settings.js';

/** In the order of the native `Weighting`; `null` keeps the angles apart. */
export const WEIGHTINGS: readonly (WeightingNorm | null)[] = [null, 'manhattan', 'euclidean', 'infinity', 'no_weighting'];

/** How long a step between two pixels is, for PyRadiomics' `weightingNorm`. */
export function stepLength(
  norm: WeightingNorm | null | undefined,
  step: { dy: number; dx: number },
  spacing: readonly [number, number],
): number {
  const dx = Math.abs(step.dx) * spacing[0];
  const dy = Math.abs(step.dy) * spacing[1];
  if (norm === 'manhattan') return dx + dy;
  return norm === 'euclidean' ? Math.hypot(dx, dy) : Math.max(dx, dy);
}
