// Features of an image's cells, kept in a file between runs. What such a file holds is believed only where its key, its shapes and its
// checksum are right; anything else is as good as no file.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { UamError } from '../errors.js';
import { packageVersion } from '../native/load.js';
import { type Checkpoint, readCheckpoint, type StoredTensor, writeCheckpoint } from '../nn/checkpoint.js';
import { features } from '../radiomics/catalogue.js';
import { FeatureRows } from './feature_rows.js';
import { hashBytes } from './fingerprint.js';
import type { Pace } from './pace.js';
import { type ExtractionRecipe, recipeText } from './recipe.js';

/** The cells of an image, without its pixels. */
export interface StoredCells {
  /** Of the nuclei in their mask. */
  ids: Uint32Array;
  /** `[cells, 2]` in micrometres. */
  positions: Float64Array;
  table: FeatureRows;
  /** Of the image, in pixels. */
  width: number;
  height: number;
}

/** What an image or a mask is read from: a file, by its path, or numbers in memory, with what says how to take them. */
export type CacheContent = string | { kind: string; data: ArrayBufferView };

/** What decides the features of an image, beside the recipe. */
export interface CacheSource {
  image: CacheContent;
  mask: CacheContent;
  /** Micrometres per pixel that are given: for this image, and for images that do not tell. */
  mpp: number | undefined;
  otherwise: number | undefined;
}

/** What a file says about itself, as texts. */
interface Facts {
  key: string;
  names: string;
  width: string;
  height: string;
}

/** Changes when files of before can no longer be read. */
const FORMAT = 'uam-features 1';

async function hashOfFile(path: string): Promise<string> {
  const hash = createHash('sha256');
  try {
    for await (const bytes of createReadStream(path)) hash.update(bytes as Buffer);
  } catch (error) {
    throw new UamError('UAM_INPUT', `cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
  return hash.digest('hex');
}

/** What tells a content from all others: its kind and the hash of its bytes. */
async function contentMark(content: CacheContent, pace: Pace): Promise<[kind: string, hash: string]> {
  if (typeof content === 'string') return [extname(content).toLowerCase(), await hashOfFile(content)];
  const hash = createHash('sha256');
  await hashBytes(hash, content.data, pace);
  return [content.kind, hash.digest('hex')];
}

/** A hash of all that a file says and holds. */
async function checksum(facts: Facts, tensors: ReadonlyMap<string, StoredTensor>, pace: Pace): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([facts.key, facts.names, facts.width, facts.height]));
  for (const name of ['ids', 'positions', 'values']) {
    const data = tensors.get(name)?.data;
    if (data) await hashBytes(hash, data, pace);
  }
  return hash.digest('hex');
}

/** A folder of such files, named by a hash of all that decides their content. Processes may share it. */
export class FeatureCache {
  readonly #base: string;

  private constructor(
    private readonly folder: string,
    recipe: ExtractionRecipe,
    private readonly pace: Pace,
  ) {
    this.#base = JSON.stringify([FORMAT, packageVersion(), features, recipeText(recipe)]);
  }

  /**
   * @param folder is made where it is not there
   * @throws UamError `UAM_IO`
   */
  static async open(folder: string, recipe: ExtractionRecipe, pace: Pace): Promise<FeatureCache> {
    try {
      await mkdir(folder, { recursive: true });
    } catch (error) {
      throw new UamError('UAM_IO', `cannot make the folder ${folder} of the cache: ${(error as Error).message}`, { cause: error });
    }
    return new FeatureCache(folder, recipe, pace);
  }

  /**
   * The key of an image: from the bytes of its files or pixels, never from names or dates.
   *
   * @throws UamError `UAM_INPUT` where a file cannot be read
   */
  async keyOf({ image, mask, mpp, otherwise }: CacheSource): Promise<string> {
    const files = await Promise.all([image, mask].map((content) => contentMark(content, this.pace)));
    return createHash('sha256')
      .update(JSON.stringify([this.#base, files, mpp ?? null, otherwise ?? null]))
      .digest('hex');
  }

  #path(key: string): string {
    return join(this.folder, `${key}.safetensors`);
  }

  /** What is kept under a key; undefined where there is nothing, or nothing sound. */
  async find(key: string): Promise<StoredCells | undefined> {
    try {
      return await soundCells(await readCheckpoint(this.#path(key)), key, this.pace);
    } catch (error) {
      if (error instanceof UamError && ['UAM_INPUT', 'UAM_FORMAT'].includes(error.code)) return undefined;
      throw error;
    }
  }

  /** @throws UamError `UAM_IO` */
  async keep(key: string, { ids, positions, table, width, height }: StoredCells): Promise<void> {
    const { names } = table.matrix;
    const tensors = new Map<string, StoredTensor>([
      ['ids', { shape: [ids.length], data: Int32Array.from(ids) }],
      ['positions', { shape: [ids.length, 2], data: positions }],
      ['values', { shape: [ids.length, names.length], data: table.toArray() }],
    ]);
    const facts: Facts = { key, names: JSON.stringify(names), width: String(width), height: String(height) };
    await writeCheckpoint(this.#path(key), tensors, { ...facts, checksum: await checksum(facts, tensors, this.pace) });
  }
}

/** The cells of a file, where all of it is as it was written. */
async function soundCells({ tensors, metadata }: Checkpoint, key: string, pace: Pace): Promise<StoredCells | undefined> {
  const [ids, positions, values] = ['ids', 'positions', 'values'].map((name) => tensors.get(name));
  const fact = (name: string) => metadata.get(name) ?? '';
  const facts: Facts = { key, names: fact('names'), width: fact('width'), height: fact('height') };
  const names = listOfTexts(facts.names);
  if (fact('key') !== key || !names || fact('checksum') !== (await checksum(facts, tensors, pace))) return undefined;
  if (!(ids?.data instanceof Int32Array) || !(positions?.data instanceof Float64Array) || !(values?.data instanceof Float32Array)) {
    return undefined;
  }
  const cells = ids.data.length;
  if (positions.data.length !== 2 * cells || values.data.length !== cells * names.length) return undefined;
  return {
    ids: Uint32Array.from(ids.data),
    positions: positions.data,
    table: FeatureRows.of(names, values.data),
    ...{ width: Number(facts.width), height: Number(facts.height) },
  };
}

function listOfTexts(text: string): string[] | undefined {
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) && list.every((name) => typeof name === 'string') ? list : undefined;
  } catch {
    return undefined;
  }
}
