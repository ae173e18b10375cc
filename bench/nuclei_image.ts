// A synthetic slide for the radiomics benchmarks: elliptical nuclei with chromatin-like texture, the same in every run.

import type { TextureClass } from '../src/radiomics/feature_class.js';
import { type RoiMask, roiInput } from '../src/radiomics/roi.js';
import { completeSettings, type Settings } from '../src/radiomics/settings.js';
import type { TimedCase } from './harness.js';

/** Pixels of the median nucleus, as in H&E at 40x. */
const MEDIAN_AREA = 212;

export interface NucleiImage {
  /** `[height, width]` */
  plane: Uint8Array;
  /** Label image, ids 1 to `rois`, and the box of each. */
  regions: RoiMask;
}

interface Nucleus {
  x: number;
  y: number;
  /** Half axes in pixels, the first along `angle`. */
  major: number;
  minor: number;
  angle: number;
  /** Mean intensity, and waves of it across the nucleus. */
  level: number;
  waves: { amplitude: number; kx: number; ky: number; phase: number }[];
}

/** Numbers in [0, 1), always the same (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function nucleus(x: number, y: number, next: () => number): Nucleus {
  const normal = Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  const area = MEDIAN_AREA * Math.exp(0.6 * normal);
  const aspect = 1 + next();
  const minor = Math.sqrt(area / (Math.PI * aspect));
  const waves = Array.from({ length: 4 }, () => {
    const direction = 2 * Math.PI * next();
    const length = 6 + 14 * next();
    const k = (2 * Math.PI) / length;
    return { amplitude: 14 + 12 * next(), kx: k * Math.cos(direction), ky: k * Math.sin(direction), phase: 2 * Math.PI * next() };
  });
  return { x, y, major: aspect * minor, minor, angle: Math.PI * next(), level: 80 + 60 * next(), waves };
}

/** Paints the pixels of a nucleus that no other holds yet, and returns their box, or `undefined` if there are none. */
function paint({ plane, regions }: NucleiImage, id: number, shape: Nucleus, next: () => number): number[] | undefined {
  const { width, height, labels } = regions;
  const { x, y, major, minor, level, waves } = shape;
  const cos = Math.cos(shape.angle);
  const sin = Math.sin(shape.angle);
  const box = [width, height, 0, 0] as [number, number, number, number];
  for (let py = Math.max(0, Math.floor(y - major)); py <= Math.min(height - 1, y + major); py++) {
    for (let px = Math.max(0, Math.floor(x - major)); px <= Math.min(width - 1, x + major); px++) {
      const [dx, dy] = [px - x, py - y];
      const inside = ((dx * cos + dy * sin) / major) ** 2 + ((dy * cos - dx * sin) / minor) ** 2 <= 1;
      if (!inside || labels[py * width + px] !== 0) continue;
      const texture = waves.reduce((sum, wave) => sum + wave.amplitude * Math.sin(wave.kx * dx + wave.ky * dy + wave.phase), 0);
      labels[py * width + px] = id;
      plane[py * width + px] = Math.min(255, Math.max(0, Math.round(level + texture + 12 * (next() - 0.5))));
      box[0] = Math.min(box[0], px);
      box[1] = Math.min(box[1], py);
      box[2] = Math.max(box[2], px + 1);
      box[3] = Math.max(box[3], py + 1);
    }
  }
  return box[2] > 0 ? box : undefined;
}

/** An image with about `count` nuclei, evenly strewn; what is left uncovered is light. */
export function nucleiImage(width: number, height: number, count: number): NucleiImage {
  const next = numbers(1);
  const labels = new Uint32Array(width * height);
  const plane = Uint8Array.from(labels, () => 220 + 20 * next());
  const image = { plane, regions: { width, height, rois: 0, labels, ids: new Uint32Array(0), boxes: new Int32Array(0) } };
  const columns = Math.max(1, Math.round(Math.sqrt((count * width) / height)));
  const rows = Math.max(1, Math.round(count / columns));
  const boxes: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const x = ((column + 0.3 + 0.4 * next()) * width) / columns;
      const y = ((row + 0.3 + 0.4 * next()) * height) / rows;
      const box = paint(image, boxes.length / 4 + 1, nucleus(x, y, next), next);
      if (box) boxes.push(...box);
    }
  }
  const rois = boxes.length / 4;
  return {
    plane,
    regions: { ...image.regions, rois, ids: Uint32Array.from({ length: rois }, (_, k) => k + 1), boxes: Int32Array.from(boxes) },
  };
}

/** One class on 1,000 nuclei. The work counted is to read their boxes in image and mask, and to write the features. */
// biome-ignore lint/suspicious/noExplicitAny: each class has parameters of its own
export function textureCase(texture: TextureClass<any>, partial: Partial<Settings> = {}): TimedCase {
  const { plane, regions } = nucleiImage(1024, 1024, 1000);
  const settings = completeSettings(partial);
  const out = new Float64Array(regions.rois * texture.features.length);
  let pixels = 0;
  for (let k = 0; k < 4 * regions.rois; k += 4) {
    const [x0 = 0, y0 = 0, x1 = 0, y1 = 0] = regions.boxes.subarray(k, k + 4);
    pixels += (x1 - x0) * (y1 - y0);
  }
  return {
    name: `${regions.rois} nuclei, binWidth ${settings.binWidth}`,
    setup: () => {
      const params = texture.params(roiInput(regions, plane, settings), settings, [1, 1], out);
      return () => texture.kernel(params);
    },
    work: { bytes: 5 * pixels + 8 * out.length },
  };
}
