// Tiles whose parts are files.
import { access } from 'node:fs/promises';
import { readCellMask } from '../cells/read_cell_mask.js';
import { UamError } from '../errors.js';
import type { ImageWarning } from '../image/image.js';
import type { Split } from './dataset.js';
import { pixelSizeOf, scaledImage, unknownPixelSize } from './image_cells.js';
import { classesIn, pointsIn } from './known_classes.js';
import { type RegionValues, readRegion } from './region_mask.js';
import type { TileNuclei, TileParts, TileSource } from './tile_source.js';

/** The files of a tile; what is undefined is not there. */
export interface TileFiles {
  name: string;
  image: string;
  mask: string | undefined;
  /** What is known of the cells' classes, and from which file. */
  known: { file: string; of: NonNullable<TileNuclei['known']>; needsMask: boolean } | undefined;
  /** A mask for each region of the dataset. */
  regions: readonly (string | undefined)[];
  maps: string | undefined;
  patient: string | undefined;
  split: Split | undefined;
  /** Micrometres per pixel, whatever the image says. */
  mpp: number | undefined;
}

/** Classes from one of the two kinds of file. */
export function knownFrom({ points, classes }: { points: string | undefined; classes: string | undefined }): TileFiles['known'] {
  if (points) return { file: points, of: (cells) => pointsIn(points, cells), needsMask: false };
  return classes ? { file: classes, of: (cells) => classesIn(classes, cells), needsMask: true } : undefined;
}

export interface FileTileOptions extends RegionValues {
  /** Micrometres per pixel of an image that does not tell. */
  otherwise: number | undefined;
}

export class FileTile implements TileSource {
  readonly name: string;
  readonly file: string;
  readonly patient: string | undefined;
  readonly split: Split | undefined;
  readonly maps: string | undefined;

  constructor(
    private readonly files: TileFiles,
    private readonly options: FileTileOptions,
  ) {
    const { name, image, patient, split, maps } = files;
    [this.name, this.file, this.patient, this.split, this.maps] = [name, image, patient, split, maps];
  }

  async pixelSize(): Promise<readonly [number, number]> {
    const size = await pixelSizeOf(this.files, this.options.otherwise);
    if (!size) throw unknownPixelSize(this.file);
    return size;
  }

  /** @throws UamError as `readImage`, `readCellMask`, `readRegion`; `UAM_INPUT` where the maps are not there */
  async read(cells: boolean, signal: AbortSignal | undefined): Promise<TileParts> {
    const { image, maps, regions } = this.files;
    const { image: pixels, warnings } = await scaledImage(this.files, { signal, otherwise: this.options.otherwise });
    const heard: ImageWarning[] = [...warnings];
    const nuclei = cells ? await this.#nuclei(pixels, heard, signal) : undefined;
    const masks = [];
    for (const path of regions) {
      const region = path === undefined ? undefined : await readRegion(path, pixels, this.options, signal);
      heard.push(...(region?.warnings ?? []));
      masks.push(region?.mask);
    }
    if (maps !== undefined) {
      await access(maps).catch((cause) => {
        throw new UamError('UAM_INPUT', `${image}: its feature maps ${maps} cannot be read: ${cause.message}`, { cause });
      });
    }
    return { pixels, nuclei, regions: masks, warnings: heard };
  }

  async #nuclei(size: { width: number; height: number }, heard: ImageWarning[], signal: AbortSignal | undefined) {
    const { image, mask: path, known, mpp } = this.files;
    if (path === undefined) {
      if (known?.needsMask)
        throw new UamError('UAM_DATA', `${image}: ${known.file} names the classes of nuclei, but there is no mask of them`);
      if (known)
        heard.push({
          code: 'points_without_mask',
          message: `${image}: there is no mask of nuclei: the points of ${known.file} are left out`,
        });
      return undefined;
    }
    const { warnings, ...mask } = await readCellMask(path, size, signal ? { signal } : {});
    heard.push(...warnings);
    return { mask, content: { image, mask: path, mpp, otherwise: this.options.otherwise }, known: known?.of };
  }
}
