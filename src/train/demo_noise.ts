// Smooth random fields over the plane, evaluated anywhere: the clay of which demo tiles are made.

// Slopes in sixteen directions: x, y, x, y, ...
const slopes = Float64Array.from({ length: 32 }, (_, i) => (i % 2 === 0 ? Math.cos : Math.sin)((Math.floor(i / 2) * Math.PI) / 8));

/** The slope of the field at a corner of the lattice, times the way from there. */
function corner(seed: number, ix: number, iy: number, dx: number, dy: number): number {
  let hash = seed ^ Math.imul(ix, 0x27d4eb2d) ^ Math.imul(iy, 0x165667b1);
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  const at = (hash >>> 26) & 30;
  return (slopes[at] as number) * dx + (slopes[at + 1] as number) * dy;
}

const ease = (t: number): number => t * t * t * (t * (t * 6 - 15) + 10);

/**
 * Gradient noise (Perlin, Improving noise, 2002): about -1 to 1, mean 0, features of about one unit of x and y.
 */
export function noise(seed: number, x: number, y: number): number {
  const ix = Math.floor(x);
  const iy = Math.floor(y);
  const dx = x - ix;
  const dy = y - iy;
  const u = ease(dx);
  const v = ease(dy);
  const top = corner(seed, ix, iy, dx, dy) * (1 - u) + corner(seed, ix + 1, iy, dx - 1, dy) * u;
  const bottom = corner(seed, ix, iy + 1, dx, dy - 1) * (1 - u) + corner(seed, ix + 1, iy + 1, dx - 1, dy - 1) * u;
  return 1.5 * (top * (1 - v) + bottom * v);
}

/** Noise of several sizes: each octave half as large and half as strong as the one before. */
export function fractal(seed: number, x: number, y: number, octaves: number): number {
  let sum = 0;
  for (let octave = 0, scale = 1; octave < octaves; octave++, scale *= 2) sum += noise(seed + octave, x * scale, y * scale) / scale;
  return sum;
}

/** 0 below `low`, 1 above `high`, smooth between. */
export function smoothstep(low: number, high: number, value: number): number {
  const t = Math.min(1, Math.max(0, (value - low) / (high - low)));
  return t * t * (3 - 2 * t);
}
