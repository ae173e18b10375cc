import { UamError } from '../errors.js';
import { gaussianBlur } from '../image/gaussian_blur.js';
import type { LabelMask, RasterImage } from '../image/image.js';
import { DEMO_CLASSES, growNuclei, type Nucleus, nucleusAt } from './demo_nuclei.js';
import { makePatient, makeTissue, type Patient, type Tissue } from './demo_tissue.js';
import { Pace } from './pace.js';
import { seeded } from './seeded.js';

export interface DemoTileOptions {
  /** Which tile; the same options give the same bytes. 0 to 2^32 - 1; default 0. */
  seed?: number | undefined;
  /** Whose tissue: tiles of a patient share stain, sharpness and habit. 0 to 2^32 - 1; default `seed`. */
  patient?: number | undefined;
  /** Pixels, 16 to 4096; default 512. */
  width?: number | undefined;
  /** Pixels, 16 to 4096; default 512. */
  height?: number | undefined;
  /** Micrometres per pixel, 0.2 to 2; default 0.5 (20x). */
  mpp?: number | undefined;
}

/** A made-up tile of tissue, and all that is true of it. */
export interface DemoTile {
  /** 8-bit RGB. */
  image: RasterImage;
  /** Ids 1 to n. */
  mask: LabelMask;
  /** `['tumour', 'lymphocyte', 'stromal']` */
  classNames: readonly string[];
  /** `[n]`: the class of the nucleus with id i + 1. */
  classes: Uint8Array;
  /** `height * width`: 255 inside tumour nests, else 0. */
  region: Uint8Array;
  /** `['no tissue', 'tumour nest', 'stroma', 'lymphocyte cluster']` */
  regionNames: readonly string[];
  /** `height * width`: what each pixel lies in, an index into `regionNames`. */
  regions: Uint8Array;
}

const REGIONS = Object.freeze(['no tissue', 'tumour nest', 'stroma', 'lymphocyte cluster'] as const);

function complete(options: DemoTileOptions): Required<{ [K in keyof DemoTileOptions]: number }> {
  const { seed = 0, width = 512, height = 512, mpp = 0.5 } = options;
  const all = { seed, patient: options.patient ?? seed, width, height, mpp };
  const whole = (name: 'seed' | 'patient' | 'width' | 'height', low: number, high: number) => {
    if (!Number.isInteger(all[name]) || all[name] < low || all[name] > high) {
      throw new UamError('UAM_ARGUMENT', `demoTile: ${name} must be an integer from ${low} to ${high}, received ${all[name]}`);
    }
  };
  whole('seed', 0, 0xffffffff);
  whole('patient', 0, 0xffffffff);
  whole('width', 16, 4096);
  whole('height', 16, 4096);
  if (!(mpp >= 0.2 && mpp <= 2)) throw new UamError('UAM_ARGUMENT', `demoTile: mpp must be from 0.2 to 2 micrometres, received ${mpp}`);
  return all;
}

/** What is stained how strongly, and what is where. */
interface Canvas {
  width: number;
  height: number;
  mpp: number;
  haematoxylin: Float32Array;
  eosin: Float32Array;
  labels: Uint32Array;
  regions: Uint8Array;
}

/** Work in pieces of a few milliseconds: each `yield` is a moment in which others may have their turn. */
type Pieces<T> = Generator<void, T, void>;

/** Pixels whose colour is worked out in one piece. */
const pieceSize = 1 << 14;

function regionAt({ inflamed }: Tissue, x: number, y: number, nest: number, fat: number): number {
  if (fat <= 0) return 0;
  if (nest > 0) return 1;
  return inflamed(x, y) > 0.5 ? 3 : 2;
}

/** Everything but the nuclei. */
function* paintTissue({ width, height, mpp, haematoxylin, eosin, regions }: Canvas, tissue: Tissue): Pieces<void> {
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const [mx, my] = [x * mpp, y * mpp];
      const nest = tissue.nest(mx, my);
      const fat = tissue.fat(mx, my);
      const [h, e] = tissue.stain(mx, my, nest, fat);
      haematoxylin[at] = h;
      eosin[at] = e;
      regions[at] = regionAt(tissue, mx, my, nest, fat);
    }
    yield;
  }
}

function paintNucleus(canvas: Canvas, nucleus: Nucleus, id: number): void {
  const { width, height, mpp, haematoxylin, eosin, labels } = canvas;
  const reach = 1.35 * nucleus.a + 1;
  const [x0, x1] = [Math.max(0, Math.floor((nucleus.x - reach) / mpp)), Math.min(width - 1, Math.ceil((nucleus.x + reach) / mpp))];
  const [y0, y1] = [Math.max(0, Math.floor((nucleus.y - reach) / mpp)), Math.min(height - 1, Math.ceil((nucleus.y + reach) / mpp))];
  for (let py = y0; py <= y1; py++) {
    for (let px = x0; px <= x1; px++) {
      const here = nucleusAt(nucleus, px * mpp, py * mpp);
      if (!here) continue;
      const cover = Math.min(1, Math.max(0, here.inside / mpp + 0.5));
      const at = py * width + px;
      // Where nuclei lie on each other their densities add up, as in a section of some thickness.
      const below = labels[at] !== 0 ? 0.7 : 0.25;
      haematoxylin[at] = (haematoxylin[at] as number) * (1 - cover * (1 - below)) + here.haematoxylin * cover;
      eosin[at] = (eosin[at] as number) * (1 - 0.55 * cover) + here.eosin * cover;
      if (here.inside > 0 && labels[at] === 0) labels[at] = id;
    }
  }
}

/** Square micrometres: of less, cut off by the edge or covered by others, nobody would say what it is. */
const smallestSeen = 4;

/** Gives the nuclei of which enough is seen the ids from 1 on, the others none; returns their kinds. */
function numberSeen(labels: Uint32Array, nuclei: readonly Nucleus[], smallest: number): Uint8Array {
  const areas = new Uint32Array(nuclei.length + 1);
  for (const id of labels) areas[id] = (areas[id] as number) + 1;
  const ids = new Uint32Array(nuclei.length + 1);
  const kinds: number[] = [];
  nuclei.forEach(({ kind }, i) => {
    if ((areas[i + 1] as number) >= smallest) ids[i + 1] = kinds.push(kind);
  });
  for (let at = 0; at < labels.length; at++) labels[at] = ids[labels[at] as number] as number;
  return Uint8Array.from(kinds);
}

/** Densities to light, through a microscope that blurs and a camera that adds noise. */
function* develop({ width, height, mpp, haematoxylin, eosin }: Canvas, patient: Patient, seed: number): Pieces<Uint8Array> {
  const random = seeded(seed, 0xca3);
  const data = new Uint8Array(width * height * 3);
  const light = new Float32Array(width * height);
  for (let channel = 0; channel < 3; channel++) {
    const h = (patient.haematoxylin[channel] as number) * patient.haematoxylinGain;
    const e = (patient.eosin[channel] as number) * patient.eosinGain;
    const white = patient.white[channel] as number;
    for (let at = 0; at < light.length; at++) {
      light[at] = white * Math.exp(-h * (haematoxylin[at] as number) - e * (eosin[at] as number));
      if (at % pieceSize === 0) yield;
    }
    const blurred = gaussianBlur(light, width, height, patient.blur / mpp);
    yield;
    for (let at = 0; at < blurred.length; at++) {
      const grain = (random() + random() + random() - 1.5) * 3;
      data[at * 3 + channel] = Math.min(255, Math.max(0, Math.round((blurred[at] as number) + grain)));
      if (at % pieceSize === 0) yield;
    }
  }
  return data;
}

function* draw(options: DemoTileOptions): Pieces<DemoTile> {
  const { seed, patient: patientSeed, width, height, mpp } = complete(options);
  const patient = makePatient(patientSeed);
  const tissue = makeTissue(seed, width * mpp, height * mpp, patient);
  const canvas: Canvas = {
    width,
    height,
    mpp,
    haematoxylin: new Float32Array(width * height),
    eosin: new Float32Array(width * height),
    labels: new Uint32Array(width * height),
    regions: new Uint8Array(width * height),
  };
  yield* paintTissue(canvas, tissue);
  const nuclei = yield* growNuclei(seed, width * mpp, height * mpp, tissue, patient);
  for (const [i, nucleus] of nuclei.entries()) {
    paintNucleus(canvas, nucleus, i + 1);
    yield;
  }
  const classes = numberSeen(canvas.labels, nuclei, smallestSeen / mpp ** 2);
  yield;
  return {
    image: { width, height, channels: 3, data: yield* develop(canvas, patient, seed), mpp: [mpp, mpp], name: `demo ${seed}` },
    mask: { width, height, data: canvas.labels, name: `demo ${seed}` },
    classNames: DEMO_CLASSES,
    classes,
    region: canvas.regions.map((region) => (region === 1 ? 255 : 0)),
    regionNames: REGIONS,
    regions: canvas.regions,
  };
}

/**
 * Makes a tile that looks like H&E-stained tissue: nests of tumour with large, uneven, vesicular nuclei and nucleoli, fibrous stroma with
 * elongated nuclei along its fibres, small dark lymphocytes in swarms, some nuclei touching or lying on each other, fat, clefts, stains
 * that differ between patients, blur and noise. For demonstrations and tests; nothing can be learned of real tissue from it.
 *
 * @returns the image, the exact label mask, the class of each nucleus, and the exact regions: nests, stroma, lymphocyte clusters
 * @throws UamError `UAM_ARGUMENT` for options outside their range
 * @example
 * const { image, mask, classes, classNames } = demoTile({ seed: 7, width: 128, height: 128 });
 * console.log(image.width, classNames[classes[0]], mask.data.length);
 */
export function demoTile(options: DemoTileOptions = {}): DemoTile {
  const pieces = draw(options);
  for (;;) {
    const { done, value } = pieces.next();
    if (done) return value;
  }
}

/**
 * As `demoTile`, the same bytes, but without holding the event loop.
 *
 * @throws UamError as `demoTile`; `UAM_ABORTED`
 * @example
 * const { classes } = await demoTileAsync({ seed: 7, width: 128, height: 128 });
 */
export async function demoTileAsync(options: DemoTileOptions = {}, { signal }: { signal?: AbortSignal } = {}): Promise<DemoTile> {
  const pace = new Pace('demoTile', signal);
  const pieces = draw(options);
  for (;;) {
    const { done, value } = pieces.next();
    if (done) return value;
    await pace.rest();
  }
}
