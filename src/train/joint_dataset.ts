import { mismatch, UamError } from '../errors.js';
import type { RasterImage } from '../image/image.js';
import { CellDataset, type CellSample, type DatasetOptions, type SampleInput } from './dataset.js';

/** Marks pixels of a region mask of which nobody said what they are. */
export const UNKNOWN_REGION = 255;

/** The pixels of a tile, in memory that threads share. */
export interface TilePixels {
  width: number;
  height: number;
  /** `[height, width, 3]`: red, green, blue. */
  data: Uint8Array;
  /** Where the centre of the first pixel lies, in micrometres, as the cells' positions are given. */
  origin: readonly [x: number, y: number];
}

/** A tile with what is known of it; any of it may be absent. */
export interface JointSample extends CellSample {
  image: TilePixels | undefined;
  /** The sidecar of feature maps that stand for the image: see `readImageFeatures`. */
  maps: string | undefined;
  /** The file that the image came from, for sidecars that have its hash. */
  imageFile: string | undefined;
  /** `[cells, 4]`: x0, y0, x1, y1 of each cell in micrometres; undefined where only their places are known. */
  boxes: Float64Array | undefined;
  /** `[height, width, regions]`: 1 inside, 0 outside, 255 where it is not known. */
  region: Uint8Array | undefined;
}

/** What a joint dataset is made from. */
export interface JointSampleInput extends Omit<SampleInput, 'table'> {
  /** Absent: a tile without cells. */
  table?: SampleInput['table'] | undefined;
  /** 8-bit RGB, at the dataset's pixel size. */
  image?: RasterImage | TilePixels | undefined;
  maps?: string | undefined;
  imageFile?: string | undefined;
  boxes?: Float64Array | undefined;
  region?: Uint8Array | undefined;
}

export interface JointDatasetOptions extends DatasetOptions {
  /** Names of the regions, in the order of the logits. Default: `tumour`. */
  regions?: readonly string[] | undefined;
  /** Micrometres per pixel of all images. */
  mpp: number;
}

/** Pixel sizes that differ by less than this share are one, as for features. */
const TOLERANCE = 0.05;

function shared(data: Uint8Array): Uint8Array {
  if (data.buffer instanceof SharedArrayBuffer) return data;
  const copy = new Uint8Array(new SharedArrayBuffer(data.length));
  copy.set(data);
  return copy;
}

function pixelsOf(image: RasterImage | TilePixels, mpp: number, where: string): TilePixels {
  const { width, height, data } = image;
  if (!(data instanceof Uint8Array) || ('channels' in image && image.channels !== 3) || data.length !== 3 * width * height) {
    throw mismatch('UAM_DATA', `${where}: its image`, `8-bit RGB of ${width} x ${height}`, `${data.length} values`);
  }
  const sizes = 'mpp' in image ? (image.mpp ?? []) : [];
  const other = sizes.find((size) => Math.abs(size / mpp - 1) > TOLERANCE);
  if (other !== undefined) throw mismatch('UAM_DATA', `${where}: its pixel size`, `${mpp} um`, `${other} um`, 'resample it');
  return { width, height, data: shared(data), origin: 'origin' in image ? image.origin : [0, 0] };
}

function regionOf({ region }: JointSampleInput, image: TilePixels | undefined, kinds: number, where: string): Uint8Array | undefined {
  if (!region) return undefined;
  if (image && region.length !== image.width * image.height * kinds) {
    const expected = `${image.width} x ${image.height} x ${kinds} values`;
    throw mismatch('UAM_SHAPE', `${where}: its region mask`, expected, String(region.length));
  }
  const strange = region.find((value) => value > 1 && value !== UNKNOWN_REGION);
  if (strange !== undefined) throw mismatch('UAM_DATA', `${where}: its region mask`, '0, 1, or 255 (not known)', String(strange));
  return shared(region);
}

/**
 * Tiles with their images, cells and regions: what a joint model learns from and is measured on. Any part of a tile may be absent.
 *
 * @example
 * const { image, region } = demoTile({ width: 64, height: 64 });
 * const dataset = JointDataset.of([{ image, region: region.map((value) => (value ? 1 : 0)) }], { mpp: 0.5 });
 * dataset.regions;   // ['tumour']
 */
export class JointDataset extends CellDataset {
  declare readonly samples: readonly JointSample[];

  constructor(
    samples: readonly JointSample[],
    classes: readonly string[],
    readonly regions: readonly string[],
    readonly mpp: number,
    extraction?: CellDataset['extraction'],
  ) {
    super(samples, classes, extraction);
  }

  /**
   * @throws UamError as `CellDataset.from`; `UAM_SHAPE`, `UAM_DATA` for images, boxes and region masks that do not fit
   */
  static of(inputs: readonly JointSampleInput[], { regions = ['tumour'], mpp, ...options }: JointDatasetOptions): JointDataset {
    if (!(mpp > 0 && mpp < 1e3)) throw mismatch('UAM_ARGUMENT', 'joint dataset: mpp', 'micrometres per pixel', String(mpp));
    if (regions.length === 0 || new Set(regions).size !== regions.length) {
      throw new UamError('UAM_ARGUMENT', `joint dataset: regions must be different names, received [${regions.join(', ')}]`);
    }
    // A tile without cells has the columns of the others, and no rows.
    const like = inputs.find(({ table }) => table)?.table;
    const none = { length: 0, columns: (like?.columns ?? []).map(({ name }) => ({ name, data: new Float64Array(0) })) };
    const cells = CellDataset.from(
      inputs.map((input) => ({ ...input, table: input.table ?? none, ...(!input.table && { positions: new Float64Array(0) }) })),
      options,
    );
    const samples = inputs.map((input, i): JointSample => {
      const sample = cells.samples[i] as CellSample;
      const { name } = sample;
      const { boxes, maps, imageFile } = input;
      if (boxes && boxes.length !== 4 * sample.table.length) {
        throw mismatch('UAM_SHAPE', `${name}: boxes`, `x0, y0, x1, y1 of ${sample.table.length} cells`, `${boxes.length} numbers`);
      }
      const image = input.image && pixelsOf(input.image, mpp, name);
      return { ...sample, image, maps, imageFile, boxes, region: regionOf(input, image, regions.length, name) };
    });
    return new JointDataset(samples, cells.classes, regions, mpp, options.extraction);
  }

  override select(keep: (sample: JointSample) => boolean): JointDataset {
    return new JointDataset(this.samples.filter(keep), this.classes, this.regions, this.mpp, this.extraction);
  }
}
