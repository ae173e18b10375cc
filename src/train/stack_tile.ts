// Tiles that lie in stacks: NumPy arrays of images, and of the ids of their nuclei.
import { mismatch, UamError } from '../errors.js';
import { toLabels } from '../image/labels.js';
import { type NpyFile, openNpy } from '../image/npy_file.js';
import type { NumericArray } from '../image/numeric_array.js';
import { Warnings } from '../image/warnings.js';
import type { Split } from './dataset.js';
import { Pace } from './pace.js';
import type { TileParts, TileSource } from './tile_source.js';

/** Nuclei of a tile in a stack. */
export interface StackNuclei {
  /** `[height, width]` ids; 0 for none. */
  data: Uint32Array;
  /** The class of each id; of those that are not in it, nothing is known. */
  classOf: ReadonlyMap<number, string>;
}

/** A stack: `[count, height, width, channels]`. */
export interface Stack extends NpyFile {
  readonly shape: readonly [count: number, height: number, width: number, channels: number];
}

/**
 * Opens a stack, of which one image is read at a time.
 *
 * @throws UamError as `openNpy`; `UAM_DATA` where it has another shape
 */
export async function openStack(path: string, channels: number): Promise<Stack> {
  const array = await openNpy(path);
  const { shape } = array;
  if (shape.length === 4 && shape[3] === channels && !shape.includes(0)) return array as Stack;
  await array.close();
  throw mismatch('UAM_DATA', `${path}: its shape`, `(images, height, width, ${channels})`, `(${shape.join(', ')})`);
}

/** Refuses stacks that do not speak of the same images. */
export function checkStacks(images: Stack, labels: Stack): void {
  const size = ({ shape }: Stack) => shape.slice(0, 3).join(' x ');
  if (size(images) === size(labels)) return;
  throw mismatch('UAM_SHAPE', `${labels.name}: its images`, `${size(images)}, as those of ${images.name}`, size(labels));
}

/** Every `step`th value from `first` on: one channel of an image. */
function channelOf(values: NumericArray, first: number, step: number): NumericArray {
  const out = new (values.constructor as new (length: number) => NumericArray)(values.length / step);
  for (let i = 0, at = first; i < out.length; i++, at += step) out[i] = values[at] as number;
  return out;
}

/**
 * The whole numbers of one channel.
 *
 * @throws UamError `UAM_DATA` for negative ones and fractions
 */
export function idsOfChannel(values: NumericArray, channel: number, { shape }: Stack, where: string): Uint32Array {
  const [, height, width, channels] = shape;
  return toLabels({ name: where, width, height, data: channelOf(values, channel, channels), floatsAreUsual: true }, new Warnings());
}

/** 8-bit values, of whatever type they are stored in. */
function bytesOf(values: NumericArray, where: string): Uint8Array {
  if (values instanceof Uint8Array) return values;
  const out = new Uint8Array(values.length);
  let most = 0;
  for (let i = 0; i < values.length; i++) {
    const value = Number(values[i]);
    if (!(value >= 0 && value <= 255)) throw mismatch('UAM_DATA', `${where}: its values`, 'from 0 to 255', String(value));
    out[i] = Math.round(value);
    most = Math.max(most, value);
  }
  if (most > 0 && most <= 1)
    throw new UamError('UAM_DATA', `${where}: its values reach from 0 to ${most}; colours from 0 to 255 were expected`);
  return out;
}

interface StackTileParts {
  images: Stack;
  index: number;
  name: string;
  patient?: string | undefined;
  split?: Split | undefined;
  /** Micrometres per pixel. */
  mpp: number;
  /** How many regions the dataset has: stacks tell nothing of them. */
  regions: number;
  nuclei: (pace: Pace) => Promise<StackNuclei>;
}

export class StackTile implements TileSource {
  readonly name: string;
  readonly file: string;
  readonly patient: string | undefined;
  readonly split: Split | undefined;
  readonly maps = undefined;

  constructor(private readonly parts: StackTileParts) {
    const { images, index, name, patient, split } = parts;
    [this.name, this.file, this.patient, this.split] = [name, `${images.name}, image ${index}`, patient, split];
  }

  async pixelSize(): Promise<readonly [number, number]> {
    return [this.parts.mpp, this.parts.mpp];
  }

  async read(cells: boolean, signal: AbortSignal | undefined): Promise<TileParts> {
    const pace = new Pace('reading a dataset', signal);
    await pace.rest();
    const { images, index, mpp, regions } = this.parts;
    const [, height, width] = images.shape;
    const data = bytesOf(await images.read(index), this.file);
    const size = `${width} x ${height}`;
    const found = cells ? await this.parts.nuclei(pace) : undefined;
    return {
      pixels: { width, height, channels: 3, data, mpp: [mpp, mpp], name: this.file },
      nuclei: found && {
        mask: { width, height, data: found.data, name: this.file },
        content: { image: { kind: `rgb ${size}`, data }, mask: { kind: `ids ${size}`, data: found.data }, mpp, otherwise: undefined },
        known: async ({ ids }) => ({ classes: Array.from(ids, (id) => found.classOf.get(id)) }),
      },
      regions: new Array(regions).fill(undefined),
      warnings: [],
    };
  }
}
