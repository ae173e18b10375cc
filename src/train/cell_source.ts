// The cells of a manifest's images: read and measured, or taken from the cache.
import { readCellMask } from '../cells/read_cell_mask.js';
import type { ImageWarning, LabelMask } from '../image/image.js';
import { type CacheSource, FeatureCache, type StoredCells } from './feature_cache.js';
import { FeatureRows } from './feature_rows.js';
import { type ImagePair, measurePair, readPair } from './image_cells.js';
import { Pace } from './pace.js';
import type { ExtractionRecipe } from './recipe.js';

/** An image and its mask, by their paths. */
export interface CellFiles {
  image: string;
  mask: string;
  /** Micrometres per pixel, whatever the image says. */
  mpp: number | undefined;
}

export interface FoundCells {
  /** Of the nuclei in their mask. */
  ids: Uint32Array;
  /** `[cells, 2]` in micrometres. */
  positions: Float64Array;
  table: FeatureRows;
  mask(): Promise<LabelMask>;
  /** What the user should know about the files; nothing where the cache had the features. */
  warnings: readonly ImageWarning[];
  /** Whether the features were in the cache. */
  cached: boolean;
}

export interface CellSourceOptions {
  /** A folder; see `ReadDatasetOptions`. */
  cache: string | undefined;
  /** Micrometres per pixel of images that do not tell. */
  otherwise: number | undefined;
  signal: AbortSignal | undefined;
}

/** What was read of an image: its pixels, or its cells where the cache had them. */
interface Ready {
  key: string | undefined;
  pair?: ImagePair;
  stored?: StoredCells | undefined;
}

export class CellSource {
  /** One list for all tables, so that they are seen to have the same features. */
  #names: readonly string[] | undefined;

  private constructor(
    private readonly recipe: ExtractionRecipe,
    private readonly options: CellSourceOptions,
    private readonly pace: Pace,
    private readonly cache: FeatureCache | undefined,
  ) {}

  /** @throws UamError `UAM_IO` where there can be no such cache */
  static async open(recipe: ExtractionRecipe, options: CellSourceOptions): Promise<CellSource> {
    const pace = new Pace('reading a manifest', options.signal);
    const cache = options.cache === undefined ? undefined : await FeatureCache.open(options.cache, recipe, pace);
    return new CellSource(recipe, options, pace, cache);
  }

  /** The cells of all images, in order. While those of one image are measured, the next image is read. */
  async *all(files: readonly CellFiles[]): AsyncGenerator<{ at: number; cells: FoundCells }> {
    let next = files[0] && this.#read(files[0]);
    for (const [at, own] of files.entries()) {
      const ready = await (next as Promise<Ready>);
      const after = files[at + 1];
      next = after && this.#read(after);
      next?.catch(() => {}); // whoever waits for it is told
      yield { at, cells: await this.#cells(own, ready) };
    }
  }

  /**
   * The cells of an image that is in memory with its mask.
   *
   * @param content what both were read from, by which the cache knows them
   */
  async of(pair: ImagePair, content: CacheSource): Promise<FoundCells> {
    await this.pace.rest();
    const key = await this.cache?.keyOf(content);
    const stored = key === undefined ? undefined : await this.cache?.find(key);
    const mask = async () => pair.mask;
    if (!stored) return { ...(await this.#measured(key, pair)), mask, warnings: pair.warnings, cached: false };
    const { ids, positions, table } = stored;
    return { ids, positions, table: this.#named(table), mask, warnings: pair.warnings, cached: true };
  }

  async #read(files: CellFiles): Promise<Ready> {
    await this.pace.rest();
    const { otherwise } = this.options;
    const key = await this.cache?.keyOf({ ...files, otherwise });
    const stored = key === undefined ? undefined : await this.cache?.find(key);
    return stored ? { key, stored } : { key, pair: await readPair(files, this.options) };
  }

  async #cells(files: CellFiles, { key, pair, stored }: Ready): Promise<FoundCells> {
    if (!pair) {
      const { ids, positions, table, width, height } = stored as StoredCells;
      const { signal } = this.options;
      const mask = () => readCellMask(files.mask, { width, height }, signal ? { signal } : {});
      return { ids, positions, table: this.#named(table), mask, warnings: [], cached: true };
    }
    return { ...(await this.#measured(key, pair)), mask: async () => pair.mask, warnings: pair.warnings, cached: false };
  }

  /** Extracts the features of an image's cells, and keeps them where there is a cache. */
  async #measured(key: string | undefined, pair: ImagePair): Promise<Pick<FoundCells, 'ids' | 'positions' | 'table'>> {
    const { table, positions } = await measurePair(pair, this.recipe, this.options);
    const { ids } = table;
    const rows = await FeatureRows.from(table, table.names, this.pace);
    const { width, height } = pair.pixels;
    if (key !== undefined) await this.cache?.keep(key, { ids, positions, table: rows, width, height });
    return { ids, positions, table: this.#named(rows) };
  }

  #named(table: FeatureRows): FeatureRows {
    const { matrix, rows } = table;
    this.#names ??= matrix.names;
    const same = this.#names.length === matrix.names.length && this.#names.every((name, i) => name === matrix.names[i]);
    return same ? new FeatureRows({ ...matrix, names: this.#names }, rows) : table;
  }
}
