// The tissue of a demo tile without its nuclei: nests of tumour in fibrous stroma, fat, clefts. Lengths are in micrometres.
import { fractal, noise, smoothstep } from './demo_noise.js';
import { seeded } from './seeded.js';

/** What is special to a patient: all tiles of one are stained and built alike. */
export interface Patient {
  /** Optical densities of haematoxylin and eosin in R, G, B. */
  haematoxylin: readonly [number, number, number];
  eosin: readonly [number, number, number];
  /** How strongly each took. */
  haematoxylinGain: number;
  eosinGain: number;
  /** Brightness of the empty slide. */
  white: readonly [number, number, number];
  /** Blur of the optics in micrometres. */
  blur: number;
  /** Part of the tissue that is tumour, about. */
  tumour: number;
  /** How densely lymphocytes lie, about 0 to 1. */
  inflammation: number;
  /** Size of tumour nuclei against the usual. */
  grade: number;
}

/** Between two numbers. */
const between = (random: () => number, low: number, high: number): number => low + (high - low) * random();

export function makePatient(seed: number): Patient {
  const random = seeded(seed, 0x9a71e);
  const turn = between(random, -0.05, 0.05);
  return {
    haematoxylin: [0.58 + turn + between(random, -0.03, 0.03), 0.71, 0.4 - turn / 2],
    eosin: [0.13 - turn / 2, 0.8, 0.46 + between(random, -0.07, 0.07)],
    haematoxylinGain: between(random, 0.8, 1.15),
    eosinGain: between(random, 0.8, 1.2),
    white: [between(random, 240, 248), between(random, 239, 246), between(random, 241, 249)],
    blur: between(random, 0.22, 0.36),
    tumour: between(random, 0.35, 0.6),
    inflammation: between(random, 0.25, 1),
    grade: between(random, 0.9, 1.15),
  };
}

interface Hole {
  x: number;
  y: number;
  radius: number;
}

/** The lie of the land: what grows where. */
export interface Tissue {
  /** About the distance to the border of the nearest nest, positive inside. */
  nest(x: number, y: number): number;
  /** Distance to the wall of the nearest fat cell, positive outside. */
  fat(x: number, y: number): number;
  /** Rises across the fibres of the stroma: its level lines are the fibres. */
  fibre(x: number, y: number): number;
  /** 0 to 1: how many lymphocytes lie there. */
  inflamed(x: number, y: number): number;
  /** Densities of haematoxylin and eosin at a place, without nuclei. */
  stain(x: number, y: number, nest: number, fat: number): readonly [haematoxylin: number, eosin: number];
}

/** Fat cells in the stroma: round, some side by side. */
function fatCells(seed: number, width: number, height: number, nest: Tissue['nest']): Hole[] {
  const random = seeded(seed, 0xfa7);
  const wanted = Math.floor(random() * random() * 9);
  const holes: Hole[] = [];
  for (let attempt = 0; attempt < 400 && holes.length < wanted; attempt++) {
    const [x, y] = [between(random, -0.05, 1.05) * width, between(random, -0.05, 1.05) * height];
    const radius = between(random, 14, 34);
    const clear = [0, 1, 2, 3, 4, 5].every((k) => nest(x + radius * Math.cos(k), y + radius * Math.sin(k)) < -5);
    if (clear && nest(x, y) < -8 && holes.every((hole) => Math.hypot(hole.x - x, hole.y - y) > hole.radius + radius + 3)) {
      holes.push({ x, y, radius });
    }
  }
  return holes;
}

export function makeTissue(seed: number, width: number, height: number, patient: Patient): Tissue {
  const random = seeded(seed, 0x7155);
  const [s1, s2, s3, s4, s5, s6] = Array.from({ length: 6 }, () => Math.floor(random() * 2 ** 31)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const scale = between(random, 70, 110);
  const angle = random() * Math.PI;
  const [ax, ay] = [Math.cos(angle), Math.sin(angle)];
  const threshold = 0.42 - 0.85 * patient.tumour;

  const nest = (x: number, y: number): number => {
    const wx = x + 14 * noise(s2, x / 40, y / 40);
    const wy = y + 14 * noise(s2 + 99, x / 40, y / 40);
    return (fractal(s1, wx / scale, wy / scale, 2) - threshold) * 0.45 * scale;
  };
  const holes = fatCells(seed, width, height, nest);
  const fat = (x: number, y: number): number => {
    let least = 1e3;
    for (const hole of holes) {
      const [dx, dy] = [x - hole.x, y - hole.y];
      if (Math.abs(dx) > hole.radius * 1.3 || Math.abs(dy) > hole.radius * 1.3) continue;
      const wobble = 1 + 0.22 * noise(s3, hole.x + x / 40, hole.y + y / 40);
      least = Math.min(least, Math.hypot(dx, dy) - hole.radius * wobble);
    }
    return least;
  };
  const fibre = (x: number, y: number): number =>
    0.55 * nest(x, y) + 0.6 * (ax * x + ay * y) + 7 * noise(s3, x / 34, y / 34) + 2 * noise(s3 + 5, x / 11, y / 11);
  const inflamed = (x: number, y: number): number =>
    smoothstep(
      0.5 - 0.55 * patient.inflammation,
      0.75 - 0.45 * patient.inflammation,
      noise(s4, x / 55, y / 55) + 0.3 * noise(s4 + 1, x / 18, y / 18),
    );

  const stroma = (x: number, y: number): readonly [number, number] => {
    const across = fibre(x, y);
    const along = (-ay * x + ax * y) / 26;
    const bundles = noise(s5, across / 7, along);
    const threads = noise(s5 + 1, across / 2.1, along * 1.7);
    const hairs = noise(s5 + 3, across / 0.9, along * 2.5) + 0.6 * noise(s5 + 4, x / 1.6, y / 1.6);
    const loose = smoothstep(-0.1, 0.6, noise(s6, x / 42, y / 42) + 0.25 * bundles + 0.5 * inflamed(x, y));
    // White cracks run along the fibres, mostly where these lie loosely.
    const crack = smoothstep(0.24 - 0.16 * loose, 0.4 - 0.1 * loose, noise(s5 + 2, across / 3.6, along * 1.3) - 0.12);
    const dense = 0.62 + 0.16 * bundles + 0.16 * threads + 0.12 * hairs;
    const airy = 0.2 + 0.13 * threads + 0.1 * bundles + 0.1 * hairs;
    const eosin = (dense * (1 - loose) + airy * loose) * (1 - 0.85 * crack);
    return [0.05 + 0.1 * loose * (1 - crack) + 0.03 * threads, Math.max(0.02, eosin)];
  };
  const cytoplasm = (x: number, y: number): readonly [number, number] => {
    const clouds = noise(s6 + 1, x / 12, y / 12);
    const grains = fractal(s6 + 2, x / 1.9, y / 1.9, 2);
    const froth = smoothstep(0.42, 0.7, noise(s6 + 3, x / 3.2, y / 3.2) + 0.2 * clouds);
    return [
      Math.max(0, (0.3 + 0.08 * clouds + 0.07 * grains) * (1 - 0.6 * froth)),
      Math.max(0, (0.3 + 0.12 * clouds + 0.07 * grains) * (1 - 0.7 * froth)),
    ];
  };

  const stain = (x: number, y: number, inNest: number, toFat: number): readonly [number, number] => {
    const inside = smoothstep(-0.8, 0.8, inNest);
    const [sh, se] = inside < 1 ? stroma(x, y) : [0, 0];
    const [ch, ce] = inside > 0 ? cytoplasm(x, y) : [0, 0];
    // Nests shrink away from the stroma here and there.
    const cleft = smoothstep(1.6, 0.5, Math.abs(inNest + 1.2)) * smoothstep(0.1, 0.4, noise(s2 + 7, x / 45, y / 45));
    const empty = smoothstep(0.6, -0.6, toFat);
    const wall = Math.exp(-((toFat - 0.9) ** 2) / 0.9) * 0.25;
    const left = (1 - 0.9 * cleft) * (1 - empty);
    return [(sh * (1 - inside) + ch * inside) * left, (se * (1 - inside) + ce * inside) * left + wall];
  };
  return { nest, fat, fibre, inflamed, stain };
}
