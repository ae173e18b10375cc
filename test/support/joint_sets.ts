// Little tiles with images, cells and regions, and a joint model that learns them in seconds.
import { JointDataset, type JointSampleInput } from '../../src/train/joint_dataset.js';
import type { JointUamOptions } from '../../src/train/joint_options.js';
import { uniform } from './random.js';

export const LITTLE_JOINT: JointUamOptions = Object.freeze({
  ...{ width: 16, depth: 2, heads: 2, state: 4, ffn: 24 },
  encoder: Object.freeze({ channels: [8, 8, 8, 8], depths: [1, 1, 1, 1] }),
});

export const SIDE = 64;
export const CLASSES = Object.freeze(['stroma', 'tumour']);

/** A tile whose left part, as far as `border`, is a dark region: cells in it are tumour, with larger first features, others stroma. */
export function jointTile(seed: number, { width = SIDE, height = SIDE, cells = 12 } = {}): JointSampleInput & { region: Uint8Array } {
  const next = uniform(seed);
  const border = Math.floor(width * (0.25 + 0.5 * next()));
  const data = new Uint8Array(width * height * 3);
  const region = new Uint8Array(width * height);
  for (let i = 0; i < width * height; i++) {
    const inside = i % width < border;
    region[i] = inside ? 1 : 0;
    for (let c = 0; c < 3; c++) data[3 * i + c] = (inside ? 90 : 190) + 20 * c * (inside ? 1 : 0) + Math.floor(30 * next());
  }
  const places = Array.from({ length: cells }, () => [Math.floor(width * next()), Math.floor(height * next())] as const);
  const tumour = places.map(([x]) => x < border);
  const feature = (difference: number) => Float64Array.from(tumour, (is) => (is ? difference : 0) + 4 * next());
  return {
    ...{ name: `tile ${seed}`, patient: `patient ${seed >> 1}`, region, mpp: 0.5 },
    image: { width, height, channels: 3, data, mpp: [0.5, 0.5] },
    table: { length: cells, columns: [3, 1].map((difference, f) => ({ name: `glcm_F${f}`, data: feature(difference) })) },
    positions: Float64Array.from(places.flatMap(([x, y]) => [0.5 * x, 0.5 * y])),
    classes: tumour.map((is) => CLASSES[Number(is)] as string),
  };
}

export const jointSet = (tiles = 6, seed = 1, size = {}): JointDataset =>
  JointDataset.of(
    Array.from({ length: tiles }, (_, i) => jointTile(100 * seed + i, size)),
    { mpp: 0.5, classes: CLASSES },
  );
