// The nuclei of a demo tile: where they lie, how they are formed, how they take the stain. Lengths are in micrometres.
import { fractal, noise, smoothstep } from './demo_noise.js';
import type { Patient, Tissue } from './demo_tissue.js';
import { seeded } from './seeded.js';

/** The kinds of nuclei in demo tiles. */
export const DEMO_CLASSES = Object.freeze(['tumour', 'lymphocyte', 'stromal'] as const);

export interface Nucleus {
  /** Index into `DEMO_CLASSES`. */
  kind: number;
  x: number;
  y: number;
  /** Half axes, and the direction of the long one. */
  a: number;
  b: number;
  angle: number;
  /** How far the ends bend away, per square of the way along the axis. */
  bend: number;
  /** The outline's waves: amplitude and phase of the second to the fifth. */
  waves: readonly (readonly [amplitude: number, phase: number])[];
  /** Haematoxylin inside, at the rim, and how strongly it is clumped, over what length. */
  chromatin: { inside: number; rim: number; clumps: number; size: number };
  nucleoli: readonly (readonly [x: number, y: number, radius: number, strength: number])[];
  seed: number;
}

const gauss = (random: () => number): number => random() + random() + random() + random() + random() + random() - 3; // deviation 0.71

/** A length about `mean`, never far from it. */
const about = (random: () => number, mean: number, spread: number): number => mean * Math.exp(spread * 1.4 * gauss(random));

const waves = (random: () => number, strength: number): Nucleus['waves'] =>
  [2, 3, 4, 5].map((k) => [(strength * gauss(random)) / k, random() * 2 * Math.PI] as const);

// Every kind has members that look like another: a class is not told by one feature, and the surroundings help.

function tumour(random: () => number, patient: Patient): Omit<Nucleus, 'x' | 'y'> {
  const small = random() < 0.1; // shrunken and dark, as a lymphocyte
  const size = about(random, (small ? 3.3 : 4.9) * patient.grade, 0.17);
  const spindle = random() < 0.1; // long, as in the stroma
  const shape = spindle ? 2 + 1.2 * random() : 1 + 0.75 * random() ** 1.4;
  const open = small ? 0 : random(); // vesicular, or dark throughout
  const count = small || random() < 0.35 ? 0 : random() < 0.7 ? 1 : 2;
  return {
    kind: 0,
    a: size * Math.sqrt(shape),
    b: size / Math.sqrt(shape),
    angle: random() * Math.PI,
    bend: 0.02 * gauss(random),
    waves: waves(random, 0.15),
    chromatin: { inside: 0.75 + 0.65 * (1 - open) ** 2, rim: 0.5 * open + 0.1, clumps: 0.4 + 0.4 * random(), size: 1.7 + 0.9 * random() },
    nucleoli: Array.from(
      { length: count },
      () => [0.45 * gauss(random), 0.45 * gauss(random), 0.75 + 0.5 * random(), 0.5 + 0.5 * random()] as const,
    ),
    seed: Math.floor(random() * 2 ** 31),
  };
}

function lymphocyte(random: () => number): Omit<Nucleus, 'x' | 'y'> {
  const active = random() < 0.15; // larger and paler than those at rest
  const size = about(random, active ? 3.5 : 2.75, 0.1);
  const shape = 1 + (active ? 0.8 : 0.5) * random() ** 2;
  return {
    kind: 1,
    a: size * Math.sqrt(shape),
    b: size / Math.sqrt(shape),
    angle: random() * Math.PI,
    bend: 0,
    waves: waves(random, 0.1),
    chromatin: { inside: (active ? 1.25 : 1.75) + 0.5 * random(), rim: active ? 0.3 : 0.1, clumps: active ? 0.5 : 0.35, size: 1.3 },
    nucleoli: [],
    seed: Math.floor(random() * 2 ** 31),
  };
}

function stromal(random: () => number, angle: number): Omit<Nucleus, 'x' | 'y'> {
  const look = random();
  const across = look < 0.15; // cut across: short and dark
  const plump = look > 0.88 ? 1 + 0.6 * random() : random() ** 2; // the plumpest look like tumour
  return {
    kind: 2,
    a: across ? about(random, 3, 0.15) : about(random, 5.8 - 1.2 * plump, 0.24),
    b: across ? about(random, 1.9, 0.15) : about(random, 1.45 + 1.3 * plump, 0.15),
    angle: angle + 0.25 * gauss(random),
    bend: across ? 0 : 0.02 * gauss(random),
    waves: waves(random, 0.07),
    chromatin: {
      inside: 1.45 - 0.55 * Math.min(1, plump) + 0.3 * random(),
      rim: 0.05 + 0.25 * plump,
      clumps: 0.25 + 0.15 * plump,
      size: 1.4,
    },
    nucleoli: plump > 1.2 ? [[0.3 * gauss(random), 0.3 * gauss(random), 0.7, 0.5 * random()]] : [],
    seed: Math.floor(random() * 2 ** 31),
  };
}

/** Discs along the long axis that together cover a nucleus: enough to tell whether two would lie on each other. */
function* discs({ x, y, a, b, angle }: Nucleus): Generator<readonly [number, number, number]> {
  const reach = a - b;
  const steps = Math.max(0, Math.round(reach / b));
  for (let i = -steps; i <= steps; i++) {
    const at = steps === 0 ? 0 : (reach * i) / steps;
    yield [x + at * Math.cos(angle), y + at * Math.sin(angle), b * (1 - 0.25 * Math.abs(at / Math.max(reach, 1e-9)))];
  }
}

/** Finds out who is near without asking all. */
class Crowd {
  readonly #cells = new Map<number, (readonly [number, number, number])[]>();
  readonly #pitch = 12;

  #key = (x: number, y: number): number => Math.floor(y / this.#pitch) * 65536 + Math.floor(x / this.#pitch);

  /** Whether no disc comes nearer than `gap`; a negative gap lets nuclei touch and cover each other a little. */
  free(nucleus: Nucleus, gap: number): boolean {
    for (const [x, y, radius] of discs(nucleus)) {
      for (let dy = -1; dy <= 1; dy++) {
        for (let dx = -1; dx <= 1; dx++) {
          for (const [ox, oy, other] of this.#cells.get(this.#key(x + dx * this.#pitch, y + dy * this.#pitch)) ?? []) {
            if ((x - ox) ** 2 + (y - oy) ** 2 < Math.max(0, radius + other + gap) ** 2) return false;
          }
        }
      }
    }
    return true;
  }

  add(nucleus: Nucleus): void {
    for (const disc of discs(nucleus)) {
      const key = this.#key(disc[0], disc[1]);
      const own = this.#cells.get(key);
      if (own) own.push(disc);
      else this.#cells.set(key, [disc]);
    }
  }
}

/** The direction of the fibres, along their level lines. */
function fibreAngle({ fibre }: Tissue, x: number, y: number): number {
  return Math.atan2(fibre(x, y + 1) - fibre(x, y - 1), fibre(x + 1, y) - fibre(x - 1, y)) + Math.PI / 2;
}

/** Puts nuclei where the tissue has room for them; each `yield` is a moment in which others may have their turn. */
export function* growNuclei(
  seed: number,
  width: number,
  height: number,
  tissue: Tissue,
  patient: Patient,
): Generator<void, Nucleus[], void> {
  const random = seeded(seed, 0x9c1e1);
  const crowd = new Crowd();
  const nuclei: Nucleus[] = [];
  const margin = 6;
  const attempts = Math.round(((width + 2 * margin) * (height + 2 * margin)) / 7);
  for (let attempt = 0; attempt < attempts; attempt++) {
    const x = random() * (width + 2 * margin) - margin;
    const y = random() * (height + 2 * margin) - margin;
    const chance = random();
    if (attempt % 256 === 0) yield;
    const depth = tissue.nest(x, y);
    if (tissue.fat(x, y) < 2.5) continue;
    const inflamed = tissue.inflamed(x, y);
    let body: Omit<Nucleus, 'x' | 'y'>;
    let gap: number;
    if (depth > 3.5 && chance > 0.02 + 0.05 * inflamed) {
      body = tumour(random, patient);
      gap = random() < 0.12 ? -1.2 : 0.4 + 2.4 * random() ** 2;
    } else if (depth > 1) {
      if (chance > 0.07) continue;
      body = lymphocyte(random);
      gap = 0.2;
    } else if (chance < 0.02 + 0.8 * inflamed) {
      body = lymphocyte(random);
      gap = random() < 0.3 ? -0.6 : 0.1 + 1.8 * random() ** 2;
    } else if (chance > 0.86) {
      body = stromal(random, fibreAngle(tissue, x, y));
      gap = 0.6 + 5 * random();
    } else continue;
    const nucleus = { ...body, x, y };
    if (!crowd.free(nucleus, gap)) continue;
    crowd.add(nucleus);
    nuclei.push(nucleus);
  }
  return nuclei;
}

/** How a nucleus looks at a place: how far inside (0 at the outline, 1 at the centre; negative outside), and its stain there. */
export function nucleusAt(nucleus: Nucleus, x: number, y: number): { inside: number; haematoxylin: number; eosin: number } | undefined {
  const { a, b, angle, bend, chromatin, nucleoli, seed } = nucleus;
  const dx = x - nucleus.x;
  const dy = y - nucleus.y;
  const u = dx * Math.cos(angle) + dy * Math.sin(angle);
  const v = dy * Math.cos(angle) - dx * Math.sin(angle) + bend * u * u;
  const radius = Math.sqrt((u / a) ** 2 + (v / b) ** 2);
  if (radius > 1.6) return undefined;
  const theta = Math.atan2(v / b, u / a);
  let outline = 1;
  nucleus.waves.forEach(([amplitude, phase], k) => {
    outline += amplitude * Math.cos((k + 2) * theta + phase);
  });
  const inside = 1 - radius / outline;
  const depth = inside * b; // about the distance to the outline
  if (depth < -1.5) return undefined;
  const texture = fractal(seed, u / chromatin.size, v / chromatin.size, 2);
  const clouds = noise(seed + 9, u / 4, v / 4);
  let haematoxylin =
    chromatin.inside * (1 + chromatin.clumps * (texture + 0.4 * clouds)) + chromatin.rim * Math.exp(-((depth / 0.65) ** 2));
  let eosin = 0.12;
  for (const [nx, ny, size, strength] of nucleoli) {
    const spot = smoothstep(1.25, 0.6, Math.hypot(u - nx * a, v - ny * b) / size);
    haematoxylin += strength * spot;
    eosin += 0.5 * strength * spot;
  }
  return { inside: depth, haematoxylin: Math.max(0.2, haematoxylin), eosin };
}
